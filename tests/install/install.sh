#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# install.sh [--base FOLDER] [--chroot] [COMMAND...] -- the honest test of the
# set-up: an empty Debian 12 in a folder of its own, a clean clone in it, and
# there, as root, `./dev demo` and `./dev test`, then as an ordinary user
# `./dev demo` (or COMMAND, as root).
#
# --base: copy a folder made by debootstrap instead of making one anew.
# --chroot: enter by chroot; else by pivot_root, which is closer to a machine.
# Needs root, debootstrap and a package mirror.  Mounts and processes live in
# namespaces of their own and end with them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
base=
enter=pivot
while [ $# -gt 0 ]; do
    case $1 in
    --base) base=$2 && shift 2 ;;
    --chroot) enter=chroot && shift ;;
    *) break ;;
    esac
done

say() {
    printf '== %s\n' "$*"
}

[ "$(id -u)" = 0 ] || {
    echo "install.sh: only root can enter an empty system" >&2
    exit 77
}
command -v debootstrap >/dev/null || [ -n "$base" ] || {
    echo "install.sh: debootstrap is not installed" >&2
    exit 77
}

top=$(mktemp -d "${TMPDIR:-/tmp}/cwm-install.XXXXXX")
trap 'rm -rf --one-file-system "$top"' EXIT
chmod 755 "$top"

if [ -n "$base" ]; then
    cp -a "$base/." "$top/"
else
    say "debootstrap"
    debootstrap --variant=minbase bookworm "$top" >"$top.log" 2>&1 || {
        tail "$top.log"
        exit 3
    }
    rm -f "$top.log"
fi

# The network as this machine reaches it: resolver, proxies, extra roots of
# trust, and the security updates next to what debootstrap wrote.
cp -L /etc/resolv.conf "$top/etc/resolv.conf"
grep -h -i 'proxy' /etc/apt/apt.conf.d/* /etc/apt/apt.conf 2>/dev/null \
    >"$top/etc/apt/apt.conf.d/90proxy" || true
sed -n 's|^deb \([^ ]*\)/debian/\{0,1\} bookworm main.*|deb \1/debian-security bookworm-security main|p' \
    "$top/etc/apt/sources.list" >"$top/etc/apt/sources.list.d/security.list"
if [ -d /usr/local/share/ca-certificates ]; then
    mkdir -p "$top/usr/local/share/ca-certificates"
    cp -a /usr/local/share/ca-certificates/. \
        "$top/usr/local/share/ca-certificates/"
fi
# npm's registry and proxy, nothing else of the user's settings
grep -E '^(registry|https?-?proxy|cafile)[[:space:]]*=' ~/.npmrc /usr/etc/npmrc \
    -h 2>/dev/null | sort -u >"$top/root/.npmrc" || true

git clone --quiet --no-hardlinks "$root" "$top/srv/cwm"
cat >"$top/srv/try.sh" <<'TRY'
set -e
cd /srv/cwm
if [ $# -gt 0 ]; then
    exec "$@"
fi
for what in demo test; do
    start=$(date +%s)
    echo "== root: ./dev $what"
    ./dev "$what"
    echo "== root: ./dev $what took $(($(date +%s) - start)) s"
done
echo "== an ordinary user: ./dev demo"
mkdir /srv/user
cp -a /srv/cwm /srv/user/cwm
rm -rf /srv/user/cwm/build /srv/user/cwm/build-*
chown -R nobody:nogroup /srv/user
setpriv --reuid=nobody --regid=nogroup --clear-groups \
    env HOME=/srv/user /srv/user/cwm/dev demo
TRY

cat >"$top/srv/enter.sh" <<'ENTER'
set -e
top=$1 enter=$2
shift 2
mount --make-rprivate /
mount --bind "$top" "$top"
cd "$top"
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs -o ro sysfs sys
if [ "$enter" = pivot ]; then
    mkdir -p .old
    pivot_root . .old
    umount -l /.old
    rmdir /.old
    top=/
fi
exec chroot "$top" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ${CI:+CI=$CI} bash /srv/try.sh "$@"
ENTER
say "an empty Debian 12 ($enter)"
unshare --mount --pid --fork --kill-child \
    bash "$top/srv/enter.sh" "$top" "$enter" "$@"
