/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup-BPF provider: load, attach, and what may be said to it while it runs. */
#include "cgate/cgate.h"

#include "base/clock.h"
#include "base/fd.h"
#include "enforce/act.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#pragma GCC diagnostic push /* bpftool's code, not ours */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "cgate.skel.h"
#pragma GCC diagnostic pop

#define CGROUP2_MAGIC 0x63677270

static uint64_t now_boot_ns(void)
{
    struct rv_clock clock = rv_clock_system();

    return clock.boot_ns(clock.context);
}

/* ---- Open ---- */

/** The number that this kernel has for an attach type; -1: none. */
static int attach_type(const struct btf *btf, const char *name)
{
    int id = btf__find_by_name_kind(btf, "bpf_attach_type", BTF_KIND_ENUM);
    const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

    for (__u32 i = 0; type && i < btf_vlen(type); i++)
        if (rv_streq(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name))
            return btf_enum(type)[i].val;
    return -1;
}

/** libbpf 1.1 has no name for the hooks of unix sockets. */
static bool choose_unix(struct rv_cgate_bpf *bpf)
{
    struct btf *btf = btf__load_vmlinux_btf();
    const int connects = btf ? attach_type(btf, "BPF_CGROUP_UNIX_CONNECT") : -1;
    const int sends = btf ? attach_type(btf, "BPF_CGROUP_UNIX_SENDMSG") : -1;
    const bool has = connects >= 0 && sends >= 0;

    btf__free(btf);
    (void)bpf_program__set_autoload(bpf->progs.rv_cgate_connect_unix, has);
    (void)bpf_program__set_autoload(bpf->progs.rv_cgate_sendmsg_unix, has);
    if (has) {
        (void)bpf_program__set_expected_attach_type(bpf->progs.rv_cgate_connect_unix,
                                                    (enum bpf_attach_type)connects);
        (void)bpf_program__set_expected_attach_type(bpf->progs.rv_cgate_sendmsg_unix,
                                                    (enum bpf_attach_type)sends);
    }
    return has;
}

/** The life of processes first, so that nobody is missed; then the hooks. */
static int attach(struct rv_cgate *cgate, int cgroup)
{
    struct bpf_program *program;

    for (int hooks = 0; hooks <= 1; hooks++)
        bpf_object__for_each_program(program, cgate->bpf->obj)
        {
            const char *section = bpf_program__section_name(program);
            const bool is_hook = strncmp(section, "cgroup/", 7) == 0;
            struct bpf_link *link;

            if (!bpf_program__autoload(program) || is_hook != (hooks == 1) ||
                strncmp(section, "iter/", 5) == 0)
                continue;
            link = is_hook ? bpf_program__attach_cgroup(program, cgroup)
                           : bpf_program__attach(program);
            if (!link)
                return -errno;
            cgate->links[cgate->link_count++] = link;
        }
    return 0;
}

static int on_record(void *context, void *data, size_t len)
{
    struct rv_cgate *cgate = context;

    return len < sizeof(struct rv_refusal_record) ? -EBADMSG : cgate->put(cgate->put_context, data);
}

static int map_control(struct rv_cgate *cgate)
{
    void *at = mmap(NULL, sizeof(*cgate->control), PROT_READ | PROT_WRITE, MAP_SHARED,
                    bpf_map__fd(cgate->bpf->maps.control), 0);

    if (at == MAP_FAILED)
        return -errno;
    cgate->control = at;
    return 0;
}

static void find_maps(struct rv_cgate *cgate)
{
    cgate->maps = (struct rv_cgate_maps){
        .tables = bpf_map__fd(cgate->bpf->maps.tables),
        .values = bpf_map__fd(cgate->bpf->maps.values),
        .addrs = bpf_map__fd(cgate->bpf->maps.addrs),
        .slots = bpf_map__fd(cgate->bpf->maps.slots),
        .kinds = bpf_map__fd(cgate->bpf->maps.kinds),
        .grants = bpf_map__fd(cgate->bpf->maps.grants),
        .counts = bpf_map__fd(cgate->bpf->maps.counts),
        .told = bpf_map__fd(cgate->bpf->maps.told),
        .lost = bpf_map__fd(cgate->bpf->maps.lost),
        .risks = bpf_map__fd(cgate->bpf->maps.risks),
        .exempt = bpf_map__fd(cgate->bpf->maps.exempt),
        .exempt_programs = bpf_map__fd(cgate->bpf->maps.exempt_programs),
    };
}

