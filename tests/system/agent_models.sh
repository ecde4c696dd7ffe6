#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The agent with trained models: who speaks, who is refused, what status and receipts say of it.
BUILD=$1
SOURCE=$2
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root to load sensors"
own_cgroup || skip_all "no writable cgroup v2 file system"
reeve=$BUILD/src/cli/reeve
REEVE_POLICY=$SOURCE/policies/baseline
export REEVE_POLICY
models=$work/models
mkdir "$models"

# ---- Two models of what this machine does: a few seconds of ordinary commands, a few of others ----
cat >"$work/normal.sh" <<'END'
mkdir -p "$1" && cd "$1"
for i in $(seq 1 25); do
    echo "$i" >"f$i" && cp "f$i" "g$i" && mv "g$i" "h$i" && rm "h$i"
    ls -l >list && sort list | uniq -c | head -3 >top
done
END
cat >"$work/attack.sh" <<'END'
cd "$1"
for i in $(seq 1 30); do
    cp /bin/true "./.x$i" && "./.x$i"; rm -f "./.x$i"
    mv "f$i" "f$i.locked" 2>/dev/null || :
done
END
"$reeve" record -q -o "$work/normal.seg" -- sh "$work/normal.sh" "$work/play" &&
    "$reeve" record -q -o "$work/attack.seg" -- sh "$work/attack.sh" "$work/play"
ok $? "normal work and an attack are recorded"
"$reeve" model train --task behaviour --normal "$work/normal.seg" --attack "$work/attack.seg" \
    -o "$work/one.rv" --name one >"$work/one" 2>&1 &&
    "$reeve" model train --task behaviour --normal "$work/normal.seg" --attack "$work/attack.seg" \
        --seed 2 -o "$work/two.rv" --name two >"$work/two" 2>&1
ok $? "two models are trained"
one=$(sed -n 's/.*sha256:\([0-9a-f]*\).*/\1/p' "$work/one")
two=$(sed -n 's/.*sha256:\([0-9a-f]*\).*/\1/p' "$work/two")

# ---- Figures and card ----
"$reeve" model eval --model "$work/one.rv" --normal "$work/normal.seg" --attack "$work/attack.seg" \
    -o "$work/measured.rv" >"$work/figures" 2>&1 && grep -q 'attacks found, as shipped' "$work/figures" &&
    grep -q 'found at risk 300: attack' "$work/figures"
ok $? "a model is measured on streams"
"$reeve" model card "$work/measured.rv" --html "$work/card.html" && grep -q '<svg' "$work/card.html" &&
    grep -q 'normal scores moved by PSI' "$work/card.html" &&
    "$reeve" model card "$work/measured.rv" | grep -q 'alarms per host-day with 95.00'
ok $? "its card is drawn, with a promise"

# ---- Replay ----
for run in 1 2; do
    "$reeve" replay "$work/attack.seg" --model "$work/one.rv" --shadow "$work/two.rv" --json >"$work/replay$run"
done
cmp -s "$work/replay1" "$work/replay2" && [ -s "$work/replay1" ]
ok $? "replay with a model gives the same bytes twice"
"$reeve" replay "$work/attack.seg" --model "$work/one.rv" --shadow "$work/two.rv" -q 2>&1 | grep -q 'only the shadow'
ok $? "and counts where the shadow disagrees"

cp -r "$SOURCE/policies/baseline" "$work/policy"
printf '@id("test.old")\nforbid (principal, action == Action::"file.create", resource)\nwhen { context.features.exe_file_age >= 10 && context.features.exe_file_age < 40 };\n' >"$work/policy/99-old.cedar"
"$reeve" replay "$work/normal.seg" --policy "$work/policy" --json 2>/dev/null | grep -q 'test.old'
ok $? "replay knows how old programs are, by the recording's own clock"

# ---- A package speaks, another stands in its shadow ----
start_agent --set "model=$work/one.rv" --set "model.shadow=$work/two.rv" --set record.risk_min=30
ok $? "the agent starts with a model and a shadow"
inside sh "$work/attack.sh" "$work/play" >/dev/null 2>&1
status >"$work/status"
grep -q "\"digest\":\"$one\"" "$work/status" && grep -q "\"digest\":\"$two\"" "$work/status"
ok $? "status names both"
wait_for 5 sh -c "'$reeve' status --socket '$work/run/control.sock' | grep -q 'only the shadow'"
ok $? "status counts their disagreement"
"$reeve" model drift --agent --socket "$work/run/control.sock" | grep -q 'verdicts so far'
ok $? "model drift asks the agent"
inside sh -c 'echo /tmp/x.so >/etc/ld.so.preload.test; mkdir -p /tmp/t$$; rmdir /tmp/t$$; rm /etc/ld.so.preload.test'
sleep 1.5
stop_agent
ok $? "it stops"
index=$("$reeve" decisions -l "$work/state/log" --json -n 50 | grep "\"model\":\"$one\"" | tail -1 |
    sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
[ -n "$index" ]
ok $? "a receipt names the model"
[ -n "$index" ] && "$reeve" audit show "$index" "$work/state/log" --recompute --model "$work/one.rv" |
    grep -q 'the verdict is what the model says'
ok $? "its verdict is computed again from the package"
"$reeve" audit tail "$work/state/log" -n 2000 | grep -q "\"model\":\"$one\".*\"type\":\"agent.start\""
ok $? "the log says which model spoke"

# ---- Refused: damaged, quarantined ----
cp "$work/one.rv" "$work/damaged.rv"
printf 'x' | dd of="$work/damaged.rv" bs=1 seek=3000 conv=notrunc status=none
start_agent --set "model=$work/damaged.rv"
status | grep -q '"name":"built-in"' && ! status | grep -q '"shadow":{"name"' &&
    grep -q 'damaged.rv is not used' "$work/agent.log"
ok $? "a damaged package is refused and the built-in model speaks"
stop_agent
"$reeve" model promote "$models" "$work/one.rv" --why 'first' >/dev/null &&
    "$reeve" model promote "$models" "$work/two.rv" --why 'better' >/dev/null
ok $? "two models are promoted"
start_agent --set "model=$models"
status | grep -q "\"digest\":\"$two\"" && ! status | grep -q "$one"
ok $? "a folder's history says who speaks"
stop_agent
"$reeve" model quarantine "$models" --why 'too loud' >/dev/null
start_agent --set "model=$models"
status | grep -q "\"digest\":\"$one\"" && ! status | grep -q "$two"
ok $? "after a quarantine the last good one speaks"
stop_agent
cp "$work/two.rv" "$models/two.rv"
start_agent --set "model=$models/two.rv"
grep -q 'two.rv is not used: it is quarantined' "$work/agent.log"
ok $? "a quarantined package is refused by its path too"
stop_agent

finish
