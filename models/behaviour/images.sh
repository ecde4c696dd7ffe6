#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Root file systems from Debian packages, each another kind of host: three releases of Debian with
# different tools, and one of busybox alone. Nothing is fetched again if it is there.
# usage: images.sh FOLDER IMAGE...   (root, mmdebstrap, network; all: about eight minutes, 2 GB)
set -eu
mkdir -p "$1" && cd "$1"
shift
mirror=${MIRROR:-http://deb.debian.org/debian}
common=gcc,make,libc6-dev,git,sqlite3,nginx-light,rsync,logrotate,openssl,procps,iproute2,curl
common=$common,ca-certificates,netcat-openbsd,cron,gawk,findutils,python3-minimal
offline="tree bc jq less zip unzip file time patch bzip2" # installed and removed during sessions

debian() { # SUITE MORE-PACKAGES
    [ -e "$1.done" ] && return 0
    rm -rf "$1" "$1.tar"
    mmdebstrap --quiet --variant=minbase --include="$common,$2" "$1" "$1.tar" "$mirror"
    mkdir "$1" && tar -C "$1" -xf "$1.tar" && rm "$1.tar"
    chroot "$1" apt-get -qq update
    # shellcheck disable=SC2086
    chroot "$1" apt-get -qq -y -d install $offline >/dev/null
    touch "$1.done"
}
busybox() {
    [ -e busybox.done ] && return 0
    rm -rf busybox deb && mkdir -p busybox/bin deb && cd deb
    apt-get -qq download busybox-static 2>/dev/null && dpkg-deb -x busybox-static*.deb .
    cp bin/busybox ../busybox/bin/ && cd ../busybox && rm -rf ../deb
    mkdir -p etc/cron.d etc/init.d root home/ann var/log var/spool/cron/crontabs usr/bin usr/sbin sbin usr/local/bin
    printf 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >etc/passwd
    printf 'root:x:0:\nann:x:1000:\nwww-data:x:33:\nnogroup:x:65534:\n' >etc/group
    printf 'root:*:19000:0:99999:7:::\nann:$6$x$x:19000:0:99999:7:::\n' >etc/shadow && chmod 600 etc/shadow
    for applet in $(bin/busybox --list-full | grep -v "bin/busybox$"); do
        mkdir -p "$(dirname "$applet")" && ln -sf /bin/busybox "$applet"
    done
    cd .. && touch busybox.done
}

for image in "$@"; do
    case $image in
    busybox) busybox ;;
    bookworm) debian bookworm nodejs,vim-tiny ;;
    trixie) debian trixie nodejs,ed,postgresql ;;
    bullseye) debian bullseye perl,vim-tiny ;;
    *) echo "images.sh: no image '$image'" >&2 && exit 1 ;;
    esac
done
