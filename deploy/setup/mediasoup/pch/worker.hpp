// Precompiled once for all files of the worker: reading these headers is most of the work of compiling one, and
// the whole build takes half the time with it.
#include "common.hpp"
#include "Logger.hpp"
#include "MediaSoupErrors.hpp"
#include "Settings.hpp"
#include "Utils.hpp"
#include "RTC/Router.hpp"
#include "RTC/Transport.hpp"
#include "RTC/WebRtcTransport.hpp"
