# title: a program runs from memory, no file behind it
# expect: *memfd* *fileless*
setup() { :; }
attack() { acts memfd /bin/true; }
twin() { /bin/true; }
