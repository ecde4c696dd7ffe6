#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole agent with BPF LSM: what is refused before the fact and recorded, and that what goes wrong
# with Reeve goes wrong with nothing else. Runs in the test machine (run-vm --put), with busybox.
BUILD=/reeve
SOURCE=/reeve
# shellcheck source=tests/system/lib.sh
. /reeve/tests/system/lib.sh

[ -d "${work%/*}" ] && [ "$(id -u)" -eq 0 ] || skip_all "needs root"
own_cgroup || skip_all "no writable cgroup v2 file system"
attempt=$BUILD/tests/system/attempt
reeve=$BUILD/src/cli/reeve
workload=$(basename "$cgroup")
files=$work/files
mkdir "$work/policy" "$files"
cp "$SOURCE/policies/baseline/host.cedarschema" "$SOURCE/policies/baseline/manifest.json" \
    "$work/policy/"
cp /bin/busybox "$files/true"

policy() { # NAME RESPONSE ACTION CONDITION
    echo "@id(\"test.$1\") @respond(\"$2\") forbid (principal in Workload::\"$workload\"," \
        "action == Action::\"$3\", resource) when { $4 };"
}
{
    echo '@id("default") permit (principal, action, resource);'
    policy create deny file.create "resource == File::\"$files/created\""
    policy rename deny file.rename "resource == File::\"$files/renamed\""
    policy unlink deny file.unlink "resource == File::\"$files/unlinked\""
    policy chmod deny file.attr "resource == File::\"$files/chmoded\""
    policy read deny file.read "resource == File::\"$files/secret\""
    policy exec deny process.exec "resource == Program::\"$files/true\""
    policy memfd deny process.exec "resource.fileless"
    policy connect deny net.connect "resource.port == 4450"
    policy held hold net.connect "resource.port == 4451"
    policy ptrace deny process.ptrace "principal.uid == 0"
    policy mprotect deny memory.exec "context.anonymous"
    policy race alert process.race "context.seen != context.taken"
    policy freeze freeze file.create "resource == File::\"$files/freezewire\" && context.features.creates >= 0"
} >"$work/policy/test.cedar"

our_programs() {
    "$attempt" programs
}
start() {
    start_agent --set "policy=$work/policy" --set fail.judge=file.unlink \
        --set "watch.deep=$cgroup" "$@"
}
try() {
    inside timeout 30 "$attempt" "$@" 2>/dev/null
}
refused() { # COMMAND...
    "$@"
    [ $? -eq 13 ]
}
connects() {
    try connect 4450
}
say() { # reeve sub-command with the agent's own socket
    "$reeve" "$@" --socket "$work/run/control.sock"
}
known() { # WORD...: an entry that was read has each of them
    cp "$work/tail" "$work/left"
    for word; do
        grep "$word" "$work/left" >"$work/next"
        mv "$work/next" "$work/left"
    done
    [ -s "$work/left" ]
}
logged() { # WORD...: likewise, of the log as it is now; reading it takes a second here
    known "$@" && return
    "$reeve" audit tail "$work/state/log" -n 2000 2>/dev/null >"$work/tail"
    known "$@"
}
recorded() { # POLICY
    wait_for 10 logged '"type":"refusal"' "\"policy\":\"test.$1\"" '"mechanism":"bpf-lsm"' \
        '"verdict":"denied"'
}
: >"$work/tail"
files_anew() {
    rm -f "$files/created" "$files/renamed" "$files/chmoded"
    for name in before unlinked chmoded secret plain; do
        echo "$name" >"$files/$name"
    done
}
# What is tried of each policy; $1: what it must come to.
all_tried() { # COMMAND: refused, or nothing
    "$@" try create "$files/created" &&
        "$@" try rename "$files/before" "$files/renamed" &&
        "$@" try unlink "$files/unlinked" &&
        "$@" try chmod "$files/chmoded" &&
        "$@" try read "$files/secret" &&
        "$@" try exec "$files/true" true &&
        "$@" try memfd /bin/busybox &&
        "$@" try connect 4450 &&
        "$@" try ptrace &&
        "$@" try mprotect
}
done_() {
    "$@"
}
# Reeve keeps its own files from everybody but people: what su starts is one of them.
mkdir -p /usr/bin
cp "$attempt" /usr/bin/su
administrator() { # COMMAND...
    /usr/bin/su exec /bin/sh -c "$*"
}
judge() {
    for process in /proc/[0-9]*; do
        read -r pid _ _ parent _ <"$process/stat" 2>/dev/null && [ "$parent" = "$agent_pid" ] &&
            echo "$pid"
    done
}
refuses_again() {
    wait_for 40 refused connects
}
files_anew

# ---- Shadow ----
# The workload has a process, so that a new judge meets it when it looks around.
inside sleep 3600 &
before=$(our_programs)
start --set mode=shadow
ok $? "the agent starts in the shadow"
works() {
    status | grep -q bpf-lsm
}
wait_for 90 works # the verifier is slow without hardware
ok $? "BPF LSM works here"
all_tried done_
ok $? "in the shadow all is done"
counted() { # POLICY
    say mode --json | grep -q "\"policy\":\"test.$1\"[^}]*\"would_deny\":[1-9]"
}
for name in create unlink exec connect mprotect; do
    wait_for 10 counted "$name"
    ok $? "in the shadow $name is counted"
