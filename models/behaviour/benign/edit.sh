# Files are edited, many at once; photos get better names.
mkdir -p ~/docs ~/photos /etc/app && cd ~/docs
i=0; while [ $i -lt 20 ]; do echo "text $i $v color" >t$i.txt; head -c 800 /dev/urandom >~/photos/IMG_$i.jpeg; i=$((i + 1)); done
sed -i 's/color/colour/' *.txt; sed -i.bak 's/text/Text/' t1.txt t2.txt
have vim.tiny && vim.tiny -es -u NONE -c '%s/Text/text/e' -c wq t1.txt
have ed && printf ',s/Text/text/\nw\nq\n' | ed -s t2.txt
for f in ~/photos/*.jpeg; do mv "$f" "${f%.jpeg}.jpg"; done
for f in *.txt; do cp "$f" "$f~"; tr a-z A-Z <"$f" >"$f.new"; mv "$f.new" "$f"; done; rm -f *~ *.bak
printf 'listen = %s\nworkers = 2\n' "$v" >/etc/app/app.conf && sed -i 's/workers = 2/workers = 4/' /etc/app/app.conf
for f in t3 t4 t5; do mv $f.txt $f.md; done; cat *.md | wc -w; sort t6.txt t7.txt | tee all.txt >/dev/null; cmp t8.txt t9.txt
rm -rf ~/photos ~/docs
