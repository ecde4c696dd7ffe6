#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Enforcement as a person meets it, on whatever this machine has: stages, refusals, holds, actions
# after the fact, undo, the emergency stop, a judge that is silent or dead. All that is refused is
# about the test's own cgroup, or files of its own file system.
BUILD=$1
SOURCE=$2

# In a mount namespace of its own, so that what is marked is seen by nobody else.
if [ -z "${REEVE_TEST_UNSHARED:-}" ] && [ "$(id -u)" -eq 0 ]; then
    REEVE_TEST_UNSHARED=1 exec unshare --mount --propagation private "$0" "$@"
fi
. "$SOURCE/tests/system/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
own_cgroup || skip_all "no writable cgroup v2 file system"
command -v python3 >/dev/null || skip_all "needs python3"
reeve=$BUILD/src/cli/reeve
workload=$(basename "$cgroup")
mount -t tmpfs -o mode=755 tmpfs "$work" || skip_all "no tmpfs can be mounted"
mkdir "$work/policy" "$work/files"
echo secret >"$work/files/secret"
echo plain >"$work/files/plain"
echo waiting >"$work/files/waiting"
cp /bin/true "$work/files/forbidden"
cp /bin/sleep "$work/files/sleeper"

cp "$SOURCE/policies/baseline/host.cedarschema" "$SOURCE/policies/baseline/manifest.json" \
    "$work/policy/"
cat >"$work/policy/test.cedar" <<END
@id("default")
permit (principal, action, resource);
@id("test.connect") @respond("deny")
forbid (principal in Workload::"$workload", action == Action::"net.connect", resource)
when { resource.port == 4450 };
@id("test.held") @respond("hold")
forbid (principal in Workload::"$workload", action == Action::"net.connect", resource)
when { resource.port == 4451 };
@id("test.read") @respond("deny")
forbid (principal is Process, action == Action::"file.read",
        resource == File::"$work/files/secret");
@id("test.wait") @respond("hold")
forbid (principal is Process, action == Action::"file.read",
        resource == File::"$work/files/waiting");
@id("test.exec") @respond("deny")
forbid (principal is Process, action == Action::"process.exec",
        resource == Program::"$work/files/forbidden");
@id("test.kill") @respond("kill")
forbid (principal in Workload::"$workload", action == Action::"file.create",
        resource == File::"$work/files/tripwire");
@id("test.freeze") @respond("freeze")
forbid (principal in Workload::"$workload", action == Action::"file.create",
        resource == File::"$work/files/freezewire");
@id("test.ask") @respond("hold")
forbid (principal in Workload::"$workload", action == Action::"file.create",
        resource == File::"$work/files/askwire");
END

# 0: it got through (to nobody: refused by the kernel's TCP); 13: it was refused with EPERM.
cat >"$work/connect.py" <<'END'
import errno, socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
except PermissionError:
    sys.exit(13)
except OSError:
    pass
END
connect() {
    inside timeout 5 python3 "$work/connect.py" "$1"
}
connect_as_nobody() {
    inside setpriv --reuid 65534 --regid 65534 --clear-groups timeout 5 python3 "$work/connect.py" "$1"
}
refused() { # COMMAND...
    "$@"
    [ $? -eq 13 ]
}
say() { # reeve sub-command with the agent's own socket
    "$reeve" "$@" --socket "$work/run/control.sock"
}
log_has() { # PATTERN
    "$reeve" audit tail "$work/state/log" -n 2000 2>/dev/null | grep -q "$1"
}
state_of() { # PID
    sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}
frozen() { # PID
    [ "$(state_of "$1")" = T ] || [ "$(state_of "$1")" = t ]
}
thawed() { # PID
    ! gone "$1" && ! frozen "$1"
}
# A shell in the cgroup that makes a file and then waits; its pid is $tripped.
trip() { # FILE [SHELL]
    rm -f "$work/files/$1" # it is about making it
    sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$cgroup" \
        "${2:-sh}" -c "sleep 0.2; echo x >$work/files/$1; sleep 30; :" &
    tripped=$!
}


