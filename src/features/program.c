/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of program by name, places by prefix. */
#include "features/program.h"

static const char *const kind_names[] = {
#define NAME(constant, name, what) [RV_KIND_##constant] = name,
    RV_PROGRAM_KINDS(NAME)
#undef NAME
};

static const char *const path_class_names[] = {
    [RV_PATH_UNKNOWN] = "unknown", [RV_PATH_SYSTEM] = "system", [RV_PATH_LOCAL] = "local",
    [RV_PATH_VAR] = "var",         [RV_PATH_HOME] = "home",     [RV_PATH_ELSEWHERE] = "elsewhere",
    [RV_PATH_SCRATCH] = "scratch", [RV_PATH_MEMORY] = "memory",
};

/* Names are blank-separated and end in a blank, so that a whole name can be looked for. */
static const char *const names_of_kind[RV_KIND_COUNT_] = {
    [RV_KIND_SHELL] = " sh bash dash zsh ksh ksh93 mksh ash fish csh tcsh busybox rbash pwsh ",
    [RV_KIND_LANGUAGE] =
        " python perl ruby irb node nodejs deno bun php lua luajit tclsh wish java "
        "jshell Rscript R guile awk gawk mawk expect osascript mono ",
    [RV_KIND_TRANSFER] =
        " curl wget nc ncat netcat nc.openbsd nc.traditional socat ssh scp sftp ftp "
        "lftp tftp telnet aria2c axel rclone chisel ngrok frpc cloudflared xh http "
        "https openssl ",
    [RV_KIND_SERVER] =
        " nginx apache2 httpd lighttpd caddy haproxy envoy traefik varnishd squid "
        "php-fpm postgres mysqld mariadbd redis-server memcached mongod exim4 exim "
        "postfix master smtpd dovecot named unbound dnsmasq vsftpd proftpd smbd "
        "uwsgi gunicorn puma unicorn catalina tomcat jetty rabbitmq-server mosquitto "
        "rpcbind cupsd slapd ",
    [RV_KIND_LOGIN] = " sshd sshd-session sshd-auth login su sudo doas runuser agetty getty gdm "
                      "gdm3 lightdm sddm systemd-logind dropbear telnetd pkexec sg newgrp ",
    [RV_KIND_SERVICE] = " systemd init openrc runsvdir runsv s6-svscan s6-supervise cron crond "
                        "anacron atd run-parts containerd containerd-shim containerd-shim-runc-v2 "
                        "runc crun dockerd podman conmon tini dumb-init docker-init supervisord "
                        "dbus-daemon dbus-broker systemd-executor start-stop-daemon xinetd inetd "
                        "docker kubelet udevd systemd-udevd ",
    [RV_KIND_PACKAGE] =
        " apt apt-get aptitude apt-cache apt-config dpkg dpkg-deb dpkg-query rpm dnf "
        "yum zypper pacman apk snap snapd flatpak pip pip3 npm npx yarn pnpm gem "
        "bundle cargo rustup go unattended-upgr unattended-upgrade unattended-upgrades "
        "debconf dpkg-preconfigure dpkg-split dpkg-trigger update-alternatives "
        "ldconfig mandb update-initramfs ",
    [RV_KIND_BUILD] =
        " gcc g++ cc c++ cpp cc1 cc1plus collect2 lto1 lto-wrapper clang clang++ ld "
        "ld.bfd ld.gold ld.lld lld gold as ar ranlib nm objcopy objdump strip readelf "
        "make gmake cmake ninja meson automake autoconf autoreconf libtool m4 configure "
        "git git-remote-https git-upload-pack rustc javac ccache distcc bison flex yacc "
        "lex pkg-config pkgconf fixdep genksyms modpost tsc webpack esbuild ",
    [RV_KIND_ARCHIVE] = " tar bsdtar gzip gunzip zcat bzip2 xz lzma zstd zip unzip 7z 7za 7zr pigz "
                        "pbzip2 lz4 cpio rar unrar rsync restic borg duplicity bacula-fd dump "
                        "rdiff-backup rsnapshot mysqldump pg_dump pg_basebackup ",
    [RV_KIND_RECON] =
        " id whoami uname hostname hostnamectl w who last lastlog users groups ifconfig "
        "ip ps pgrep top netstat ss lsof arp route nmap masscan ping traceroute dig "
        "nslookup host getent lscpu lsblk lsmod lspci lsusb dmidecode finger env "
        "printenv uptime free df mount.list arch nproc capsh getcap locale tty logname ",
    [RV_KIND_FILES] =
        " ls cp mv rm cat sed grep egrep fgrep find xargs head tail sort uniq wc cut tr "
        "tee touch mkdir rmdir ln chmod chown chgrp stat du file which readlink "
        "realpath dirname basename diff cmp dd install mktemp date sleep echo printf "
        "test [ true false expr seq yes tac nl od xxd hexdump base64 md5sum sha1sum "
        "sha256sum sha512sum cksum shred truncate split join paste comm env less more "
        "clear reset stty tput timeout nice nohup setsid flock kill rename jq ",
    [RV_KIND_ADMIN] =
        " useradd usermod userdel adduser deluser groupadd passwd chpasswd chage "
        "visudo vipw systemctl service crontab at batch insmod modprobe rmmod depmod "
        "mount umount swapon swapoff losetup cryptsetup mkfs fdisk parted iptables "
        "iptables-restore nft ufw firewall-cmd sysctl setenforce auditctl ausearch "
        "chattr setcap setfacl chroot unshare nsenter kexec reboot shutdown poweroff "
        "halt hwclock timedatectl kubectl helm ansible update-rc.d chcon xtables-nft-multi ",
    [RV_KIND_DEBUG] = " gdb gdbserver strace ltrace perf bpftool bpftrace tcpdump tshark dumpcap "
                      "valgrind lldb rr crash drgn stap trace-cmd ",
    [RV_KIND_DESKTOP] =
        " vi vim vim.basic vim.tiny nvim emacs nano code firefox chromium chrome "
        "google-chrome Xorg Xwayland gnome-shell gnome-terminal kwin plasmashell xterm "
        "konsole alacritty thunderbird libreoffice soffice.bin tmux screen pulseaudio "
        "pipewire ",
    [RV_KIND_MONITOR] =
        " rsyslogd syslog-ng systemd-journald journalctl auditd node_exporter "
        "prometheus grafana telegraf collectd fluentd fluent-bit filebeat metricbeat "
        "zabbix_agentd zabbix_agent2 nagios nrpe datadog-agent falco osqueryd "
        "logrotate reeve-agent reeve chronyd ntpd systemd-timesyncd ",
};

