/* SPDX-License-Identifier: Apache-2.0 */
/* A set of rules becomes the idle table: terms to masks, masks to maps; then the switch. */
#include "cgate/cgate.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/membarrier.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CARRIED_ACTIONS (RV_DO_CONNECT | RV_DO_BIND | RV_DO_SOCKET)

struct address {
    struct rv_cgate_addr_key key;
    uint64_t yes, no;
};

/** What is being built. */
struct build {
    struct rv_cgate *cgate;
    struct rv_cgate_table *table;
    struct rv_lsm_mounts mounts;
    uint8_t index; /* of the idle table */
    uint64_t carried, new_kinds;
    bool new_slots;
    struct address *addresses;
    size_t address_count;
    char **paths;
    struct rv_lsm_program *led_to;
    size_t path_count;
};

static void free_paths(char **paths, size_t count)
{
    for (size_t i = 0; paths && i < count; i++)
        free(paths[i]);
    free(paths);
}

static void build_done(struct build *build)
{
    free(build->table);
    rv_lsm_mounts_free(&build->mounts);
    free(build->addresses);
    free_paths(build->paths, build->path_count);
    free(build->led_to);
}

/* ---- Which rules, how far ---- */

enum carry { CARRY_NONE, CARRY_PART, CARRY_FULL };

/** Connects and sockets of which families does the rule speak of, and are they all seen here? */
static bool families_are_seen(const struct rv_cgate *cgate, const struct rv_rule *rule)
{
    bool named = false, internet = true, placed = false;

    for (uint32_t i = 0; i < rule->term_count; i++) {
        const struct rv_rule_term *term = &rule->terms[i];

        placed |=
            !term->negated && (term->subject == RV_TERM_ADDRESS || term->subject == RV_TERM_PORT);
        if (term->subject != RV_TERM_FAMILY || term->negated)
            continue;
        named = true;
        internet &= term->number == AF_INET || term->number == AF_INET6 ||
                    (term->number == AF_UNIX && cgate->has_unix &&
                     !(rule->actions & (RV_DO_BIND | RV_DO_SOCKET)));
    }
    if (named)
        return internet;
    if (rule->actions & RV_DO_SOCKET)
        return false;
    return placed || (!(rule->actions & RV_DO_BIND) && cgate->has_unix);
}

static enum carry carry(const struct rv_cgate *cgate, const struct rv_rule *rule)
{
    if (!(rule->actions & CARRIED_ACTIONS))
        return CARRY_NONE;
    for (uint32_t i = 0; i < rule->term_count; i++)
        switch (rule->terms[i].subject) {
        case RV_TERM_FLAG: /* facts of other actions: none is ever true here */
            if (rule->terms[i].negated)
                break;
            return CARRY_NONE;
        case RV_TERM_FILE:
        case RV_TERM_FOLDER:
        case RV_TERM_FILE_NAME:
        case RV_TERM_FILE_KIND:
            return CARRY_NONE;
        default:
            break;
        }
    return families_are_seen(cgate, rule) ? CARRY_FULL : CARRY_PART;
}

/* ---- Terms to masks ---- */

static int add_masks(int map, const void *key, struct rv_cgate_masks add)
{
    struct rv_cgate_masks masks = { 0 };

    (void)bpf_map_lookup_elem(map, key, &masks);
    masks.yes |= add.yes;
    masks.no |= add.no;
    if (bpf_map_update_elem(map, key, &masks, BPF_ANY) == 0)
        return 0;
    return errno == E2BIG ? -ENOSPC : -errno;
}

static int add_number(const struct build *build, uint8_t subject, uint64_t number,
                      struct rv_cgate_masks masks)
{
    struct rv_cgate_key key = { .id = number, .subject = subject, .table = build->index };

    return add_masks(build->cgate->maps.values, &key, masks);
}

/** Both ways of finding a program; the same value for each. */
static void keys_of(const struct rv_lsm_program *program, struct rv_cgate_key keys[2])
{
    keys[0] = (struct rv_cgate_key){ .id = program->inode, .dev = program->dev };
    keys[1] = (struct rv_cgate_key){ .id = program->place, .dev = program->dev, .is_place = 1 };
}

static int add_program(const struct build *build, const struct rv_lsm_program *program,
                       struct rv_cgate_masks masks)
{
    struct rv_cgate_key keys[2];
    int r = 0;

    keys_of(program, keys);
    for (size_t i = 0; r == 0 && i < RV_COUNT(keys); i++) {
        keys[i].subject = RV_TERM_PROGRAM;
        keys[i].table = build->index;
        if (keys[i].id)
            r = add_masks(build->cgate->maps.values, &keys[i], masks);
    }
    return r;
}

