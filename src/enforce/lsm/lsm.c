/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF LSM provider's user half: rules to masks, tables to maps. */
#include "enforce/lsm.h"

#include "base/clock.h"
#include "base/fd.h"

#include "wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#pragma GCC diagnostic push /* bpftool's code, not ours */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "lsm.skel.h"
#pragma GCC diagnostic pop

struct rv_lsm {
    struct rv_lsm_bpf *bpf;
    struct ring_buffer *ring;
    struct rv_lsm_control control; /* ours; `disarmed` is the kernel's */
    int (*put)(void *context, const struct rv_lsm_record *record);
    void *put_context;
};

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

static void choose_programs(struct rv_lsm_bpf *bpf, const struct btf *btf)
{
    struct bpf_program *program;
    bool idmap = hook_arguments(btf, "inode_setattr") == 3;

    bpf_object__for_each_program(program, bpf->obj)
    {
        const char *section = bpf_program__section_name(program);

        if (hook_arguments(btf, section + strlen("lsm/")) == 0)
            (void)bpf_program__set_autoload(program, false);
    }
    (void)bpf_program__set_autoload(idmap ? bpf->progs.rv_setattr : bpf->progs.rv_setattr_idmap,
                                    false);
}

static int on_record(void *context, void *data, size_t len)
{
    struct rv_lsm *lsm = context;

    return len < sizeof(struct rv_lsm_record) ? -EBADMSG : lsm->put(lsm->put_context, data);
}

int rv_lsm_open(struct rv_lsm **ret_lsm)
{
    RV_AUTO(rv_lsm_close) struct rv_lsm *lsm = NULL;
    struct btf *btf;
    int r;

    if (!bpf_is_active())
        return -EOPNOTSUPP;
    lsm = calloc(1, sizeof(*lsm));
    if (!lsm)
        return -ENOMEM;
    btf = btf__load_vmlinux_btf();
    if (!btf)
        return -EOPNOTSUPP;
    lsm->bpf = rv_lsm_bpf__open();
    if (!lsm->bpf) {
        btf__free(btf);
        return -errno;
    }
    choose_programs(lsm->bpf, btf);
    btf__free(btf);
    r = rv_lsm_bpf__load(lsm->bpf);
    if (r == 0)
        r = rv_lsm_bpf__attach(lsm->bpf);
    if (r < 0)
        return r;
    lsm->ring = ring_buffer__new(bpf_map__fd(lsm->bpf->maps.verdicts), on_record, lsm, NULL);
    if (!lsm->ring)
        return -errno;
    *ret_lsm = RV_TAKE(lsm);
    return 0;
}

void rv_lsm_close(struct rv_lsm **lsm)
{
    if (!*lsm)
        return;
    ring_buffer__free((*lsm)->ring);
    rv_lsm_bpf__destroy((*lsm)->bpf);
    free(*lsm);
    *lsm = NULL;
}

/* ---- Rules to masks ---- */

/** OR a rule into an index. */
static int add_mask(const struct bpf_map *map, const void *key, uint64_t rule)
{
    uint64_t mask = 0;

    (void)bpf_map_lookup_elem(bpf_map__fd(map), key, &mask);
    mask |= rule;
    return bpf_map_update_elem(bpf_map__fd(map), key, &mask, BPF_ANY) < 0
               ? (errno == E2BIG ? -ENOSPC : -errno)
               : 0;
}

static int add_path(const struct bpf_map *map, const char *path, uint32_t table, uint64_t rule,
                    bool *ret_folder)
{
    struct rv_lsm_file_key key = { .table = table };
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    key.inode = st.st_ino;
    key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
    if (ret_folder)
        *ret_folder = S_ISDIR(st.st_mode);
    return add_mask(map, &key, rule);
}

static int add_id(const struct bpf_map *map, uint64_t id, uint32_t table, uint64_t rule)
{
    struct rv_lsm_id_key key = { .id = id, .table = table };

    return add_mask(map, &key, rule);
}

/** "ADDRESS[/BITS]" as a key; IPv4 becomes IPv4-mapped. */
static int parse_address(const char *text, struct rv_lsm_addr_key *ret_key)
{
    struct rv_lsm_addr_key key = { 0 };
    char host[64];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    unsigned long bits, bits_max;
    char *end = NULL;

    if (len >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, key.addr + 12) == 1) {
        key.addr[10] = key.addr[11] = 0xff;
        bits_max = 32;
    } else if (inet_pton(AF_INET6, host, key.addr) == 1) {
        bits_max = 128;
    } else {
        return -EINVAL;
    }
    bits = slash ? strtoul(slash + 1, &end, 10) : bits_max;
    if (bits > bits_max || (slash && (end == slash + 1 || *end)))
        return -EINVAL;
    key.prefix_bits = (uint32_t)(32 + bits + (128 - bits_max));
    *ret_key = key;
    return 0;
}

