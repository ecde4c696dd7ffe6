#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The policy commands, end to end: the examples of docs/policy.md, the baseline, changes of form.
# usage: policy_examples.sh REEVE SOURCE_ROOT
# shellcheck disable=SC2016 # backquotes in messages
set -u
reeve=$(realpath "$1")
cd "$2" || exit 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
number=0 failed=0

ok() { # ok DESCRIPTION: of the status of the last command
    status=$?
    number=$((number + 1))
    if [ "$status" -eq 0 ]; then
        echo "ok $number - $1"
    else
        failed=1
        echo "not ok $number - $1"
        sed 's/^/# /' "$dir/out" | tail -20
    fi
}

run() { # run STATUS ARGUMENT...: reeve policy, with this exit status
    wanted=$1
    shift
    "$reeve" policy "$@" >"$dir/out" 2>&1
    status=$?
    [ "$status" -eq "$wanted" ]
}

# ---- Two bundles ----
cp -r policies/baseline "$dir/other"
run 0 diff policies/baseline "$dir/other"
ok "the same bundle decides the same"
echo 'forbid(principal,action,resource);' >>"$dir/other/00-default.cedar"
run 1 diff policies/baseline "$dir/other" && grep -q ': deny because of policy1' "$dir/out"
ok "a policy more makes a difference"
run 1 diff policies/baseline "$dir/other" --json && python3 -m json.tool "$dir/out" >/dev/null
ok "the differences are JSON"

# ---- Tidy lines ----
run 1 format --check "$dir/other/00-default.cedar"
ok "an untidy file is named"
run 0 format "$dir/other/00-default.cedar"
ok "it is formatted in place"
run 0 format --check "$dir/other/00-default.cedar"
ok "and is tidy then"

# ---- Examples ----
for example in host tools; do
    folder=docs/examples/$example
    run 0 check "$folder" -e "$folder/entities.json"
    ok "$example is right"
    run 0 test "$folder"
    ok "the cases of $example pass"
