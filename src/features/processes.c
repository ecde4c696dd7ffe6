/* SPDX-License-Identifier: Apache-2.0 */
/* The process table: slots in one array, found by tgid, linked as a family. */
#include "state.h"

static uint32_t bucket_of(const struct rv_features *features, uint32_t tgid)
{
    return (uint32_t)rv_mix64(tgid) & features->process_mask;
}

struct rv_process_slot *rv_process_find(const struct rv_features *features,
                                        struct rv_process_key key)
{
    uint32_t index = features->process_buckets[bucket_of(features, key.tgid)];

    while (index != 0) {
        struct rv_process_slot *slot = &features->processes[index];

        if (slot->pub.key.tgid == key.tgid && slot->pub.key.start_boot_ns == key.start_boot_ns)
            return slot;
        index = slot->next;
    }
    return NULL;
}

const struct rv_process *rv_features_process(const struct rv_features *features,
                                             struct rv_process_key key)
{
    const struct rv_process_slot *slot = rv_process_find(features, key);

    return slot ? &slot->pub : NULL;
}

const struct rv_process *rv_features_live(const struct rv_features *features, uint32_t tgid)
{
    uint32_t index = features->process_buckets[bucket_of(features, tgid)];

    for (; index != 0; index = features->processes[index].next) {
        const struct rv_process *process = &features->processes[index].pub;

        if (process->key.tgid == tgid && process->state != RV_PROCESS_EXITED)
            return process;
    }
    return NULL;
}

const struct rv_process *rv_features_next(const struct rv_features *features,
                                          const struct rv_process *previous)
{
    uint32_t at = previous ? rv_process_index(features, rv_process_slot_of(features, previous)) : 0;

    for (at++; at < features->process_unused; at++) {
        const struct rv_process *process = &features->processes[at].pub;

        if (process->program && process->state != RV_PROCESS_EXITED)
            return process;
    }
    return NULL;
}

const struct rv_process *rv_process_within_program(const struct rv_process *process,
                                                   struct rv_span path)
{
    for (; process; process = process->parent) {
        if (rv_span_eq(rv_span(process->program->path, process->program->path_len), path))
            return process;
    }
    return NULL;
}

/* ---- Family ---- */

static struct rv_process_slot *parent_of(const struct rv_features *features,
                                         const struct rv_process_slot *slot)
{
    return slot->pub.parent ? rv_process_slot_of(features, slot->pub.parent) : NULL;
}

static void retired_remove(struct rv_features *features, struct rv_process_slot *slot)
{
    uint32_t *from_prev = slot->prev_retired ? &features->processes[slot->prev_retired].next_retired
                                             : &features->retired_first;
    uint32_t *from_next = slot->next_retired ? &features->processes[slot->next_retired].prev_retired
                                             : &features->retired_last;

    if (!slot->retired)
        return;
    *from_prev = slot->next_retired;
    *from_next = slot->prev_retired;
    slot->prev_retired = slot->next_retired = 0;
    slot->retired = false;
    features->retired_count--;
}

static void retired_append(struct rv_features *features, struct rv_process_slot *slot)
{
    uint32_t index = rv_process_index(features, slot);

    slot->retired = true;
    slot->prev_retired = features->retired_last;
    slot->next_retired = 0;
    if (features->retired_last)
        features->processes[features->retired_last].next_retired = index;
    else
        features->retired_first = index;
    features->retired_last = index;
    features->retired_count++;
}

static void leave_parent(struct rv_features *features, struct rv_process_slot *slot)
{
    struct rv_process_slot *parent = parent_of(features, slot);

    if (!parent)
        return;
    if (slot->prev_sibling)
        features->processes[slot->prev_sibling].next_sibling = slot->next_sibling;
    else
        parent->first_child = slot->next_sibling;
    if (slot->next_sibling)
        features->processes[slot->next_sibling].prev_sibling = slot->prev_sibling;
    slot->prev_sibling = slot->next_sibling = 0;
    slot->pub.parent = NULL;
    if (slot->pub.state != RV_PROCESS_EXITED && parent->pub.children > 0)
        parent->pub.children--;
    if (parent->pub.state == RV_PROCESS_EXITED && parent->first_child == 0 && !parent->retired)
        retired_append(features, parent);
}

/* Parents come before children in time, but hostile streams may say otherwise: no loops. */
static bool descends_from(const struct rv_process *process, const struct rv_process *ancestor)
{
    for (; process; process = process->parent) {
        if (process == ancestor)
            return true;
    }
    return false;
}

void rv_process_adopt(struct rv_features *features, struct rv_process_slot *child,
                      struct rv_process_slot *parent)
{
    if (child->pub.parent == &parent->pub || child == parent)
        return;
    if (child->first_child && descends_from(&parent->pub, &child->pub))
        return;
    leave_parent(features, child);
    retired_remove(features, parent);
    child->pub.parent = &parent->pub;
    child->next_sibling = parent->first_child;
    if (parent->first_child)
        features->processes[parent->first_child].prev_sibling = rv_process_index(features, child);
    parent->first_child = rv_process_index(features, child);
    if (child->pub.state != RV_PROCESS_EXITED)
        parent->pub.children++;
}

/* Children of a forgotten process become its parent's, so that the line of ancestors stays. */
static void hand_on_children(struct rv_features *features, struct rv_process_slot *slot)
{
    struct rv_process_slot *parent = parent_of(features, slot);

    while (slot->first_child) {
        struct rv_process_slot *child = &features->processes[slot->first_child];

        leave_parent(features, child);
        if (parent)
            rv_process_adopt(features, child, parent);
    }
}