static bool same_program(const struct rv_lsm_program *a, const struct rv_lsm_program *b)
{
    return a->inode == b->inode && a->place == b->place && a->dev == b->dev;
}

/** The program's bit in rv_cgate_ran.slots; one that no set names any more is used again. */
static int take_slot(struct build *build, const struct rv_lsm_program *program,
                     struct rv_cgate_slot **ret_slot)
{
    struct rv_cgate_slot *slots = build->cgate->slots, *free_one = NULL;
    const struct rv_cgate_maps *maps = &build->cgate->maps;
    struct rv_cgate_key keys[2];
    uint32_t number;

    for (size_t i = 0; i < RV_CGATE_SLOTS; i++) {
        if (slots[i].used && same_program(&slots[i].program, program)) {
            *ret_slot = &slots[i];
            return 0;
        }
        if (!slots[i].of_set[0] && !slots[i].of_set[1] &&
            (!free_one || (free_one->used && !slots[i].used)))
            free_one = &slots[i];
    }
    if (!free_one)
        return -ENOSPC;
    number = (uint32_t)(free_one - slots);
    if (free_one->used) {
        keys_of(&free_one->program, keys);
        (void)bpf_map_delete_elem(maps->slots, &keys[0]);
        (void)bpf_map_delete_elem(maps->slots, &keys[1]);
        build->cgate->control->forget_slots |= UINT64_C(1) << number;
    }
    *free_one = (struct rv_cgate_slot){ .program = *program, .used = true };
    build->new_slots = true;
    keys_of(program, keys);
    for (size_t i = 0; i < RV_COUNT(keys); i++)
        if (keys[i].id && bpf_map_update_elem(maps->slots, &keys[i], &number, BPF_ANY) < 0)
            return errno == E2BIG ? -ENOSPC : -errno;
    *ret_slot = free_one;
    return 0;
}

static int add_lineage(struct build *build, const struct rv_lsm_program *program,
                       struct rv_cgate_masks masks)
{
    struct rv_cgate_slot *slot = NULL;
    int r = take_slot(build, program, &slot);

    if (r < 0)
        return r;
    slot->of_set[build->index] = true;
    build->table->lineage[slot - build->cgate->slots].yes |= masks.yes;
    build->table->lineage[slot - build->cgate->slots].no |= masks.no;
    return 0;
}

/** "ADDRESS[/BITS]" as a key; IPv4 becomes IPv4-mapped. */
static int parse_address(const char *text, uint8_t table, struct rv_cgate_addr_key *ret_key)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct rv_cgate_addr_key key = { .table = table };
    char host[INET6_ADDRSTRLEN];
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
    if (bits > bits_max || (slash && (slash[1] < '0' || slash[1] > '9' || *end)))
        return -EINVAL;
    bits += 128 - bits_max;
    if (bits >= 96 && memcmp(key.addr, mapped, sizeof(mapped)) == 0)
        key.table |= RV_CGATE_IPV4;
    key.prefix_bits = (uint32_t)(32 + bits);
    *ret_key = key;
    return 0;
}

