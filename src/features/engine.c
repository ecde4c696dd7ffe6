/* SPDX-License-Identifier: Apache-2.0 */
/* Making and ending the engine, what verdicts say back, and the counters. */
#include "state.h"

#define ARENA_BYTES_PER_NAME 160U
#define MEMORY_MAX_DEFAULT   ((size_t)48 * 1024 * 1024)

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t n = 1;

    while (n < at_least)
        n *= 2;
    return n;
}

static struct rv_features_options with_defaults(const struct rv_features_options *options)
{
    struct rv_features_options all = *options;

    if (all.process_max == 0)
        all.process_max = 16384;
    if (all.thread_max == 0)
        all.thread_max = 8192;
    if (all.program_max == 0)
        all.program_max = 4096;
    if (all.workload_max == 0)
        all.workload_max = 1024;
    if (all.edge_max == 0)
        all.edge_max = 131072;
    if (all.memory_max == 0)
        all.memory_max = MEMORY_MAX_DEFAULT;
    /* Below these the tables cannot hold even one event's process, parent and child. */
    all.process_max = (uint32_t)rv_max_u64(all.process_max, 16);
    all.program_max = (uint32_t)rv_max_u64(all.program_max, 16);
    all.workload_max = (uint32_t)rv_max_u64(all.workload_max, 16);
    return all;
}

static size_t memory_needed(const struct rv_features_options *options)
{
    size_t bytes = sizeof(struct rv_features);

    bytes += ((size_t)options->process_max + 1) * sizeof(struct rv_process_slot);
    bytes += (size_t)power_of_two(options->process_max) * sizeof(uint32_t);
    bytes += (size_t)power_of_two(options->thread_max) * sizeof(struct rv_thread_slot);
    bytes += ((size_t)options->program_max + 1) * sizeof(struct rv_program_slot);
    bytes += (size_t)power_of_two(options->program_max) * sizeof(uint32_t);
    bytes += ((size_t)options->workload_max + 1) * sizeof(struct rv_workload_slot);
    bytes += (size_t)power_of_two(options->workload_max) * sizeof(uint32_t);
    bytes += (size_t)power_of_two(options->edge_max) * sizeof(uint64_t);
    bytes += ((size_t)options->program_max + options->workload_max) * ARENA_BYTES_PER_NAME;
    return bytes;
}

static int take_memory(struct rv_features *features)
{
    const struct rv_features_options *options = &features->options;
    size_t names = (size_t)options->program_max + options->workload_max;
    uint32_t process_buckets = power_of_two(options->process_max);
    uint32_t program_buckets = power_of_two(options->program_max);
    uint32_t workload_buckets = power_of_two(options->workload_max);
    uint32_t threads = (uint32_t)rv_max_u64(power_of_two(options->thread_max), RV_THREAD_WAYS);
    int r;

    features->process_mask = process_buckets - 1;
    features->program_mask = program_buckets - 1;
    features->workload_mask = workload_buckets - 1;
    features->thread_sets = threads / RV_THREAD_WAYS;
    features->processes = calloc((size_t)options->process_max + 1, sizeof(*features->processes));
    features->process_buckets = calloc(process_buckets, sizeof(uint32_t));
    features->threads = calloc(threads, sizeof(*features->threads));
    features->programs = calloc((size_t)options->program_max + 1, sizeof(*features->programs));
    features->program_buckets = calloc(program_buckets, sizeof(uint32_t));
    features->workloads = calloc((size_t)options->workload_max + 1, sizeof(*features->workloads));
    features->workload_buckets = calloc(workload_buckets, sizeof(uint32_t));
    if (!features->processes || !features->process_buckets || !features->threads ||
        !features->programs || !features->program_buckets || !features->workloads ||
        !features->workload_buckets)
        return -ENOMEM;
    r = rv_names_arena_init(&features->arena, names * ARENA_BYTES_PER_NAME);
    if (r < 0)
        return r;
    return rv_edges_init(&features->edges, options->edge_max);
}

int rv_features_new(struct rv_features **ret_features, const struct rv_features_options *options)
{
    RV_AUTO(rv_features_free) struct rv_features *features = NULL;
    struct rv_features_options all = with_defaults(options);
    size_t memory;
    int r;

    if (all.process_max > 1U << 22 || all.thread_max > 1U << 22 || all.program_max > 1U << 20 ||
        all.workload_max > 1U << 20 || all.edge_max > 1U << 26)
        return -E2BIG;
    memory = memory_needed(&all);
    if (memory > all.memory_max)
        return -E2BIG;
    features = calloc(1, sizeof(*features));
    if (!features)
        return -ENOMEM;
    features->options = all;
    features->memory = memory;
    r = take_memory(features);
    if (r < 0)
        return r;
    features->process_unused = features->program_unused = features->workload_unused = 1;
    features->programs[0].pub.path = "";
    features->workloads[0].pub.path = features->workloads[0].pub.name = "";
    rv_usual_prior(&features->programs[0]);
    rv_exts_init(&features->exts);
    *ret_features = RV_TAKE(features);
    return 0;
}

void rv_features_set_clock(struct rv_features *features, int64_t unix_offset_ns)
{
    features->options.unix_offset_ns = unix_offset_ns;
}

void rv_features_free(struct rv_features **features)
{
    struct rv_features *old = *features;

    *features = NULL;
    if (!old)
        return;
    free(old->processes);
    free(old->process_buckets);
    free(old->threads);
    free(old->programs);
    free(old->program_buckets);
    free(old->workloads);
    free(old->workload_buckets);
    rv_names_arena_done(&old->arena);
    rv_edges_done(&old->edges);
    free(old);
}

size_t rv_features_memory(const struct rv_features *features)
{
    return features->memory;
}

struct rv_features_counters rv_features_counters(const struct rv_features *features)
{
    struct rv_features_counters counters = features->counters;

    counters.edges = features->edges.used;
    counters.edges_forgotten = features->edges.forgotten;
    return counters;
}

void rv_features_note_risk(struct rv_features *features, const struct rv_process *process,
                           uint32_t risk)
{
    struct rv_process_slot *slot = rv_process_slot_of(features, process);

    slot->pub.risk_max = (uint32_t)rv_max_u64(slot->pub.risk_max, rv_min_u64(risk, 1000));
}

/* The next of a process and its descendants in depth-first order, or NULL. What a service manager
 * started is not followed. */
static struct rv_process_slot *next_below(const struct rv_features *features,
                                          const struct rv_process_slot *top,
                                          const struct rv_process_slot *at)
{
    if (at->first_child && !rv_process_starts_everything(&at->pub))
        return &features->processes[at->first_child];
    while (at != top && !at->next_sibling)
        at = rv_process_slot_of(features, at->pub.parent);
    return at == top ? NULL : &features->processes[at->next_sibling];
}

void rv_features_taint(struct rv_features *features, const struct rv_process *process)
{
    struct rv_process_slot *top = rv_process_slot_of(features, process);

    for (struct rv_process_slot *at = top; at; at = next_below(features, top, at)) {
        at->pub.tainted = true;
        rv_learn_drop(features, at);
    }
}

void rv_features_untaint(struct rv_features *features, const struct rv_process *process)
{
    struct rv_process_slot *top = rv_process_slot_of(features, process);

    for (struct rv_process_slot *at = top; at; at = next_below(features, top, at))
        at->pub.tainted = false;
}

void rv_features_gone(struct rv_features *features, const struct rv_process *process)
{
    struct rv_process_slot *slot = rv_process_slot_of(features, process);

    rv_learn_pending(features, slot);
    rv_process_retire(features, slot);
}
