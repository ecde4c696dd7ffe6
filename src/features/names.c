/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and workloads by path, each kept once. Full: the clock hand takes one without processes.
 */
#include "hash.h"
#include "state.h"

#define HAND_STEPS 4096U /* how far the hand looks before it gives up */

/* ---- Programs ---- */

static void program_unlink(struct rv_features *features, uint32_t index)
{
    struct rv_program_slot *slot = &features->programs[index];
    uint32_t *at = &features->program_buckets[slot->pub.hash & features->program_mask];

    while (*at != index)
        at = &features->programs[*at].next;
    *at = slot->next;
}

static bool program_forget_one(struct rv_features *features)
{
    uint32_t steps = (uint32_t)rv_min_u64(HAND_STEPS, 2 * (uint64_t)features->options.program_max);

    for (; steps > 0; steps--) {
        uint32_t index = 1 + features->program_hand++ % features->options.program_max;
        struct rv_program_slot *slot = &features->programs[index];

        if (slot->refs > 0 || index >= features->program_unused || slot->pub.hash == 0)
            continue;
        if (slot->touched) {
            slot->touched = 0;
            continue;
        }
        program_unlink(features, index);
        rv_names_arena_drop(&slot->pub.path);
        *slot = (struct rv_program_slot){ .next = features->program_free };
        features->program_free = index;
        features->counters.programs--;
        features->counters.programs_forgotten++;
        return true;
    }
    return false;
}

static uint32_t program_slot_take(struct rv_features *features)
{
    uint32_t index;

    if (features->program_free == 0 && features->program_unused > features->options.program_max &&
        !program_forget_one(features))
        return 0;
    if (features->program_free != 0) {
        index = features->program_free;
        features->program_free = features->programs[index].next;
    } else {
        index = features->program_unused++;
    }
    features->counters.programs++;
    return index;
}

static uint32_t program_find(const struct rv_features *features, uint64_t hash)
{
    uint32_t index = features->program_buckets[hash & features->program_mask];

    while (index != 0 && features->programs[index].pub.hash != hash)
        index = features->programs[index].next;
    return index;
}

static uint32_t program_make(struct rv_features *features, uint64_t hash)
{
    uint32_t index = program_slot_take(features);
    struct rv_program_slot *slot = &features->programs[index];

    if (index == 0)
        return 0;
    *slot = (struct rv_program_slot){ .pub.hash = hash };
    slot->next = features->program_buckets[hash & features->program_mask];
    features->program_buckets[hash & features->program_mask] = index;
    return index;
}

/* Give a remembered program its path. */
static bool program_name(struct rv_features *features, struct rv_program_slot *slot,
                         struct rv_span path)
{
    slot->refs++; /* not to be forgotten to make its own room */
    while (rv_names_arena_add(&features->arena, path, &slot->pub.path) < 0) {
        if (!program_forget_one(features)) {
            slot->refs--;
            return false;
        }
    }
    slot->refs--;
    slot->pub.path_len = (uint32_t)path.len;
    slot->pub.kind = rv_program_kind(path);
    slot->pub.path_class = rv_path_class(path);
    if (slot->observed == 0)
        rv_usual_prior(slot);
    return true;
}

uint32_t rv_program_intern(struct rv_features *features, struct rv_span path)
{
    uint64_t hash;
    uint32_t index;

    if (path.len == 0)
        return 0;
    hash = rv_name_hash(path);
    hash += hash == 0; /* 0 is the unknown one */
    index = program_find(features, hash);
    if (index == 0)
        index = program_make(features, hash);
    if (index == 0)
        return 0;
    features->programs[index].touched = 1;
    if (!features->programs[index].pub.path &&
        !program_name(features, &features->programs[index], path)) {
        /* No room for the name: it stays remembered by hash alone, if it was. */
        return 0;
    }
    return index;
}

struct rv_program_slot *rv_program_remember(struct rv_features *features, uint64_t hash)
{
    uint32_t index = program_find(features, hash);

    if (hash == 0)
        return NULL;
    if (index == 0)
        index = program_make(features, hash);
    return index ? &features->programs[index] : NULL;
}

/* ---- Workloads ---- */

