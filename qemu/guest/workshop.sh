#!/bin/sh
# Makes the disk of the Debian guest in which modules are built and kernels installed: TOOLS.tar FILES OUTPUT
# LIFEBOAT.deb AGENT.deb.
set -eu
tools=$1 files=$2 output=$3 lifeboat=$4 agent=$5
tree=$output/tree

"$files/tree.sh" "$tools" "$files" "$tree" "$lifeboat" "$agent"
cp -R "$files/workshop/." "$tree/"
echo update_initramfs=yes >"$tree/etc/initramfs-tools/update-initramfs.conf"
echo own >"$tree/etc/hostname"
echo "LABEL=lifeboat-root / ext4 defaults 0 1" >"$tree/etc/fstab"
truncate -s 2G "$output/own.img"
mke2fs -q -F -t ext4 -m 0 -L lifeboat-root -d "$tree" "$output/own.img"
rm -r "$tree"
chmod -R a+rX "$output"