/**
 * An address index yields only its longest prefix, so a narrow key must carry the rules of the
 * wider ones: add each rule to every key that lies inside its own, and start from the wider ones.
 */
static bool inside(const struct rv_lsm_addr_key *narrow, const struct rv_lsm_addr_key *wide)
{
    uint32_t bits = wide->prefix_bits - 32;

    if (narrow->prefix_bits < wide->prefix_bits || memcmp(narrow->addr, wide->addr, bits / 8) != 0)
        return false;
    return bits % 8 == 0 ||
           ((narrow->addr[bits / 8] ^ wide->addr[bits / 8]) >> (8 - bits % 8)) == 0;
}

static int add_addresses(struct rv_lsm *lsm, const struct rv_lsm_rule *rules, size_t count,
                         uint32_t table, size_t *reterr_rule)
{
    struct rv_lsm_addr_key keys[RV_LSM_RULES];
    int r;

    for (size_t i = 0; i < count; i++) {
        *reterr_rule = i;
        if (!rules[i].address)
            continue;
        r = parse_address(rules[i].address, &keys[i]);
        if (r < 0)
            return r;
        keys[i].table = table;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; rules[i].address && k < count; k++) {
            if (!rules[k].address || !inside(&keys[i], &keys[k]))
                continue;
            r = add_mask(lsm->bpf->maps.addrs, &keys[i], UINT64_C(1) << k);
            if (r < 0)
                return r;
        }
    return 0;
}

/** What the rule does not ask is satisfied by everything. */
static void add_any(struct rv_lsm_table *table, const struct rv_lsm_rule *rule, uint64_t bit)
{
    for (unsigned action = 0; action < RV_LSM_ACTIONS_; action++)
        if (rule->actions & (1U << action))
            table->action[action] |= bit;
    table->any_program |= rule->program ? 0 : bit;
    table->any_uid |= rule->uid ? 0 : bit;
    table->any_cgroup |= rule->cgroup_id ? 0 : bit;
    table->any_resource |= rule->resource || rule->guarded_target ? 0 : bit;
    table->any_addr |= rule->address ? 0 : bit;
    table->any_port |= rule->port ? 0 : bit;
    table->guarded |= rule->guarded_target ? bit : 0;
    table->enforce |= rule->mode == RV_RULE_ENFORCE ? bit : 0;
    table->closed |= rule->lapse == RV_LAPSE_CLOSED ? bit : 0;
    table->budgeted |= rule->budgeted ? bit : 0;
    for (unsigned step = 0; step < RV_LSM_RISK_STEPS; step++)
        if (step * 100 >= rule->risk_min)
            table->risk[step] |= bit;
}

static int add_rule(struct rv_lsm *lsm, struct rv_lsm_table *table, const struct rv_lsm_rule *rule,
                    uint32_t index, uint64_t bit)
{
    bool folder = false;
    int r = 0;

    if (!rule->actions || rule->actions >> RV_LSM_ACTIONS_ || rule->risk_min > 1000)
        return -EINVAL;
    add_any(table, rule, bit);
    if (rule->program)
        r = add_path(lsm->bpf->maps.programs, rule->program, index, bit, NULL);
    if (r == 0 && rule->resource)
        r = add_path(lsm->bpf->maps.files, rule->resource, index, bit, &folder);
    if (r == 0 && rule->uid)
        r = add_id(lsm->bpf->maps.uids, *rule->uid, index, bit);
    if (r == 0 && rule->cgroup_id)
        r = add_id(lsm->bpf->maps.cgroups, rule->cgroup_id, index, bit);
    if (r == 0 && rule->port)
        r = add_id(lsm->bpf->maps.ports, rule->port, index, bit);
    if (folder) {
        table->folder |= bit;
        table->too_deep |= bit; /* hiding deep in folders must not pay */
    }
    return r;
}

/** Remove a table's keys. `table` stands at `offset` in the key. */
static void clear_index(const struct bpf_map *map, uint32_t table, size_t offset)
{
    uint8_t key[64], next[64];
    uint32_t owner;
    int fd = bpf_map__fd(map);
    int r = bpf_map_get_next_key(fd, NULL, next);

    while (r == 0) {
        memcpy(key, next, bpf_map__key_size(map));
        r = bpf_map_get_next_key(fd, key, next);
        memcpy(&owner, key + offset, sizeof(owner));
        if (owner == table)
            (void)bpf_map_delete_elem(fd, key);
    }
}

static void clear_table(struct rv_lsm *lsm, uint32_t table)
{
    clear_index(lsm->bpf->maps.files, table, offsetof(struct rv_lsm_file_key, table));
    clear_index(lsm->bpf->maps.programs, table, offsetof(struct rv_lsm_file_key, table));
    clear_index(lsm->bpf->maps.uids, table, offsetof(struct rv_lsm_id_key, table));
    clear_index(lsm->bpf->maps.cgroups, table, offsetof(struct rv_lsm_id_key, table));
    clear_index(lsm->bpf->maps.ports, table, offsetof(struct rv_lsm_id_key, table));
    clear_index(lsm->bpf->maps.addrs, table, offsetof(struct rv_lsm_addr_key, table));
}

