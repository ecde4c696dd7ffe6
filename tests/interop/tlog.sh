#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The log against Go's sumdb/tlog and sumdb/note and transparency-dev's merkle and formats.
# usage: tlog.sh REEVE SOURCE_DIR BUILD_DIR
set -u
reeve=$(realpath "$1") source=$2 build=$3
if ! command -v go >/dev/null 2>&1; then
    echo "# skip: no Go toolchain, so nobody else's log code to compare with"
    exit 77
fi
GOFLAGS="-mod=readonly -buildvcs=false" GOTOOLCHAIN=local
export GOFLAGS GOTOOLCHAIN
if ! (cd "$source" && go build -o "$build/tlog-interop" .) >"$build/tlog-interop.log" 2>&1; then
    echo "# skip: cannot build with the Go packages (no network?): $(tail -1 "$build/tlog-interop.log")"
    exit 77
fi
go=$build/tlog-interop
dir=$(mktemp -d)
witness=
trap '[ -z "$witness" ] || kill "$witness"; rm -rf "$dir"' EXIT
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
flip() { # flip FILE OFFSET: one bit
    byte=$(od -An -tu1 -j"$2" -N1 "$1" | tr -d ' ')
    printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# Ours, read by Go.
"$reeve" audit keygen --name example.com/ours -o ours || exit 2
for size in 1 255 1 400 343; do
    seq "$size" | sed 's/^/entry of ours /' | "$reeve" audit append --key ours log >/dev/null || exit 2
done
cp -r log whole
is 0 "Go proves every entry and earlier tree of our log" "$go" read log ours.pub
"$reeve" audit keygen --name example.com/ours -o other
is 1 "Go rejects our checkpoint under another key" "$go" read log other.pub
flip log/tile/0/002 100
is 1 "Go rejects our log with one bit of a tile flipped" "$go" read log ours.pub
rm -rf log && cp -r whole log && flip log/tile/entries/003.p/232 77
is 1 "Go rejects our log with one bit of an entry flipped" "$go" read log ours.pub
rm -rf log && cp -r whole log && flip log/checkpoint 20
is 1 "Go rejects our checkpoint with one bit flipped" "$go" read log ours.pub
rm -rf log && cp -r whole log
"$reeve" audit prove 700 log -o ours.tlog-proof 2>/dev/null
is 0 "Go accepts our tlog-proof" "$go" proof ours.tlog-proof ours.pub
flip ours.tlog-proof 130
is 1 "Go rejects it with one bit flipped" "$go" proof ours.tlog-proof ours.pub

# Theirs, read by us.
mkdir theirs
is 0 "Go writes a log" "$go" write theirs example.com/theirs 300 70000
is 0 "we verify Go's log" "$reeve" audit verify theirs --key go.pub
is 0 "and that it grew from its earlier checkpoint" \
    "$reeve" audit verify theirs --key go.pub --from checkpoint.0
is 0 "we accept Go's tlog-proof" "$reeve" audit verify go.tlog-proof --key go.pub
flip go.tlog-proof 90
is 1 "we reject it with one bit flipped" "$reeve" audit verify go.tlog-proof --key go.pub
is 1 "we reject Go's log under another key" "$reeve" audit verify theirs --key ours.pub
flip theirs/tile/1/000 3000
is 1 "we reject Go's log with one bit of a tile flipped" "$reeve" audit verify theirs --key go.pub
chmod 600 go.key
is 0 "we sign with a key that Go made" sh -c "seq 5 | '$reeve' audit append --key go.key gokey"
is 0 "and Go reads that" "$go" read gokey go.pub

# Witnesses: ours cosigns a checkpoint for Go's verifier, and the other way round.
"$reeve" audit keygen --witness --name witness.example/ours -o w
"$reeve" audit witness --listen 127.0.0.1:0 --witness-key w --state wstate --key ours.pub >waddr &
witness=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do grep -q http waddr && break; sleep 0.3; done
url=$(sed -n 's/^witnessing on //p' waddr)
printf 'log %s\nwitness W %s %s\nquorum W\n' "$(cat ours.pub)" "$(cat w.pub)" "$url" >policy
is 0 "our witness cosigns our log" "$reeve" audit witness log --policy policy
is 0 "Go accepts the cosignature" "$go" cosigned log/checkpoint w.pub
is 0 "Go's policy is satisfied" "$go" policy policy log/checkpoint
is 1 "Go's policy is not satisfied without it" "$go" policy policy whole/checkpoint
is 0 "our verifier requires and finds the witness" \
    "$reeve" audit verify log --key ours.pub --policy policy
is 1 "and misses it in the copy" "$reeve" audit verify whole --key ours.pub --policy policy
is 0 "Go cosigns our checkpoint" "$go" cosign log/checkpoint witness.example/go gocosigned
cp gocosigned log/checkpoint
printf 'log %s\nwitness W %s %s\nwitness G %s %s\ngroup both all W G\nquorum both\n' "$(cat ours.pub)" \
    "$(cat w.pub)" "$url" "$(cat gocosigned.pub)" "$url" >policy2
is 0 "we accept Go's cosignature, two of two" \
    "$reeve" audit verify log --key ours.pub --policy policy2
is 0 "and so does Go's policy" "$go" policy policy2 log/checkpoint
echo "1..$number"
exit $failed
