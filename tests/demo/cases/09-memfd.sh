# title: a program runs from memory, no file behind it
# expect: execution.fileless-memfd
setup() { :; }
attack() { acts memfd /bin/true; }
twin() { /bin/true; }