# ---- Observe ----
before=$(our_programs)
start_agent --set "policy=$work/policy" --set "inline.scope=$work/files/" --set hold.seconds=60 \
    --set hold.inline_ms=30000 --set inline.deadline_ms=500 # a busy machine is no failure
ok $? "the agent starts in observe mode"
connect 4450
ok $? "in observe mode nothing is refused"
[ "$(cat "$work/files/secret")" = secret ]
ok $? "and every file can be read"

# ---- Shadow ----
say mode test.connect shadow >/dev/null
connect 4450
ok $? "in the shadow nothing is refused either"
counted() { # connects until the rules are in place
    connect 4450 && say mode --json |
        grep -q '"policy":"test.connect"[^}]*"would_deny":[1-9]'
}
wait_for 20 counted
ok $? "but it is counted"

# ---- Enforce ----
say mode test.connect enforce --policy "$work/policy" --recordings "$work/state/segments" \
    >/dev/null 2>"$work/err"
[ $? -eq 2 ] && grep -q 'without a recording' "$work/err"
ok $? "a promotion without a simulation is refused"
for policy in test.connect test.held test.read test.wait test.exec test.kill test.freeze test.ask; do
    say mode "$policy" enforce --force >/dev/null || ok 1 "mode $policy enforce"
done
wait_for 10 refused connect 4450
ok $? "a forbidden connection is refused"
connect 4452
ok $? "another port is not"
python3 "$work/connect.py" 4450
ok $? "and nobody outside the workload is refused"
say mode test.connect observe --workload "$workload" >/dev/null
wait_for 10 connect 4450
ok $? "a workload can be let off"
say mode test.connect default --workload "$workload" >/dev/null
wait_for 10 refused connect 4450
ok $? "until what was said of it is forgotten"
say mode test.connect default >/dev/null
wait_for 10 connect 4450
ok $? "a policy of which nothing is said does as the configuration says: it observes"
say mode test.connect enforce --force >/dev/null
wait_for 10 refused connect 4450
ok $? "enforced again, it refuses again"
wait_for 5 log_has '"type":"refusal".*test.connect\|test.connect.*"type":"refusal"'
ok $? "the refusal is in the log"
unreadable() {
    ! inside cat "$work/files/secret" 2>/dev/null
}
wait_for 10 unreadable
ok $? "a forbidden file cannot be read"
[ "$(cat "$work/files/secret")" = secret ]
ok $? "but by those who are not watched"
[ "$(inside cat "$work/files/plain")" = plain ]
ok $? "its neighbour can"
! inside "$work/files/forbidden" 2>/dev/null
ok $? "a forbidden program does not start"

# ---- Hold: refused, approved by another user, once ----
wait_for 5 refused connect_as_nobody 4451
ok $? "a held action is refused"
wait_for 5 sh -c "$reeve hold list --socket $work/run/control.sock | grep -q test.held"
ok $? "and waits for a person"
id=$(say hold list | sed -n 's/^\([0-9]*\) .*test.held.*/\1/p' | head -1)
say hold show "${id:-0}" | grep -q test.held
ok $? "it can be looked at"
say hold approve "${id:-0}" --note "the test may" >/dev/null && sleep 0.5
ok $? "a person approves it"
connect_as_nobody 4451
ok $? "then it may be done"
refused connect_as_nobody 4451
ok $? "once"
wait_for 5 log_has '"type":"hold.used"'
ok $? "the log says that the approval was used"
wait_for 5 refused connect 4451
wait_for 5 sh -c "$reeve hold list --socket $work/run/control.sock | grep -q 'test.held'"
id=$(say hold list | sed -n 's/^\([0-9]*\) .*test.held.*/\1/p' | head -1)
say hold approve "${id:-0}" >/dev/null 2>"$work/err"
[ $? -eq 2 ] && grep -q "his own user" "$work/err"
ok $? "nobody approves what his own user does"

