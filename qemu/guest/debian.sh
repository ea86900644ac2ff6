#!/bin/sh
# Makes the Debian guest: BASE FILES OUTPUT LIFEBOAT.deb AGENT.deb.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
base=$1 files=$2 output=$3 lifeboat=$4 agent=$5
tree=$output/tree
release=$(cat "$base/external/release")

"$files/tree.sh" "$base/base.tar" "$files" "$tree" "$lifeboat" "$agent"

mkdir "$output/own"
cp "$tree"/boot/vmlinuz-* "$output/own/vmlinuz"
cp "$tree"/boot/initrd.img-* "$output/own/initrd.img"

# The external kernel is in the tree only while its initramfs is made.
cp -R "$base/external/modules" "$tree/lib/modules/$release"
cp "$base/external/config" "$tree/boot/config-$release"
cp "$files/hooks/test-wait" "$tree/etc/initramfs-tools/hooks/"
cp -R "$tree/etc/initramfs-tools" "$tree/tmp/faults"
cp -R "$files/faults/." "$tree/tmp/faults/"
mkdir "$output/external"
chroot "$tree" mkinitramfs -o /tmp/plain.img "$release" &
chroot "$tree" mkinitramfs -d /tmp/faults -o /tmp/faulty.img "$release"
wait $!
# With busybox's tools and run-init in place of klibc's. Its package is in the tree only for this, and unpacked only:
# dpkg would make the own kernel's initramfs anew.
dpkg-deb --fsys-tarfile "$base/busybox.deb" | tar --directory "$tree" --extract --keep-directory-symlink
chroot "$tree" mkinitramfs -d /tmp/faults -o /tmp/busybox.img "$release"
chroot "$tree" unmkinitramfs /tmp/busybox.img /tmp/busybox
found=$(find "$tree/tmp/busybox" -path '*/sbin/run-init' | head -n 1)
cmp "$found" "$tree/bin/busybox"
dpkg-deb --fsys-tarfile "$base/busybox.deb" | tar --list | grep -v '/$' | sed "s,^,$tree/," | xargs rm
# How many files an export must hold.
chroot "$tree" unmkinitramfs /tmp/plain.img /tmp/plain
find "$tree/tmp/plain" -path "*/lib/modules/$release/*" -type f | wc -l >"$output/external/module-files"
mv "$tree/tmp/plain.img" "$tree/tmp/faulty.img" "$tree/tmp/busybox.img" "$output/external/"
rm "$tree/etc/initramfs-tools/hooks/test-wait"
rm -r "$tree/lib/modules/$release" "$tree/boot/config-$release" "$tree/tmp/faults" "$tree/tmp/plain" "$tree/tmp/busybox"

# LABEL HOST-NAME
image() {
    echo "$2" >"$tree/etc/hostname"
    echo "LABEL=$1 / ext4 defaults 0 1" >"$tree/etc/fstab"
    truncate -s 1G "$output/$2.img"
    mke2fs -q -F -t ext4 -m 0 -L "$1" -d "$tree" "$output/$2.img"
}
image lifeboat-root own
image RESCUE rescue
# A rescue system that knows nothing of lifeboat.
chroot "$tree" dpkg --purge lifeboat-agent lifeboat
image RESCUE stranger
rm -r "$tree"
chmod -R a+rX "$output"
