#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The commands as a person and as a script uses them. usage: audit_commands.sh REEVE
set -u
reeve=$(realpath "$1")
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
number=0 failed=0
is() { # is STATUS DESCRIPTION COMMAND...
    want=$1 what=$2
    shift 2
    number=$((number + 1))
    "$@" >out 2>&1
    got=$?
    if [ "$got" -eq "$want" ]; then
        echo "ok $number - $what"
    else
        failed=1
        echo "not ok $number - $what"
        sed "s/^/# status $got, wanted $want: /" out
    fi
}
says() { # says PATTERN: the last command printed it
    number=$((number + 1))
    if grep -q -- "$1" out; then
        echo "ok $number - and says '$1'"
    else
        failed=1
        echo "not ok $number - and says '$1'"
        sed 's/^/# /' out
    fi
}

for verb in append erase export keygen prove show tail verify witness; do
    is 0 "$verb --help" "$reeve" audit "$verb" --help
done
is 2 "keygen wants a name" "$reeve" audit keygen -o key
is 2 "keygen refuses a name with a blank" "$reeve" audit keygen --name "a b" -o key
is 0 "keygen" "$reeve" audit keygen --name example.com/t -o key
is 2 "keygen never overwrites" "$reeve" audit keygen --name example.com/t -o key
is 0 "the secret key is private" sh -c '[ "$(stat -c %a key)" = 600 ]'

is 0 "append 1,000 lines" sh -c "seq 1000 | '$reeve' audit append --key key log"
cp log/checkpoint earlier
is 0 "append 500 more" sh -c "seq 1001 1500 | '$reeve' audit append --key key log --json"
says '"count":500'
is 0 "append nothing" sh -c "'$reeve' audit append --key key log </dev/null"
is 0 "a last line without a newline counts" sh -c "printf last | '$reeve' audit append --key key log"
is 0 "verify" "$reeve" audit verify log --key key.pub
says 'verified: 1501 entries'
is 0 "verify from an earlier checkpoint" "$reeve" audit verify log --key key.pub --from earlier
is 0 "verify the population" "$reeve" audit verify log --key key.pub --population
is 2 "verify wants a key" "$reeve" audit verify log
is 2 "verify says when there is no log" "$reeve" audit verify nowhere --key key.pub

is 0 "show" "$reeve" audit show 1500 log
says '1500 last'
is 2 "show of what is not there" "$reeve" audit show 1501 log
is 2 "show --recompute of what records no verdict" "$reeve" audit show 3 log --recompute
is 0 "tail" "$reeve" audit tail log -n 3
says '1499 1500'
is 0 "prove" "$reeve" audit prove 700 log
is 0 "verify the proof elsewhere" sh -c "cp 700.tlog-proof /tmp/$$.p && '$reeve' audit verify /tmp/$$.p --key key.pub; r=\$?; rm -f /tmp/$$.p; exit \$r"
says 'entry 700 is in the log'
is 0 "export" "$reeve" audit export log --key key.pub -o out1
is 0 "export again" "$reeve" audit export log --key key.pub -o out2
is 0 "the same bytes" diff -r out1 out2
is 0 "verify the export" "$reeve" audit verify out1 --key key.pub
rm out2/entries/000000000333
is 1 "an export with an entry missing" "$reeve" audit verify out2 --key key.pub
printf x >>out1/entries/000000000334
is 1 "an export with an entry changed" "$reeve" audit verify out1 --key key.pub

# A changed log, and who is named.
cp -r log changed
printf X | dd of=changed/tile/entries/002 bs=1 seek=400 conv=notrunc status=none
is 1 "a changed entry" "$reeve" audit verify changed --key key.pub
says 'NOT VERIFIED: entry 592'
is 2 "is not appended to when it is at the edge" sh -c "printf X | dd of=changed/tile/entries/005.p/221 bs=1 seek=4 conv=notrunc status=none; echo x | '$reeve' audit append --key key changed"
"$reeve" audit keygen --name example.com/t -o other
is 2 "another key does not continue the log" sh -c "echo x | '$reeve' audit append --key other log"
is 1 "nor verify it" "$reeve" audit verify log --key other.pub
# A rollback: the earlier log, signed all right, is not what the later checkpoint says.
cp log/checkpoint later
rm -rf rolled && "$reeve" audit keygen --name example.com/t -o /dev/null 2>/dev/null
mkdir rolled && cp -r log/. rolled && cp earlier rolled/checkpoint
is 1 "a rolled-back log" "$reeve" audit verify rolled --key key.pub --from later
says 'entries were removed'

# Rotation.
"$reeve" audit keygen --name example.com/t -o new
is 0 "sign with both keys" sh -c "echo rotating | '$reeve' audit append --key new --key key log"
is 0 "the old key verifies" "$reeve" audit verify log --key key.pub
is 0 "the new key verifies" "$reeve" audit verify log --key new.pub
is 0 "sign with the new key alone" sh -c "echo rotated | '$reeve' audit append --key new log"
is 0 "it verifies under the new key, grown from the old" "$reeve" audit verify log --key new.pub --key key.pub --from earlier
is 1 "and no longer under the old" "$reeve" audit verify log --key key.pub

# Over HTTP, from a plain file server.
if command -v python3 >/dev/null; then
    python3 -u -m http.server 0 --bind 127.0.0.1 -d log >port 2>/dev/null &
    server=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        grep -q port port && break
        sleep 0.3
    done
    url=$(sed -n 's/.*port \([0-9]*\).*/http:\/\/127.0.0.1:\1/p' port)
    is 0 "verify over HTTP" "$reeve" audit verify "$url" --key new.pub
    is 0 "prove over HTTP" "$reeve" audit prove 3 "$url/" -o three
    is 0 "and the proof holds" "$reeve" audit verify three --key new.pub
    is 0 "tail over HTTP" "$reeve" audit tail "$url" -n 1
    says rotated
fi
is 2 "a server that is not there" "$reeve" audit verify http://127.0.0.1:1/ --key new.pub
echo "1..$number"
exit $failed