int rv_cgate_open(struct rv_cgate **ret_cgate, const char *cgroup)
{
    return rv_cgate_open_sized(ret_cgate, cgroup, RV_CGATE_PROCESSES);
}

int rv_cgate_open_sized(struct rv_cgate **ret_cgate, const char *cgroup, uint32_t processes_max)
{
    RV_AUTO(rv_cgate_close) struct rv_cgate *cgate = NULL;
    RV_AUTO(rv_closep) int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statfs fs;
    int r;

    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return -errno;
    if (fs.f_type != CGROUP2_MAGIC)
        return -EOPNOTSUPP;
    cgate = calloc(1, sizeof(*cgate));
    if (!cgate)
        return -ENOMEM;
    if (getrandom(&cgate->seed, sizeof(cgate->seed), 0) != sizeof(cgate->seed))
        return -EIO;
    cgate->bpf = rv_cgate_bpf__open();
    if (!cgate->bpf)
        return -errno;
    cgate->bpf->rodata->name_seed = cgate->seed;
    cgate->has_unix = choose_unix(cgate->bpf);
    r = bpf_map__set_max_entries(cgate->bpf->maps.ran, processes_max);
    if (r == 0)
        r = bpf_map__set_max_entries(cgate->bpf->maps.risks, processes_max);
    if (r == 0)
        r = rv_cgate_bpf__load(cgate->bpf);
    if (r == 0)
        r = map_control(cgate);
    if (r < 0)
        return r;
    find_maps(cgate);
    cgate->ring = ring_buffer__new(bpf_map__fd(cgate->bpf->maps.refusals), on_record, cgate, NULL);
    if (!cgate->ring)
        return -errno;
    r = attach(cgate, fd);
    if (r < 0)
        return r;
    *ret_cgate = RV_TAKE(cgate);
    return 0;
}

void rv_cgate_close(struct rv_cgate **cgate)
{
    struct rv_cgate *old = *cgate;

    if (!old)
        return;
    while (old->link_count > 0)
        (void)bpf_link__destroy(old->links[--old->link_count]);
    ring_buffer__free(old->ring);
    if (old->control)
        (void)munmap(old->control, sizeof(*old->control));
    rv_cgate_bpf__destroy(old->bpf);
    for (size_t i = 0; i < old->path_count; i++)
        free(old->paths[i]);
    free(old->paths);
    free(old->led_to);
    free(old);
    *cgate = NULL;
}

int rv_cgate_seed(struct rv_cgate *cgate)
{
    struct bpf_link *link = bpf_program__attach_iter(cgate->bpf->progs.rv_cgate_seed, NULL);
    RV_AUTO(rv_closep) int fd = -1;
    char nothing[64];
    ssize_t n;
    int r = 0;

    if (!link)
        return -errno;
    fd = bpf_iter_create(bpf_link__fd(link));
    if (fd < 0)
        r = -errno;
    do /* reading it is what runs it */
        n = r == 0 ? read(fd, nothing, sizeof(nothing)) : 0;
    while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
    if (n < 0)
        r = -errno;
    (void)bpf_link__destroy(link);
    return r;
}

/* ---- Lease, stop ---- */

void rv_cgate_renew(struct rv_cgate *cgate, uint64_t ms)
{
    __atomic_store_n(&cgate->control->lease_boot_ns, now_boot_ns() + ms * RV_NS_PER_MS,
                     __ATOMIC_SEQ_CST);
}

