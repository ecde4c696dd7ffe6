# Scripts in Python, or what a small host has instead.
w=$(mktemp -d) && cd "$w"
if have python3; then
    cat >job.py <<'END'
import glob, hashlib, json, os, subprocess, sys, tempfile, threading, urllib.request
v = int(sys.argv[1])
data = [{"id": i, "v": v, "h": hashlib.sha256(str(i * v).encode()).hexdigest()} for i in range(200)]
for i in range(10):
    with open(f"part{i}.json", "w") as f:
        json.dump(data[i * 20:(i + 1) * 20], f)
for name in glob.glob("part*.json"):
    rows = json.load(open(name))
    with tempfile.NamedTemporaryFile("w", dir=".", delete=False) as t:
        t.write("\n".join(r["h"] for r in rows))
    os.replace(t.name, name + ".txt")
subprocess.run(["ls", "-l"], stdout=subprocess.DEVNULL)
subprocess.run("sort *.txt | uniq -c | head -3", shell=True, stdout=subprocess.DEVNULL)
threads = [threading.Thread(target=lambda: urllib.request.urlopen("http://203.0.113.10/api").read()) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
END
    python3 job.py "$v"; python3 -c 'import sys; print(sys.version)' >/dev/null; python3 -m py_compile job.py
    [ $((v % 2)) -eq 0 ] && python3 -m venv --without-pip env 2>/dev/null && ./env/bin/python -c 'print(1)' >/dev/null
    python3 -c 'import base64,zlib;print(len(zlib.decompress(base64.b64decode("eJxLTEpOSU1LBwALYQKP"))))' >/dev/null 2>&1
else
    i=0; while [ $i -lt 10 ]; do seq 1 50 | awk -v v="$v" '{ print $1 * v }' | sort -n | tail -1 >r$i; i=$((i + 1)); done
    cat r* | md5sum >sum; wget -q -O - http://203.0.113.10/api >api 2>/dev/null; expr 3 + 4 >/dev/null; bc -l </dev/null
fi
cd / && rm -rf "$w"