static struct rv_span last_component(struct rv_span path)
{
    size_t at = path.len;

    while (at > 0 && path.data[at - 1] != '/')
        at--;
    return rv_span(path.data + at, path.len - at);
}

static bool listed(const char *list, const char *name, size_t len)
{
    char blank_name_blank[40];

    if (!list || len == 0 || len > sizeof(blank_name_blank) - 3)
        return false;
    blank_name_blank[0] = ' ';
    memcpy(blank_name_blank + 1, name, len);
    blank_name_blank[len + 1] = ' ';
    blank_name_blank[len + 2] = '\0';
    return strstr(list, blank_name_blank) != NULL;
}

static enum rv_program_kind kind_of_name(const char *name, size_t len)
{
    for (size_t kind = 0; kind < RV_KIND_COUNT_; kind++) {
        if (listed(names_of_kind[kind], name, len))
            return (enum rv_program_kind)kind;
    }
    return RV_KIND_OTHER;
}

/* python3.11 -> python, gcc-12 -> gcc, php-fpm8.2 -> php-fpm: what is left of a version's digits.
 */
static size_t without_version(const char *name, size_t len)
{
    while (len > 1 && ((name[len - 1] >= '0' && name[len - 1] <= '9') || name[len - 1] == '.' ||
                       name[len - 1] == '-'))
        len--;
    return len;
}

/* Cross tools carry their target: x86_64-linux-gnu-gcc-12 is gcc-12. */
static struct rv_span without_target(struct rv_span name)
{
    static const char marks[] = "-linux-gnu-";
    const uint8_t *mark = name.len ? memmem(name.data, name.len, marks, sizeof(marks) - 1) : NULL;
    size_t skip = mark ? (size_t)(mark - name.data) + sizeof(marks) - 1 : 0;

    return rv_span(name.data + skip, name.len - skip);
}

enum rv_program_kind rv_program_kind(struct rv_span path)
{
    struct rv_span last = without_target(last_component(path));
    char name[64];
    size_t len = rv_min_u64(last.len, sizeof(name));
    enum rv_program_kind kind;

    if (len == 0)
        return RV_KIND_OTHER;
    for (size_t i = 0; i < len; i++) {
        if (last.data[i] <= ' ' || last.data[i] > '~')
            return RV_KIND_OTHER; /* no program that we know by name */
        name[i] = (char)last.data[i];
    }
    kind = kind_of_name(name, len);
    return kind != RV_KIND_OTHER ? kind : kind_of_name(name, without_version(name, len));
}

static bool under(struct rv_span path, const char *prefix)
{
    size_t len = strlen(prefix);

    return path.len >= len && memcmp(path.data, prefix, len) == 0;
}

enum rv_path_class rv_path_class(struct rv_span path)
{
    static const struct {
        const char *prefix;
        enum rv_path_class path_class;
    } places[] = {
        { "/usr/local/", RV_PATH_LOCAL },  { "/opt/", RV_PATH_LOCAL },
        { "/usr/", RV_PATH_SYSTEM },       { "/bin/", RV_PATH_SYSTEM },
        { "/sbin/", RV_PATH_SYSTEM },      { "/lib/", RV_PATH_SYSTEM },
        { "/lib64/", RV_PATH_SYSTEM },     { "/snap/", RV_PATH_SYSTEM },
        { "/nix/store/", RV_PATH_SYSTEM }, { "/tmp/", RV_PATH_SCRATCH },
        { "/var/tmp/", RV_PATH_SCRATCH },  { "/dev/fd/", RV_PATH_UNKNOWN },
        { "/dev/", RV_PATH_SCRATCH },      { "/run/", RV_PATH_SCRATCH },
        { "/var/run/", RV_PATH_SCRATCH },  { "/proc/", RV_PATH_SCRATCH },
        { "/memfd:", RV_PATH_MEMORY },     { "memfd:", RV_PATH_MEMORY },
        { "/var/", RV_PATH_VAR },          { "/srv/", RV_PATH_VAR },
        { "/home/", RV_PATH_HOME },        { "/root/", RV_PATH_HOME },
        { "/", RV_PATH_ELSEWHERE },
    };

    for (size_t i = 0; i < RV_COUNT(places); i++) {
        bool begins = path.len < 2 || path.data[1] == (uint8_t)places[i].prefix[1] ||
                      places[i].prefix[1] == '\0';

        if (begins && under(path, places[i].prefix))
            return places[i].path_class;
    }
    return RV_PATH_UNKNOWN;
}

const char *rv_program_kind_name(enum rv_program_kind kind)
{
    return kind_names[kind];
}

const char *rv_path_class_name(enum rv_path_class path_class)
{
    return path_class_names[path_class];
}
