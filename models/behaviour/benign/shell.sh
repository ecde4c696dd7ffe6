# Somebody looks around, as administrators do all day.
id; uname -a; uptime; date; df -h; ps ax 2>/dev/null || ps; ls -la / /etc /var/log; who; env | sort
cat /etc/hostname /etc/passwd /etc/group; grep -c . /etc/passwd; tail -n 3 /var/log/* 2>/dev/null
find /etc -name '*.conf' | head -20 | xargs grep -l '^#' 2>/dev/null | wc -l
find /var -size +100k | sort | tail -3; du -s /var /usr/local 2>/dev/null; which ls tar sed
[ $((v % 2)) -eq 0 ] && { ss -tln || netstat -tln; ip a; ip r; mount; cat /proc/meminfo | head -3; } 2>/dev/null
cd && ls -la; echo "note $v" >>notes.txt; cp notes.txt notes.old; mkdir -p work/a work/b; mv notes.old work/a/; rm -r work
for f in /etc/hosts /etc/fstab /etc/profile; do [ -r $f ] && head -2 $f; done
sleep 0.2; top -b -n 1 2>/dev/null | head -5; kill -0 $$
