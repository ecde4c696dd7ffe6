# title: a process is attached to and changed
# expect: tampering.injection
setup() { :; }
attack() { sleep 5 & sleep 0.2; acts ptrace $!; kill %1; }
twin() { sleep 5 & sleep 0.2; cat /proc/$!/status >/dev/null; kill %1; }
