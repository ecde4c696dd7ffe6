/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF LSM provider's user half: loading, swapping sets, lease and stop. */
#include "provider.h"

#include "base/clock.h"
#include "base/fd.h"
#include "own.h"

#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Open ---- */

static bool bpf_is_active(void)
{
    RV_AUTO(rv_freep) char *list = NULL;
    size_t len;
    char *rest, *name;

    if (rv_read_file(AT_FDCWD, "/sys/kernel/security/lsm", 4096, &list, &len) < 0)
        return true; /* securityfs is not mounted: let the kernel say */
    rest = list;
    while ((name = strsep(&rest, ",\n")))
        if (rv_streq(name, "bpf"))
            return true;
    return false;
}

/** Does this kernel have the hook, and how many arguments does it take? 0: it has none. */
static unsigned hook_arguments(const struct btf *btf, const char *hook)
{
    char name[64];
    int id;

    (void)snprintf(name, sizeof(name), "bpf_lsm_%s", hook);
    id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
    if (id < 0)
        return 0;
    return btf_vlen(btf__type_by_id(btf, btf__type_by_id(btf, (__u32)id)->type));
}

/** @return the actions that cannot be asked about here: kernels before 6.1 lack one hook. */
static uint32_t choose_programs(struct rv_lsm_bpf *bpf, const struct btf *btf)
{
    struct bpf_program *program;
    bool idmap = hook_arguments(btf, "inode_setattr") == 3;
    uint32_t missing = 0;

    bpf_object__for_each_program(program, bpf->obj)
    {
        const char *section = bpf_program__section_name(program);

        if (strncmp(section, "lsm/", 4) != 0 || hook_arguments(btf, section + 4) > 0)
            continue;
        (void)bpf_program__set_autoload(program, false);
        missing |= rv_streq(section, "lsm/userns_create") ? RV_DO_USERNS : 0;
    }
    (void)bpf_program__set_autoload(idmap ? bpf->progs.rv_setattr : bpf->progs.rv_setattr_idmap,
                                    false);
    return missing;
}

static int load(struct rv_lsm *lsm)
{
    struct btf *btf;
    int r;

    if (getrandom(&lsm->seed, sizeof(lsm->seed), 0) != sizeof(lsm->seed))
        return -EIO;
    btf = btf__load_vmlinux_btf();
    if (!btf)
        return -EOPNOTSUPP;
    lsm->bpf = rv_lsm_bpf__open();
    if (!lsm->bpf) {
        r = -errno;
        btf__free(btf);
        return r;
    }
    lsm->missing = choose_programs(lsm->bpf, btf);
    btf__free(btf);
    lsm->bpf->rodata->seed = lsm->seed;
    r = rv_lsm_bpf__load(lsm->bpf);
    return r < 0 ? r : rv_lsm_bpf__attach(lsm->bpf);
}

static int put_control(struct rv_lsm *lsm)
{
    uint32_t zero = 0;

    return bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.control), &zero, &lsm->control, BPF_ANY) <
                   0
               ? -errno
               : 0;
}

/** Run the iterator over all tasks once: those that ran before us get their lineage. */
static int seed_lineages(struct rv_lsm *lsm)
{
    RV_AUTO(rv_closep) int fd = bpf_iter_create(bpf_link__fd(lsm->bpf->links.rv_seed));
    struct rv_clock clock = rv_clock_system();
    char nothing[64];
    ssize_t n;
    int r;

    if (fd < 0)
        return -errno;
    lsm->control.attached_boot_ns = clock.boot_ns(clock.context);
    r = put_control(lsm);
    if (r < 0)
        return r;
    do {
        n = read(fd, nothing, sizeof(nothing));
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -errno : 0;
}

static int on_record(void *context, void *data, size_t len)
{
    struct rv_lsm *lsm = context;

    return len < sizeof(struct rv_refusal_record) ? -EBADMSG : lsm->put(lsm->put_context, data);
}

int rv_lsm_open(struct rv_lsm **ret_lsm)
{
    RV_AUTO(rv_lsm_close) struct rv_lsm *lsm = NULL;
    int r;

    if (!bpf_is_active())
        return -EOPNOTSUPP;
    lsm = calloc(1, sizeof(*lsm));
    if (!lsm)
        return -ENOMEM;
    r = load(lsm);
    if (r == 0)
        r = seed_lineages(lsm);
    if (r == 0)
        r = rv_own_add(rv_lsm_own_fd(lsm), lsm->bpf->skeleton);
    if (r < 0)
        return r;
    lsm->ring = ring_buffer__new(bpf_map__fd(lsm->bpf->maps.verdicts), on_record, lsm, NULL);
    if (!lsm->ring)
        return -errno;
    *ret_lsm = RV_TAKE(lsm);
    return 0;
}

static void free_set(struct rv_lsm_set **set)
{
    if (!*set)
        return;
    rv_lsm_set_free(*set);
    free(*set);
    *set = NULL;
}

void rv_lsm_close(struct rv_lsm **lsm)
{
    if (!*lsm)
        return;
    ring_buffer__free((*lsm)->ring);
    rv_lsm_bpf__destroy((*lsm)->bpf);
    free_set(&(*lsm)->set);
    free(*lsm);
    *lsm = NULL;
}

/* ---- Swap ---- */

/** Remove a table's keys; `offset` is where a key names its table, in its lowest bit. */
static void clear_index(const struct bpf_map *map, uint32_t table, size_t offset)
{
    uint8_t key[64], next[64];
    int fd = bpf_map__fd(map);
    int r = bpf_map_get_next_key(fd, NULL, next);

    while (r == 0) {
        memcpy(key, next, bpf_map__key_size(map));
        r = bpf_map_get_next_key(fd, key, next);
        if ((key[offset] & 1U) == table)
            (void)bpf_map_delete_elem(fd, key);
    }
}

static int clear_counts(struct rv_lsm *lsm, uint32_t table)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) struct rv_rule_counts *none = NULL;

    none = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*none));
    if (!none)
        return -ENOMEM;
    for (uint32_t i = 0; i < RV_RULES_MAX; i++) {
        uint32_t key = table * RV_RULES_MAX + i;

        if (bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.counts), &key, none, BPF_ANY) < 0)
            return -errno;
    }
    return 0;
}

