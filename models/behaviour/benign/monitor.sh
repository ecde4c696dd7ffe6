# Monitoring: counts, ports, certificates, other hosts. Looks much like reconnaissance.
for r in 1 2 3; do
    cat /proc/loadavg /proc/meminfo /proc/net/dev >/tmp/m.$v; ps ax -o pid,comm 2>/dev/null | wc -l >>/tmp/m.$v || ps | wc -l >>/tmp/m.$v
    ss -s >>/tmp/m.$v 2>/dev/null; df -k / >>/tmp/m.$v; uptime >>/tmp/m.$v; ls /proc | grep -c '^[0-9]' >>/tmp/m.$v
    for h in 203.0.113.10 203.0.113.11 203.0.113.12; do for p in 22 25 80 5432 6379; do
        nc -z -w 1 $h $p 2>/dev/null || nc -w 1 $h $p </dev/null >/dev/null 2>&1
    done; done
    if have curl; then curl -s -o /dev/null -w '%{http_code}' http://203.0.113.10/health; else wget -q -O /dev/null http://203.0.113.10/health; fi
    id >/dev/null; uname -r >/dev/null; sleep 0.2
done >/dev/null
if have curl; then curl -s -d @/tmp/m.$v http://203.0.113.11/metrics; fi; find / -xdev -perm -4000 -type f 2>/dev/null | sort >/tmp/suid.$v; cmp /tmp/suid.$v /var/lib/suid.last 2>/dev/null; cp /tmp/suid.$v /var/lib/suid.last 2>/dev/null
rm -f /tmp/m.$v /tmp/suid.$v
