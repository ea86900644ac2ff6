#!/bin/sh
# Makes the initramfs images for user-mode Linux with the same initramfs-tools as QEMU's:
# BASE FILES KERNEL OUTPUT LIFEBOAT.deb AGENT.deb.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
base=$1 files=$2 kernel=$3 output=$4 lifeboat=$5 agent=$6
tree=$output/tree
release=$(cat "$kernel/release")

mkdir "$tree"
tar --directory "$tree" --extract --file "$base/base.tar"
# The Debian kernel's own initramfs is not wanted here.
echo update_initramfs=no >"$tree/etc/initramfs-tools/update-initramfs.conf"
cp -R "$kernel/modules" "$tree/lib/modules/$release"
cp "$kernel/config" "$tree/boot/config-$release"
chroot "$tree" mkinitramfs -o /tmp/without.img "$release"

cp "$lifeboat" "$tree/tmp/lifeboat.deb"
cp "$agent" "$tree/tmp/lifeboat-agent.deb"
chroot "$tree" apt-get install --yes --no-install-recommends /tmp/lifeboat.deb /tmp/lifeboat-agent.deb
cp "$files/hooks/test-wait" "$tree/etc/initramfs-tools/hooks/"
cp -R "$tree/etc/initramfs-tools" "$tree/tmp/faults"
cp -R "$files/faults/." "$tree/tmp/faults/"
chroot "$tree" mkinitramfs -o /tmp/plain.img "$release"
chroot "$tree" mkinitramfs -d /tmp/faults -o /tmp/faulty.img "$release"

# How many files an export must hold.
chroot "$tree" unmkinitramfs /tmp/plain.img /tmp/plain
find "$tree/tmp/plain" -path "*/lib/modules/$release/*" -type f | wc -l >"$output/module-files"
mv "$tree/tmp/without.img" "$tree/tmp/plain.img" "$tree/tmp/faulty.img" "$output/"
rm -r "$tree"
chmod -R a+rX "$output"
