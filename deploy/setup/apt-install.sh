#!/bin/sh
# Installs the packages that are named, as root, without questions, and without starting the services among them: Duet's
# tests start their own Redis and TURN servers, on their own ports.
set -eu
export DEBIAN_FRONTEND=noninteractive

# What Debian asks before it starts a service; 101 is "no" (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi

# One broken source among many is no reason to stop: the installation tells whether the packages are there.
apt-get -o DPkg::Lock::Timeout=120 update || true
apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