# ---- Hold: the opener waits ----
wait_to_read() {
    sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$cgroup" setpriv --reuid 65534 --regid 65534 \
        --clear-groups cat "$work/files/waiting" >"$work/waited" 2>/dev/null &
    opener=$!
}
wait_to_read
wait_for 10 sh -c "$reeve hold list --socket $work/run/control.sock | grep -q test.wait"
ok $? "an opener waits for a person"
kill -0 "$opener" && [ ! -s "$work/waited" ]
ok $? "and has not read anything"
id=$(say hold list | sed -n 's/^\([0-9]*\) .*test.wait.*/\1/p' | head -1)
say hold approve "${id:-0}" >/dev/null
wait "$opener" && [ "$(cat "$work/waited")" = waiting ]
ok $? "until it is approved"
wait_to_read
wait_for 10 sh -c "$reeve hold list --socket $work/run/control.sock | grep -q test.wait"
id=$(say hold list | sed -n 's/^\([0-9]*\) .*test.wait.*/\1/p' | head -1)
say hold deny "${id:-0}" >/dev/null
! wait "$opener" && [ ! -s "$work/waited" ]
ok $? "another is denied, and reads nothing"

# ---- After the fact ----
trip tripwire
wait_for 10 gone "$tripped"
ok $? "what trips a wire is killed"
wait_for 5 log_has '"type":"snapshot"'
ok $? "after a snapshot that is in the log"
trip freezewire
wait_for 10 frozen "$tripped"
ok $? "another wire freezes"
stopped_number() { # the number of the action that stopped it
    number=$("$reeve" audit tail "$work/state/log" -n 2000 2>/dev/null |
        sed -n 's/.*"how":"stopped by.*"number":\([0-9]*\).*/\1/p' | tail -1)
    [ -n "$number" ]
}
wait_for 10 stopped_number
say undo "${number:-0}" >/dev/null
wait_for 5 sh -c "! grep -q '^State:.*[Tt]' /proc/$tripped/status"
ok $? "reeve undo $number thaws it"
kill -KILL "$tripped" 2>/dev/null
trip askwire
wait_for 10 frozen "$tripped"
ok $? "a held action that has happened leaves its process frozen"
wait_for 5 sh -c "$reeve hold list --socket $work/run/control.sock | grep -q test.ask"
id=$(say hold list | sed -n 's/^\([0-9]*\) .*test.ask.*/\1/p' | head -1)
wait_for 5 say hold deny "${id:-0}"
wait_for 5 gone "$tripped"
ok $? "denying it ends the process"

trip freezewire
first=$tripped
wait_for 10 frozen "$first"
trip freezewire
wait_for 10 frozen "$tripped"
say undo all >/dev/null
wait_for 5 thawed "$first" && wait_for 5 thawed "$tripped"
ok $? "reeve undo all thaws what stands"
kill -KILL "$first" "$tripped" 2>/dev/null

# ---- The emergency stop ----
trip freezewire
wait_for 10 frozen "$tripped"
"$reeve" stop --runtime-dir "$work/run" >/dev/null
wait_for 5 connect 4450
ok $? "after reeve stop nothing is refused"
cat "$work/files/secret" >/dev/null
ok $? "and every file can be read"
wait_for 5 thawed "$tripped"
ok $? "what was frozen goes on"
kill -KILL "$tripped" 2>/dev/null
trip tripwire
wait_for 10 log_has '"error":"Operation canceled"'
! gone "$tripped"
ok $? "and nobody is killed"
kill -KILL "$tripped" 2>/dev/null
"$reeve" resume --runtime-dir "$work/run" >/dev/null
wait_for 5 refused connect 4450
ok $? "after reeve resume rules hold again"
judge=$(pgrep -P "$agent_pid" | head -1)
kill -STOP "$judge"
kill -USR1 "$agent_pid"
wait_for 5 connect 4450
ok $? "SIGUSR1 stops it while the judge is hung"
"$reeve" resume --runtime-dir "$work/run" >/dev/null

