/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a stream of events into a tiny engine: nothing crashes, tables keep their bounds,
 * every vector is within the ranges that the table states, reasons sum up and can be said.
 * Input: events back to back, each with its own size in its header (cut to what is there).
 */
#include "features/features.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/words.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define PROCESS_MAX 16U

static void check_family(const struct rv_process *process)
{
    unsigned depth = 0;

    for (const struct rv_process *at = process; at; at = at->parent) {
        CHECK(at->program && at->workload && at->program->path && at->workload->path);
        CHECK(strlen(at->program->path) == at->program->path_len || at->program->path_len > 0);
        CHECK(++depth <= PROCESS_MAX);
    }
}

static void check_verdict(struct rv_features *features, const struct rv_model *model,
                          const struct rv_process *process)
{
    struct rv_vector vector, usual;
    struct rv_verdict verdict;
    struct rv_words_input input = { process, &vector, &usual, verdict.attribution_q16 };
    struct rv_buf words = { 0 };
    int64_t sum;

    rv_features_vector(features, process, &vector);
    rv_features_usual(features, process, &usual);
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        CHECK(vector.value[i] >= 0 && vector.value[i] <= rv_feature_info(i)->max);
    rv_model_judge(model, &vector, RV_EXPLAIN, &verdict);
    sum = verdict.base_q16;
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        sum += verdict.attribution_q16[i];
    CHECK(sum == verdict.raw_q16);
    rv_words_reasons(&words, &input, 5);
    CHECK(words.len > 0);
    for (size_t i = 0; i < words.len; i++)
        CHECK(words.data[i] >= ' ' && words.data[i] <= '~');
    rv_buf_done(&words);
}

static void put(struct rv_features *features, const struct rv_model *model,
                const struct rv_event *event)
{
    struct rv_features_change change;
    struct rv_features_counters counters;

    rv_features_update(features, event, &change);
    counters = rv_features_counters(features);
    CHECK(counters.processes <= PROCESS_MAX && counters.live <= counters.processes);
    CHECK(counters.programs <= 16 && counters.workloads <= 16);
    if (change.child)
        check_family(change.child);
    if (!change.process)
        return;
    check_family(change.process);
    check_verdict(features, model, change.process);
    if (event->tid % 16 == 3)
        rv_features_taint(features, change.process);
    if (event->tid % 16 == 5)
        rv_features_untaint(features, change.process);
    if (event->tid % 16 == 7)
        rv_features_gone(features, change.process);
}

static void check_live(struct rv_features *features)
{
    uint32_t live = 0;

    for (const struct rv_process *at = NULL; (at = rv_features_next(features, at)); live++)
        check_family(at);
    CHECK(live == rv_features_counters(features).live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct rv_features_options options = { .process_max = PROCESS_MAX,
                                                        .thread_max = 8,
                                                        .program_max = 16,
                                                        .workload_max = 16,
                                                        .edge_max = 64 };
    static uint64_t aligned[RV_EVENT_SIZE_MAX / 8];
    struct rv_features *features = NULL;
    struct rv_model *model = NULL;
    struct rv_buf saved = { 0 };

    CHECK(rv_features_new(&features, &options) == 0 && rv_baseline_new(&model) == 0);
    for (size_t at = 0; len - at >= sizeof(struct rv_event);) {
        const struct rv_event *event;
        uint32_t size;

        memcpy(&size, data + at, sizeof(size));
        size = (uint32_t)rv_min_u64(rv_min_u64(size, sizeof(aligned)), len - at) & ~7U;
        size = (uint32_t)rv_max_u64(size, 8);
        memcpy(aligned, data + at, rv_min_u64(size, len - at));
        if (rv_event_check(rv_span(aligned, size), &event, NULL) == 0)
            put(features, model, event);
        at += size;
    }
    check_live(features);
    rv_features_save(features, &saved);
    CHECK(!saved.failed && rv_features_load(features, rv_buf_span(&saved), NULL) == 0);
    rv_buf_done(&saved);
    rv_features_free(&features);
    rv_model_free(&model);
    return 0;
}
