# Logs grow, are read, rotated, packed, cut.
mkdir -p /var/log/app
i=0; while [ $i -lt 60 ]; do echo "$(date +%s) web[$i]: GET /x$i 200 $v" >>/var/log/app/access.log; i=$((i + 1)); done
for f in access error audit; do echo "line $v" >>/var/log/app/$f.log; done
grep -c GET /var/log/app/access.log; awk '{ n[$5]++ } END { for (k in n) print k, n[k] }' /var/log/app/access.log | sort | head -3
sed -n '1,5p' /var/log/app/access.log; tail -5 /var/log/app/access.log | cut -d' ' -f1 | uniq
if have logrotate && [ $((v % 2)) -eq 0 ]; then
    printf '/var/log/app/*.log {\n rotate 3\n compress\n size 1\n missingok\n copytruncate\n su root root\n}\n' >/etc/logrotate.d/app
    logrotate -f -s /var/lib/logrotate.app /etc/logrotate.d/app
else
    for f in /var/log/app/*.log; do mv -f "$f.1" "$f.2" 2>/dev/null; cp "$f" "$f.1"; : >"$f"; gzip -f "$f.1"; done
fi >/dev/null 2>&1
find /var/log/app -name '*.gz' -mmin +600 -delete; ls /var/log/app >/dev/null; dmesg 2>/dev/null | tail -1
have logger && logger "report $v" 2>/dev/null; zcat /var/log/app/*.gz 2>/dev/null | wc -l >/dev/null
