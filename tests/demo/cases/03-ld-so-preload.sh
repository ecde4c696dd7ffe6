# title: a library is put in front of every program
# expect: persistence.ld-so-preload
setup() { :; }
attack() { echo /tmp/evil.so >/etc/ld.so.preload; rm -f /etc/ld.so.preload; }
twin() { echo /opt/lib >/tmp/ld.so.conf.new; cat /etc/ld.so.conf >/dev/null; }
