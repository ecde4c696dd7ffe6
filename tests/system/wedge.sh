#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What can go wrong while something is enforced, and that the host goes on. The table "When something
# fails" of docs/enforcement.md, cell by cell:
#   the judge dead, hung, starved      here: stopped, slow, killed in a row, out of memory
#   the log takes no entries           here: disk full while running and at the start
#   a question is not answered in time here: fail.deadline empty; tests/system/enforce.sh: listed
#   the table of rules is full         here: open; tests/unit/agent: closed, the old table stays
#   the guard is killed                here, while an opener waits
#   the ring of refusals is full       here: the count adds up
#   a policy cannot be read            here: at the start, and under a judge that starts again
#   the wall clock jumps               tests/vm/agent.sh: the clock of this machine is not ours
#   a hook is slower than its budget   tests/system/fan.c, cgate.c, tests/vm/safety.c
#   budget.refusals                    tests/system/fan.c, cgate.c, tests/vm/safety.c
#   budget.actions, two bad boots      tests/system/enforce.sh
BUILD=$1
SOURCE=$2

# In a mount namespace of its own, so that what is marked is seen by nobody else.
if [ -z "${REEVE_TEST_UNSHARED:-}" ] && [ "$(id -u)" -eq 0 ]; then
    REEVE_TEST_UNSHARED=1 exec unshare --mount --propagation private "$0" "$@"
fi
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
own_cgroup || skip_all "no writable cgroup v2 file system"
attempt=$BUILD/tests/system/attempt
reeve=$BUILD/src/cli/reeve
workload=$(basename "$cgroup")
mount -t tmpfs -o mode=755,size=512m tmpfs "$work" || skip_all "no tmpfs can be mounted"
mkdir "$work/policy" "$work/files" "$work/state" "$work/broken"
mount -t tmpfs -o mode=700,size=48m tmpfs "$work/state" || skip_all "no tmpfs can be mounted"
echo secret >"$work/files/secret"
echo plain >"$work/files/plain"
echo asked >"$work/files/asked"

cp "$SOURCE/policies/baseline/host.cedarschema" "$SOURCE/policies/baseline/manifest.json" \
    "$work/policy/"
cat >"$work/policy/test.cedar" <<END
@id("default")
permit (principal, action, resource);
@id("test.connect") @respond("deny")
forbid (principal in Workload::"$workload", action == Action::"net.connect", resource)
when { resource.port == 4450 };
@id("test.read") @respond("deny")
forbid (principal is Process, action == Action::"file.read",
        resource == File::"$work/files/secret");
@id("test.asked") @respond("deny")
forbid (principal is Process, action == Action::"file.read",
        resource == File::"$work/files/asked")
when { context.features.connects > 1000 };
END

trap 'cleanup 2>/dev/null; rmdir "/sys/fs/cgroup/pids/$workload" 2>/dev/null; umount "$work/state" "$work"; rmdir "$work"' EXIT

