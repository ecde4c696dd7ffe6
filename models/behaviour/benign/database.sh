# A database is filled, asked, dumped, restored.
mkdir -p /var/lib/app && cd /var/lib/app
if have psql || [ -d /usr/lib/postgresql ] && [ $((v % 2)) -eq 0 ]; then
    pg=$(ls -d /usr/lib/postgresql/*/bin) d=/tmp/pg$v
    mkdir -p "$d" && chown postgres "$d"
    as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
    as "$pg/initdb" -D "$d" -A trust >/dev/null 2>&1
    as "$pg/pg_ctl" -D "$d" -o "-k /tmp -p $((5500 + v % 90))" -l /tmp/pg.log -w start >/dev/null 2>&1
    p="as $pg/psql -h /tmp -p $((5500 + v % 90)) -q"
    $p postgres -c 'create table t(a int, b text); insert into t select i, md5(i::text) from generate_series(1,500) i' >/dev/null
    $p postgres -c 'select count(*) from t' >/dev/null; as "$pg/pg_dump" -h /tmp -p $((5500 + v % 90)) postgres >/tmp/dump.sql
    as "$pg/pg_ctl" -D "$d" -m fast stop >/dev/null 2>&1; rm -rf "$d" /tmp/dump.sql
elif have sqlite3; then
    for t in users orders items; do
        sqlite3 app.db "create table if not exists $t(id integer primary key, name text, at int)"
        i=0; while [ $i -lt 6 ]; do sqlite3 app.db "insert into $t(name, at) values('n$i', $v)"; i=$((i + 1)); done
        sqlite3 app.db "select count(*) from $t" >/dev/null
    done
    sqlite3 app.db .dump | gzip >dump.$v.gz; sqlite3 app.db vacuum; sqlite3 app.db "delete from items"
    sqlite3 copy.db <<END
.read /dev/null
create table x(a);
END
    rm -f copy.db
else
    i=0; while [ $i -lt 40 ]; do echo "$i;name$i;$v" >>table.csv; i=$((i + 1)); done
    sort -t';' -k2 table.csv >table.sorted && mv table.sorted table.csv; awk -F';' '{ s += $1 } END { print s }' table.csv >sum
    cp table.csv "table.$v.bak"; grep -c name table.csv >/dev/null
fi
