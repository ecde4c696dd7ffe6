# title: code is written into memory and run
# expect: execution.wx-memory
setup() { :; }
attack() { acts wx; }
twin() { acts rw; }
