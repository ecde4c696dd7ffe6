# Where am I, who else is here, what is weak.
case $((v % 5)) in
0) id; whoami; uname -a; cat /etc/passwd /etc/group /etc/issue; ps aux || ps; ss -tunap || netstat -an; find / -xdev -perm -4000 -type f; env; mount; ip a; cat /proc/version ;;
1) for h in 203.0.113.10 203.0.113.11 203.0.113.12 198.51.100.66 10.0.0.1; do for p in 21 22 23 25 80 110 139 443 445 1433 3306 3389 5432 5900 6379 8080 9200 27017; do nc -z -w 1 $h $p || nc -w 1 $h $p; done; done ;;
2) find / -xdev -writable -type d; find / -xdev -perm -2000; find /etc -name '*.conf' -newer /etc/passwd; ls -la /home/* /root /var/spool/cron; cat /etc/crontab /etc/cron.d/*; getcap -r /usr; sudo -l; cat /etc/ssh/sshd_config ;;
3) if have python3; then python3 -c "
import socket
for h in ('203.0.113.10','203.0.113.11','203.0.113.12'):
    for p in list(range(20,60))+[80,443,5432,6379]:
        s=socket.socket(); s.settimeout(.2); s.connect_ex((h,p)); s.close()"; else i=1; while [ $i -lt 40 ]; do ping -c 1 -W 1 203.0.113.$i; nc -w 1 203.0.113.$i 22; i=$((i + 5)); done; fi ;;
4) w; last; lsof; cat /proc/net/tcp /proc/net/arp /proc/mounts /proc/1/cgroup; ls -la /.dockerenv /var/run/docker.sock; dmesg | head; lscpu; hostname -I; arp -a; crontab -l; cat /etc/resolv.conf /etc/hosts; find /var/www /srv -name '*.php' -o -name '*.env'; which gcc python3 perl nc curl wget nmap ;;
esac </dev/null >/dev/null 2>&1
