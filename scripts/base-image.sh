#!/usr/bin/env bash
# Makes, once, the root file systems that tests, examples and benchmarks start from, out of Debian packages only:
#
#   .build/images/debian-bookworm-slim.tar   a stand-in for Docker's debian:bookworm-slim
#   .build/images/busybox.tar                a static busybox with its applets, about 2 MB
#
# Both are plain root file system tars: `docker import` takes them, and so does Escale.
# usage: scripts/base-image.sh [debian|busybox]...      (both when none is named)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly suite=bookworm
readonly images="$ROOT/.build/images"

# The host's own Debian sources, one `deb` line each, as apt itself understands them (deb822 and one-line files alike).
# Sources of other vendors are left out: they are the host's business, not the image's.
debian_sources() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$suite" '$1 == "Debian" && ($2 == suite || index($2, suite "-") == 1) {
            $1 = $2 = ""; sub(/^ +/, ""); print }' | sort -u
}

# The settings without which the host could not reach those sources (proxy, retries, date checks of an archived
# mirror). Never auth.conf: passwords do not belong in an image.
transport_settings() {
    apt-config dump |
        grep -E '^Acquire::(https?::|Check-Date |Check-Valid-Until |Retries |ForceIPv[46] )' |
        grep -vE ' "";$|::User-Agent' || true
}

make_debian() {
    local target="$images/debian-$suite-slim.tar" work sources setting
    [ -s "$target" ] && return 0
    need mmdebstrap
    work=$(scratch)
    sources="$work/sources.list"
    debian_sources >"$sources"
    if [ ! -s "$sources" ]; then
        run_quietly "reading the package lists" apt-get update
        debian_sources >"$sources"
    fi
    [ -s "$sources" ] || fail "apt on this host has no Debian $suite source" "add one to /etc/apt/sources.list.d"

    local -a options=(
        --variant=minbase   # essential and required packages, and apt
        --mode=root
        --format=tar
        --skip=output/dev   # no device nodes: the container runtime makes /dev
        # The same files left out as in Docker's slim images, now and for every package installed later.
        --dpkgopt='path-exclude=/usr/share/doc/*'
        --dpkgopt='path-include=/usr/share/doc/*/copyright'
        --dpkgopt='path-exclude=/usr/share/man/*'
        --dpkgopt='path-exclude=/usr/share/info/*'
        --dpkgopt='path-exclude=/usr/share/lintian/*'
        --dpkgopt='path-exclude=/usr/share/locale/*'
        --dpkgopt='path-include=/usr/share/locale/locale.alias'
        --dpkgopt=force-unsafe-io                     # a build step that is cut short is run again anyway
        --aptopt='Acquire::Languages "none"'
        --aptopt='APT::AutoRemove::SuggestsImportant "false"'
        --aptopt='Dir::Cache::pkgcache ""'
        --aptopt='Dir::Cache::srcpkgcache ""'
        # A package that is installed while an image is built must not start its service. (mmdebstrap has a file of the
        # same name for its own time, which it would remove at the end.)
        --skip=chroot/policy-rc.d
        --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"'
        --customize-hook='chmod 755 "$1/usr/sbin/policy-rc.d"'
        # Nor does a layer keep the packages that apt has installed. (Not an --aptopt: mmdebstrap itself needs them.)
        --customize-hook='echo "Binary::apt-get::APT::Keep-Downloaded-Packages \"false\";" >"$1/etc/apt/apt.conf.d/99no-archives"'
        # What belongs to this host or to the making of the image stays out of it.
        --customize-hook=': >"$1/etc/hostname"; : >"$1/etc/resolv.conf"; chmod 644 "$1/etc/hostname" "$1/etc/resolv.conf"'
        --customize-hook='rm -rf "$1"/var/cache/debconf/*-old "$1"/var/log/*.log "$1"/var/log/apt/* "$1"/var/cache/ldconfig/aux-cache'
    )
    grep -q ' https:' "$sources" && options+=(--include=ca-certificates)
    while IFS= read -r setting; do options+=(--aptopt="${setting%;}"); done < <(transport_settings)

    run_quietly "making debian:$suite-slim from this host's package sources" \
        mmdebstrap "${options[@]}" "$suite" "$work/image.tar" "$sources"
    mkdir "$work/dev"                                 # the mount point, which output/dev leaves out as well
    tar --append --file "$work/image.tar" --directory "$work" --owner=0 --group=0 --numeric-owner ./dev
    mv "$work/image.tar" "$target"
}

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
[ $# -gt 0 ] || set -- debian busybox
for name in "$@"; do
    case $name in
        debian) make_debian ;;
        busybox) make_busybox ;;
        *) fail "unknown image $name" "usage: scripts/base-image.sh [debian|busybox]..." ;;
    esac
done
