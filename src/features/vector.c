/* SPDX-License-Identifier: Apache-2.0 */
/* From the state of a process to its 96 integers. */
#include "state.h"

#define SERVER_GENERATIONS 8

static int32_t cap(uint64_t value, enum rv_feature feature)
{
    return (int32_t)rv_min_u64(value, (uint64_t)rv_feature_info(feature)->max);
}

static int32_t seconds_since(uint64_t then_ns, uint64_t now_ns)
{
    return (int32_t)rv_min_u64(now_ns > then_ns ? (now_ns - then_ns) / RV_NS_PER_S : 0, INT32_MAX);
}

static int32_t uid_class(uint32_t uid)
{
    if (uid == 0)
        return 0;
    if (uid < 1000)
        return 1;
    return uid < 60000 ? 2 : 3;
}

static void fill_program(const struct rv_features *features, const struct rv_process_slot *slot,
                         int32_t *value)
{
    const struct rv_program_slot *subject =
        &features->programs[slot->script ? slot->script : slot->program];
    const struct rv_identity *identity = &slot->identity;
    const struct rv_process *pub = &slot->pub;
    uint32_t now_s = rv_features_unix_s(features);

    if (subject->first_seen_s != 0 && now_s > subject->first_seen_s)
        value[RV_FEATURE_EXE_AGE] = cap(now_s - subject->first_seen_s, RV_FEATURE_EXE_AGE);
    value[RV_FEATURE_EXE_RUNS] = cap(identity->runs_q4, RV_FEATURE_EXE_RUNS);
    value[RV_FEATURE_EXE_PATH_CLASS] =
        (int32_t)rv_max_u64(pub->program->path_class, subject->pub.path_class);
    value[RV_FEATURE_EXE_FILE_AGE] = identity->file_age;
    value[RV_FEATURE_EXE_OWNER_ROOT] = slot->program != 0 && pub->file_uid == 0;
    value[RV_FEATURE_EXE_WRITABLE] = (pub->file_mode & 022) != 0;
    value[RV_FEATURE_EXE_FILELESS] =
        (pub->exec_flags & (RV_EXEC_F_MEMFD | RV_EXEC_F_DELETED)) != 0 ||
        pub->program->path_class == RV_PATH_MEMORY;
    value[RV_FEATURE_PARENT_CONNECTS] = identity->parent_connects;
    value[RV_FEATURE_EXE_PRELOAD] = (pub->exec_flags & RV_EXEC_F_PRELOAD) != 0;
    value[RV_FEATURE_EXE_KIND] = (int32_t)pub->program->kind;
    value[RV_FEATURE_EXE_HIDDEN] = identity->hidden;
    value[RV_FEATURE_ARGV_LEN] = identity->argv_len;
    value[RV_FEATURE_ARGV_ENTROPY] = identity->argv_entropy;
    value[RV_FEATURE_ARGV_META] = identity->argv_meta;
    value[RV_FEATURE_ARGV_B64_RUN] = identity->argv_b64_run;
    value[RV_FEATURE_ARGV_NET] = identity->argv_net;
    value[RV_FEATURE_ARGV_RARITY] = identity->argv_rarity;
}

/* Walks up to where somebody else's word begins: a login, or what starts services. */
static void fill_from_above(const struct rv_process_slot *slot, int32_t *value)
{
    uint32_t risk = slot->ancestry.risk;
    const struct rv_process *above = slot->pub.parent;

    for (int i = 0; above && i < SERVER_GENERATIONS; i++, above = above->parent) {
        enum rv_program_kind kind = above->program->kind;

        if (rv_process_starts_everything(above))
            break;
        if (above->risk_max > risk)
            risk = above->risk_max;
        if (kind == RV_KIND_LOGIN)
            break;
        if (above->serves_network || kind == RV_KIND_SERVER) {
            value[RV_FEATURE_ANC_SERVER] = SERVER_GENERATIONS - i;
            break;
        }
    }
    value[RV_FEATURE_ANC_RISK] = cap(risk, RV_FEATURE_ANC_RISK);
}

static void fill_descent(const struct rv_process_slot *slot, uint64_t now_ns, int32_t *value)
{
    const struct rv_process *pub = &slot->pub;
    uint64_t exec_ns = pub->exec_boot_ns ? pub->exec_boot_ns : pub->fork_boot_ns;

    value[RV_FEATURE_ANC_PACKAGE] = slot->ancestry.package;
    value[RV_FEATURE_DEPTH] = slot->ancestry.depth;
    value[RV_FEATURE_PARENT_RARITY] = slot->identity.parent_rarity;
    value[RV_FEATURE_GRANDPARENT_RARITY] = slot->identity.grandparent_rarity;
    value[RV_FEATURE_PARENT_KIND] = slot->identity.parent_kind;
    value[RV_FEATURE_ANC_INTERPRETERS] = slot->ancestry.interpreters;
    value[RV_FEATURE_ANC_SCRATCH] = slot->ancestry.scratch > 0;
    value[RV_FEATURE_SINCE_FORK] = seconds_since(pub->fork_boot_ns, now_ns);
    value[RV_FEATURE_SINCE_EXEC] = seconds_since(exec_ns, now_ns);
    value[RV_FEATURE_TTY] = pub->tty != 0;
    value[RV_FEATURE_SESSION_REMOTE] = pub->remote_session;
    value[RV_FEATURE_UID_CLASS] = uid_class(pub->uid);
    value[RV_FEATURE_EUID_DIFFERS] = pub->euid != pub->uid;
    value[RV_FEATURE_CAPS_GAINED] = (int32_t)rv_core_popcount(slot->gained_caps);
    value[RV_FEATURE_NAMESPACES] = (int32_t)rv_core_popcount(slot->namespaces);
    value[RV_FEATURE_CONTAINER] = pub->workload->container;
    fill_from_above(slot, value);
}

