#!/bin/sh
# initramfs-tools waits for a missing root "approximately max(30, rootdelay) seconds", as its source says. A fair guess
# is that the time starts when the wait starts. It starts when the initramfs starts: what came before counts too, such as
# a passphrase that was typed for 31 seconds in local-top. Then init looks once more and gives up, and a disk that
# appears two seconds later is not found.
#
# Seen with initramfs-tools-core 0.142+deb12u3 (Debian 12), and so in scripts/functions and scripts/local:
#   started 0 s ago: gave up after 30 looks
#   started 31 s ago: gave up after 1 looks
# The package is downloaded and unpacked; its own functions run, with a clock and a sleep that take no time.
set -eu

VERSION=0.142+deb12u3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download "initramfs-tools-core=$VERSION"
dpkg-deb --extract initramfs-tools-core_*.deb tree

cat >wait.sh <<'END'
scripts=tree/usr/share/initramfs-tools/scripts
. "$scripts/functions"
. "$scripts/local"
now=1000
starttime=$((now - $1))
looks=0
_uptime() { echo "$now"; }
sleep() { now=$((now + $1)); }
wait_for_udev() { :; }
local_block() { looks=$((looks + 1)); }
resolve_device() { return 1; }
get_fstype() { return 1; }
log_begin_msg() { :; }
log_end_msg() { :; }
local_device_setup /dev/missing "root file system" false >/dev/null || :
echo "started $1 s ago: gave up after $looks looks"
END

seen=$(sh wait.sh 0; sh wait.sh 31)
echo "$seen"
wanted="started 0 s ago: gave up after 30 looks
started 31 s ago: gave up after 1 looks"
[ "$seen" = "$wanted" ] || { echo "this has changed; it was:"; echo "$wanted"; exit 1; }
