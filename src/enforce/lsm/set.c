/* SPDX-License-Identifier: Apache-2.0 */
/* Rules to masks: each term adds its rule to the pair of masks that its value leads to. */
#include "set.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

#pragma GCC diagnostic push /* bpftool's code, not ours */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "lsm.skel.h"
#pragma GCC diagnostic pop

/** Which group and index a subject belongs to. Place 0: it is not looked for by place. */
static const struct {
    uint8_t group, index, place;
} subjects[RV_TERM_SUBJECTS_] = {
    [RV_TERM_PROGRAM] = { RV_LSM_G_PROGRAM, RV_LSM_I_PROGRAM, RV_LSM_I_PROGRAM_PLACE },
    [RV_TERM_PROGRAM_NAME] = { RV_LSM_G_PROGRAM_NAME, RV_LSM_I_PROGRAM_NAME, 0 },
    [RV_TERM_KIND] = { RV_LSM_G_KIND, RV_LSM_I_KIND, 0 },
    [RV_TERM_LINEAGE] = { RV_LSM_G_LINEAGE, RV_LSM_I_LINEAGE, RV_LSM_I_LINEAGE_PLACE },
    [RV_TERM_LINEAGE_KIND] = { RV_LSM_G_LINEAGE_KIND, RV_LSM_I_LINEAGE_KIND, 0 },
    [RV_TERM_UID] = { RV_LSM_G_UID, RV_LSM_I_UID, 0 },
    [RV_TERM_EUID] = { RV_LSM_G_EUID, RV_LSM_I_EUID, 0 },
    [RV_TERM_GID] = { RV_LSM_G_GID, RV_LSM_I_GID, 0 },
    [RV_TERM_WORKLOAD] = { RV_LSM_G_WORKLOAD, RV_LSM_I_WORKLOAD, 0 },
    [RV_TERM_FILE] = { RV_LSM_G_FILE, RV_LSM_I_FILE, RV_LSM_I_FILE_PLACE },
    [RV_TERM_FOLDER] = { RV_LSM_G_FILE, RV_LSM_I_FOLDER, 0 },
    [RV_TERM_FILE_NAME] = { RV_LSM_G_FILE_NAME, RV_LSM_I_FILE_NAME, 0 },
    [RV_TERM_FILE_KIND] = { RV_LSM_G_FILE_KIND, RV_LSM_I_FILE_KIND, 0 },
    [RV_TERM_ADDRESS] = { RV_LSM_G_ADDRESS, 0, 0 },
    [RV_TERM_PORT] = { RV_LSM_G_PORT, RV_LSM_I_PORT, 0 },
    [RV_TERM_FAMILY] = { RV_LSM_G_FAMILY, RV_LSM_I_FAMILY, 0 },
    [RV_TERM_PROTOCOL] = { RV_LSM_G_PROTOCOL, RV_LSM_I_PROTOCOL, 0 },
    [RV_TERM_FLAG] = { RV_LSM_G_FLAG, 0, 0 },
};

/** An address of a rule; all of them are added at the end. */
struct address {
    struct rv_lsm_addr_key key;
    struct rv_lsm_pair pair;
    size_t rule;
};

struct compile {
    const struct rv_lsm_compiler *by;
    struct rv_lsm_set *set;
    struct address *addresses;
    size_t address_count, address_room;
};

static struct rv_lsm_pair pair_of(const struct rv_rule_term *term, uint64_t bit)
{
    return term->negated ? (struct rv_lsm_pair){ .negated = bit }
                         : (struct rv_lsm_pair){ .affirmed = bit };
}

static int add_pair(const struct bpf_map *map, const void *key, struct rv_lsm_pair pair)
{
    struct rv_lsm_pair sum = { 0 };
    int fd = bpf_map__fd(map);

    (void)bpf_map_lookup_elem(fd, key, &sum);
    sum.affirmed |= pair.affirmed;
    sum.negated |= pair.negated;
    if (bpf_map_update_elem(fd, key, &sum, BPF_ANY) < 0)
        return errno == E2BIG ? -ENOSPC : -errno;
    return 0;
}