done
awk '/^```cedar/ { inside = 1; next } /^```/ { inside = 0 } inside && NF' docs/policy.md >"$dir/lines"
cat docs/examples/*/*.cedar* >"$dir/examples"
grep -vxFf "$dir/examples" "$dir/lines" >"$dir/out"
[ "$?" -eq 1 ]
ok "docs/policy.md quotes the examples"
run 0 check policies/baseline
ok "the baseline is right"

# ---- Where it is enforced ----
run 0 explain --any-host --rules policies/baseline &&
    grep -q '^persistence.ld-so-preload  *kernel  bpf-lsm; respond: deny$' "$dir/out" &&
    grep -q '^    refuse write, create, rename, link, truncate when file is /etc/ld.so.preload$' "$dir/out" &&
    grep -q '30-execution.cedar:[0-9]*)$' "$dir/out"
ok "places, rules in words, and reasons with their lines"
run 0 explain --any-host --json policies/baseline && python3 - "$dir/out" <<'END'
import json, sys
policies = {p["policy"]: p for p in json.load(open(sys.argv[1])) if p["governs"]}
assert policies["persistence.cron"]["place"] == "kernel" and policies["persistence.cron"]["rules"]
assert policies["risk.extreme"]["place"] == "after" and not policies["risk.extreme"]["rules"]
assert "no-permit" not in policies
END
ok "and as JSON"
if [ "$(id -u)" -eq 0 ] && "$reeve" doctor --json >"$dir/doctor" 2>/dev/null; then
    run 0 explain policies/baseline && python3 - "$dir/doctor" "$dir/out" <<'END'
import json, sys
works = [m["mechanism"] for m in json.load(open(sys.argv[1]))["enforcement"] if m["works"]]
inline = [m for m in works if m in ("bpf-lsm", "cgroup-bpf", "fanotify")]
said = open(sys.argv[2]).read().split("this host offers: ")[1].strip()
assert said == (", ".join(inline) or "nothing that refuses before the fact"), (said, inline)
END
    ok "explain and doctor agree on what the host offers"
    # One policy an action, named as doctor names the action.
    while read -r name action condition; do
        printf '@id("%s") forbid (principal, action == Action::"%s", resource) %s;\n' \
            "$name" "$action" "$condition"
    done >"$dir/each.cedar" <<'END'
exec process.exec
read file.read
write file.write
create file.create
rename file.rename
unlink file.unlink
link file.link
attr file.attr
truncate file.truncate
ptrace process.ptrace
signal process.signal
setuid process.cred
connect net.connect when { resource has ip }
bind net.bind when { resource has ip }
listen net.listen
accept net.accept
bpf kernel.bpf
mount mount
userns namespace when { resource == Namespace::"user" }
END
    run 0 explain --json "$dir/each.cedar" && python3 - "$dir/doctor" "$dir/out" <<'END'
import json, sys
doctor = {a["action"]: a["mechanism"] for a in json.load(open(sys.argv[1]))["actions"]}
said = {p["policy"]: p for p in json.load(open(sys.argv[2])) if p["policy"] != "no-permit"}
assert len(said) == 19
for name, policy in said.items():
    wanted = [doctor[name]] if doctor[name] in ("bpf-lsm", "cgroup-bpf", "fanotify") else []
    assert policy["by"][:1] == wanted, (name, policy["by"], doctor[name])
    assert (policy["place"] == "after") == (wanted == []), (name, policy["place"])
END
    ok "and, action by action, on what stops it"
fi

# ---- Decisions ----
echo '{"novel": false}' >"$dir/context.json"
ask() { # ask STATUS ACTION [ARGUMENT...]
    wanted=$1 action=$2
    shift 2
    run "$wanted" authorize docs/examples/host -e docs/examples/host/entities.json \
        -p 'Process::"nginx"' -a "Action::\"$action\"" -o 'File::"/etc/cron.d/x"' \
        -c "$dir/context.json" "$@"
}
ask 0 file.read && grep -q ALLOW "$dir/out"
ok "a read is allowed"
ask 1 file.write && grep -q 'because of policy1' "$dir/out"
ok "a write is denied, with the reason"
ask 1 file.write --json && grep -q '"decision": "deny", "reasons": \["policy1"\]' "$dir/out"
ok "and as JSON"
ask 2 file.raed && grep -q 'no such action' "$dir/out"
ok "an action that the schema lacks is not decided"

# ---- Mistakes ----
cp docs/examples/host/host.cedarschema "$dir"
cat >"$dir/wrong.cedar" <<'END'
permit (principal is Process, action == Action::"file.read", resource)
when { principal.usr == "root" };
END
run 1 check -s "$dir/host.cedarschema" "$dir/wrong.cedar" &&
    grep -q 'wrong.cedar:2:18: error: .*no attribute `usr`' "$dir/out" &&
    grep -q 'did you mean `user`' "$dir/out"
ok "a misspelt attribute has a place and a suggestion"
run 1 check --json -s "$dir/host.cedarschema" "$dir/wrong.cedar" && grep -q '"line": 2' "$dir/out"
ok "and as JSON"
echo '[' >"$dir/broken.json"
run 1 check "$dir/broken.json" && grep -q 'not JSON' "$dir/out"
ok "what is no JSON is a message"
run 2 check "$dir/nowhere.cedar"
ok "what is not there is an error"
cat >"$dir/wrong.tests.json" <<'END'
[{"name": "hopeful", "principal": "Process::\"nginx\"", "action": "Action::\"file.write\"",
  "resource": "File::\"x\"", "context": {"novel": false}, "decision": "allow"}]
END
mkdir "$dir/failing"
cp "$dir/wrong.tests.json" docs/examples/host/host.cedar* docs/examples/host/entities.json "$dir/failing"
cat >>"$dir/failing/host.cedar" <<'END'
forbid (principal, action, resource);
END
run 1 test "$dir/failing" && grep -q 'FAILED  hopeful .*wanted allow, got deny' "$dir/out"
ok "a case that fails is named"

# ---- Changes of form ----
for example in host tools; do
    folder=docs/examples/$example
    "$reeve" policy translate "$folder/$example.cedarschema" >"$dir/one.cedarschema.json" &&
        "$reeve" policy translate "$dir/one.cedarschema.json" >"$dir/two.cedarschema" &&
        "$reeve" policy translate "$dir/two.cedarschema" >"$dir/three.cedarschema.json" &&
        cmp "$dir/one.cedarschema.json" "$dir/three.cedarschema.json" >"$dir/out" 2>&1
    ok "the schema of $example survives JSON"
    "$reeve" policy translate "$folder/$example.cedar" >"$dir/one.json" &&
        "$reeve" policy translate "$dir/one.json" >"$dir/two.cedar" &&
        "$reeve" policy translate "$dir/two.cedar" >"$dir/three.json" &&
        cmp "$dir/one.json" "$dir/three.json" >"$dir/out" 2>&1
    ok "the policies of $example survive JSON"
done

# ---- Conformance ----
corpus=$dir/corpus
mkdir -p "$corpus/tests"
cp docs/examples/host/host.cedar docs/examples/host/host.cedarschema docs/examples/host/entities.json "$corpus"
cat >"$corpus/tests/one.json" <<'END'
{"schema": "host.cedarschema", "policies": "host.cedar", "entities": "entities.json",
 "shouldValidate": true,
 "requests": [{"principal": {"type": "Process", "id": "nginx"},
   "action": {"type": "Action", "id": "file.read"}, "resource": {"type": "File", "id": "x"},
   "context": {"novel": false}, "decision": "allow", "reason": ["policy0"], "errors": []}]}
END
run 0 conformance "$corpus" && grep -q '^1 passed, 0 failed' "$dir/out"
ok "a corpus case that agrees passes"
sed -i 's/"allow"/"deny"/; s/"policy0"/"policy2"/; s/Validate": true/Validate": false/' "$corpus/tests/one.json"
run 1 conformance "$corpus" && grep -q '^0 passed, 1 failed' "$dir/out"
ok "one that does not is listed"
for command in authorize check conformance test translate; do
    run 0 "$command" --help && run 2 "$command"
    ok "$command says how it is used"
done
echo "1..$number"
exit "$failed"