done

# ---- Enforce ----
files_anew
say mode '*' enforce --force >/dev/null
refuses_again
ok $? "rules hold"
for what in "create $files/created" "rename $files/before $files/renamed" \
    "unlink $files/unlinked" "chmod $files/chmoded" "read $files/secret" "exec $files/true true" \
    "memfd /bin/busybox" "connect 4450" ptrace mprotect; do
    # shellcheck disable=SC2086
    refused try $what
    ok $? "${what%% *} is refused"
done
for name in mprotect create rename unlink chmod read exec memfd connect ptrace; do
    recorded "$name"
    ok $? "$name is in the log, refused by BPF LSM"
done
[ ! -e "$files/created" ] && [ -e "$files/before" ] && [ -e "$files/unlinked" ] &&
    [ ! -x "$files/chmoded" ]
ok $? "nothing of it has happened"
try read "$files/plain" && try connect 4452 && try create "$files/other" && try exec /bin/true true
ok $? "what no policy is about is done"
"$attempt" connect 4450 && "$attempt" mprotect
ok $? "and so is the same outside the workload"

# ---- An argument that another thread changes ----
inside "$attempt" race "$files/plain" 60 &
racing=$!
wait_for 20 logged '"type":"decision"' '"action":"process.race"' '"id":"test.race"'
ok $? "an argument that changes under a call is an alarm, with a receipt"
kill -KILL "$racing" 2>/dev/null

# ---- Hold ----
refused try as 65534 connect 4451
ok $? "a held action is refused"
wait_for 10 sh -c "$reeve hold list --socket $work/run/control.sock | grep -q test.held"
ok $? "and waits for a person"
id=$(say hold list | sed -n 's/^\([0-9]*\) .*test.held.*/\1/p' | head -1)
say hold approve "${id:-0}" --note "the test may" >/dev/null && sleep 1
ok $? "who approves it"
try as 65534 connect 4451
ok $? "then it is done"
refused try as 65534 connect 4451
ok $? "once"

# ---- Undo ----
sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$cgroup" \
    sh -c "sleep 1; echo x >$files/freezewire; sleep 60; :" &
wired=$!
wait_for 15 logged '"type":"action.result"'
number=$("$reeve" audit tail "$work/state/log" -n 2000 | grep action.result |
    sed -n 's/.*"number":\([0-9]*\).*/\1/p' | tail -1)
ok $? "a wire freezes"
say undo "${number:-0}" >/dev/null && wait_for 10 logged '"type":"undo.result"'
ok $? "reeve undo $number takes it back"
kill -KILL "$wired" 2>/dev/null

# ---- The emergency stop ----
administrator touch "$work/run/stop"
wait_for 10 connects && try unlink "$files/unlinked"
ok $? "with the file of the emergency stop nothing is refused, closed scopes neither"
administrator rm "$work/run/stop"
files_anew
refuses_again
ok $? "without it rules hold again"
stopped=$(judge)
kill -STOP "$stopped"
kill -USR1 "$agent_pid"
wait_for 10 try unlink "$files/unlinked" # which does not lapse
files_anew
ok $? "SIGUSR1 is the same, while the judge is hung"
administrator rm -f "$work/run/stop"

# ---- The judge is stopped, and killed ----
wait_for 20 connects
ok $? "rules of open scopes lapse while the judge is silent"
refused try unlink "$files/unlinked"
ok $? "those of closed scopes go on"
timeout 30 sh -c "i=0; while [ \$i -lt 20 ]; do cat $files/plain >/dev/null || exit 1
    i=\$((i + 1)); done"
ok $? "and the host goes on"
kill -CONT "$stopped"
refuses_again
ok $? "they hold again when it is back"
wait_for 10 logged '"type":"loss"'
ok $? "the silence is an entry of the log"
kill -KILL "$(judge)"
wait_for 60 status && refuses_again
ok $? "and after it was killed and started again"

# ---- The wall clock jumps ----
"$attempt" clock 86400 && sleep 6 && refused connects
ok $? "a day forward: rules hold"
"$attempt" clock -172800 && sleep 6 && refused connects
ok $? "two days back: rules hold"

# ---- The guard is killed ----
victim=$(judge) guard=$agent_pid agent_pid=
kill -KILL "$guard"
wait "$guard" 2>/dev/null
wait_for 10 gone "$victim"
ok $? "the judge ends with a killed guard"
all_tried done_
ok $? "nothing is refused any more, closed scopes neither"
wait_for 20 sh -c "[ \$($attempt programs) -le $before ]"
ok $? "no program of Reeve is left"
"$reeve" audit verify "$work/state/log" --key "$work/state/log.key.pub" >"$work/verify" 2>&1
ok $? "the log verifies"
finish
