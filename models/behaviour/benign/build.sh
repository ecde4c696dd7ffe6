# A project is built, tested, cleaned.
w=$(mktemp -d) && cd "$w"
mkdir src
i=0
while [ $i -lt $((8 + v % 7)) ]; do
    printf '#include <stdio.h>\nint f%d(int x) { return x * %d + x %% 7; }\n' $i $v >src/f$i.c
    i=$((i + 1))
done
printf 'int main(void) { return 0; }\n' >src/main.c
if have gcc && have make; then
    cat >Makefile <<'END'
OBJ := $(patsubst %.c,%.o,$(wildcard src/*.c))
prog: $(OBJ)
	gcc -o $@ $^
%.o: %.c
	gcc -O1 -c -o $@ $<
clean:
	rm -f prog src/*.o
END
    printf 'int main(void) { return 0; }\n' >conftest.c && gcc conftest.c -o conftest && ./conftest
    rm -f conftest*
    make -s && ./prog; [ $((v % 2)) -eq 0 ] && make -s clean && make -s -j2
    mkdir -p /tmp/inst && install -m 755 prog "/tmp/inst/prog$v" && "/tmp/inst/prog$v"; rm -rf /tmp/inst
else
    for f in src/*.c; do sed 's/int/long/g' "$f" >"$f.new" && mv "$f.new" "$f"; done
    for f in src/*.c; do awk '{ print NR": "$0 }' "$f" | md5sum >"$f.sum"; done
    cat src/*.c | gzip >all.gz; printf '#!/bin/sh\nexit 0\n' >run-tests && chmod +x run-tests && ./run-tests
fi
cd / && rm -rf "$w"
