# title: code is written into memory and run
# expect: *memory* *wx*
setup() { :; }
attack() { acts wx; }
twin() { acts rw; }
