/* SPDX-License-Identifier: Apache-2.0 */
#include "models/symbol.h"

#include <signal.h>
#include <sys/socket.h>

/* ---- The tables ---- */

#define CONSTANT(constant, words) constant,
#define WORDS(constant, words)    words,

enum { RV_SYMBOL_PLACES(CONSTANT) PLACES };
enum { RV_SYMBOL_ORIGINS(CONSTANT) ORIGINS };
enum { RV_SYMBOL_REACHES(CONSTANT) REACHES };
enum { RV_SYMBOL_DOORS(CONSTANT) DOORS };
enum { RV_SYMBOL_MODES(CONSTANT) MODES };
enum { RV_SYMBOL_CREDS(CONSTANT) CREDS };
enum { RV_SYMBOL_TRACES(CONSTANT) TRACES };
enum { RV_SYMBOL_SIGNALS(CONSTANT) SIGNALS };
enum { RV_SYMBOL_MEMORIES(CONSTANT) MEMORIES };
enum { RV_SYMBOL_MOUNTS(CONSTANT) MOUNTS };
enum { RV_SYMBOL_NAMESPACES(CONSTANT) NAMESPACES };
enum {
    ONE = 1,
    PROGRAMS = (int)ORIGINS * (int)RV_KIND_COUNT_,
    PEERS = (int)REACHES * (int)DOORS,
    MODED = 2 * (int)MODES,
};

/* The symbols of a verb: from FROM_ to TO_. */
enum symbol {
#define RANGE(constant, classes, words)                                                            \
    FROM_##constant, TO_##constant = FROM_##constant + (int)(classes)-1,
    RV_SYMBOL_VERBS(RANGE) SYMBOLS
};
_Static_assert((unsigned)SYMBOLS <= RV_SYMBOL_CALLS, "system calls come behind");

static const char *const place_words[] = { RV_SYMBOL_PLACES(WORDS) };
static const char *const origin_words[] = { RV_SYMBOL_ORIGINS(WORDS) };
static const char *const reach_words[] = { RV_SYMBOL_REACHES(WORDS) };
static const char *const door_words[] = { RV_SYMBOL_DOORS(WORDS) };
static const char *const mode_words[] = { RV_SYMBOL_MODES(WORDS) };
static const char *const cred_words[] = { RV_SYMBOL_CREDS(WORDS) };
static const char *const trace_words[] = { RV_SYMBOL_TRACES(WORDS) };
static const char *const signal_words[] = { RV_SYMBOL_SIGNALS(WORDS) };
static const char *const memory_words[] = { RV_SYMBOL_MEMORIES(WORDS) };
static const char *const mount_words[] = { RV_SYMBOL_MOUNTS(WORDS) };
static const char *const namespace_words[] = { RV_SYMBOL_NAMESPACES(WORDS) };

static void add_program(struct rv_buf *buf, unsigned class)
{
    rv_buf_addf(buf, "a program of kind %s%s",
                rv_program_kind_name((enum rv_program_kind)(class % RV_KIND_COUNT_)),
                origin_words[class / RV_KIND_COUNT_]);
}

static void add_peer(struct rv_buf *buf, unsigned class)
{
    rv_buf_addf(buf, "%s (%s)", reach_words[class / DOORS], door_words[class % DOORS]);
}

static void add_moded(struct rv_buf *buf, unsigned class)
{
    rv_buf_addf(buf, "%s a file%s", mode_words[class / 2],
                class % 2 ? " in a scratch folder or in memory" : "");
}

/* How the classes of a verb are put into words: by a list or by a function. */
#define ONE_HOW        NULL, NULL
#define PROGRAMS_HOW   NULL, add_program
#define PEERS_HOW      NULL, add_peer
#define MODED_HOW      NULL, add_moded
#define PLACES_HOW     place_words, NULL
#define CREDS_HOW      cred_words, NULL
#define TRACES_HOW     trace_words, NULL
#define SIGNALS_HOW    signal_words, NULL
#define MEMORIES_HOW   memory_words, NULL
#define MOUNTS_HOW     mount_words, NULL
#define NAMESPACES_HOW namespace_words, NULL

static const struct verb {
    const char *words;
    uint16_t first, last;
    const char *const *class_words;
    void (*add)(struct rv_buf *buf, unsigned class);
} verbs[] = {
#define VERB(constant, classes, words) { words, FROM_##constant, TO_##constant, classes##_HOW },
    RV_SYMBOL_VERBS(VERB)
};

