#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Record one kind of host: its sessions of ordinary work and of attacks, block by block, each in a
# cgroup of its own. Only what runs in that cgroup is recorded; the host is made anew and removed.
# usage: record.sh REEVE IMAGES OUT IMAGE BLOCKS   (root)
set -eu
here=$(dirname "$(realpath "$0")")
reeve=$(realpath "$1") images=$(realpath "$2") image=$4 blocks=$5
mkdir -p "$3/normal" "$3/attack" && out=$(realpath "$3")
host=$(mktemp -d "${TMPDIR:-/var/tmp}/reeve-host-XXXXXX")
payloads=$host/payloads root=$host/root init="" pids=""
# shellcheck disable=SC2317
finish() {
    [ -n "$init" ] && kill -KILL "$init" 2>/dev/null
    # shellcheck disable=SC2086
    kill $pids 2>/dev/null
    wait 2>/dev/null
    rm -rf --one-file-system "$host"
}
trap finish EXIT
trap 'exit 1' INT TERM

# ---- What is fetched from the network of the sandbox ----
mkdir "$payloads"
cc -static -O1 "$here/payload.c" -o "$payloads/payload"
cc -static -O1 -std=gnu17 -D_GNU_SOURCE -I "$here/../../src/base/include" \
    "$here/../../tests/demo/acts.c" "$here/../../src/base/fd.c" "$here/../../src/base/bytes.c" -o "$payloads/acts"
printf 'id\nuname -a\nwhoami\ncat /etc/passwd >/dev/null\nmkdir -p /tmp/.z && echo x >/tmp/.z/x && rm -rf /tmp/.z\n' >"$payloads/stage.sh"
printf 'mkdir -p /opt/app/bin\ncp /bin/true /opt/app/bin/worker\nchmod 755 /opt/app/bin/worker\necho "v=$1" >/opt/app/app.conf\nls -l /opt/app\n' >"$payloads/install.sh"
tar czf "$payloads/app.tar.gz" -C "$here" world.py

# ---- The host and what surrounds it ----
cp -a "$images/$image" "$root"
mkdir -p "$root/opt/app/bin" "$root/home/ann" "$root/root/.ssh" "$root/usr/local/bin" "$root/srv"
chown 1000:1000 "$root/home/ann"
chmod 1777 "$root/srv"
grep -q '^ann:' "$root/etc/passwd" || echo 'ann:x:1000:1000::/home/ann:/bin/sh' >>"$root/etc/passwd"
sh "$here/host.sh" "$root" "$image" & pids=$!
for _ in $(seq 100); do
    init=$(pgrep -P "$pids" || :)
    [ -n "$init" ] && [ -e "/proc/$init/root/run/ready" ] && break
    sleep 0.1
done
[ -e "/proc/$init/root/run/ready" ]
nsenter -t "$init" -n python3 "$here/world.py" "$payloads" & pids="$pids $!"
sleep 0.5

# ---- Sessions ----
watched=
for path in etc/shadow etc/gshadow etc/sudoers root/.ssh/ root/.aws/; do
    [ -e "$root/$path" ] && watched="$watched -w $root/$path"
done
number=0

