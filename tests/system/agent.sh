#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The agent as it is shipped: starts, sees, answers, survives its judge, leaves nothing behind.
BUILD=$1
SOURCE=$2
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root to load sensors"
own_cgroup || skip_all "no writable cgroup v2 file system"
reeve=$BUILD/src/cli/reeve
agent=$BUILD/src/agent/reeve-agent
before=$(our_programs)

# The kernel frees programs a little after the last descriptor is closed.
none_of_ours() {
    [ "$(our_programs)" -le "$before" ]
}

# ---- Configuration ----
printf 'mode = observe\nmod = x\n' >"$work/bad.conf"
"$agent" --check --config "$work/bad.conf" 2>"$work/err"
[ $? -eq 2 ] && grep -q 'bad.conf:2: unknown key' "$work/err"
ok $? "an unknown key is refused with file and line"

"$agent" --dump >"$work/dump.conf" && "$agent" --check --config "$work/dump.conf" >/dev/null
ok $? "a dump can be read back"

# ---- Start ----
start_agent --set record.segments=yes
ok $? "the agent answers within 20 seconds"

judge=$(pgrep -P "$agent_pid")
grep -q '^CapEff:.*0000000000000000' "/proc/$judge/status" &&
    grep -q '^NoNewPrivs:.*1' "/proc/$judge/status" &&
    grep -q '^Seccomp:.*2' "/proc/$judge/status" &&
    ! grep -q '^Uid:[[:space:]]*0' "/proc/$judge/status"
ok $? "the judge has no user, no capability, no new privileges and a list of system calls"

"$agent" --set "runtime_dir=$work/run" --set "state_dir=$work/state2" 2>"$work/err"
[ $? -eq 2 ] && grep -q 'running already' "$work/err"
ok $? "a second agent in the same place is refused"

# ---- Events ----
"$reeve" watch --json --socket "$work/run/control.sock" >"$work/watch" 2>/dev/null &
watch=$!
sleep 0.3
inside /bin/echo a-tagged-argument >/dev/null
wait_for 5 grep -q a-tagged-argument "$work/watch"
ok $? "a command is seen by reeve watch"
latency=$(grep a-tagged-argument "$work/watch" | head -1 | sed 's/.*"latency_us":\([0-9]*\).*/\1/')
[ "${latency:-999999}" -lt 100000 ]
ok $? "in less than 100 ms (${latency:-?} us)"

inside sh -c "echo x >$work/some-file"
wait_for 5 grep -q "$work/some-file" "$work/watch"
ok $? "a file that is written is seen"

i=0
while [ $i -lt 200 ]; do
    inside /bin/true
    i=$((i + 1))
done
wait_for 5 sh -c "[ \$(grep -c '\"process.exec\".*/true' $work/watch) -ge 200 ]"
ok $? "200 short processes are seen, all of them"
kill $watch 2>/dev/null

status | grep -q '"lost":0'
ok $? "nothing was lost"

# ---- The judge dies ----
sleep 1.2 # what is recorded is written out each second
kill -KILL "$judge"
wait_for 10 sh -c "pgrep -P $agent_pid | grep -qv '^$judge\$'"
ok $? "a killed judge is started again"
wait_for 10 status
ok $? "and answers"
grep -q 'killed by signal 9' "$work/agent.log"
ok $? "the guard says so"
wait_for 10 sh -c "$reeve status --json --socket $work/run/control.sock | grep -q '\"loss\":'"
ok $? "the time in between is an event"

# ---- Stop ----
stop_agent
ok $? "SIGTERM ends it with status 0"
[ ! -e "$work/run/control.sock" ] && wait_for 10 none_of_ours
ok $? "no socket and no BPF program is left"
"$reeve" audit verify "$work/state/log" --key "$work/state/log.key.pub" >"$work/verify" 2>&1
ok $? "the log verifies"

segment=$(find "$work/state/segments" -name '*.seg' | sort | tail -1)
[ -n "$segment" ] && "$reeve" audit tail "$work/state/log" -n 1000 2>/dev/null |
    grep -q "$(sha256sum <"$segment" | cut -c1-64)"
ok $? "the digest of the recorded segment is in the log"
REEVE_POLICY=$SOURCE/policies/baseline "$reeve" replay "$work"/state/segments/*.seg --all 2>/dev/null |
    grep -q true
ok $? "and the segment can be replayed"

# ---- The guard dies ----
start_agent
judge=$(pgrep -P "$agent_pid")
guard=$agent_pid
agent_pid=
kill -KILL "$guard"
wait "$guard" 2>/dev/null
wait_for 5 gone "$judge"
ok $? "the judge ends with a killed guard"
wait_for 10 none_of_ours
ok $? "nothing of Reeve stays loaded"

finish