static int add_address(struct build *build, const char *text, struct rv_cgate_masks masks)
{
    struct address *grown =
        reallocarray(build->addresses, build->address_count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    build->addresses = grown;
    grown[build->address_count] = (struct address){ .yes = masks.yes, .no = masks.no };
    return parse_address(text, build->index, &grown[build->address_count++].key);
}

static bool inside(const struct rv_cgate_addr_key *narrow, const struct rv_cgate_addr_key *wide)
{
    uint32_t bits = wide->prefix_bits - 32;

    if (narrow->table != wide->table || narrow->prefix_bits < wide->prefix_bits ||
        memcmp(narrow->addr, wide->addr, bits / 8) != 0)
        return false;
    return bits % 8 == 0 ||
           ((narrow->addr[bits / 8] ^ wide->addr[bits / 8]) >> (8 - bits % 8)) == 0;
}

/** The index yields only the longest prefix: a narrow key carries the rules of the wider ones. */
static int put_addresses(const struct build *build)
{
    int map = build->cgate->maps.addrs;

    for (size_t i = 0; i < build->address_count; i++) {
        struct rv_cgate_masks masks = { 0 };

        for (size_t k = 0; k < build->address_count; k++)
            if (inside(&build->addresses[i].key, &build->addresses[k].key)) {
                masks.yes |= build->addresses[k].yes;
                masks.no |= build->addresses[k].no;
            }
        if (bpf_map_update_elem(map, &build->addresses[i].key, &masks, BPF_ANY) < 0)
            return errno == ENOSPC || errno == E2BIG ? -ENOSPC : -errno;
    }
    return 0;
}

/** Resolve a path and remember what it led to. */
static int resolve(struct build *build, const char *path, struct rv_lsm_program *ret_program)
{
    size_t n = build->path_count;
    char **paths = reallocarray(build->paths, n + 1, sizeof(*paths));
    struct rv_lsm_program *led_to;
    int r;

    if (!paths)
        return -ENOMEM;
    build->paths = paths;
    led_to = reallocarray(build->led_to, n + 1, sizeof(*led_to));
    if (!led_to)
        return -ENOMEM;
    build->led_to = led_to;
    led_to[n] = (struct rv_lsm_program){ 0 };
    r = rv_lsm_identify(&build->mounts, build->cgate->seed, path, &led_to[n]);
    if (r < 0 && r != -ENOENT)
        return r;
    paths[n] = strdup(path);
    if (!paths[n])
        return -ENOMEM;
    build->path_count++;
    *ret_program = led_to[n];
    return 0;
}

static int add_term(struct build *build, const struct rv_rule_term *term, uint64_t bit)
{
    struct rv_cgate_masks masks = { .yes = term->negated ? 0 : bit, .no = term->negated ? bit : 0 };
    struct rv_lsm_program program;
    int r;

    build->table->asks[term->subject] |= bit;
    if (!term->negated)
        build->table->any[term->subject] &= ~bit;
    switch (term->subject) {
    case RV_TERM_PROGRAM:
    case RV_TERM_LINEAGE:
        r = resolve(build, term->text, &program);
        if (r < 0)
            return r;
        if (!term->negated && !program.place && !program.inode)
            build->carried &= ~bit;
        return term->subject == RV_TERM_PROGRAM ? add_program(build, &program, masks)
                                                : add_lineage(build, &program, masks);
    case RV_TERM_PROGRAM_NAME:
        return add_number(build, term->subject, rv_lsm_hash_name(build->cgate->seed, term->text),
                          masks);
    case RV_TERM_ADDRESS:
        return add_address(build, term->text, masks);
    case RV_TERM_LINEAGE_KIND:
        if (term->number >= RV_CGATE_KINDS)
            return -EINVAL;
        build->new_kinds |= UINT64_C(1) << term->number;
        build->table->lineage_kind[term->number].yes |= masks.yes;
        build->table->lineage_kind[term->number].no |= masks.no;
        return 0;
    case RV_TERM_FLAG:
        return 0;
    default:
        return add_number(build, term->subject, term->number, masks);
    }
}

static int add_rule(struct build *build, const struct rv_rule *rule, size_t at)
{
    const uint64_t bit = UINT64_C(1) << at;
    struct rv_cgate_table *table = build->table;
    enum carry how;
    int r = 0;

    if (rv_rule_check(rule))
        return -EINVAL;
    how = carry(build->cgate, rule);
    if (how == CARRY_NONE)
        return 0;
    if (how == CARRY_FULL)
        build->carried |= bit;
    for (unsigned action = 0; action < RV_DO_COUNT_; action++)
        if (rule->actions & CARRIED_ACTIONS & (1U << action))
            table->action[action] |= bit;
    for (unsigned subject = 0; subject < RV_TERM_SUBJECTS_; subject++)
        table->any[subject] |= bit;
    for (unsigned risk = rule->risk_min; risk <= rule->risk_max; risk++)
        table->risk[risk] |= bit;
    table->asks[0] |= rule->risk_min > 0 || rule->risk_max < 1000 ? bit : 0;
    table->enforce |= rule->mode == RV_RULE_ENFORCE ? bit : 0;
    table->closed |= rule->lapse == RV_LAPSE_CLOSED ? bit : 0;
    table->budgeted |= rule->budgeted ? bit : 0;
    table->held |= rule->held ? bit : 0;
    table->policy[at] = rule->policy;
    for (uint32_t i = 0; r == 0 && i < rule->term_count; i++)
        r = add_term(build, &rule->terms[i], bit);
    return r;
}

/* ---- The idle table ---- */

/** Remove what belongs to the idle table; `offset` is where in the key its number is. */
static void clear_map(int map, size_t key_size, size_t offset, uint8_t table, uint8_t mask)
{
    uint8_t key[64], next[64];
    int r = bpf_map_get_next_key(map, NULL, next);

    while (r == 0) {
        memcpy(key, next, key_size);
        r = bpf_map_get_next_key(map, key, next);
        if ((key[offset] & mask) == table)
            (void)bpf_map_delete_elem(map, key);
    }
}

static int clear_idle(struct build *build)
{
    const struct rv_cgate_maps *maps = &build->cgate->maps;
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) struct rv_rule_counts *none = NULL;

    if (cpus <= 0)
        return -EINVAL;
    none = calloc((size_t)cpus, sizeof(*none));
    if (!none)
        return -ENOMEM;
    /* Whoever still decides by the idle table began before the last swap: wait for them. */
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    clear_map(maps->values, sizeof(struct rv_cgate_key), offsetof(struct rv_cgate_key, table),
              build->index, 0xff);
    clear_map(maps->addrs, sizeof(struct rv_cgate_addr_key),
              offsetof(struct rv_cgate_addr_key, table), build->index, RV_CGATE_IPV4 - 1);
    for (size_t i = 0; i < RV_CGATE_SLOTS; i++)
        build->cgate->slots[i].of_set[build->index] = false;
    for (uint32_t i = 0; i < RV_RULES_MAX; i++) {
        uint32_t key = build->index * RV_RULES_MAX + i;

        if (bpf_map_update_elem(maps->counts, &key, none, BPF_ANY) < 0)
            return -errno;
    }
    return 0;
}