/* The first that fits decides: the path begins so or, if `within`, holds this and a hidden part. */
static const struct place {
    const char *text;
    bool within;
    uint8_t class;
} places[] = {
    { "/etc/shadow", false, PLACE_SECRET },
    { "/etc/gshadow", false, PLACE_SECRET },
    { "/etc/ssl/private/", false, PLACE_SECRET },
    { "/.ssh/id_", true, PLACE_SECRET },
    { "/etc/ssh/ssh_host_", false, PLACE_SECRET },
    { "/.aws/", true, PLACE_SECRET },
    { "/.gnupg/", true, PLACE_SECRET },
    { "/.kube/", true, PLACE_SECRET },
    { "/.docker/config", true, PLACE_SECRET },
    { "/.netrc", true, PLACE_SECRET },
    { "/.pgpass", true, PLACE_SECRET },
    { "/.git-credentials", true, PLACE_SECRET },
    { "/.ssh/", true, PLACE_ACCOUNT },
    { "/etc/passwd", false, PLACE_ACCOUNT },
    { "/etc/group", false, PLACE_ACCOUNT },
    { "/etc/sudoers", false, PLACE_ACCOUNT },
    { "/etc/pam.d/", false, PLACE_ACCOUNT },
    { "/etc/security/", false, PLACE_ACCOUNT },
    { "/etc/ssh/", false, PLACE_ACCOUNT },
    { "/etc/ld.so.preload", false, PLACE_PRELOAD },
    { "/etc/ld.so.conf", false, PLACE_PRELOAD },
    { "/etc/cron", false, PLACE_START },
    { "/etc/anacrontab", false, PLACE_START },
    { "/var/spool/cron/", false, PLACE_START },
    { "/var/spool/at", false, PLACE_START },
    { "/etc/systemd/", false, PLACE_START },
    { "/usr/lib/systemd/", false, PLACE_START },
    { "/lib/systemd/", false, PLACE_START },
    { "/run/systemd/system/", false, PLACE_START },
    { "/etc/init", false, PLACE_START },
    { "/etc/rc", false, PLACE_START },
    { "/etc/profile", false, PLACE_START },
    { "/etc/bash.bashrc", false, PLACE_START },
    { "/etc/environment", false, PLACE_START },
    { "/etc/update-motd.d/", false, PLACE_START },
    { "/etc/udev/", false, PLACE_START },
    { "/etc/apt/apt.conf.d/", false, PLACE_START },
    { "/.bashrc", true, PLACE_START },
    { "/.bash_profile", true, PLACE_START },
    { "/.bash_login", true, PLACE_START },
    { "/.profile", true, PLACE_START },
    { "/.zshrc", true, PLACE_START },
    { "/.config/autostart/", true, PLACE_START },
    { "/.config/systemd/", true, PLACE_START },
    { "/var/log/", false, PLACE_LOG },
    { "_history", true, PLACE_LOG },
    { "/run/utmp", false, PLACE_LOG },
    { "/tmp/.", false, PLACE_HIDDEN },
    { "/var/tmp/.", false, PLACE_HIDDEN },
    { "/dev/shm/.", false, PLACE_HIDDEN },
    { "/tmp/", false, PLACE_SCRATCH },
    { "/var/tmp/", false, PLACE_SCRATCH },
    { "/dev/shm/", false, PLACE_MEMORY },
    { "/run/shm/", false, PLACE_MEMORY },
    { "/memfd:", false, PLACE_MEMORY },
    { "memfd:", false, PLACE_MEMORY },
    { "/dev/", false, PLACE_DEVICE },
    { "/proc/", false, PLACE_KERNEL },
    { "/sys/", false, PLACE_KERNEL },
    { "/run/", false, PLACE_RUN },
    { "/var/run/", false, PLACE_RUN },
    { "/etc/", false, PLACE_CONFIG },
    { "/var/www/", false, PLACE_WEB },
    { "/srv/", false, PLACE_WEB },
    { "/usr/share/nginx/", false, PLACE_WEB },
    { "/var/", false, PLACE_VAR },
    { "/usr/", false, PLACE_CODE },
    { "/bin/", false, PLACE_CODE },
    { "/sbin/", false, PLACE_CODE },
    { "/lib", false, PLACE_CODE },
    { "/boot/", false, PLACE_CODE },
    { "/opt/", false, PLACE_CODE },
    { "/home/", false, PLACE_HOME },
    { "/root/", false, PLACE_HOME },
};

