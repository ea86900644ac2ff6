#!/bin/sh
# Run by mmdebstrap on the new tree, where the package lists still are. Installs the release's newest kernel,
# and puts into $ENTRY a static busybox, a package that lifeboat takes the place of, and a kernel of another
# version, which is never installed: it plays the kernel that a platform brings. Its initramfs here is the one
# without lifeboat.
set -eu
export DEBIAN_FRONTEND=noninteractive
tree=$1

# Only now, when initramfs-tools is set up: the image is then made once.
flavour=cloud-$(chroot "$tree" dpkg --print-architecture)
chroot "$tree" apt-get install --yes --no-install-recommends "linux-image-$flavour"

own=$(ls "$tree/lib/modules")
series=${own%-*-"$flavour"}
package=$(chroot "$tree" apt-cache pkgnames "linux-image-$series-" | grep -E -- "-[0-9]+-$flavour\$" |
    grep -vxF "linux-image-$own" | sort -V | tail -n 1)
if [ -z "$package" ]; then
    echo "the archive has no second kernel beside $own" >&2
    exit 1
fi
release=${package#linux-image-}

mkdir "$tree/downloads"
chroot "$tree" sh -c 'cd /downloads && apt-get download -o APT::Sandbox::User=root "$@"' sh \
    "$package" busybox-static cloud-initramfs-rescuevol
mkdir "$ENTRY/neighbours"
cp "$tree"/downloads/cloud-initramfs-*.deb "$ENTRY/neighbours"
dpkg-deb --extract "$tree"/downloads/busybox-static_*.deb "$tree/downloads"
dpkg-deb --extract "$tree"/downloads/linux-image-*.deb "$tree/downloads"

cp "$tree/downloads/bin/busybox" "$ENTRY/busybox"
mv "$tree"/downloads/busybox-static_*.deb "$ENTRY/busybox.deb"
mkdir "$ENTRY/external"
echo "$release" >"$ENTRY/external/release"
mv "$tree/downloads/boot/vmlinuz-$release" "$ENTRY/external/vmlinuz"
mv "$tree/downloads/boot/config-$release" "$tree/boot/"
mv "$tree/downloads/lib/modules/$release" "$tree/lib/modules/"
chroot "$tree" depmod "$release"
chroot "$tree" mkinitramfs -o /downloads/without.img "$release"
mv "$tree/downloads/without.img" "$ENTRY/external/"
mv "$tree/boot/config-$release" "$ENTRY/external/config"
mv "$tree/lib/modules/$release" "$ENTRY/external/modules"
rm -r "$tree/downloads"
