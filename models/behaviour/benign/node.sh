# A service in Node.js, or perl where there is none.
w=$(mktemp -d) && cd "$w"
if have node; then
    cat >app.js <<'END'
const http = require('http'), fs = require('fs'), { execSync } = require('child_process');
for (let i = 0; i < 12; i++) fs.writeFileSync(`m${i}.json`, JSON.stringify({ i, v: process.argv[2] }));
execSync('ls'); let left = 10;
const s = http.createServer((q, r) => { fs.appendFile('access.log', q.url + '\n', () => r.end('ok')); });
s.listen(0, '127.0.0.1', () => { for (let i = 0; i < 10; i++) http.get({ port: s.address().port, path: '/' + i }, r => { r.resume(); r.on('end', () => { if (--left === 0) s.close(); }); }); });
END
    node app.js "$v"; node -e 'console.log(process.version)' >/dev/null
    mkdir -p node_modules/x && echo 'module.exports = 1' >node_modules/x/index.js && node -e 'require("x")'
elif have perl; then
    perl -e 'for (1..15) { open F, ">", "p$_.txt"; print F "x" x 100; close F } for (glob "p*.txt") { rename $_, "$_.done" }'
    perl -ne 'print if /root/' /etc/passwd >/dev/null; perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in(80, inet_aton("203.0.113.10"))); print S "GET / HTTP/1.0\r\n\r\n"; close S'
else
    for i in 1 2 3 4 5 6; do wget -q -O - "http://203.0.113.10/j$i" | grep -o status >s$i; done
fi
cd / && rm -rf "$w"
