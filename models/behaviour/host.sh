#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host of its own: the root file system alone is seen, with its own processes, network and name.
# Runs until it is told to end; when it is ready there is /run/ready in it.
# usage: host.sh ROOT NAME
set -eu
exec unshare --mount --pid --net --uts --ipc --fork --kill-child sh -eu -c '
    root=$1 name=$2
    hostname "$name"
    ip link set lo up
    for address in 198.51.100.66 203.0.113.10 203.0.113.11 203.0.113.12; do
        ip addr add "$address/32" dev lo
    done
    mount --make-rprivate /
    mount --bind "$root" "$root" && cd "$root"
    mkdir -p proc dev tmp run home/ann srv mnt
    mount -t proc proc proc
    mount -t tmpfs -o mode=755 dev dev
    for node in null:3 zero:5 random:8 urandom:9; do mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"; done
    mknod -m 666 dev/tty c 5 0
    ln -s /proc/self/fd dev/fd
    mkdir dev/shm && mount -t tmpfs -o mode=1777 shm dev/shm
    mount -t tmpfs -o mode=1777 tmp tmp
    mount -t tmpfs run run
    pivot_root . mnt
    cd /
    umount -l /mnt
    : >/run/ready
    while :; do sleep 3600 & wait; done
' sh "$1" "$2"
