/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

#include "hash.h"

static bool under(struct rv_span path, const char *prefix)
{
    size_t len = strlen(prefix);

    return path.len >= len && memcmp(path.data, prefix, len) == 0;
}

static bool holds(struct rv_span path, const char *part)
{
    return path.len > 0 && memmem(path.data, path.len, part, strlen(part)) != NULL;
}

/* Every place at home begins with a dot; few paths have one, so most are done here. */
static bool has_hidden_part(struct rv_span path)
{
    const uint8_t *at = path.data, *end = path.data + path.len;

    while (at < end && (at = memchr(at, '.', (size_t)(end - at)))) {
        if (at > path.data && at[-1] == '/')
            return true;
        at++;
    }
    return false;
}

/* Where the last `c` is, or NULL. */
static const uint8_t *last_of(struct rv_span text, uint8_t c)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.data[i - 1] == c)
            return text.data + i - 1;
    }
    return NULL;
}

struct rv_path_look rv_path_look(struct rv_span path)
{
    struct rv_path_look look = { .ordinary = true };
    const uint8_t *slash = last_of(path, '/');
    size_t dir_len = slash ? (size_t)(slash - path.data) : 0;
    struct rv_span name = path, stem;
    const uint8_t *dot;

    if (slash)
        name = rv_span(slash + 1, path.len - dir_len - 1);
    dot = last_of(name, '.');
    stem = name;
    if (dot && dot > name.data) {
        stem.len = (size_t)(dot - name.data);
        look.ext = rv_span(dot + 1, name.len - stem.len - 1);
    }
    look.dir = rv_name_hash(rv_span(path.data, dir_len));
    look.file = rv_mix64(look.dir + rv_name_hash(name));
    look.stem = dot && dot > name.data ? rv_mix64(look.dir + rv_name_hash(stem)) : look.file;
    if (under(path, "/proc/") || under(path, "/sys/"))
        look.ordinary = false;
    else if (under(path, "/dev/"))
        look.ordinary = under(path, "/dev/shm/");
    return look;
}

static bool persists_in_etc(struct rv_span path)
{
    static const char *const places[] = {
        "/etc/cron",           "/etc/systemd/",        "/etc/init.d/", "/etc/rc.local",
        "/etc/rc.d/",          "/etc/ld.so.",          "/etc/profile", "/etc/bash.bashrc",
        "/etc/environment",    "/etc/pam.d/",          "/etc/sudoers", "/etc/udev/rules.d/",
        "/etc/xdg/autostart/", "/etc/ssh/sshd_config", "/etc/modules", "/etc/inittab",
        "/etc/anacrontab",     "/etc/update-motd.d/",  "/etc/zsh/",    "/etc/apt/apt.conf.d/",
    };

    for (size_t i = 0; i < RV_COUNT(places); i++) {
        if (path.len > 5 && path.data[5] == (uint8_t)places[i][5] && under(path, places[i]))
            return true;
    }
    return false;
}

static bool persists_at_home(struct rv_span path)
{
    static const char *const places[] = {
        "/.ssh/authorized_keys",
        "/.ssh/rc",
        "/.bashrc",
        "/.bash_profile",
        "/.bash_login",
        "/.profile",
        "/.zshrc",
        "/.zprofile",
        "/.config/autostart/",
        "/.config/systemd/user/",
        "/.xinitrc",
        "/.pam_environment",
    };

    if (!has_hidden_part(path))
        return false;
    for (size_t i = 0; i < RV_COUNT(places); i++) {
        if (holds(path, places[i]))
            return true;
    }
    return false;
}

bool rv_path_persists(struct rv_span path)
{
    if (under(path, "/etc/"))
        return persists_in_etc(path);
    if (under(path, "/home/") || under(path, "/root/"))
        return persists_at_home(path);
    return under(path, "/var/spool/cron/") || under(path, "/usr/lib/systemd/") ||
           under(path, "/lib/systemd/") || under(path, "/run/systemd/system/");
}

bool rv_path_is_log(struct rv_span path)
{
    static const char *const names[] = { "/.bash_history", "/.zsh_history", "/.ash_history",
                                         "/.python_history", "/utmp" };

    if (under(path, "/var/log/"))
        return true;
    if (path.len == 0 || (path.data[path.len - 1] != 'y' && path.data[path.len - 1] != 'p'))
        return false; /* no name below ends otherwise */
    for (size_t i = 0; i < RV_COUNT(names); i++) {
        size_t len = strlen(names[i]);

        if (path.len >= len && memcmp(path.data + path.len - len, names[i], len) == 0)
            return true;
    }
    return false;
}

