# title: a service is planted
# expect: persistence.systemd-unit
setup() { mkdir -p /etc/systemd/system; }
attack() { printf '[Service]\nExecStart=/tmp/.x\n' >/etc/systemd/system/update.service; }
twin() { printf '[Service]\nExecStart=/bin/true\n' >/root/draft.service; cat /etc/systemd/*.conf >/dev/null 2>&1; }