# Where a script lies: administrators' and attackers' places overlap, as they do in life.
place() { # KIND N
    case $1$(($2 % 6)) in
    normal0 | normal4) echo /usr/local/bin/job ;;
    normal1) echo /home/ann/job.sh ;;
    normal2) echo /etc/cron.daily/job ;;
    normal3 | attack3) echo - ;; # typed
    normal5 | attack0) echo "/tmp/job$number.sh" ;;
    attack1) echo /home/ann/job.sh ;;
    attack2) echo /var/tmp/u.sh ;;
    attack4) echo - ;;
    attack5) echo /usr/local/bin/job ;;
    esac
}
# A part of a script: what comes before any mark, and after "#--- attack", is what is recorded; the
# setup before, the cleanup after and what others do meanwhile ("outside") are not.
part() { # PART SCRIPT
    awk -v wanted="$1" 'BEGIN { now = "attack" } /^#--- / { now = $2; next } now == wanted' "$here/$2.sh"
}
# The numbers of the variants stand in the script: how it is called says nothing of what it does.
write_script() { # PART SCRIPT VARIANT...
    body=$2 of=$1
    shift 2
    printf 'have() { command -v "$1" >/dev/null 2>&1; }\n'
    for v in "$@"; do
        printf '(\nv=%s\n:\n' "$v"
        part "$of" "$body"
        printf ')\n'
    done
}
unrecorded() { # PART SCRIPT VARIANT
    write_script "$@" >"$host/$1"
    nsenter -t "$init" -m -u -i -n -p sh -s <"$host/$1" >/dev/null 2>&1 || :
}
session() { # KIND FILE UID SCRIPT VARIANT...
    kind=$1 file=$2 uid=$3
    shift 3
    number=$((number + 1))
    where=$(place "$kind" "$number")
    inside=/proc/$init/root$where
    body=$1 variant=$2
    write_script attack "$@" >"$host/script"
    unrecorded setup "$body" "$variant"
    write_script outside "$body" "$variant" >"$host/outside"
    nsenter -t "$init" -n sh "$host/outside" >/dev/null 2>&1 & outside=$!
    set -- setpriv --bounding-set=-sys_module,-sys_rawio,-sys_boot,-sys_time,-mknod \
        nsenter -t "$init" -m -u -i -n -p -S "$uid" -G "$uid" sh
    if [ "$where" = - ]; then
        set -- "$@" -s
        from=$host/script
    else
        mkdir -p "$(dirname "$inside")" && cp "$host/script" "$inside"
        chmod 755 "$inside" && chown "$uid" "$inside"
        set -- "$@" "$where"
        from=/dev/null
    fi
    # shellcheck disable=SC2086
    (cd / && HOME=/root timeout 120 "$reeve" record -q --host "$image" $watched -o "$file" -- "$@" \
        <"$from" >"$host/said" 2>&1) || :
    wait "$outside" || :
    [ "$where" = - ] || rm -f "$inside"
    unrecorded cleanup "$body" "$variant"
    [ -s "$file" ] || echo "$file: nothing was recorded: $(tail -1 "$host/said")" >&2
}
# A user's work and an administrator's.
uid_for() { # KIND N
    case $1 in
    shell | build | vcs | database) [ $(($2 % 2)) -eq 0 ] && echo 1000 || echo 0 ;;
    web | python | node | monitor) case $(($2 % 3)) in 0) echo 33 ;; 1) echo 1000 ;; *) echo 0 ;; esac ;;
    revshell | dropper | recon | miner | spread) [ $(($2 % 3)) -eq 0 ] && echo 33 || echo 0 ;;
    *) echo 0 ;;
    esac
}
# Sessions of a block come in a shuffled order, the same each time: were attacks always last, a model
# would learn that what runs on a host for long is an attack.
sessions_of() { # BLOCK: "normal KIND" and "attack FAMILY VARIANT", a line each
    {
        for script in "$here"/benign/*.sh; do
            echo "normal $(basename "$script" .sh)"
        done
        for script in "$here"/attack/*.sh; do
            for v in 0 1 2 3 4 5; do
                [ $(((v + $1) % blocks)) -eq 0 ] && echo "attack $(basename "$script" .sh) $v"
            done
        done
    } | awk -v seed="$1" 'BEGIN { srand(seed) } { print rand() "\t" $0 }' | sort -n | cut -f2
}
block=1
while [ "$block" -le "$blocks" ]; do
    sessions_of "$block" >"$host/sessions"
    while read -r side name v; do
        uid=$(uid_for "$name" "$number")
        if [ "$side" = normal ]; then
            v=$((block * 8))
            session normal "$out/normal/$name.v$v.$image.b$block.seg" "$uid" "benign/$name" \
                "$v" $((v + 1)) $((v + 2)) $((v + 3))
        else
            session attack "$out/attack/$name.v$v.$image.b$block.seg" "$uid" "attack/$name" "$v"
        fi
    done <"$host/sessions"
    echo "$image: block $block of $blocks" >&2
    block=$((block + 1))
done
