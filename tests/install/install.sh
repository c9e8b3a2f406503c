#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# install.sh [--base FOLDER] [--chroot] [COMMAND...] -- the honest test of the
# set-up: an empty Debian 12 in a folder of its own, a clean clone of what is
# committed in it, and there, as root, `./dev demo` and `./dev test`, then as
# an ordinary user `./dev demo` (or, instead of all this, COMMAND as root).
#
# --base: copy a folder made by debootstrap instead of making one anew.
# --chroot: enter by chroot; else by pivot_root, which is closer to a machine.
# Needs root, debootstrap and a package mirror; where a Debian 12 is the host,
# its own mirrors and settings of apt and npm are taken.  Mounts and processes
# live in namespaces of their own and end with them.
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

# "SUITE COMPONENT URL" of each place that this machine gets Debian 12 from.
mirrors() {
    # shellcheck disable=SC2016 # apt's own names
    apt-get indextargets --format \
        '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' \
        'Identifier: Packages' 2>/dev/null |
        sed -n 's/^Debian \(bookworm[a-z-]* main .*\)/\1/p' | sort -u
}

if [ -n "$base" ]; then
    say "an empty Debian 12: a copy of $base"
    cp -a "$base/." "$top/"
else
    mirror=$(mirrors | sed -n 's/^bookworm main //p' | head -n 1)
    say "an empty Debian 12: debootstrap bookworm${mirror:+ from $mirror}"
    debootstrap --variant=minbase bookworm "$top" ${mirror:+"$mirror"} \
        >"$top.log" 2>&1 || {
        tail "$top.log"
        rm -f "$top.log"
        exit 3
    }
    rm -f "$top.log"
fi

# The network as this machine reaches it: resolver, mirrors, proxies, extra
# roots of trust.
cp -L /etc/resolv.conf "$top/etc/resolv.conf"
if [ -n "$(mirrors)" ]; then
    mirrors | sed 's/^\([^ ]*\) \([^ ]*\) \(.*\)/deb \3 \1 \2/' \
        >"$top/etc/apt/sources.list"
fi
apt-config dump 2>/dev/null | grep -E '^Acquire::(https?::|Check-)' \
    >"$top/etc/apt/apt.conf.d/90network" || true
if [ -d /usr/local/share/ca-certificates ]; then
    mkdir -p "$top/usr/local/share/ca-certificates"
    cp -a /usr/local/share/ca-certificates/. \
        "$top/usr/local/share/ca-certificates/"
fi
# npm's registry and proxy, nothing else of the user's settings
grep -E '^(registry|https?-?proxy|cafile)[[:space:]]*=' -h \
    ~/.npmrc /etc/npmrc /usr/etc/npmrc 2>/dev/null | sort -u \
    >"$top/srv/npmrc" || true

say "a clean clone of $(git -C "$root" log -1 --format='%h, %s')"
git clone --quiet --no-hardlinks "$root" "$top/srv/cwm"
cat >"$top/srv/try.sh" <<'TRY'
set -e
cp /srv/npmrc ~/.npmrc
cd /srv/cwm
if [ $# -gt 0 ]; then
    exec "$@"
fi

# try WHO WHAT COMMAND...: says what it does and how long it took
try() {
    start=$(date +%s)
    echo "== $1: ./dev $2"
    status=0
    shift 2
    "$@" || status=$?
    echo "== exit status $status after $(($(date +%s) - start)) s"
    [ "$status" -eq 0 ]
}

failed=0
try root demo ./dev demo || failed=1
try root test ./dev test || failed=1
# nothing is left to install, but npm's part and the build are the user's own
mkdir /srv/user
cp -a /srv/cwm ~/.npmrc /srv/user
rm -rf /srv/user/cwm/build /srv/user/cwm/build-* \
    /srv/user/cwm/third_party/node_modules
chown -R nobody:nogroup /srv/user
try "an ordinary user" demo setpriv --reuid=nobody --regid=nogroup \
    --clear-groups env HOME=/srv/user /srv/user/cwm/dev demo || failed=1
exit "$failed"
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
say "entering it by $enter"
unshare --mount --pid --fork --kill-child \
    bash "$top/srv/enter.sh" "$top" "$enter" "$@"
say "all of it worked"