/* ---- Slots ---- */

void rv_process_set_program(struct rv_features *features, struct rv_process_slot *slot,
                            uint32_t program, uint32_t script)
{
    features->programs[program].refs++;
    features->programs[script].refs++;
    features->programs[slot->program].refs--;
    features->programs[slot->script].refs--;
    slot->program = program;
    slot->script = script;
    slot->pub.program = &features->programs[program].pub;
    slot->pub.script = script ? &features->programs[script].pub : NULL;
}

void rv_process_set_workload(struct rv_features *features, struct rv_process_slot *slot,
                             uint32_t workload)
{
    features->workloads[workload].refs++;
    features->workloads[slot->workload].refs--;
    slot->workload = workload;
    slot->pub.workload = &features->workloads[workload].pub;
}

static void forget(struct rv_features *features, struct rv_process_slot *slot)
{
    uint32_t index = rv_process_index(features, slot);
    uint32_t *at = &features->process_buckets[bucket_of(features, slot->pub.key.tgid)];

    hand_on_children(features, slot);
    retired_remove(features, slot);
    if (slot->pub.state != RV_PROCESS_EXITED) {
        rv_learn_pending(features, slot);
        features->counters.live--;
    }
    leave_parent(features, slot);
    while (*at != index)
        at = &features->processes[*at].next;
    *at = slot->next;
    rv_process_set_program(features, slot, 0, 0);
    rv_process_set_workload(features, slot, 0);
    features->programs[0].refs -= 2;
    features->workloads[0].refs--;
    slot->pub = (struct rv_process){ 0 };
    slot->next = features->process_free;
    features->process_free = index;
    features->counters.processes--;
}

/* No slot is free and none has exited: the hand takes one that has not acted since it last passed.
 */
static void forget_idle(struct rv_features *features, const struct rv_process_slot *pinned)
{
    for (;;) {
        uint32_t index = 1 + features->process_hand++ % features->options.process_max;
        struct rv_process_slot *slot = &features->processes[index];

        if (slot == pinned)
            continue;
        if (slot->spared) {
            slot->spared = false;
            continue;
        }
        forget(features, slot);
        features->counters.processes_forgotten++;
        return;
    }
}

static struct rv_process_slot *oldest_retired(struct rv_features *features,
                                              const struct rv_process_slot *pinned)
{
    uint32_t index = features->retired_first;

    if (index != 0 && &features->processes[index] == pinned)
        index = features->processes[index].next_retired;
    return index ? &features->processes[index] : NULL;
}

static struct rv_process_slot *slot_take(struct rv_features *features,
                                         const struct rv_process_slot *pinned)
{
    uint32_t keep_max = features->options.process_max / 8;
    struct rv_process_slot *retired = oldest_retired(features, pinned);
    struct rv_process_slot *slot;
    bool full =
        features->process_free == 0 && features->process_unused > features->options.process_max;

    if (retired && (full || features->retired_count > keep_max))
        forget(features, retired);
    else if (full)
        forget_idle(features, pinned);
    if (features->process_free == 0)
        return &features->processes[features->process_unused++];
    slot = &features->processes[features->process_free];
    features->process_free = slot->next;
    return slot;
}

struct rv_process_slot *rv_process_add(struct rv_features *features, struct rv_process_key key,
                                       const struct rv_process_slot *pinned)
{
    struct rv_process_slot *slot = slot_take(features, pinned);
    uint32_t *bucket = &features->process_buckets[bucket_of(features, key.tgid)];

    memset(slot, 0, sizeof(*slot));
    slot->pub.key = key;
    slot->pub.program = &features->programs[0].pub;
    slot->pub.workload = &features->workloads[0].pub;
    slot->pub.fork_boot_ns = key.start_boot_ns;
    slot->spared = true;
    slot->next = *bucket;
    *bucket = rv_process_index(features, slot);
    features->programs[0].refs += 2;
    features->workloads[0].refs++;
    features->counters.processes++;
    features->counters.live++;
    return slot;
}

void rv_process_retire(struct rv_features *features, struct rv_process_slot *slot)
{
    struct rv_process_slot *parent = parent_of(features, slot);

    if (slot->pub.state == RV_PROCESS_EXITED)
        return;
    slot->pub.state = RV_PROCESS_EXITED;
    features->counters.live--;
    if (parent && parent->pub.children > 0)
        parent->pub.children--;
    if (slot->first_child == 0)
        retired_append(features, slot);
}

/* ---- Threads ---- */

struct rv_thread *rv_thread_of(struct rv_features *features, struct rv_process_slot *slot,
                               uint32_t tid)
{
    struct rv_thread_slot *set, *oldest;
    uint64_t hash;

    if (tid == slot->pub.key.tgid || tid == 0)
        return &slot->thread;
    hash = rv_mix64(tid ^ slot->pub.key.start_boot_ns);
    set = features->threads + (hash & (features->thread_sets - 1)) * RV_THREAD_WAYS;
    oldest = set;
    for (unsigned i = 0; i < RV_THREAD_WAYS; i++) {
        if (set[i].tid == tid && set[i].process.tgid == slot->pub.key.tgid &&
            set[i].process.start_boot_ns == slot->pub.key.start_boot_ns) {
            set[i].used = (uint32_t)features->counters.events;
            return &set[i].thread;
        }
        if ((int32_t)(set[i].used - oldest->used) < 0)
            oldest = &set[i];
    }
    *oldest = (struct rv_thread_slot){ .process = slot->pub.key,
                                       .tid = tid,
                                       .used = (uint32_t)features->counters.events };
    return &oldest->thread;
}
