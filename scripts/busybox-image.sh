#!/usr/bin/env bash
# Makes, once, the small image that tests and benchmarks start from: .build/images/busybox.tar, a static busybox with its
# applets, about 2 MB. A plain root file system tar: `docker import` takes it, and so does `escale image import`.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly images="$ROOT/.build/images"

make_busybox() {
    local target="$images/busybox.tar" work root applet
    [ -s "$target" ] && return 0
    [ -x /bin/busybox ] || fail "/bin/busybox is missing" "apt-get install busybox-static"
    work=$(scratch)
    root="$work/root"
    mkdir -p "$root"/{bin,dev,etc,home,lib,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var/log,var/www}
    chmod 1777 "$root/tmp"
    chmod 700 "$root/root"
    ln -s ../run "$root/var/run"
    cp /bin/busybox "$root/bin/busybox"
    for applet in $(/bin/busybox --list); do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    ln -s ../../bin/busybox "$root/usr/bin/env"       # the one absolute path that scripts rely on
    cat >"$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
PASSWD
    cat >"$root/etc/group" <<'GROUP'
root:x:0:
www-data:x:33:
nogroup:x:65534:
GROUP
    tar --create --file "$work/image.tar" --directory "$root" --sort=name --mtime=@0 --owner=0 --group=0 \
        --numeric-owner .
    mv "$work/image.tar" "$target"
}

mkdir -p "$images"
make_busybox
