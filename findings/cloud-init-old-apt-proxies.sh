#!/bin/sh
# cloud-init still takes the apt keys of its first format, such as `apt_ftp_proxy`, and turns them into those of today's.
# A fair guess is that `apt_ftp_proxy` becomes apt's proxy for ftp, and `apt_https_proxy` the one for https. The table of
# old names has the two the wrong way round: apt asks the ftp proxy for https, and the https proxy for ftp. The old
# `apt_http_proxy` and `apt_proxy` are right, and so are all three keys of today's format.
#
# Seen with cloud-init 22.4.2-1+deb12u4 (Debian 12), and read in 26.2-1 (sid), where the table is the same:
#   Acquire::http::Proxy "http://http.example";
#   Acquire::ftp::Proxy "http://https.example";
#   Acquire::https::Proxy "http://ftp.example";
# The package is downloaded and unpacked; its own functions convert the keys and write apt's configuration into the
# folder. Its Python libraries come from PyPI, pinned.
set -eu

VERSION=22.4.2-1+deb12u4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download "cloud-init=$VERSION"
dpkg-deb --extract cloud-init_*.deb tree
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target libraries \
    PyYAML==6.0.2 Jinja2==3.1.6 MarkupSafe==3.0.2 configobj==5.0.9 oauthlib==3.2.2 requests==2.32.3 >&2

cat >convert.py <<'END'
from cloudinit.config import cc_apt_configure as apt

old = {"apt_" + key + "_proxy": "http://" + key + ".example" for key in ["http", "ftp", "https"]}
new = apt.convert_to_v3_apt_format(dict(old))["apt"]
apt.apply_apt_config(new, "./proxies", "./config")
END
PYTHONPATH=tree/usr/lib/python3/dist-packages:libraries python3 convert.py 2>/dev/null

seen=$(cat proxies)
echo "$seen"
wanted='Acquire::http::Proxy "http://http.example";
Acquire::ftp::Proxy "http://https.example";
Acquire::https::Proxy "http://ftp.example";'
[ "$seen" = "$wanted" ] || { echo "this has changed; it was:"; echo "$wanted"; exit 1; }
