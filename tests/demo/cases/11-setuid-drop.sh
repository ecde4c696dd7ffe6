# title: a program is given the set-user-id bit
# expect: persistence.setid-bit
setup() { :; }
attack() { cp /bin/true /tmp/.true; chmod 4755 /tmp/.true; }
twin() { cp /bin/true /tmp/true-copy; chmod 0755 /tmp/true-copy; }
