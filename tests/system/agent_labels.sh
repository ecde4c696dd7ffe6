#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# People judge decisions: who may, what the log keeps, what is learnt from it, what training takes.
BUILD=$1
SOURCE=$2
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root to load sensors"
own_cgroup || skip_all "no writable cgroup v2 file system"
command -v setpriv >/dev/null || skip_all "needs setpriv to act as another user"
command -v python3 >/dev/null || skip_all "needs python3 to read reports"
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
"$reeve" decisions label "$mine" benign --socket "$socket" | grep -q 'judged so before'
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
"$reeve" decisions label "$mine" benign --socket "$socket" | grep -q 'judged so before'
ok $? "what was judged is known after a restart"
sleep 1.2
stop_agent

# ---- A policy that would have stopped them, held against what people said ----
mkdir "$work/policy"
cp "$SOURCE/policies/baseline/host.cedarschema" "$SOURCE/policies/baseline/manifest.json" "$work/policy/"
cat >"$work/policy/test.cedar" <<END
@id("default")
permit (principal, action, resource);
@id("test.hidden") @respond("deny")
forbid (principal is Process, action in [Action::"file.write", Action::"file.create"], resource)
when { resource == File::"$work/.z1" || resource == File::"$work/.z2" };
END
start_agent --set "group=nogroup" --set record.segments=yes --set "policy=$work/policy"
inside touch "$work/.z1"
inside setpriv --reuid 4321 --regid 65534 --clear-groups touch "$work/.z2" "$work/.z3"
last_of() { # UID: index of the last decision on what it did that the policy would have stopped
    "$reeve" decisions -l "$work/state/log" --json -n 50 2>/dev/null | grep "\"uid\":$1[,}]" |
        grep 'test.hidden' | tail -1 | sed -n 's/.*"seq":\([0-9]*\),.*/\1/p' | grep .
}
wait_for 10 last_of 0 && wait_for 10 last_of 4321
ok $? "a policy that observes says what it would have stopped"
mine=$(last_of 4321)
roots=$(last_of 0)
promote() {
    "$reeve" mode test.hidden enforce --policy "$work/policy" --log "$work/state/log" \
        --recordings "$work/state/segments" --socket "$socket" >"$work/mode" 2>&1
}
recorded() { # what happened is in the segments
    promote
    grep -q '^2 of 2 stops count as false' "$work/mode"
}
wait_for 10 recorded
grep -q 'nobody called malicious' "$work/mode"
ok $? "what nobody labelled counts as a false stop: the promotion is refused"
"$reeve" mode test.hidden enforce --workload elsewhere --policy "$work/policy" --log "$work/state/log" \
    --recordings "$work/state/segments" --socket "$socket" >"$work/mode" 2>&1 &&
    grep -q 'nothing would have been stopped' "$work/mode"
ok $? "but a workload of which nothing would be stopped may be promoted"
as_user 4322 "$reeve" decisions label "$mine" malicious --socket "$socket" >/dev/null
as_user 4322 "$reeve" decisions label "$roots" benign --socket "$socket" >/dev/null
told() { # COUNT FALSE: so many labels are published, and so many stops are false
    promote
    grep -q "^$1 labels" "$work/mode" && grep -q "^$2 of 2 stops count as false" "$work/mode"
}
wait_for 10 told 6 1
grep -A1 'rightly stopped' "$work/mode" | grep -q 'user 4321' && grep -q 'nobody called malicious' "$work/mode"
ok $? "what was labelled malicious does not, what was labelled benign does"
"$reeve" policy simulate --json --policy "$work/policy" --log "$work/state/log" \
    --recordings "$work/state/segments" >"$work/sim"
[ $? -eq 1 ] && python3 - "$work/sim" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
row = report["policies"][0]
for sums in report, row:
    assert (sums["stops"], sums["labelled_true"], sums["labelled_false"], sums["unlabelled"],
            sums["disputed"], sums["false_stops"]) == (2, 1, 1, 0, 0, 1), sums
assert [v["uid"] for v in row["hurt"]] == [0] and [v["uid"] for v in row["caught"]] == [4321]
assert report["labels"]["read"] == 6 and report["labels"]["own"] == 0
END
ok $? "and the report says it in numbers"
as_user 4322 "$reeve" decisions label "$roots" malicious --socket "$socket" >/dev/null
wait_for 10 promote
ok $? "when all that would be stopped is labelled malicious, it is promoted"
promoted() {
    "$reeve" audit tail "$work/state/log" -n 50 | grep '"type":"mode"' | grep -q '"labelled_true":2'
}
wait_for 5 promoted
ok $? "and the log says on what grounds"
stop_agent

# ---- Labels for training ----
"$reeve" decisions labels -l "$work/state/log" -o "$work/labels.jsonl" 2>"$work/err" && grep -q '7 labels' "$work/err"
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
grep -q '4 judgements; a model without them' "$work/train" && { [ $result -eq 0 ] || grep -q refused "$work/train"; }
ok $? "training takes the last word of each entry, and holds it against streams"
"$reeve" model train --task behaviour --normal "$work/normal.seg" --labels "$work/labels.jsonl" \
    -o "$work/m.rv" 2>&1 | grep -q 'give both'
ok $? "without attacks there is nothing to hold them against"

finish
