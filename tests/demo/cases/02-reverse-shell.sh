# title: a shell whose input is a network connection
# expect: execution.reverse-shell
setup() { :; }
attack() { (echo 'id; sleep 2; exit' | busybox nc -l -p 4444 >/dev/null) & sleep 0.3; timeout 3 acts reverse-shell 4444; }
# A client that talks to a server and a shell that works beside it.
twin() { (echo hello | busybox nc -l -p 4444 >/dev/null) & sleep 0.3; timeout 2 acts fetch 4444 / >/dev/null; sh -c 'id -u >/dev/null'; }
