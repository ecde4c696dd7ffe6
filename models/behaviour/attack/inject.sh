# Code is put where none should be. ACTS is the program of acts that the demo uses, if it is there.
[ -x /srv/acts ] && A=/srv/acts || A=
case $((v % 5)) in
0) [ -n "$A" ] && { $A wx; $A memfd /bin/true; $A wx; } ;;
1) sleep 3 & t=$!; [ -n "$A" ] && { $A ptrace $t; $A ptrace $t; }; kill $t ;;
2) if have gcc; then printf '#include <unistd.h>\n__attribute__((constructor)) static void f(void){write(1,"",0);}\n' >/tmp/h.c; gcc -shared -fPIC /tmp/h.c -o /tmp/h.so; for p in ls id cat; do LD_PRELOAD=/tmp/h.so $p /etc/hostname; done; else for p in ls id cat; do LD_PRELOAD=/tmp/h.so $p; done; fi ;;
3) if have python3; then python3 -c "
import mmap,os
m=mmap.mmap(-1,4096,prot=mmap.PROT_READ|mmap.PROT_WRITE|mmap.PROT_EXEC); m.write(b'\xc3')
fd=os.memfd_create('p'); os.write(fd,open('/bin/true','rb').read())
if os.fork()==0: os.execve('/proc/self/fd/%d'%fd,['x'],{})
os.wait()"; else sleep 2 & dd if=/dev/zero of=/proc/$!/mem bs=1 count=1; kill $!; fi ;;
4) [ -n "$A" ] && { $A memfd /bin/id; $A wx; }; sleep 2 & cat /proc/$!/maps; dd if=/proc/$!/mem of=/tmp/m bs=1 count=1; kill $! ;;
esac </dev/null >/dev/null 2>&1
#--- cleanup
rm -f /tmp/h.c /tmp/h.so /tmp/m