/* ---- Classes ---- */

static bool fits(const struct place *place, struct rv_span path, bool hidden)
{
    size_t len = strlen(place->text);

    if (path.len < len || (place->within && !hidden) ||
        (!place->within && path.data[1] != (uint8_t)place->text[1])) /* most differ there */
        return false;
    return place->within ? memmem(path.data, path.len, place->text, len) != NULL
                         : memcmp(path.data, place->text, len) == 0;
}

static unsigned place_of(struct rv_span path)
{
    bool hidden = path.len > 0 && memmem(path.data, path.len, "/.", 2);

    for (size_t i = 0; i < RV_COUNT(places); i++) {
        if (fits(&places[i], path, hidden))
            return places[i].class;
    }
    return PLACE_ELSEWHERE;
}

static bool is_scratch(unsigned place)
{
    return place == PLACE_SCRATCH || place == PLACE_HIDDEN || place == PLACE_MEMORY;
}

static unsigned program_of(const struct rv_process *process)
{
    enum rv_path_class where = process->program->path_class;
    unsigned origin = ORIGIN_OWN;

    if (process->script && process->script->path_class > where)
        where = process->script->path_class;
    if (where >= RV_PATH_SCRATCH || (process->exec_flags & (RV_EXEC_F_MEMFD | RV_EXEC_F_DELETED)))
        origin = ORIGIN_SCRATCH;
    else if (where <= RV_PATH_SYSTEM)
        origin = ORIGIN_INSTALLED;
    return origin * RV_KIND_COUNT_ + (unsigned)process->program->kind;
}

static unsigned reach_of(const struct rv_event_net_socket *net)
{
    const uint8_t *a = net->addr.bytes;

    if (net->family == AF_INET6) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        static const uint8_t loopback[16] = { [15] = 1 };

        if (memcmp(a, loopback, sizeof(loopback)) == 0)
            return REACH_LOOPBACK;
        if ((a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
            return REACH_PRIVATE;
        if (memcmp(a, mapped, sizeof(mapped)) != 0)
            return REACH_PUBLIC;
        a += sizeof(mapped);
    }
    if (a[0] == 127 || a[0] == 0)
        return REACH_LOOPBACK;
    if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
        (a[0] == 169 && a[1] == 254) || (a[0] == 100 && (a[1] & 0xc0) == 64))
        return REACH_PRIVATE;
    return REACH_PUBLIC;
}

static unsigned door_of(uint32_t port)
{
    switch (port) {
    case 80:
    case 443:
    case 8000:
    case 8080:
    case 8443:
        return DOOR_WEB;
    case 53:
    case 853:
    case 5353:
        return DOOR_NAMES;
    case 22:
    case 23:
    case 3389:
        return DOOR_LOGIN;
    case 25:
    case 465:
    case 587:
    case 143:
    case 993:
        return DOOR_MAIL;
    case 3306:
    case 5432:
    case 6379:
    case 27017:
        return DOOR_DATA;
    default:
        return port < 1024 ? DOOR_KNOWN : port < 32768 ? DOOR_HIGH : DOOR_EPHEMERAL;
    }
}

/* ---- Events ---- */

static uint16_t of_open(const struct rv_event *event)
{
    const struct rv_event_file_open *open = (const void *)event;
    unsigned place = place_of(rv_event_str(event, &open->path));

    if (open->access & RV_ACCESS_CREATE)
        return (uint16_t)(FROM_CREATE + place);
    if (open->access & (RV_ACCESS_WRITE | RV_ACCESS_TRUNC | RV_ACCESS_APPEND))
        return (uint16_t)(FROM_WRITE + place);
    return (uint16_t)(FROM_READ + place);
}

static uint16_t of_rename(const struct rv_event *event)
{
    const struct rv_event_file_rename *rename = (const void *)event;

    return (uint16_t)(FROM_RENAME + place_of(rv_event_str(event, &rename->new_path)));
}