static const char known_exts[] =
    "txt md rst log conf cfg ini json yaml yml toml xml html htm css js mjs cjs jsx ts tsx map vue "
    "c h cc cpp cxx hpp hh hxx inc o a so lo la ko d s asm ld i ii gch pch cmd mod symvers order "
    "py pyc pyo pyi pyx pyd whl egg pl pm pod rb erb gem lua php phtml java class jar war kt scala "
    "go rs rlib rmeta rcgu swift cs fs vb sh bash zsh fish awk sed bat ps1 r jl m mm f f90 f95 hs "
    "ml mli ex exs erl beam clj lisp el elc vim tcl sql sqlite sqlite3 db db3 wal shm journal mdb "
    "csv tsv dat data bin idx pack rev bitmap keep tar gz tgz bz2 tbz xz txz zst lz4 lzma z zip rar "
    "7z cpio iso img qcow2 vmdk vdi raw deb udeb dsc changes rpm apk snap part partial crdownload "
    "download tmp temp bak old orig rej new save swp swo swx lock pid sock fifo list md5sums "
    "sha1 sha256 sha512 md5 asc sig gpg pgp pem crt cer key csr der p12 pfx pub jks keystore "
    "png jpg jpeg gif bmp tif tiff svg ico webp heic psd ai eps pdf ps djvu epub mobi doc docx docm "
    "dot odt ods odp odg rtf tex bib bst cls sty aux toc out dvi xls xlsx xlsm ppt pptx key pages "
    "numbers mp3 mp4 m4a m4v ogg oga ogv opus flac wav aac wma avi mkv mov wmv webm mpg mpeg srt "
    "vtt ttf otf woff woff2 eot pfb afm cache state status stat stats history profile rc desktop "
    "service socket timer target mount path slice scope rules policy te fc pp mo po pot gmo lang "
    "diff patch dpatch cmake make mk am ac in m4 ninja build meson gradle pom lst dep deps cmi cmx "
    "env example sample template tmpl tpl j2 jinja dist default local hbs ejs pug less scss sass "
    "wasm dll exe msi sys lib obj pdb exp dylib framework plist nib strings proto thrift avro "
    "parquet orc feather h5 hdf5 npy npz pkl pickle joblib onnx pt pth ckpt safetensors tflite "
    "gguf pb ipynb rdb aof frm ibd myd myi ldf mdf dump trace core prof gcda gcno gcov info "
    "dpkg-new dpkg-tmp dpkg-old dpkg-dist preinst postinst prerm postrm triggers shlibs symbols "
    "templates config conffiles menu crash upload changes manifest record metadata installer "
    "requires links names hash link node bundle chunk min eslintrc npmrc gitignore gitkeep "
    "lua luac scm pri pro qml ui qrc vcxproj sln csproj resx settings props user kdbx ovpn ics vcf "
    "eml mbox msf pst torrent magnet url webloc lnk apt ver rev ref head idx2 heads fls fdb mdx "
    "seg segment chk checkpoint snapshot offset index timeindex meta schema graphql hcl tf tfstate "
    "tfvars bats t pcap pcapng evtx cab cat inf bundle2 cert0 conf0 lease leases pid0 uuid guid dir "
    "pag gdbm bdb tdb ldb sst blob chunk0 nfo cue m3u m3u8 pls torrent0 tag tags gtags stamp timestamp";

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

uint32_t rv_ext_hash(struct rv_span ext)
{
    uint64_t hash = 0x9e3779b97f4a7c15ULL;

    for (size_t i = 0; i < ext.len; i++)
        hash = (hash ^ lower(ext.data[i])) * 0x100000001b3ULL;
    hash = rv_mix64(hash);
    return (uint32_t)hash ? (uint32_t)hash : 1;
}

bool rv_ext_plausible(struct rv_span ext)
{
    bool letter = false;

    if (ext.len < 2 || ext.len > 12)
        return false;
    for (size_t i = 0; i < ext.len; i++) {
        uint8_t c = lower(ext.data[i]);

        if (c >= 'a' && c <= 'z')
            letter = true;
        else if (c < '0' || c > '9')
            return false;
    }
    return letter;
}

void rv_exts_init(struct rv_exts *exts)
{
    const char *at = known_exts;

    memset(exts, 0, sizeof(*exts));
    while (*at) {
        size_t len = strcspn(at, " ");
        uint32_t hash = rv_ext_hash(rv_span(at, len));
        uint32_t slot = hash & (RV_EXTS_ROOM - 1);

        while (exts->hashes[slot] != 0 && exts->hashes[slot] != hash)
            slot = (slot + 1) & (RV_EXTS_ROOM - 1);
        exts->hashes[slot] = hash;
        at += len;
        at += *at == ' ';
    }
}

bool rv_ext_known(const struct rv_exts *exts, uint32_t hash)
{
    uint32_t slot = hash & (RV_EXTS_ROOM - 1);

    while (exts->hashes[slot] != 0) {
        if (exts->hashes[slot] == hash)
            return true;
        slot = (slot + 1) & (RV_EXTS_ROOM - 1);
    }
    return false;
}
