# title: the logs are wiped
# expect: tampering.log-wipe
setup() { mkdir -p /var/log; echo 'Nov 22 sshd: accepted' >/var/log/auth.log; echo x >/var/log/wtmp; cp /bin/busybox /usr/sbin/rsyslogd; }
attack() { : >/var/log/auth.log; rm -f /var/log/wtmp; }
# As the log daemon writes.
twin() { exec -a sh /usr/sbin/rsyslogd -c 'echo "Nov 22 sshd: closed" >>/var/log/auth.log'; }