static void fill_tally(const struct rv_process_slot *slot, int32_t *value)
{
    const struct rv_tally *tally = &slot->tally;

    value[RV_FEATURE_NEW_NET] = tally->new_net;
    value[RV_FEATURE_NEW_PORT] = tally->new_port;
    value[RV_FEATURE_NEW_DIR] = tally->new_dir;
    value[RV_FEATURE_NEW_CHILD] = tally->new_child;
    value[RV_FEATURE_NEW_ACTION] = tally->new_action;
    value[RV_FEATURE_FOREIGN_WRITES] = tally->foreign_writes;
    value[RV_FEATURE_REPLACED] = tally->replaced;
    value[RV_FEATURE_EXT_CHANGES] = tally->ext_changes;
    value[RV_FEATURE_STRANGE_EXT] = tally->strange_ext;
    value[RV_FEATURE_PERSIST_WRITES] = tally->persist_writes;
    value[RV_FEATURE_LOG_WIPES] = tally->log_wipes;
    value[RV_FEATURE_RANDOM_WRITES] = tally->random_writes;
    value[RV_FEATURE_EDGE_RARITY] = tally->edge_rarity_q4;
}

/* What is measured against the usual, and by how much it is too much. */
static const struct {
    enum rv_feature measured, excess;
} measures[RV_USUAL_COUNT_] = {
    [RV_USUAL_FILES] = { RV_FEATURE_FILES, RV_FEATURE_EXCESS_FILES },
    [RV_USUAL_WRITES] = { RV_FEATURE_WRITES_SLOW, RV_FEATURE_EXCESS_WRITES },
    [RV_USUAL_REMOVALS] = { RV_FEATURE_REMOVALS_SLOW, RV_FEATURE_EXCESS_REMOVALS },
    [RV_USUAL_SPAWNS] = { RV_FEATURE_SPAWNS_SLOW, RV_FEATURE_EXCESS_SPAWNS },
    [RV_USUAL_CONNECTS] = { RV_FEATURE_CONNECTS_SLOW, RV_FEATURE_EXCESS_CONNECTS },
};

static void fill_excess(const struct rv_features *features, const struct rv_process_slot *slot,
                        int32_t *value)
{
    const struct rv_program_slot *subject =
        &features->programs[slot->script ? slot->script : slot->program];

    for (size_t i = 0; i < RV_COUNT(measures); i++) {
        uint32_t now_q8 = rv_core_log2_q8((uint64_t)value[measures[i].measured] + 1);
        uint32_t high_q8 = subject->usual[i].high_q8;

        if (now_q8 > high_q8)
            value[measures[i].excess] = cap((now_q8 - high_q8) >> 4, measures[i].excess);
    }
}

/* Monday 1970-01-05 was day 4 of Unix time. */
static int32_t hour_of_week(uint32_t unix_s)
{
    return (int32_t)((unix_s / 3600 + (7 - 4) * 24) % 168);
}

void rv_features_vector(const struct rv_features *features, const struct rv_process *process,
                        struct rv_vector *ret_vector)
{
    const struct rv_process_slot *slot = rv_process_slot_of(features, process);
    int32_t *value = ret_vector->value;

    memset(ret_vector, 0, sizeof(*ret_vector));
    fill_program(features, slot, value);
    fill_descent(slot, features->now_ns, value);
    rv_core_fill(&slot->core, features->now_ns, value);
    fill_tally(slot, value);
    fill_excess(features, slot, value);
    value[RV_FEATURE_HOUR_OF_WEEK] = hour_of_week(rv_features_unix_s(features));
}

/* 2^(x/256) - 1, rounded to nearest: the other way from rv_core_log2_q8(1 + n). */
static int32_t from_log2_q8(uint32_t x)
{
    uint64_t low = 1, high = (uint64_t)1 << 31;

    while (low < high) {
        uint64_t middle = (low + high) / 2;

        if (rv_core_log2_q8(middle) < x)
            low = middle + 1;
        else
            high = middle;
    }
    return (int32_t)rv_min_u64(low - 1, INT32_MAX);
}

void rv_features_usual(const struct rv_features *features, const struct rv_process *process,
                       struct rv_vector *ret_usual)
{
    const struct rv_process_slot *slot = rv_process_slot_of(features, process);
    const struct rv_program_slot *subject =
        &features->programs[slot->script ? slot->script : slot->program];

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        ret_usual->value[i] = -1;
    if (subject->observed == 0)
        return;
    for (size_t i = 0; i < RV_COUNT(measures); i++)
        ret_usual->value[measures[i].measured] = from_log2_q8(subject->usual[i].mean_q8);
}
