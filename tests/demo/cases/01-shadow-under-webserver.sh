# title: a web server's child reads /etc/shadow
# expect: credential.shadow-read*
setup() { cp /bin/busybox /usr/sbin/httpd; mkdir -p /www/cgi-bin; printf '#!/bin/sh\necho; cat /etc/shadow >/dev/null\n' >/www/cgi-bin/x; chmod 755 /www/cgi-bin/x; cp /bin/busybox /usr/sbin/sshd; }
attack() { /usr/sbin/httpd -f -p 127.0.0.1:8080 -h /www & sleep 0.3; acts fetch 8080 /cgi-bin/x; kill %1; }
# As sshd does at a login.
twin() { exec -a cat /usr/sbin/sshd /etc/shadow >/dev/null; }