static int put_control(struct rv_lsm *lsm)
{
    struct rv_lsm_control now;
    uint32_t zero = 0;
    int fd = bpf_map__fd(lsm->bpf->maps.control);

    if (bpf_map_lookup_elem(fd, &zero, &now) < 0)
        return -errno;
    lsm->control.disarmed = now.disarmed;
    return bpf_map_update_elem(fd, &zero, &lsm->control, BPF_ANY) < 0 ? -errno : 0;
}

int rv_lsm_swap(struct rv_lsm *lsm, const struct rv_lsm_rule *rules, size_t count,
                const struct rv_lsm_settings *settings, size_t *reterr_rule)
{
    struct rv_lsm_table table = { .budget = settings->budget };
    uint32_t idle = !lsm->control.active;
    size_t at = 0;
    int r = 0;

    if (count > RV_LSM_RULES)
        return -ENOSPC;
    /* Whoever still decides by the idle table began before the last swap: wait for them. */
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    clear_table(lsm, idle);
    memcpy(&table.digest, settings->bundle.bytes, sizeof(table.digest));
    for (; r == 0 && at < count; at++)
        r = add_rule(lsm, &table, &rules[at], idle, UINT64_C(1) << at);
    if (r < 0)
        at--;
    else
        r = add_addresses(lsm, rules, count, idle, &at);
    if (r == 0 &&
        bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.tables), &idle, &table, BPF_ANY) < 0)
        r = -errno;
    if (r < 0) {
        *reterr_rule = at;
        return r;
    }
    lsm->control.active = idle;
    lsm->control.latency_budget_ns = settings->latency_budget_ns;
    return put_control(lsm);
}

/* ---- Lease, stop, risk ---- */

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

uint64_t rv_lsm_disarmed(const struct rv_lsm *lsm)
{
    struct rv_lsm_control now = { 0 };
    uint32_t zero = 0;

    (void)bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.control), &zero, &now);
    return now.disarmed;
}

int rv_lsm_rearm(struct rv_lsm *lsm)
{
    uint32_t zero = 0;

    lsm->control.disarmed = 0;
    return bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.control), &zero, &lsm->control, BPF_ANY) <
                   0
               ? -errno
               : 0;
}

static int change_task(struct rv_lsm *lsm, int pidfd, const uint32_t *risk, bool guarded)
{
    struct rv_lsm_task task = { 0 };
    int fd = bpf_map__fd(lsm->bpf->maps.tasks);

    (void)bpf_map_lookup_elem(fd, &pidfd, &task);
    if (risk)
        task.risk = *risk;
    task.guarded |= guarded;
    return bpf_map_update_elem(fd, &pidfd, &task, BPF_ANY) < 0 ? -errno : 0;
}

int rv_lsm_set_risk(struct rv_lsm *lsm, int pidfd, uint32_t risk)
{
    return risk > 1000 ? -EINVAL : change_task(lsm, pidfd, &risk, false);
}

int rv_lsm_guard(struct rv_lsm *lsm, int pidfd)
{
    return change_task(lsm, pidfd, NULL, true);
}

/* ---- What happened ---- */

int rv_lsm_rule_counts(const struct rv_lsm *lsm, size_t index,
                       struct rv_lsm_rule_counts *ret_counts)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) struct rv_lsm_counts *each = NULL;
    uint32_t key = (uint32_t)index;

    if (index >= RV_LSM_RULES || cpus <= 0)
        return -EINVAL;
    each = calloc((size_t)cpus, sizeof(*each));
    if (!each)
        return -ENOMEM;
    if (bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.counts), &key, each) < 0)
        return -errno;
    *ret_counts = (struct rv_lsm_rule_counts){ 0 };
    for (int i = 0; i < cpus; i++) {
        ret_counts->matched += each[i].matched;
        ret_counts->denied += each[i].denied;
        ret_counts->shadow += each[i].shadow;
        ret_counts->lapsed += each[i].lapsed;
        ret_counts->over_budget += each[i].over_budget;
        ret_counts->observed += each[i].observed;
    }
    return 0;
}

uint64_t rv_lsm_lost(const struct rv_lsm *lsm)
{
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) uint64_t *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;
    uint64_t sum = 0;
    uint32_t zero = 0;

    if (!each || bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.lost), &zero, each) < 0)
        return 0;
    for (int i = 0; i < cpus; i++)
        sum += each[i];
    return sum;
}

int rv_lsm_drain(struct rv_lsm *lsm, int (*put)(void *context, const struct rv_lsm_record *record),
                 void *context)
{
    lsm->put = put;
    lsm->put_context = context;
    return ring_buffer__consume(lsm->ring);
}
