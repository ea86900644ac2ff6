#!/bin/sh
# Makes the tree of a Debian guest: BASE.tar FILES TREE LIFEBOAT.deb AGENT.deb. Nothing is mounted in it, so nothing
# has to be unmounted, whatever fails.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
base=$1 files=$2 tree=$3 lifeboat=$4 agent=$5

mkdir "$tree"
tar --directory "$tree" --extract --file "$base"
cp -R "$files/debian/." "$tree/"
cp "$lifeboat" "$tree/tmp/lifeboat.deb"
cp "$agent" "$tree/tmp/lifeboat-agent.deb"
chroot "$tree" apt-get install --yes --no-install-recommends /tmp/lifeboat.deb /tmp/lifeboat-agent.deb
rm "$tree/tmp/lifeboat.deb" "$tree/tmp/lifeboat-agent.deb"
chroot "$tree" systemctl enable test-shell.service systemd-networkd.service
echo root:lifeboat | chroot "$tree" chpasswd
# Otherwise each boot is a first boot.
tr -d - </proc/sys/kernel/random/uuid >"$tree/etc/machine-id"