static uint16_t of_unlink(const struct rv_event *event)
{
    const struct rv_event_file_unlink *unlink = (const void *)event;

    return (uint16_t)(FROM_UNLINK + place_of(rv_event_str(event, &unlink->path)));
}

static uint16_t of_link(const struct rv_event *event)
{
    const struct rv_event_file_link *link = (const void *)event;

    return (uint16_t)(FROM_LINK + place_of(rv_event_str(event, &link->new_path)));
}

static uint16_t of_truncate(const struct rv_event *event)
{
    const struct rv_event_file_truncate *truncate = (const void *)event;

    return (uint16_t)(FROM_TRUNCATE + place_of(rv_event_str(event, &truncate->path)));
}

static uint16_t of_attr(const struct rv_event *event)
{
    const struct rv_event_file_attr *attr = (const void *)event;
    bool scratch = is_scratch(place_of(rv_event_str(event, &attr->path)));
    uint32_t added = attr->new_mode & ~attr->old_mode;
    unsigned mode = MODE_OTHER;

    if (attr->changed & 4)
        mode = MODE_LABEL;
    else if (attr->changed & 2)
        mode = MODE_OWNER;
    else if (added & 06000)
        mode = MODE_SETID;
    else if (added & 0111)
        mode = MODE_RUNS;
    else if (added & 0002)
        mode = MODE_OPENED;
    return (uint16_t)(FROM_MODE + 2 * mode + scratch);
}

static uint16_t of_net(const struct rv_event *event)
{
    const struct rv_event_net_socket *net = (const void *)event;
    unsigned peer = reach_of(net) * DOORS + door_of(net->port);

    if (net->family != AF_INET && net->family != AF_INET6)
        return event->type == RV_EVENT_NET_CONNECT ? FROM_LOCAL : RV_SYMBOL_NONE;
    switch (event->type) {
    case RV_EVENT_NET_CONNECT:
        return (uint16_t)(FROM_CONNECT + peer);
    case RV_EVENT_NET_ACCEPT: /* the other's port says nothing: ours does */
        return (uint16_t)(FROM_ACCEPT + reach_of(net) * DOORS + door_of(net->local_port));
    case RV_EVENT_NET_BIND:
        return (uint16_t)(FROM_BIND + peer);
    default:
        return (uint16_t)(FROM_LISTEN + peer);
    }
}

static uint16_t of_cred(const struct rv_event *event)
{
    const struct rv_event_process_cred *cred = (const void *)event;
    unsigned class = CRED_OTHER;

    if (cred->new_euid == 0 && cred->old_euid != 0)
        class = CRED_ROOT;
    else if (cred->new_euid != 0 && cred->old_euid == 0)
        class = CRED_DROP;
    else if (cred->new_caps & ~cred->old_caps)
        class = CRED_GAIN;
    return (uint16_t)(FROM_CRED + class);
}

static uint16_t of_ptrace(const struct rv_event *event)
{
    const struct rv_event_process_ptrace *ptrace = (const void *)event;
    unsigned class = ptrace->request == 0xffff   ? TRACE_WRITE
                     : ptrace->request == 0xfffe ? TRACE_READ
                                                 : TRACE_ATTACH;

    return (uint16_t)(FROM_TRACE + class);
}

static uint16_t of_signal(const struct rv_event *event)
{
    const struct rv_event_process_signal *sent = (const void *)event;
    unsigned class = SIGNAL_OTHER;

    if (sent->signal == SIGKILL || sent->signal == SIGTERM || sent->signal == SIGINT)
        class = SIGNAL_KILL;
    else if (sent->signal == SIGSTOP || sent->signal == SIGTSTP)
        class = SIGNAL_STOP;
    return (uint16_t)(FROM_SIGNAL + class);
}

static uint16_t of_memory(const struct rv_event *event)
{
    const struct rv_event_memory_exec *memory = (const void *)event;
    unsigned class = memory->memory_flags & RV_MEMORY_F_WRITTEN    ? MEMORY_WRITTEN
                     : memory->memory_flags & RV_MEMORY_F_WRITABLE ? MEMORY_WRITABLE
                     : memory->memory_flags & RV_MEMORY_F_ANON     ? MEMORY_ANON
                                                                   : MEMORY_FILE;

    return (uint16_t)(FROM_MEMORY + class);
}

