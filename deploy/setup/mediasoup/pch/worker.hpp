// Precompiled once for all files of the worker: reading these headers is most of the work of compiling a file, and the
// whole build takes half the time with it. More headers make it slower again: what they leave to be instantiated is
// compiled anew for each file.
#include "common.hpp"
#include "Logger.hpp"
#include "MediaSoupErrors.hpp"
#include "Settings.hpp"
#include "Utils.hpp"
#include "FBS/message.h"
