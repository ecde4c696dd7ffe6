# title: a folder of documents is encrypted
# expect: impact.mass-rewrite
setup() { mkdir -p /srv/docs; for i in $(seq 400); do echo "document $i, with some text in it" >/srv/docs/report-$i.txt; done; }
attack() { acts encrypt /srv/docs; }
# A backup of the same folder, compressed.
twin() { tar -C /srv -cf /srv/docs.tar docs && gzip /srv/docs.tar && mkdir /srv/again && tar -C /srv/again -xzf /srv/docs.tar.gz; }
