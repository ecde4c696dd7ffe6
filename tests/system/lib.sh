# SPDX-License-Identifier: Apache-2.0
# What the system tests share: TAP, an agent of the test's own, a cgroup of the test's own.
# Sourced. Needs BUILD (a Meson build folder). Cleans up however the test ends.
set -u
count=0
failures=0
work=$(mktemp -d /tmp/reeve-system-XXXXXX)
chmod 755 "$work"
agent_pid=
cgroup=

skip_all() {
    echo "# skip: $1"
    exit 77
}

ok() { # STATUS NAME
    count=$((count + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $count - $2"
    else
        echo "not ok $count - $2"
        failures=$((failures + 1))
        [ -s "$work/agent.log" ] && sed 's/^/# agent: /' "$work/agent.log" | tail -20
    fi
}

finish() {
    echo "1..$count"
    [ "$failures" -eq 0 ]
}

own_cgroup() {
    for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do
        if [ -w "$root/cgroup.procs" ] && mkdir "$root/reeve-test-$$" 2>/dev/null; then
            cgroup=$root/reeve-test-$$
            return 0
        fi
    done
    return 1
}

# Run a command in the test's cgroup.
inside() {
    sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$@"
}

start_agent() { # extra arguments
    "$BUILD/src/agent/reeve-agent" --set "runtime_dir=$work/run" --set "state_dir=$work/state" \
        --set "policy=$SOURCE/policies/baseline" --set "scope.cgroup=$cgroup" "$@" \
        2>"$work/agent.log" &
    agent_pid=$!
    wait_for 20 status
}

status() {
    "$BUILD/src/cli/reeve" status --json --socket "$work/run/control.sock" 2>/dev/null
}

uptime_s() {
    read -r up _ </proc/uptime
    echo "${up%%.*}"
}

# Until a command succeeds, at most so many seconds; three times that, since others work here too.
wait_for() {
    end=$(($(uptime_s) + 3 * $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$(uptime_s)" -lt "$end" ] || return 1
        sleep 0.05
    done
}

gone() {
    ! kill -0 "$1" 2>/dev/null
}

stop_agent() {
    [ -n "$agent_pid" ] || return 0
    kill -TERM "$agent_pid" 2>/dev/null
    wait "$agent_pid"
    result=$?
    agent_pid=
    return $result
}

# BPF programs of Reeve that hang on nobody: names begin with rv_.
our_programs() {
    bpftool prog show 2>/dev/null | grep -c ' name rv_'
}

cleanup() {
    [ -n "$agent_pid" ] && kill -KILL "$agent_pid" 2>/dev/null
    if [ -n "$cgroup" ]; then
        [ -e "$cgroup/cgroup.kill" ] && echo 1 >"$cgroup/cgroup.kill" 2>/dev/null
        sleep 0.1
        rmdir "$cgroup" 2>/dev/null
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