static bool workload_forget_one(struct rv_features *features)
{
    uint32_t steps = (uint32_t)rv_min_u64(HAND_STEPS, 2 * (uint64_t)features->options.workload_max);

    for (; steps > 0; steps--) {
        uint32_t index = 1 + features->workload_hand++ % features->options.workload_max;
        struct rv_workload_slot *slot = &features->workloads[index];
        uint32_t *at;

        if (slot->refs > 0 || index >= features->workload_unused || !slot->pub.path)
            continue;
        if (slot->touched) {
            slot->touched = 0;
            continue;
        }
        at = &features->workload_buckets[slot->hash & features->workload_mask];
        while (*at != index)
            at = &features->workloads[*at].next;
        *at = slot->next;
        rv_names_arena_drop(&slot->pub.path);
        slot->hash = 0;
        slot->next = features->workload_free;
        features->workload_free = index;
        features->counters.workloads--;
        features->counters.workloads_forgotten++;
        return true;
    }
    return false;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* 64 hex digits in a row are a container id with every runtime that we know. */
static const uint8_t *container_id(struct rv_span path)
{
    size_t run = 0;

    for (size_t i = 0; i < path.len; i++) {
        run = is_hex(path.data[i]) ? run + 1 : 0;
        if (run == 64)
            return path.data + i - 63;
    }
    return NULL;
}

static bool holds(struct rv_span path, const char *part)
{
    return memmem(path.data, path.len, part, strlen(part)) != NULL;
}

static void workload_describe(struct rv_workload_slot *slot, struct rv_span path)
{
    const uint8_t *id = container_id(path);
    const uint8_t *slash = memrchr(path.data, '/', path.len);
    struct rv_span last = path;

    if (slash)
        last = rv_span(slash + 1, path.len - (size_t)(slash + 1 - path.data));
    if (id)
        last = rv_span(id, 12);
    else if (last.len == 0)
        last = rv_span_str("/");
    last.len = rv_min_u64(last.len, sizeof(slot->name) - 1);
    memcpy(slot->name, last.data, last.len);
    slot->name[last.len] = '\0';
    slot->pub.name = slot->name;
    slot->pub.container = id || holds(path, "/lxc") || holds(path, "/docker/") ||
                          holds(path, "kubepods") || holds(path, "machine-") ||
                          holds(path, "libpod-");
}

uint32_t rv_workload_by_id(const struct rv_features *features, uint64_t cgroup_id)
{
    if (cgroup_id == 0)
        return 0;
    for (uint32_t i = 1; i < features->workload_unused; i++) {
        if (features->workloads[i].pub.path && features->workloads[i].pub.cgroup_id == cgroup_id)
            return i;
    }
    return 0;
}

uint32_t rv_workload_intern(struct rv_features *features, struct rv_span path, uint64_t cgroup_id)
{
    uint64_t hash;
    uint32_t *bucket, index;
    struct rv_workload_slot *slot;

    if (path.len == 0)
        return rv_workload_by_id(features, cgroup_id);
    hash = rv_name_hash(path);
    bucket = &features->workload_buckets[hash & features->workload_mask];
    for (index = *bucket; index != 0; index = features->workloads[index].next) {
        if (features->workloads[index].hash != hash)
            continue;
        features->workloads[index].touched = 1;
        if (cgroup_id != 0 && features->workloads[index].pub.cgroup_id != cgroup_id) {
            features->workloads[index].pub.cgroup_id = cgroup_id; /* the name is used again */
            features->counters.workloads_met++;
        }
        return index;
    }
    if (features->workload_free == 0 &&
        features->workload_unused > features->options.workload_max &&
        !workload_forget_one(features))
        return 0;
    index = features->workload_free ? features->workload_free : features->workload_unused++;
    slot = &features->workloads[index];
    if (features->workload_free)
        features->workload_free = slot->next;
    *slot = (struct rv_workload_slot){ .hash = hash, .pub.cgroup_id = cgroup_id, .touched = 1 };
    if (rv_names_arena_add(&features->arena, path, &slot->pub.path) < 0) {
        slot->next = features->workload_free;
        features->workload_free = index;
        return 0;
    }
    workload_describe(slot, path);
    slot->next = *bucket;
    *bucket = index;
    features->counters.workloads++;
    features->counters.workloads_met++;
    return index;
}

size_t rv_features_cgroups(const struct rv_features *features, const char *name, uint64_t *ids,
                           size_t max)
{
    size_t count = 0;

    for (uint32_t i = 1; i < features->workload_unused && count < max; i++) {
        const struct rv_workload *workload = &features->workloads[i].pub;

        if (workload->path && workload->cgroup_id != 0 && rv_streq(workload->name, name))
            ids[count++] = workload->cgroup_id;
    }
    return count;
}