static uint16_t of_mount(const struct rv_event *event)
{
    const struct rv_event_mount *mount = (const void *)event;

    return (uint16_t)(FROM_MOUNT + (mount->operation < MOUNTS ? mount->operation : MOUNT_OTHER));
}

static uint16_t of_namespace(const struct rv_event *event)
{
    const struct rv_event_namespace *namespace = (const void *)event;
    const uint64_t user = 0x10000000; /* CLONE_NEWUSER */
    unsigned class = namespace->operation == 2      ? NAMESPACE_ENTER
                     : namespace->namespaces & user ? NAMESPACE_USER
                                                    : NAMESPACE_OTHER;

    return (uint16_t)(FROM_NAMESPACE + class);
}

static uint16_t of_kind(const struct rv_event *event)
{
    switch (event->type) {
    case RV_EVENT_PROCESS_FORK:
        return FROM_FORK;
    case RV_EVENT_KERNEL_MODULE:
        return FROM_MODULE;
    case RV_EVENT_KERNEL_BPF:
        return FROM_BPF;
    default:
        return FROM_KEXEC;
    }
}

static uint16_t (*const readers[RV_EVENT_TYPE_END_])(const struct rv_event *event) = {
    [RV_EVENT_PROCESS_FORK] = of_kind,
    [RV_EVENT_PROCESS_CRED] = of_cred,
    [RV_EVENT_PROCESS_PTRACE] = of_ptrace,
    [RV_EVENT_PROCESS_SIGNAL] = of_signal,
    [RV_EVENT_MEMORY_EXEC] = of_memory,
    [RV_EVENT_FILE_OPEN] = of_open,
    [RV_EVENT_FILE_RENAME] = of_rename,
    [RV_EVENT_FILE_UNLINK] = of_unlink,
    [RV_EVENT_FILE_LINK] = of_link,
    [RV_EVENT_FILE_ATTR] = of_attr,
    [RV_EVENT_FILE_TRUNCATE] = of_truncate,
    [RV_EVENT_NET_CONNECT] = of_net,
    [RV_EVENT_NET_ACCEPT] = of_net,
    [RV_EVENT_NET_BIND] = of_net,
    [RV_EVENT_NET_LISTEN] = of_net,
    [RV_EVENT_KERNEL_MODULE] = of_kind,
    [RV_EVENT_KERNEL_BPF] = of_kind,
    [RV_EVENT_KERNEL_KEXEC] = of_kind,
    [RV_EVENT_MOUNT] = of_mount,
    [RV_EVENT_NAMESPACE] = of_namespace,
};

uint16_t rv_symbol_of(const struct rv_event *event, const struct rv_process *process)
{
    if (event->flags & RV_EVENT_F_SNAPSHOT)
        return RV_SYMBOL_NONE;
    if (event->type == RV_EVENT_PROCESS_EXEC)
        return (uint16_t)(FROM_RUN + program_of(process));
    return readers[event->type] ? readers[event->type](event) : RV_SYMBOL_NONE;
}

/* ---- In words ---- */

void rv_symbol_words(struct rv_buf *buf, uint16_t symbol)
{
    if (symbol >= RV_SYMBOL_CALLS && symbol < RV_SYMBOL_END) {
        rv_buf_addf(buf, "makes system call %u", symbol - RV_SYMBOL_CALLS);
        return;
    }
    for (size_t i = 0; i < RV_COUNT(verbs); i++) {
        unsigned class = (unsigned)symbol - verbs[i].first;

        if (symbol < verbs[i].first || symbol > verbs[i].last)
            continue;
        rv_buf_add_str(buf, verbs[i].words);
        if (verbs[i].class_words)
            rv_buf_add_str(buf, verbs[i].class_words[class]);
        if (verbs[i].add)
            verbs[i].add(buf, class);
        return;
    }
    rv_buf_add_str(buf, "does what this version does not know");
}

struct rv_sha256 rv_symbol_digest(void)
{
    RV_AUTO(rv_buf_done) struct rv_buf table = { 0 };

    for (uint16_t symbol = 0; symbol < SYMBOLS; symbol++) {
        rv_symbol_words(&table, symbol);
        rv_buf_add_char(&table, '\n');
    }
    for (size_t i = 0; i < RV_COUNT(places); i++)
        rv_buf_addf(&table, "%u %d %s\n", places[i].class, places[i].within, places[i].text);
    return rv_sha256(rv_buf_span(&table));
}