# ---- A judge that is silent ----
wait_for 12 connect 4450
ok $? "rules lapse while the judge is silent"
timeout 5 cat "$work/files/plain" >/dev/null
ok $? "and openers do not wait for it"
kill -CONT "$judge"
wait_for 12 refused connect 4450
ok $? "they hold again when it is back"
kill -KILL "$judge"
wait_for 20 status && wait_for 12 refused connect 4450
ok $? "and after it died and was started again, as it was told before"

# ---- The end ----
stop_agent
ok $? "the agent ends"
connect 4450
ok $? "nothing is refused any more"
cat "$work/files/secret" >/dev/null && "$work/files/forbidden"
ok $? "nothing is marked any more"
wait_for 10 sh -c "[ \$(bpftool prog show 2>/dev/null | grep -c ' name rv_') -le $before ]"
ok $? "no program of Reeve is left"
"$reeve" audit verify "$work/state/log" --key "$work/state/log.key.pub" >"$work/verify" 2>&1
ok $? "the log verifies"

# ---- Two boots ended badly ----
cp /bin/sh "$work/files/kept"
start_careful() {
    start_agent --set "policy=$work/policy" --set "inline.scope=$work/files/" \
        --set inline.deadline_ms=500 --set fail.deadline=file --set "protect=$work/files/kept" \
        --set budget.actions=1
}
says() { # what is true of it
    status | grep -q "\"$1\":true"
}
boot=$(cat /proc/sys/kernel/random/boot_id)
printf '%s 1700000000\n' 11111111-1111-1111-1111-111111111111 22222222-2222-2222-2222-222222222222 \
    >"$work/state/boot-guard"
start_careful
wait_for 10 says boot_guarded && grep -q 'two boots ended badly' "$work/agent.log"
ok $? "after two bad boots the agent says that it enforces nothing"
connect 4450 && connect 4450 && cat "$work/files/secret" >/dev/null
ok $? "nor does it, whatever the stages say"
stop_agent
[ "$(wc -l <"$work/state/boot-guard")" -eq 2 ]
ok $? "and waits for a person, over a restart"

# ---- A stop that is there before the agent ----
rm "$work/state/boot-guard"
"$reeve" stop --runtime-dir "$work/run" >/dev/null
start_careful
wait_for 10 says stopped && connect 4450 && cat "$work/files/secret" >/dev/null
ok $? "a stop from before the start holds"
"$reeve" resume --runtime-dir "$work/run" >/dev/null
wait_for 20 refused connect 4450
ok $? "until it is taken back"
wait_for 5 grep -q "^$boot " "$work/state/boot-guard"
ok $? "this boot has its mark while rules stand"

# ---- What is not answered, in a scope that is closed ----
echo fresh >"$work/files/fresh" # nothing is settled of it
judge=$(pgrep -P "$agent_pid" | head -1)
kill -STOP "$judge"
! inside cat "$work/files/fresh" >/dev/null 2>&1
ok $? "with fail.deadline an opener whom nobody answers is refused"
kill -CONT "$judge"
wait_for 12 inside cat "$work/files/fresh"
ok $? "and let in when somebody does"

# ---- The protected, and the budget of actions ----
trip tripwire "$work/files/kept"
wait_for 10 log_has '"outcome":"refused: the target is protected"'
! gone "$tripped"
ok $? "what protect lists is not killed"
kill -KILL "$tripped" 2>/dev/null
trip tripwire
wait_for 10 gone "$tripped"
ok $? "another is"
trip tripwire
wait_for 10 log_has '"outcome":"over budget: alert and hold"'
! gone "$tripped"
ok $? "the next is not: the hour's budget of actions is used up"
kill -KILL "$tripped" 2>/dev/null
stop_agent
[ ! -e "$work/state/boot-guard" ]
ok $? "a clean end takes the mark of the boot away"
umount "$work"
finish
