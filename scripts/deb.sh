#!/usr/bin/env bash
# Makes the Debian package, build/escale_VERSION_ARCH.deb, out of programs that are built (ESCALE_BIN, or .build/release).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need dpkg-deb
need dpkg-shlibdeps

readonly packaging="$ROOT/packaging"
tree=$(scratch)
version=$("$ESCALE_BIN/escale" --version | awk '{ print $NF }')
architecture=$(dpkg --print-architecture)

# put MODE SOURCE TARGET
put() { install -D -m "$1" "$2" "$tree/$3"; }
# put_text TARGET command…: what the command prints.
put_text() {
    local target="$tree/$1"
    mkdir -p "$(dirname "$target")"
    "${@:2}" >"$target"
    chmod 644 "$target"
}

programs() {
    local program
    for program in escale escaled; do
        put 755 "$ESCALE_BIN/$program" "usr/bin/$program"
        strip --strip-unneeded "$tree/usr/bin/$program"
    done
}

documents() {
    local escale=$ESCALE_BIN/escale
    put_text usr/share/man/man1/escale.1 "$escale" man escale
    put_text usr/share/man/man8/escaled.8 "$escale" man escaled
    gzip -9n "$tree"/usr/share/man/man*/*
    put_text usr/share/bash-completion/completions/escale "$escale" completion bash
    put_text usr/share/zsh/vendor-completions/_escale "$escale" completion zsh
    put_text usr/share/fish/vendor_completions.d/escale.fish "$escale" completion fish
    put_text usr/share/doc/escale/copyright copyright
    put_text usr/share/doc/escale/changelog.gz changelog
    local page
    for page in "$ROOT"/README.md "$ROOT"/docs/*.md; do put 644 "$page" "usr/share/doc/escale/$(basename "$page")"; done
}

copyright() {
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Escale\n\n'
    printf 'Files: *\nCopyright: the authors of Escale\nLicense: Apache-2.0\n'
    printf ' The full text is in /usr/share/common-licenses/Apache-2.0.\n'
}

changelog() {
    local date
    date=$(git -C "$ROOT" log -1 --format=%cD 2>/dev/null) || date=$(date -R)
    printf 'escale (%s) stable; urgency=medium\n\n  * Version %s.\n\n -- %s  %s\n' "$version" "$version" \
        "$(sed -n 's/^Maintainer: //p' "$packaging/control")" "$date" | gzip -9n
}

units() {
    local unit
    for unit in escale.service escale.socket; do
        put_text "usr/lib/systemd/system/$unit" "$ESCALE_BIN/escale" system install --print "$unit"
    done
}

# The packages of the libraries that the programs are linked with, and from which version on.
libraries() {
    local work
    work=$(scratch)
    mkdir "$work/debian"
    printf 'Source: escale\n\nPackage: escale\nArchitecture: any\n' >"$work/debian/control"
    (cd "$work" && dpkg-shlibdeps -O "$tree/usr/bin/escale" "$tree/usr/bin/escaled" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

control() {
    local needs
    needs=$(libraries)
    [ -n "$needs" ] || fail "dpkg-shlibdeps finds no package of the programs' libraries" "apt-get install the -dev packages of scripts/packages.txt"
    mkdir -p "$tree/DEBIAN"
    sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@LIBRARIES@/$needs/" "$packaging/control" >"$tree/DEBIAN/control"
    echo "Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f1)" >>"$tree/DEBIAN/control"
    install -m 755 "$packaging"/{postinst,prerm,postrm} "$tree/DEBIAN/"
    (cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
}

step "making the Debian package"
programs
documents
units
control
mkdir -p "$ROOT/build"
dpkg-deb --root-owner-group --build "$tree" "$ROOT/build/escale_${version}_$architecture.deb" | sed 's/^/    /'
