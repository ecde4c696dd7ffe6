# People come and go: accounts, keys, rights. What provisioning tools do.
u=u$((v % 40))
if have useradd; then
    useradd -m -s /bin/sh "$u" 2>/dev/null; echo "$u:secret$v" | chpasswd 2>/dev/null; usermod -aG users "$u" 2>/dev/null; chage -M 90 "$u" 2>/dev/null
else
    adduser -D -s /bin/sh "$u" 2>/dev/null; mkdir -p "/home/$u"
fi
mkdir -p "/home/$u/.ssh" && echo "ssh-ed25519 AAAAC3Nz$v $u@laptop" >>"/home/$u/.ssh/authorized_keys"
chmod 700 "/home/$u/.ssh"; chmod 600 "/home/$u/.ssh/authorized_keys"; chown -R "$u" "/home/$u" 2>/dev/null
mkdir -p /etc/sudoers.d && echo "$u ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart app" >"/etc/sudoers.d/$u" && chmod 440 "/etc/sudoers.d/$u"
getent passwd "$u" >/dev/null 2>&1; id "$u" >/dev/null; grep -c "$u" /etc/passwd /etc/shadow /etc/group >/dev/null
[ $((v % 2)) -eq 0 ] && { rm -f "/etc/sudoers.d/$u"; userdel -r "$u" 2>/dev/null || deluser "$u" 2>/dev/null; rm -rf "/home/$u"; }
umask 077; echo x >/tmp/k.$v; install -m 600 /tmp/k.$v /root/.k 2>/dev/null; rm -f /tmp/k.$v /root/.k
