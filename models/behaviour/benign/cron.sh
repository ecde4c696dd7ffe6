# What runs by the clock: jobs of the day, tidying, rotation, reports.
mkdir -p /etc/cron.daily /var/spool/reports /var/cache/app
printf '#!/bin/sh\nfind /var/cache/app -type f -mmin +0 -delete\n' >/etc/cron.daily/app-tidy
printf '#!/bin/sh\ndf -k >/var/spool/reports/disk.$(date +%%s)\nls -l /var/log >/var/spool/reports/logs\n' >/etc/cron.daily/app-report
chmod 755 /etc/cron.daily/app-*
i=0; while [ $i -lt 15 ]; do head -c 300 /dev/urandom >/var/cache/app/c$i.$v; i=$((i + 1)); done
for r in 1 2 3; do for j in /etc/cron.daily/app-*; do "$j"; done; done
run-parts --test /etc/cron.daily >/dev/null 2>&1; ls /var/spool/reports | head -5 >/dev/null
find /var/spool/reports -name 'disk.*' | sort | head -n -2 | xargs rm -f 2>/dev/null
find /tmp /var/tmp -xdev -type f -mtime +7 -delete 2>/dev/null
[ $((v % 3)) -eq 0 ] && echo "*/5 * * * * root /etc/cron.daily/app-report" >/etc/cron.d/app-report
have updatedb && updatedb; have ldconfig && ldconfig 2>/dev/null; :
