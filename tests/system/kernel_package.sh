#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A model for the kernel: trained on recordings, shown, tried in this kernel; what the guard refuses.
BUILD=$1
SOURCE=$2
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root to load sensors"
own_cgroup || skip_all "no writable cgroup v2 file system"
reeve=$BUILD/src/cli/reeve

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
train() { # OUTPUT, then more
    output=$1
    shift
    "$reeve" model train --task behaviour --normal "$work/normal.seg" --attack "$work/attack.seg" \
        -o "$output" "$@" >"$work/train" 2>&1
}
train "$work/kernel.rv" --head kernel && train "$work/again.rv" --head kernel &&
    cmp -s "$work/kernel.rv" "$work/again.rv" && train "$work/small.rv" --head kernel --trees 32 --depth 4 &&
    train "$work/judge.rv"
ok $? "models for the kernel and for the judge are trained, the same bytes each time"
"$reeve" model inspect "$work/kernel.rv" >"$work/inspect" && grep -q 'kernel.thresholds' "$work/inspect" &&
    grep -q 'forest .* 64 trees, depth 5' "$work/inspect" &&
    grep -q 'forest.monotone .* 64 trees, depth [1-5]' "$work/inspect" &&
    "$reeve" model inspect "$work/small.rv" | grep -q 'forest .* 32 trees, depth 4' &&
    "$reeve" model card "$work/kernel.rv" | grep -q 'at LSM hooks; [0-9]* features, risks up to [1-9]'
ok $? "inspect and card show what is for the kernel"
for model in kernel small; do
    "$BUILD/tests/system/kernel_package" "$work/$model.rv"
    status=$?
    [ "$status" -eq 77 ] && skip_all "this user may not load BPF programs"
    ok $status "$model: both heads score in this kernel as in user space"
done

refused() { # WHY, then settings
    why=$1
    shift
    timeout 20 "$BUILD/src/agent/reeve-agent" --set "runtime_dir=$work/run" --set "state_dir=$work/state" \
        --set "policy=$SOURCE/policies/baseline" --set "scope.cgroup=$cgroup" "$@" 2>"$work/refused"
    [ $? -eq 2 ] && grep -q "$why" "$work/refused"
}
refused 'not made for the kernel' --set "kernel.model=$work/judge.rv"
ok $? "the agent does not start with a model of the judge's"
cp "$work/kernel.rv" "$work/open.rv" && chmod 666 "$work/open.rv" && cp "$work/kernel.rv" "$work/theirs.rv" &&
    chown 65534 "$work/theirs.rv"
refused 'root must own it' --set "kernel.model=$work/open.rv" &&
    refused 'root must own it' --set "kernel.model=$work/theirs.rv" &&
    refused 'No such file' --set "kernel.model=$work/none.rv" &&
    refused 'not a file' --set "kernel.model=$work" &&
    refused 'needs kernel.model' --set "kernel.shadow=$work/kernel.rv" &&
    refused 'kernel.shadow' --set "kernel.model=$work/kernel.rv" --set "kernel.shadow=$work/open.rv"
ok $? "nor with a file that others can write"
head -c 3000 "$work/kernel.rv" >"$work/cut.rv"
refused 'kernel.model' --set "kernel.model=$work/cut.rv"
ok $? "nor with a damaged one"
start_agent --set "kernel.model=$work/kernel.rv" --set "kernel.shadow=$work/small.rv"
ok $? "it starts with one for the kernel"
status | grep -q '"model_why":"waits for rules that BPF LSM refuses by"'
ok $? "status says that it is not in the kernel in observe mode"
stop_agent
ok $? "it stops"

# ---- One that goes with the judge's ----
train "$work/both.rv" --carry "$work/kernel.rv" && "$reeve" model inspect "$work/both.rv" | grep -q 'kernel.package' &&
    ! train "$work/none.rv" --carry "$work/judge.rv" && grep -q 'cannot be carried: it is not made for the kernel' "$work/train"
ok $? "the judge's model carries one for the kernel, and no other"
models=$work/models
mkdir "$models"
why() { # WORDS
    status | grep -q "\"model_why\":\"$1\""
}
hang_up() {
    kill -HUP "$agent_pid"
}
promote() { # MODEL
    "$reeve" model promote "$models" "$1" --why test >/dev/null && hang_up
}
start_agent --set "model=$models"
wait_for 5 why 'no package speaks'
ok $? "without a package there is nothing to follow"
promote "$work/both.rv"
wait_for 5 why 'waits for rules that BPF LSM refuses by'
ok $? "a promotion is taken up while it runs, in the kernel as well"
promote "$work/judge.rv"
wait_for 5 why 'the package carries none for the kernel'
ok $? "one for the judge alone empties the kernel's slot, and status says why"
"$reeve" model quarantine "$models" --why test >/dev/null && hang_up
wait_for 5 why 'waits for rules that BPF LSM refuses by'
ok $? "a quarantine brings the last good one back in both"
"$reeve" model promote "$models" "$work/small.rv" --why test >/dev/null && chmod 666 "$models"/*.rv && hang_up
wait_for 5 why refused
ok $? "what others could write does not get into the kernel"
"$reeve" audit tail "$work/state/log" -n 200 | grep -q '"type":"kernel.model"'
ok $? "each change of the slot is in the log"
"$reeve" model list "$models" >"$work/list" && grep -q speaks "$work/list" && grep -q quarantined "$work/list" &&
    grep -q 'the kernel: scores with it' "$work/list" &&
    "$reeve" model list "$models" --json | grep '"speaks": true' | grep -q '"kernel": "scores with it"'
ok $? "model list says who speaks and what the kernel does then"
stop_agent
finish