static int add_term(struct compile *c, uint8_t index, uint64_t id, uint32_t dev,
                    struct rv_lsm_pair pair)
{
    struct rv_lsm_key key = { .id = id, .dev = dev, .index = index, .table = (uint8_t)c->by->idle };

    return add_pair(c->by->bpf->maps.terms, &key, pair);
}

/** Room for one more of an array that doubles. */
static int grow(void *array_of_pointer, size_t count, size_t *room, size_t size)
{
    void *old, *grown;
    size_t wanted = *room ? *room * 2 : 32;

    if (count < *room)
        return 0;
    memcpy(&old, array_of_pointer, sizeof(old));
    grown = reallocarray(old, wanted, size);
    if (!grown)
        return -ENOMEM;
    memcpy(array_of_pointer, &grown, sizeof(grown));
    *room = wanted;
    return 0;
}

static int watch_path(struct rv_lsm_set *set, const char *path,
                      const struct rv_lsm_program *identity)
{
    int r = grow(&set->paths, set->path_count, &set->path_room, sizeof(*set->paths));

    if (r < 0)
        return r;
    set->paths[set->path_count].identity = *identity;
    (void)snprintf(set->paths[set->path_count].path, RV_RULE_TEXT_MAX, "%s", path);
    set->path_count++;
    return 0;
}

