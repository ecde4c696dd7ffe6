# title: a web server starts a shell that looks around
# expect: execution.web-shell
setup() { cp /bin/busybox /usr/sbin/httpd; mkdir -p /www/cgi-bin; printf '#!/bin/sh\necho; id; uname -a; whoami\n' >/www/cgi-bin/x; chmod 755 /www/cgi-bin/x; echo hello >/www/index.html; }
attack() { /usr/sbin/httpd -f -p 127.0.0.1:8080 -h /www & sleep 0.3; acts fetch 8080 /cgi-bin/x; kill %1; }
# The same server gives out a page.
twin() { /usr/sbin/httpd -f -p 127.0.0.1:8080 -h /www & sleep 0.3; acts fetch 8080 /index.html; kill %1; }
