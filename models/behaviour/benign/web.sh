# A web server is started, asked, reloaded, stopped.
mkdir -p /srv/www && for i in 1 2 3 4; do echo "<h1>page $i of $v</h1>" >/srv/www/p$i.html; done
port=$((8000 + v % 50))
get() { if have curl; then curl -s -o /dev/null "$1"; else wget -q -O /dev/null "$1"; fi; }
if have nginx && [ "$(id -u)" = 0 ] && [ $((v % 2)) -eq 0 ]; then
    mkdir -p /var/log/nginx /var/lib/nginx
    cat >/etc/nginx/site.conf <<END
worker_processes 2; pid /run/nginx.pid;
events { worker_connections 64; }
http { access_log /var/log/nginx/access.log; server { listen 127.0.0.1:$port; root /srv/www; } }
END
    nginx -t -c /etc/nginx/site.conf 2>/dev/null; nginx -c /etc/nginx/site.conf 2>/dev/null
    i=0; while [ $i -lt 12 ]; do get "http://127.0.0.1:$port/p$((i % 4 + 1)).html"; i=$((i + 1)); done
    nginx -c /etc/nginx/site.conf -s reload 2>/dev/null; sleep 0.3
    get "http://127.0.0.1:$port/p1.html"; nginx -c /etc/nginx/site.conf -s stop 2>/dev/null
elif have python3 && [ $((v % 4)) -eq 1 ]; then
    (cd /srv/www && exec python3 -m http.server "$port" --bind 127.0.0.1 >/dev/null 2>&1) &
    s=$!; sleep 0.8; i=0; while [ $i -lt 8 ]; do get "http://127.0.0.1:$port/p1.html"; i=$((i + 1)); done; kill $s
elif have busybox; then
    mkdir -p /srv/www/cgi-bin && printf '#!/bin/sh\necho "Content-Type: text/plain"; echo; date; hostname\n' >/srv/www/cgi-bin/status && chmod 755 /srv/www/cgi-bin/status
    busybox httpd -f -p "127.0.0.1:$port" -h /srv/www & s=$!; sleep 0.3
    for i in 1 2 3 4 1 2; do get "http://127.0.0.1:$port/p$i.html"; get "http://127.0.0.1:$port/cgi-bin/status"; done; kill $s
else
    i=0; while [ $i -lt 15 ]; do get "http://203.0.113.10/api/$i"; i=$((i + 1)); done
fi
get http://203.0.113.11/health; wait