/** What the set asks of lineage must be known before it decides. */
static int learn_lineage(struct build *build)
{
    struct rv_cgate_control *control = build->cgate->control;
    bool new_kinds = (build->new_kinds & ~control->lineage_kinds) ||
                     (build->new_kinds && build->cgate->new_programs);
    int r;

    if (!build->new_slots && !new_kinds && !control->overflow)
        return 0;
    __atomic_fetch_or(&control->lineage_kinds, build->new_kinds, __ATOMIC_SEQ_CST);
    __atomic_store_n(&control->overflow, 0, __ATOMIC_SEQ_CST);
    r = rv_cgate_seed(build->cgate);
    /* A child born while the first went round may have begun with what was to be forgotten. */
    if (r == 0 && control->forget_slots)
        r = rv_cgate_seed(build->cgate);
    if (r < 0)
        return r;
    __atomic_store_n(&control->forget_slots, 0, __ATOMIC_SEQ_CST);
    build->cgate->new_programs = false;
    return 0;
}

static void switch_over(struct build *build, const struct rv_rule_settings *settings)
{
    struct rv_cgate *cgate = build->cgate;

    __atomic_store_n(&cgate->control->latency_budget_ns, settings->latency_budget_ns,
                     __ATOMIC_SEQ_CST);
    __atomic_store_n(&cgate->control->active, build->index, __ATOMIC_SEQ_CST);
    free_paths(cgate->paths, cgate->path_count);
    free(cgate->led_to);
    cgate->paths = RV_TAKE(build->paths);
    cgate->led_to = RV_TAKE(build->led_to);
    cgate->path_count = build->path_count;
    build->path_count = 0;
}

int rv_cgate_swap(struct rv_cgate *cgate, const struct rv_rule *rules, size_t count,
                  const struct rv_rule_settings *settings, uint64_t *ret_carried,
                  size_t *reterr_rule)
{
    RV_AUTO(build_done)
    struct build build = { .cgate = cgate, .index = (uint8_t)!cgate->control->active };
    uint32_t key = build.index;
    size_t at = 0;
    int r;

    *reterr_rule = 0;
    if (count > RV_RULES_MAX)
        return -ENOSPC;
    build.table = calloc(1, sizeof(*build.table));
    if (!build.table)
        return -ENOMEM;
    build.table->budget = settings->budget;
    build.table->digest = settings->digest;
    r = rv_lsm_mounts_read(&build.mounts);
    if (r == 0)
        r = clear_idle(&build);
    for (; r == 0 && at < count; at++) {
        *reterr_rule = at;
        r = add_rule(&build, &rules[at], at);
    }
    if (r == 0)
        r = put_addresses(&build);
    if (r == 0)
        r = learn_lineage(&build);
    if (r == 0 && bpf_map_update_elem(cgate->maps.tables, &key, build.table, BPF_ANY) < 0)
        r = -errno;
    if (r < 0)
        return r;
    switch_over(&build, settings);
    *ret_carried = build.carried;
    return 0;
}

bool rv_cgate_stale(const struct rv_cgate *cgate)
{
    RV_AUTO(rv_lsm_mounts_free) struct rv_lsm_mounts mounts = { 0 };

    if (rv_lsm_mounts_read(&mounts) < 0)
        return false;
    for (size_t i = 0; i < cgate->path_count; i++) {
        struct rv_lsm_program now = { 0 };
        int r = rv_lsm_identify(&mounts, cgate->seed, cgate->paths[i], &now);

        if ((r == 0 || r == -ENOENT) && !same_program(&now, &cgate->led_to[i]))
            return true;
    }
    return false;
}