/** Build a set beside the one in place. */
static int build(struct rv_lsm *lsm, const struct rv_rule *rules, size_t count,
                 struct rv_lsm_set *set, size_t *reterr_rule)
{
    struct rv_lsm_compiler compiler = {
        .bpf = lsm->bpf, .seed = lsm->seed, .idle = !lsm->control.active, .missing = lsm->missing
    };
    int r;

    /* Whoever still decides by the idle table began before the last swap: wait for them. */
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    clear_index(lsm->bpf->maps.terms, compiler.idle, offsetof(struct rv_lsm_key, table));
    clear_index(lsm->bpf->maps.addrs, compiler.idle, offsetof(struct rv_lsm_addr_key, table));
    r = clear_counts(lsm, compiler.idle);
    if (r == 0)
        r = rv_lsm_mounts_read(&compiler.mounts);
    if (r == 0)
        r = rv_lsm_compile(&compiler, rules, count, set, reterr_rule);
    rv_lsm_mounts_free(&compiler.mounts);
    return r;
}

int rv_lsm_swap(struct rv_lsm *lsm, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried, size_t *reterr_rule)
{
    RV_AUTO(free_set) struct rv_lsm_set *set = NULL;
    struct rv_lsm_control before = lsm->control;
    uint32_t idle = !lsm->control.active;
    int r;

    if (count > RV_RULES_MAX)
        return -ENOSPC;
    set = calloc(1, sizeof(*set));
    if (!set)
        return -ENOMEM;
    r = build(lsm, rules, count, set, reterr_rule);
    if (r < 0)
        return r;
    set->table.budget = settings->budget;
    set->table.digest = settings->digest;
    if (bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.tables), &idle, &set->table, BPF_ANY) < 0)
        return -errno;
    lsm->control.active = idle;
    lsm->control.latency_budget_ns = settings->latency_budget_ns;
    r = put_control(lsm);
    if (r < 0) {
        lsm->control = before;
        return r;
    }
    *ret_carried = set->carried;
    free_set(&lsm->set);
    lsm->set = RV_TAKE(set);
    return 0;
}

bool rv_lsm_stale(const struct rv_lsm *lsm)
{
    struct rv_lsm_mounts mounts = { 0 };
    bool stale = false;

    if (!lsm->set || lsm->set->path_count == 0 || rv_lsm_mounts_read(&mounts) < 0)
        return false;
    for (size_t i = 0; !stale && i < lsm->set->path_count; i++) {
        const struct rv_lsm_path *path = &lsm->set->paths[i];
        struct rv_lsm_program now = { 0 };

        if (rv_lsm_identify(&mounts, lsm->seed, path->path, &now) < 0)
            now = (struct rv_lsm_program){ 0 };
        stale = memcmp(&now, &path->identity, sizeof(now)) != 0;
    }
    rv_lsm_mounts_free(&mounts);
    return stale;
}

/* ---- Lease and stop ---- */

int rv_lsm_renew(struct rv_lsm *lsm, uint64_t ms)
{
    struct rv_clock clock = rv_clock_system();

    lsm->control.lease_boot_ns = clock.boot_ns(clock.context) + ms * RV_NS_PER_MS;
    return put_control(lsm);
}

int rv_lsm_observe(struct rv_lsm *lsm, bool observe)
{
    lsm->control.observe = observe;
    return put_control(lsm);
}

int rv_lsm_own_fd(const struct rv_lsm *lsm)
{
    return bpf_map__fd(lsm->bpf->maps.own);
}

int rv_lsm_self_protect(struct rv_lsm *lsm, bool on)
{
    /* What is ours does not change any more, so that nobody can change the list. Once: what is
     * frozen answers a second time with EBUSY on 6.1 and with EPERM on 6.12. */
    if (on && !lsm->own_frozen && bpf_map_freeze(rv_lsm_own_fd(lsm)) < 0)
        return -errno;
    lsm->own_frozen |= on;
    lsm->control.self = on;
    return put_control(lsm);
}

uint32_t rv_lsm_disarmed(const struct rv_lsm *lsm)
{
    uint64_t slow = 0;
    uint32_t zero = 0;

    (void)bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.disarmed), &zero, &slow);
    return (uint32_t)slow;
}

int rv_lsm_rearm(struct rv_lsm *lsm)
{
    uint64_t none = 0;
    uint32_t zero = 0;

    return bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.disarmed), &zero, &none, BPF_ANY) < 0
               ? -errno
               : 0;
}
