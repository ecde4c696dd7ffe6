#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Train the behaviour model from streams recorded by our own sensor, never from borrowed data:
# ordinary work and attack behaviours, played in a folder of their own, each family recorded apart.
# Families A are learnt from, families B only measured. Needs root (the sensor is BPF).
# usage: models/behaviour.sh REEVE OUT_FOLDER [ROUNDS]
set -eu
reeve=$(realpath "$1") rounds=${3:-40}
mkdir -p "$2" && out=$(realpath "$2")
play=$(mktemp -d)
trap 'rm -rf "$play"' EXIT
cd "$play"

# ---- Ordinary work ----
cat >benign.sh <<'EOF'
from=$1 rounds=$2
mkdir -p src web backup
for i in $(seq 20); do
    printf 'int f%d(int x) { return x + %d; }\n' "$i" "$i" >src/f$i.c
done
one() {
    case $(($1 % 10)) in
    0) for f in src/*.c; do cc -c "$f" -o "${f%.c}.o" 2>/dev/null || :; done ;;
    1) tar cf backup/src.tar src && gzip -f backup/src.tar ;;
    2) python3 -c 'import json, glob; print(json.dumps(sorted(glob.glob("src/*"))))' >web/list.json ;;
    3) find /usr/share/doc -maxdepth 1 -name 'lib*' | sort | head -50 | wc -l >/dev/null ;;
    4) dpkg -l >/dev/null 2>&1 || :; apt-cache policy coreutils >/dev/null 2>&1 || : ;;
    5) sh -c 'date; id; uname -a; df -h; ps ax | wc -l' >/dev/null ;;
    6) for n in 1 2 3 4 5; do cp src/f$n.c web/; mv web/f$n.c web/g$n.c; done; rm -f web/g*.c ;;
    7) grep -rl return src | xargs sed -i 's/  */ /g' ;;
    8) git init -q repo 2>/dev/null && (cd repo && cp ../src/*.c . && git add -A &&
           git -c user.name=n -c user.email=e@example.com commit -qm "$1") >/dev/null 2>&1 || : ;;
    9) awk -F: '{ print $1 }' /etc/passwd | sort | uniq -c >/dev/null; ls -laR /etc/apt >/dev/null ;;
    esac
}
i=$from
while [ $i -lt $((from + rounds)) ]; do one $i; i=$((i + 1)); done
EOF

# ---- Attacks: each does in this folder, to itself, what real ones do to others ----
family() { # family NAME: its body on standard input
    cat >"attack-$1.sh"
}
family A1-shell <<'EOF'
mkdir -p bin && cp /bin/sh bin/httpd
for p in 1 2 3 4 5; do bin/httpd -c "exec 3<>/dev/tcp/127.0.0.1/$p" 2>/dev/null || :; bin/httpd -c 'id; uname -a; cat /etc/passwd' >/dev/null; done
EOF
family A2-ransom <<'EOF'
mkdir -p docs && for i in $(seq 60); do head -c 4000 /dev/urandom >docs/$i.txt; done
for f in docs/*.txt; do openssl enc -aes-256-ctr -pbkdf2 -pass pass:x -in "$f" -out "$f.locked" && rm "$f"; done
EOF
family A3-dropper <<'EOF'
cp /bin/sleep /dev/shm/.x$$ && chmod +x /dev/shm/.x$$ && /dev/shm/.x$$ 0.1; rm -f /dev/shm/.x$$
echo aWQK | base64 -d | sh >/dev/null; printf 'id\n' >/tmp/.y$$; sh /tmp/.y$$ >/dev/null; rm -f /tmp/.y$$
EOF
family B1-secrets <<'EOF'
for f in /etc/shadow /etc/gshadow /root/.ssh/id_rsa /root/.bash_history /etc/sudoers; do cat "$f" >loot 2>/dev/null || :; done
tar czf - loot | base64 >loot.b64
EOF
family B2-recon <<'EOF'
id; whoami; uname -a; cat /etc/passwd /etc/group; ss -tunap; ps aux; find / -xdev -perm -4000 -maxdepth 3; env; mount; ip a; getent passwd
EOF
family B3-persist <<'EOF'
mkdir -p etc/cron.d etc/systemd root/.ssh
echo '* * * * * root sh -i' >etc/cron.d/x; echo 'ssh-ed25519 AAAA' >>root/.ssh/authorized_keys; chmod 4755 etc/cron.d/x
cp /bin/sh root/.hidden; chmod 4755 root/.hidden; touch -r /bin/ls root/.hidden
EOF

record() { # record NAME COMMAND...
    name=$1
    shift
    "$reeve" record -q -o "$out/$name.seg" -- "$@" >/dev/null 2>&1 || echo "$name: the command failed" >&2
}
# Normal work is recorded as attacks are, in short sessions of the same making, beside long ones: else
# a model learns to tell short recordings from long ones and calls that detection.
record normal-fit-long sh benign.sh 0 "$rounds"
record normal-test-long sh benign.sh 3 $((rounds / 2))
for n in 1 2 3 4 5 6 7 8; do
    record "normal-fit-$n" sh -c "for i in 1 2 3 4 5; do sh benign.sh $n $((n % 4 + 1)); done"
done
for n in 1 2 3; do
    record "normal-test-$n" sh -c "for i in 1 2 3 4 5; do sh benign.sh $((2 * n)) $n; done"
done
for script in attack-*.sh; do
    name=${script#attack-}
    record "${name%.sh}" sh -c "for i in 1 2 3 4 5; do sh $script; done"
done

# ---- Learn, then measure on what was kept apart ----
"$reeve" model train --task behaviour --normal "$out"/normal-fit-*.seg \
    --attack "$out"/A*.seg -o "$out/behaviour.rv" --name behaviour
"$reeve" model train --task behaviour --normal "$out"/normal-fit-*.seg -o "$out/isolation.rv" \
    --name behaviour-isolation
for model in behaviour isolation; do
    for stream in normal-test-long normal-test-1 normal-test-2 normal-test-3 A1-shell A2-ransom A3-dropper B1-secrets B2-recon B3-persist; do
        "$reeve" model score --model "$out/$model.rv" --input "$out/$stream.seg" |
            awk -F'\t' -v name="$model $stream" '{ n++; a += $2 >= 200; if ($2 > top) top = $2 }
                END { printf "%-24s %6d vectors  %5.1f %% at risk 200 or more, highest %d\n", name, n, n ? 100 * a / n : 0, top }'
    done
done
