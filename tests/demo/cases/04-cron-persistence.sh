# title: a cron job is planted
# expect: persistence.cron
setup() { mkdir -p /etc/cron.d; }
attack() { echo '* * * * * root /tmp/.x' >/etc/cron.d/update; }
twin() { cat /etc/cron.d/* >/dev/null 2>&1; echo '# my notes about cron' >/root/cron-notes; }