static int add_path(struct compile *c, const struct rv_rule_term *term, uint64_t bit)
{
    uint8_t index = subjects[term->subject].index, place = subjects[term->subject].place;
    struct rv_lsm_program identity = { 0 };
    int r = rv_lsm_identify(&c->by->mounts, c->by->seed, term->text, &identity);

    if (r < 0 && r != -ENOENT && r != -ENOTDIR)
        return r;
    r = watch_path(c->set, term->text, &identity);
    if (r == 0 && identity.inode)
        r = add_term(c, index, identity.inode, identity.dev, pair_of(term, bit));
    if (r == 0 && place && identity.place)
        r = add_term(c, place, identity.place, identity.dev, pair_of(term, bit));
    if (!term->negated && !identity.inode && !(place && identity.place))
        c->set->carried &= ~bit;
    return r;
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
        key.table = RV_LSM_IPV4;
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

static int note_address(struct compile *c, const struct rv_rule_term *term, size_t rule)
{
    struct address *address;
    int r = grow(&c->addresses, c->address_count, &c->address_room, sizeof(*c->addresses));

    if (r < 0)
        return r;
    address = &c->addresses[c->address_count];
    r = parse_address(term->text, &address->key);
    if (r < 0)
        return r;
    address->key.table |= c->by->idle;
    address->pair = pair_of(term, UINT64_C(1) << rule);
    address->rule = rule;
    c->address_count++;
    return 0;
}

/**
 * An address index yields only its longest prefix, so a narrow key must carry the rules of the
 * wider ones: add each rule to every key that lies inside its own.
 */
static bool inside(const struct rv_lsm_addr_key *narrow, const struct rv_lsm_addr_key *wide)
{
    uint32_t bits = wide->prefix_bits - 32;

    if (narrow->table != wide->table || narrow->prefix_bits < wide->prefix_bits ||
        memcmp(narrow->addr, wide->addr, bits / 8) != 0)
        return false;
    return bits % 8 == 0 ||
           ((narrow->addr[bits / 8] ^ wide->addr[bits / 8]) >> (8 - bits % 8)) == 0;
}

static int add_addresses(struct compile *c, size_t *reterr_rule)
{
    for (size_t i = 0; i < c->address_count; i++) {
        struct rv_lsm_pair sum = { 0 };
        int r;

        for (size_t k = 0; k < c->address_count; k++)
            if (inside(&c->addresses[i].key, &c->addresses[k].key)) {
                sum.affirmed |= c->addresses[k].pair.affirmed;
                sum.negated |= c->addresses[k].pair.negated;
            }
        r = add_pair(c->by->bpf->maps.addrs, &c->addresses[i].key, sum);
        if (r < 0) {
            *reterr_rule = c->addresses[i].rule;
            return r;
        }
    }
    return 0;
}

static int add_one(struct compile *c, const struct rv_rule_term *term, size_t rule)
{
    struct rv_lsm_table *table = &c->set->table;
    uint64_t bit = UINT64_C(1) << rule;
    uint32_t group = subjects[term->subject].group;

    switch (term->subject) {
    case RV_TERM_PROGRAM:
    case RV_TERM_LINEAGE:
        return add_path(c, term, bit);
    case RV_TERM_FILE:
        table->file |= bit;
        return add_path(c, term, bit);
    case RV_TERM_FOLDER:
        table->folder |= bit;
        table->folder_yes |= term->negated ? 0 : bit;
        return add_path(c, term, bit);
    case RV_TERM_PROGRAM_NAME:
    case RV_TERM_FILE_NAME:
        return add_term(c, subjects[term->subject].index, rv_lsm_hash_name(c->by->seed, term->text),
                        0, pair_of(term, bit));
    case RV_TERM_ADDRESS:
        return note_address(c, term, rule);
    case RV_TERM_FLAG:
        group += (uint32_t)term->number;
        table->flag[term->number].affirmed |= term->negated ? 0 : bit;
        table->flag[term->number].negated |= term->negated ? bit : 0;
        table->asks[group] |= bit;
        table->any[group] &= term->negated ? UINT64_MAX : ~bit;
        return 0;
    default:
        return add_term(c, subjects[term->subject].index, term->number, 0, pair_of(term, bit));
    }
}

/** Can all that the rule asks be told where it asks it? */
static bool is_carried(const struct rv_lsm_compiler *compiler, const struct rv_rule *rule)
{
    if (rule->actions & compiler->missing)
        return false;
    for (uint32_t i = 0; i < rule->term_count;
         i++) /* the peer is not known before it is accepted */
        if ((rule->actions & RV_DO_ACCEPT) &&
            (rule->terms[i].subject == RV_TERM_ADDRESS || rule->terms[i].subject == RV_TERM_PORT))
            return false;
    return true;
}

static int add_rule(struct compile *c, const struct rv_rule *rule, size_t index)
{
    struct rv_lsm_table *table = &c->set->table;
    uint64_t bit = UINT64_C(1) << index;
    int r = 0;

    if (rv_rule_check(rule))
        return -EINVAL;
    for (unsigned action = 0; action < RV_DO_COUNT_; action++)
        table->action[action] |= rule->actions & (1U << action) ? bit : 0;
    for (unsigned risk = rule->risk_min; risk <= rule->risk_max; risk++)
        table->risk[risk] |= bit;
    table->enforce |= rule->mode == RV_RULE_ENFORCE ? bit : 0;
    table->closed |= rule->lapse == RV_LAPSE_CLOSED ? bit : 0;
    table->budgeted |= rule->budgeted ? bit : 0;
    table->held |= rule->held ? bit : 0;
    table->policy[index] = rule->policy;
    c->set->carried |= is_carried(c->by, rule) ? bit : 0;
    for (uint32_t i = 0; r == 0 && i < rule->term_count; i++) {
        const struct rv_rule_term *term = &rule->terms[i];
        uint8_t group = subjects[term->subject].group;

        if (term->subject != RV_TERM_FLAG) {
            table->asks[group] |= bit;
            table->any[group] &= term->negated ? UINT64_MAX : ~bit;
        }
        r = add_one(c, term, index);
    }
    return r;
}

int rv_lsm_compile(const struct rv_lsm_compiler *compiler, const struct rv_rule *rules,
                   size_t count, struct rv_lsm_set *ret_set, size_t *reterr_rule)
{
    struct compile c = { .by = compiler, .set = ret_set };
    int r = 0;

    for (size_t group = 0; group < RV_LSM_GROUPS_; group++)
        ret_set->table.any[group] = UINT64_MAX;
    for (size_t i = 0; r == 0 && i < count; i++) {
        *reterr_rule = i;
        r = add_rule(&c, &rules[i], i);
    }
    if (r == 0)
        r = add_addresses(&c, reterr_rule);
    free(c.addresses);
    return r;
}

void rv_lsm_set_free(struct rv_lsm_set *set)
{
    free(set->paths);
    set->paths = NULL;
    set->path_count = set->path_room = 0;
}
