#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# People judge decisions: who may, what the log keeps, what is learnt from it, what training takes.
BUILD=$1
SOURCE=$2
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root to load sensors"
own_cgroup || skip_all "no writable cgroup v2 file system"
command -v setpriv >/dev/null || skip_all "needs setpriv to act as another user"
reeve=$BUILD/src/cli/reeve
socket=$work/run/control.sock

held_of() { # UID: index of the last decision on what it did that waits for a judgement
    "$reeve" decisions -l "$work/state/log" --json -n 200 2>/dev/null | grep "\"uid\":$1[,}]" |
        grep '"held":true' | tail -1 | sed -n 's/.*"seq":\([0-9]*\),.*/\1/p' | grep .
}
as_user() { # UID COMMAND...
    user=$1
    shift
    setpriv --reuid "$user" --regid 65534 --clear-groups "$@"
}

# ---- Decisions of root and of an ordinary user, both of a program that nobody knows ----
chmod 1777 "$work"
start_agent --set "group=nogroup" --set record.risk_min=60
ok $? "the agent starts"
cp /bin/busybox "$work/.hidden-tool" && chmod 755 "$work/.hidden-tool"
inside "$work/.hidden-tool" cp /bin/true "$work/.x1"
inside setpriv --reuid 4321 --regid 65534 --clear-groups "$work/.hidden-tool" touch "$work/.x2"
wait_for 10 held_of 4321
ok $? "what they did is in the log and held apart"
mine=$(held_of 4321)
roots=$(held_of 0)

# ---- Who may judge ----
as_user 4321 "$reeve" decisions label "$mine" benign --socket "$socket" 2>"$work/err"
[ $? -eq 1 ] && grep -q 'nobody judges what ran as himself' "$work/err"
ok $? "nobody judges what ran as himself"
as_user 4322 "$reeve" decisions label "$mine" benign --note 'our backup' --socket "$socket" |
    grep -q 'what was held apart for it is settled'
ok $? "another member of the group may"
"$reeve" decisions label "$mine" benign --socket "$socket" | grep -q 'judged before'
ok $? "a second word is logged and teaches nothing"
"$reeve" decisions label "$roots" malicious --socket "$socket" | grep -q settled
ok $? "root judges what root did"
as_user 4322 "$reeve" decisions label 999999 benign --socket "$socket" 2>&1 | grep -q 'no such entry'
ok $? "an entry that is not there is refused"
"$reeve" decisions label 0 benign --socket "$socket" 2>&1 | grep -q 'is no decision'
ok $? "an entry that is no decision is refused"
"$reeve" decisions label "$roots" perhaps --socket "$socket" 2>&1 | grep -q 'benign or malicious'
ok $? "a judgement is benign or malicious"
status | grep -q '"false_alarms":1'
ok $? "the false alarm counts against the promise"

# ---- A restart forgets nothing ----
sleep 1.2
stop_agent
start_agent --set "group=nogroup" --set record.risk_min=60
"$reeve" decisions label "$mine" benign --socket "$socket" | grep -q 'judged before'
ok $? "what was judged is known after a restart"
sleep 1.2
stop_agent

# ---- Labels for training ----
"$reeve" decisions labels -l "$work/state/log" -o "$work/labels.jsonl" 2>"$work/err" && grep -q '4 labels' "$work/err"
ok $? "the labels are written with their vectors"
grep '"uid":4322' "$work/labels.jsonl" | grep '"label":"benign"' | grep -q '"note":"our backup"'
ok $? "with who said it, and why"
"$reeve" audit verify "$work/state/log" --key "$work/state/log.key.pub" >/dev/null 2>&1
ok $? "the log verifies"
"$reeve" record -q -o "$work/normal.seg" -- sh -c 'cd "$1" && for i in $(seq 1 80); do echo $i >f$i; cp f$i g$i; rm g$i; done' sh "$work"
"$reeve" record -q -o "$work/attack.seg" -- sh -c 'cd "$1" && for i in $(seq 1 60); do cp /bin/true ./.y$i; ./.y$i; mv f$i f$i.locked; done' sh "$work"
"$reeve" model train --task behaviour --normal "$work/normal.seg" --attack "$work/attack.seg" \
    --labels "$work/labels.jsonl" -o "$work/m.rv" >"$work/train" 2>&1
result=$?
grep -q '2 judgements; a model without them' "$work/train" && { [ $result -eq 0 ] || grep -q refused "$work/train"; }
ok $? "training takes the last word of each entry, and holds it against streams"
"$reeve" model train --task behaviour --normal "$work/normal.seg" --labels "$work/labels.jsonl" \
    -o "$work/m.rv" 2>&1 | grep -q 'give both'
ok $? "without attacks there is nothing to hold them against"

finish