void rv_cgate_observe(struct rv_cgate *cgate, bool observe)
{
    __atomic_store_n(&cgate->control->observe, observe, __ATOMIC_SEQ_CST);
}

uint32_t rv_cgate_disarmed(const struct rv_cgate *cgate)
{
    return (uint32_t)__atomic_load_n(&cgate->control->disarmed, __ATOMIC_SEQ_CST);
}

/** The histogram goes on from nothing: what was slow must not disarm at the next call. */
void rv_cgate_rearm(struct rv_cgate *cgate)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep)
    struct rv_cgate_latency *none = cpus > 0 ? calloc((size_t)cpus, sizeof(*none)) : NULL;

    for (uint32_t i = 0; none && i < RV_DO_COUNT_; i++)
        (void)bpf_map_update_elem(bpf_map__fd(cgate->bpf->maps.latency), &i, none, BPF_ANY);
    __atomic_store_n(&cgate->control->disarmed, 0, __ATOMIC_SEQ_CST);
}

/* ---- Programs and processes ---- */

static int put_value(int map, const void *key, const void *value)
{
    if (bpf_map_update_elem(map, key, value, BPF_ANY) == 0)
        return 0;
    return errno == E2BIG ? -ENOSPC : -errno;
}

/** Inode and device of what a path leads to, as a key. @return 0 or -errno. */
static int key_of(const char *path, struct rv_cgate_key *ret_key)
{
    RV_AUTO(rv_lsm_mounts_free) struct rv_lsm_mounts mounts = { 0 };
    struct rv_lsm_program program;
    int r = rv_lsm_mounts_read(&mounts);

    if (r == 0)
        r = rv_lsm_identify_link(&mounts, path, &program);
    if (r == 0)
        *ret_key = (struct rv_cgate_key){ .id = program.inode, .dev = program.dev };
    return r;
}

int rv_cgate_know_program(struct rv_cgate *cgate, const char *path, uint32_t kind)
{
    struct rv_cgate_key key;
    int r = kind < RV_CGATE_KINDS ? key_of(path, &key) : -EINVAL;

    if (r < 0)
        return r;
    cgate->new_programs = true;
    return put_value(cgate->maps.kinds, &key, &kind);
}

/** Which process a pidfd names, as long as it lives. */
static int process_of(int pidfd, struct rv_cgate_process *ret_process)
{
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_process_key key;
    char path[64];
    const char *line;
    size_t len;
    pid_t pid;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    if (rv_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
        return -EBADF;
    line = strstr(text, "\nPid:");
    pid = line ? (pid_t)strtol(line + strlen("\nPid:"), NULL, 10) : 0;
    if (pid <= 0 || rv_process_key_of(pid, &key) < 0)
        return -ESRCH;
    /* It lived until now, so what was read was of this process and not of one with its number. */
    if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
        return -ESRCH;
    *ret_process = (struct rv_cgate_process){ .start_ticks = key.start_boot_ns / RV_CGATE_TICK_NS,
                                              .tgid = (uint32_t)pid };
    return 0;
}

int rv_cgate_set_risk(struct rv_cgate *cgate, int pidfd, uint32_t risk)
{
    struct rv_cgate_process process;
    int r = risk < RV_CGATE_RISKS ? process_of(pidfd, &process) : -EINVAL;

    return r < 0 ? r : put_value(cgate->maps.risks, &process, &risk);
}

int rv_cgate_protect(struct rv_cgate *cgate, int pidfd)
{
    struct rv_cgate_process process;
    struct rv_cgate_key program;
    char path[32];
    int r = process_of(pidfd, &process);

    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "/proc/%u/exe", process.tgid);
    r = key_of(path, &program);
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    return put_value(cgate->maps.exempt, &process, &program);
}

int rv_cgate_protect_program(struct rv_cgate *cgate, const char *path)
{
    const uint32_t one = 1;
    struct rv_cgate_key key;
    int r = key_of(path, &key);

    return r < 0 ? r : put_value(cgate->maps.exempt_programs, &key, &one);
}

