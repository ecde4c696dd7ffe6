# Backups: everything is read, packed, sometimes encrypted, the oldest go.
mkdir -p /var/backups/set /srv/data /srv/data/docs
i=0; while [ $i -lt 25 ]; do head -c $((500 + i * 40)) /dev/urandom >/srv/data/docs/d$i.txt; i=$((i + 1)); done
case $((v % 4)) in
0) tar cf /var/backups/etc.$v.tar /etc 2>/dev/null && gzip -f /var/backups/etc.$v.tar ;;
1) if have rsync; then rsync -a --delete /srv/data/ /var/backups/set/; echo x >>/srv/data/docs/d3.txt; rsync -a --delete /srv/data/ /var/backups/set/
   else cp -a /srv/data/. /var/backups/set/; fi ;;
2) tar czf - /srv/data /etc/passwd /etc/shadow 2>/dev/null | { if have openssl; then openssl enc -aes-256-cbc -pbkdf2 -pass pass:b$v; else cat; fi; } >/var/backups/full.$v.enc ;;
3) for f in /srv/data/docs/*.txt; do gzip -c "$f" >"/var/backups/set/$(basename "$f").gz"; done; gzip -r /srv/data/docs; gunzip -r /srv/data/docs ;;
esac
find /srv/data -type f | sort | xargs sha256sum >/var/backups/manifest.$v; sha256sum -c /var/backups/manifest.$v >/dev/null
ls -t /var/backups/*.gz /var/backups/*.enc 2>/dev/null | tail -n +4 | xargs rm -f 2>/dev/null
[ $((v % 2)) -eq 0 ] && have curl && curl -s -T /var/backups/manifest.$v http://203.0.113.11/put >/dev/null
cp -p /etc/passwd /etc/group /var/backups/ ; cp -p /etc/shadow /var/backups/shadow.bak 2>/dev/null; chmod 600 /var/backups/shadow.bak