start() { # extra arguments
    start_agent --set "policy=$work/policy" --set "inline.scope=$work/files/" --set mode=enforce \
        --set fail.judge=file.read --set fail.log=file.read --set inline.deadline_ms=1000 "$@"
}
inside_attempt() {
    inside timeout 60 "$attempt" "$@"
}
connects() {
    inside_attempt connect 4450
}
refused() { # COMMAND...
    "$@"
    [ $? -eq 13 ]
}
can_read() { # NAME
    inside timeout 5 "$attempt" read "$work/files/$1"
}
log_has() { # PATTERN
    "$reeve" audit tail "$work/state/log" -n 5000 2>/dev/null | grep -q "$1"
}
log_count() { # PATTERN
    "$reeve" audit tail "$work/state/log" -n 5000 2>/dev/null | grep -c "$1"
}
gaps() {
    log_count '"type":"loss"'
}
new_gap() { # BEFORE
    [ "$(gaps)" -gt "$1" ]
}
judge() {
    pgrep -P "$agent_pid" | head -1
}
# A job of another workload: it must come to its end.
host_job() {
    timeout 60 sh -c 'i=0; while [ $i -lt 300 ]; do cat "$0" >/dev/null && /bin/true || exit 1
        i=$((i + 1)); done' "$work/files/plain"
}
# A number of the agent's status, by its name.
number() { # NAME
    status | sed -n "s/.*\"enforcement\":{[^}]*\"$1\":\([0-9]*\).*/\1/p"
}
events() {
    status | sed -n 's/.*"events":\([0-9]*\).*/\1/p'
}
more_events() { # BEFORE
    [ "$(events)" -gt "$1" ]
}
adds_up() { # DENIED_BEFORE LOST_BEFORE ADDED
    now=$(number denied) now_lost=$(number lost)
    [ "${now:-0}" -ge 0 ] && [ $((${now:-0} - $1 + ${now_lost:-0} - $2)) -eq "$3" ]
}
nothing_left() {
    [ "$(our_programs)" -le "$before" ]
}
marks() { # PID: fanotify marks that it holds
    cat /proc/"$1"/fdinfo/* 2>/dev/null | grep -c '^fanotify '
}
refuses_again() {
    wait_for 15 refused connects && wait_for 15 refused can_read secret
}

# The workload has a process, so that a new judge meets it when it looks around.
inside sleep 3600 &
before=$(our_programs)
start
refuses_again
ok $? "rules hold: a connection and a file are refused"
can_read plain && can_read asked
ok $? "what is only asked about is not"
[ "$(marks "$agent_pid")" -gt 0 ]
ok $? "the guard holds marks"

# ---- The judge is stopped ----
gaps=$(gaps)
stopped=$(judge)
kill -STOP "$stopped"
can_read asked
ok $? "judge stopped: a question that nobody answers lets pass"
host_job
ok $? "judge stopped: another workload's job comes to its end"
wait_for 15 connects
ok $? "judge stopped: the rule of an open scope lapses"
refused can_read secret
ok $? "judge stopped: the rule of a closed scope goes on"
kill -CONT "$stopped"
refuses_again
ok $? "judge goes on: rules hold again"
wait_for 10 new_gap "$gaps"
ok $? "judge goes on: the silence is an entry of the log"

# ---- The judge is slow: most of the time it does not run ----
(for _ in 1 2 3 4 5 6 7 8; do
    kill -STOP "$stopped"
    sleep 0.9
    kill -CONT "$stopped"
    sleep 0.1
done) &
slow=$!
i=0 passed=0
while kill -0 $slow 2>/dev/null && [ $i -lt 100 ]; do
    refused connects || passed=$((passed + 1))
    can_read plain || passed=$((passed + 100))
    i=$((i + 1))
    sleep 0.1
done
wait $slow
[ $i -gt 5 ] && [ "$passed" -eq 0 ]
ok $? "judge slow: rules hold, openers go on ($i times, $passed wrong)"

# ---- The judge dies again and again ----
gaps=$(gaps)
for _ in 1 2 3 4; do
    victim=$(judge)
    [ -n "$victim" ] && kill -KILL "$victim"
    can_read plain || ok 1 "judge dies in a row: openers go on"
    wait_for 15 sh -c "pgrep -P $agent_pid | grep -qv '^${victim:-0}\$'"
done
host_job
ok $? "judge dies in a row: another workload's job comes to its end"
wait_for 30 status && refuses_again
ok $? "judge dies in a row: it is started again, rules hold"
wait_for 10 new_gap "$gaps"
ok $? "judge dies in a row: the gap is an entry of the log"

# ---- The judge has no memory ----
memory=/sys/fs/cgroup/memory/$workload limit=memory.limit_in_bytes
if ! mkdir "$memory" 2>/dev/null; then
    memory=$(dirname "$cgroup")/$workload-memory limit=memory.max
    mkdir "$memory" 2>/dev/null
fi
if [ -w "$memory/$limit" ]; then
    gaps=$(gaps)
    victim=$(judge)
    echo 4096 >"$memory/$limit" # one page more
    echo "$victim" >"$memory/cgroup.procs"
    i=0
    while ! gone "$victim" && [ $i -lt 150 ]; do
        kill -HUP "$victim" 2>/dev/null # reading policies again takes memory, events need not
        inside sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true "$i"; done'
        can_read plain || ok 1 "judge without memory: openers go on"
        i=$((i + 1))
    done
    gone "$victim"
    ok $? "judge without memory: the kernel ends it"
    wait_for 30 status && refuses_again
    ok $? "judge without memory: it is started again, rules hold"
    wait_for 10 new_gap "$gaps"
    ok $? "judge without memory: the gap is an entry of the log"
else
    echo "# the judge without memory: no memory controller that this test may use"
fi
rmdir "$memory" 2>/dev/null

# ---- The ring of refusals is full ----
denied=$(number denied) lost=$(number lost)
entries=$(log_count '"type":"refusal"')
refused inside_attempt connect 4450 5000
ok $? "flood: 5,000 connections of one process are refused"
wait_for 15 adds_up "$denied" "$lost" 5000
ok $? "flood: all of them are counted"
[ $(($(log_count '"type":"refusal"') - entries)) -lt 100 ]
ok $? "flood: the log has a few entries with a number, not 5,000"
denied=$(number denied) lost=$(number lost)
stopped=$(judge)
kill -STOP "$stopped"
refused inside_attempt crowd 4450 3000
ok $? "flood: 3,000 processes are refused while nobody reads their records"
kill -CONT "$stopped"
wait_for 20 adds_up "$denied" "$lost" 3000
ok $? "flood: those counted and those lost add up ($(($(number denied) - denied)) + $(($(number lost) - lost)))"
[ "$(number lost)" -eq 0 ] || wait_for 10 log_has '"lost":[1-9]'
ok $? "flood: the log says how many were lost"

# ---- 100,000 opens and a fork bomb ----
refuses_again
pids=/sys/fs/cgroup/pids/$workload
[ -e "$cgroup/pids.max" ] && pids=$cgroup || mkdir "$pids" 2>/dev/null
timeout 100 "$attempt" opens "$work/files/plain" 100000 &
opens=$!
host_job
ok $? "100,000 opens in a scope: another workload's job comes to its end"
wait $opens
ok $? "100,000 opens in a scope: all are let through"
if [ -w "$pids/pids.max" ]; then
    echo 50 >"$pids/pids.max"
    sh -c 'echo 0 >"$0/cgroup.procs" && exec "$1" bomb' "$pids" "$attempt" 2>/dev/null &
    bomb=$!
    sleep 1
    host_job
    ok $? "a fork bomb: another workload's job comes to its end"
    while left=$(cat "$pids/cgroup.procs") && [ -n "$left" ]; do
        # shellcheck disable=SC2086
        kill -KILL $left 2>/dev/null
    done
    wait $bomb 2>/dev/null
    wait_for 10 status
    ok $? "a fork bomb: the agent answers"
else
    echo "# a fork bomb: no pids controller that this test may use"
fi
[ "$pids" = "$cgroup" ] || rmdir "$pids" 2>/dev/null
refuses_again
ok $? "rules hold after it"

# ---- The policy is broken under a judge that starts again ----
mv "$work/policy/test.cedar" "$work/broken/"
echo 'forbid (principal, action, resource) when {' >"$work/policy/test.cedar"
kill -KILL "$(judge)"
wait_for 15 connects && refused can_read secret
ok $? "policy broken under a new judge: open scopes lapse, closed ones go on"
host_job
ok $? "policy broken under a new judge: the host goes on"
mv "$work/broken/test.cedar" "$work/policy/"
wait_for 40 status && refuses_again
ok $? "policy mended: rules hold again"

# ---- The guard is killed while an opener waits ----
kill -STOP "$(judge)"
"$attempt" read "$work/files/asked" &
opener=$!
sleep 0.2
guard=$agent_pid agent_pid=
victim=$(pgrep -P "$guard" | head -1)
kill -KILL "$guard"
wait "$guard" 2>/dev/null
wait_for 5 gone "$opener"
ok $? "guard killed: an opener that waited goes on"
wait "$opener"
ok $? "guard killed: and is let through"
wait_for 5 gone "$victim"
ok $? "guard killed: the judge ends, stopped as it is"
connects && can_read secret
ok $? "guard killed: nothing is refused, closed scopes neither"
wait_for 10 nothing_left
ok $? "guard killed: no program of Reeve is left"

# ---- The disk of the log is full ----
start
refuses_again
ok $? "after a killed guard the agent starts, rules hold"
[ "$(log_count '"type":"agent.start"')" -ge 2 ]
ok $? "both starts are in the log"
head -c 60m /dev/zero >"$work/state/fill" 2>/dev/null
i=0
while ! grep -q 'takes no more\|log is sealed' "$work/agent.log" && [ $i -lt 60 ]; do
    inside_attempt crowd 4450 50 >/dev/null
    i=$((i + 1))
    sleep 0.3
done
grep -q 'takes no more\|log is sealed' "$work/agent.log"
ok $? "log disk full: the agent says so"
wait_for 15 connects
ok $? "log disk full: the rule of an open scope lapses"
refused can_read secret
ok $? "log disk full: the rule of a closed scope (fail.log) goes on"
host_job
ok $? "log disk full: another workload's job comes to its end"
status >/dev/null
ok $? "log disk full: the agent answers"
stop_agent
ok $? "log disk full: it ends cleanly"
can_read secret
ok $? "log disk full: and nothing is refused any more"
head -c 60m /dev/zero >>"$work/state/fill" 2>/dev/null
start
ok $? "log disk full at the start: the agent starts"
grep -q 'there is no log' "$work/agent.log"
ok $? "log disk full at the start: it says that there is no log"
connects && connects
ok $? "log disk full at the start: nothing of an open scope is refused"
wait_for 10 refused can_read secret
ok $? "log disk full at the start: what fail.log lists is"
events=$(events)
inside /bin/true
wait_for 10 more_events "${events:-0}"
ok $? "log disk full at the start: it watches"
stop_agent
ok $? "log disk full at the start: it ends cleanly"
rm -f "$work/state/fill"
start
refuses_again
ok $? "with room again, rules hold"
"$reeve" audit verify "$work/state/log" --key "$work/state/log.key.pub" >"$work/verify" 2>&1
ok $? "with room again, the log verifies"
stop_agent
ok $? "the agent ends"

# ---- The policy is broken at the start ----
cp "$work/policy/test.cedar" "$work/broken/"
echo 'forbid (principal, action, resource) when {' >>"$work/policy/test.cedar"
timeout 30 "$BUILD/src/agent/reeve-agent" --set "runtime_dir=$work/run" \
    --set "state_dir=$work/state" --set "policy=$work/policy" --set mode=enforce \
    --set "scope.cgroup=$cgroup" 2>"$work/agent.log"
[ $? -eq 2 ]
ok $? "policy broken: the agent does not start"
grep -q 'test.cedar.*' "$work/agent.log" && grep -q 'does not start' "$work/agent.log"
ok $? "policy broken: it says where and why"
connects && can_read secret && wait_for 10 nothing_left
ok $? "policy broken: nothing is enforced, nothing is left"

# ---- More policies than the table has room for ----
cp "$work/broken/test.cedar" "$work/policy/test.cedar"
i=0
while [ $i -lt 80 ]; do
    echo "@id(\"more.$i\") @respond(\"deny\") forbid (principal in Workload::\"$workload\"," \
        "action == Action::\"net.connect\", resource) when { resource.port == $((5000 + i)) };"
    i=$((i + 1))
done >>"$work/policy/test.cedar"
start --set fail.judge= --set fail.log=
wait_for 15 refused connects
ok $? "table full: rules that have room hold"
wait_for 10 log_has 'more.79.*"step":"room"\|"step":"room".*more.79'
ok $? "table full: the log names what is only answered after the fact"
inside_attempt connect 5079
ok $? "table full: which is not refused"
host_job
ok $? "table full: the host goes on"
stop_agent
ok $? "the agent ends"
wait_for 10 nothing_left
ok $? "no program of Reeve is left"
finish