/** Room is made of those that nobody used in time. */
static void drop_expired(int map, uint64_t now)
{
    struct rv_cgate_grant_key key, next;
    uint64_t expires;
    int r = bpf_map_get_next_key(map, NULL, &next);

    while (r == 0) {
        key = next;
        r = bpf_map_get_next_key(map, &key, &next);
        if (bpf_map_lookup_elem(map, &key, &expires) == 0 && expires <= now)
            (void)bpf_map_delete_elem(map, &key);
    }
}

int rv_cgate_grant(struct rv_cgate *cgate, const struct rv_grant *grant)
{
    struct rv_cgate_grant_key key = { .program_inode = grant->program_inode,
                                      .program_dev = grant->program_dev,
                                      .uid = grant->uid,
                                      .action = grant->action,
                                      .port = grant->port };

    memcpy(key.addr, grant->addr, sizeof(key.addr));
    drop_expired(cgate->maps.grants, now_boot_ns());
    return put_value(cgate->maps.grants, &key, &grant->expires_boot_ns);
}

/* ---- What happened ---- */

int rv_cgate_fd(const struct rv_cgate *cgate)
{
    return ring_buffer__epoll_fd(cgate->ring);
}

int rv_cgate_rule_counts(const struct rv_cgate *cgate, size_t index,
                         struct rv_rule_counts *ret_counts)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) struct rv_rule_counts *each = NULL;
    uint32_t key = cgate->control->active * RV_RULES_MAX + (uint32_t)index;

    if (index >= RV_RULES_MAX || cpus <= 0)
        return -EINVAL;
    each = calloc((size_t)cpus, sizeof(*each));
    if (!each)
        return -ENOMEM;
    if (bpf_map_lookup_elem(cgate->maps.counts, &key, each) < 0)
        return -errno;
    *ret_counts = (struct rv_rule_counts){ 0 };
    for (int i = 0; i < cpus; i++)
        for (size_t k = 0; k < RV_REFUSALS_; k++)
            ret_counts->by[k] += each[i].by[k];
    return 0;
}

uint64_t rv_cgate_lost(const struct rv_cgate *cgate)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) uint64_t *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;
    uint64_t sum = 0;
    uint32_t zero = 0;

    if (!each || bpf_map_lookup_elem(cgate->maps.lost, &zero, each) < 0)
        return 0;
    for (int i = 0; i < cpus; i++)
        sum += each[i];
    return sum;
}

/** What repeated itself and then stopped: the last, with how many before it; and make room. */
static int sweep(struct rv_cgate *cgate, uint64_t now)
{
    struct rv_cgate_told_key key, next;
    struct rv_cgate_told told;
    int map = cgate->maps.told, n = 0;
    int r = bpf_map_get_next_key(map, NULL, &next);

    while (r == 0) {
        key = next;
        r = bpf_map_get_next_key(map, &key, &next);
        if (bpf_map_lookup_elem(map, &key, &told) < 0 ||
            now - told.record.time_boot_ns < RV_CGATE_WINDOW_NS ||
            bpf_map_lookup_and_delete_elem(map, &key, &told) < 0 || told.repeats == 0)
            continue;
        told.record.repeats = (uint32_t)rv_min_u64(told.repeats - 1, UINT32_MAX);
        if (cgate->put(cgate->put_context, &told.record) < 0)
            return -ECANCELED;
        n++;
    }
    return n;
}

int rv_cgate_drain(struct rv_cgate *cgate,
                   int (*put)(void *context, const struct rv_refusal_record *record), void *context)
{
    uint64_t now = now_boot_ns();
    int n, swept = 0;

    cgate->put = put;
    cgate->put_context = context;
    n = ring_buffer__consume(cgate->ring);
    if (n < 0)
        return n;
    if (now - cgate->swept_boot_ns >= RV_CGATE_WINDOW_NS) {
        cgate->swept_boot_ns = now;
        swept = sweep(cgate, now);
    }
    return swept < 0 ? swept : n + swept;
}
