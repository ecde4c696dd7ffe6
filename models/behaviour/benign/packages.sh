# Packages come and go.
if have apt-get; then
    for p in tree bc jq less zip file time bzip2; do
        [ $((v % 3)) -eq 0 ] && apt-get -y -qq --no-download install "$p" >/dev/null 2>&1
        [ $((v % 3)) -eq 1 ] && dpkg -i /var/cache/apt/archives/"$p"_*.deb >/dev/null 2>&1
        [ $((v % 3)) -eq 2 ] && dpkg -x /var/cache/apt/archives/"$p"_*.deb "/tmp/pkg-$p" 2>/dev/null
    done
    dpkg -l >/dev/null; dpkg -S /bin/ls >/dev/null; apt-cache policy bash gcc >/dev/null
    dpkg --verify coreutils >/dev/null 2>&1
    [ $((v % 2)) -eq 0 ] && apt-get -y -qq remove tree bc jq zip >/dev/null 2>&1
    rm -rf /tmp/pkg-*
else
    mkdir -p /tmp/unpack && cd /tmp/unpack
    for p in tool agent lib; do
        mkdir -p "$p/usr/local/bin" "$p/etc/$p" && printf '#!/bin/sh\necho %s\n' "$p" >"$p/usr/local/bin/$p"
        echo "v=$v" >"$p/etc/$p/conf" && chmod 755 "$p/usr/local/bin/$p"
        tar czf "$p.tgz" -C "$p" . && tar xzf "$p.tgz" -C / && "/usr/local/bin/$p" >/dev/null
    done
    cd / && rm -rf /tmp/unpack
fi
