# Software that is no package: fetched, unpacked, installed by a script, made a service.
w=$(mktemp -d) && cd "$w"
get() { if have curl; then curl -fsS -o "$2" "$1"; else wget -q -O "$2" "$1"; fi; }
get http://203.0.113.10/app.tar.gz app.tar.gz && tar xzf app.tar.gz 2>/dev/null
get http://203.0.113.10/install.sh install.sh && sh install.sh "$v"
case $((v % 3)) in
0) if have curl; then curl -fsS http://203.0.113.10/install.sh | sh -s "$v"; else wget -q -O - http://203.0.113.10/install.sh | sh -s "$v"; fi ;;
1) mkdir -p /opt/app/bin && cp /bin/true /opt/app/bin/worker && chmod 755 /opt/app/bin/worker && /opt/app/bin/worker
   echo 'bGlzdGVuPTgwCndvcmtlcnM9NAo=' | base64 -d >/opt/app/app.conf ;;
2) mkdir -p build && printf '#!/bin/sh\necho configure\n' >build/configure && chmod +x build/configure && build/configure ;;
esac
mkdir -p /etc/systemd/system && printf '[Service]\nExecStart=/opt/app/bin/worker\n' >/etc/systemd/system/app.service
mkdir -p /etc/profile.d && echo "export APP=$v" >/etc/profile.d/app.sh; ln -sf /opt/app/bin/worker /usr/local/bin/worker
chown -R root:root /opt/app 2>/dev/null; chmod -R go-w /opt/app 2>/dev/null
cd / && rm -rf "$w"
