# title: private keys are copied
# expect: credential.private-key-read
setup() { mkdir -p /root/.ssh; echo key >/root/.ssh/id_ed25519; echo pub >/root/.ssh/id_ed25519.pub; chmod 600 /root/.ssh/id_ed25519; cp /bin/busybox /usr/bin/ssh; }
attack() { cp /root/.ssh/id_ed25519 /tmp/.k; }
# As ssh itself reads it.
twin() { exec -a cat /usr/bin/ssh /root/.ssh/id_ed25519 >/dev/null; }
