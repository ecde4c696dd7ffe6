/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as each kind of data set, and as gzip: no crash, and what was read is consistent. */
#include "features/program.h"
#include "models/labels.h"
#include "models/repeats.h"
#include "models/text.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_sequences(struct rv_span bytes)
{
    struct rv_sequences set = { 0 };
    struct rv_dataset_error error = { 0 };

    if (rv_sequences_parse(&set, bytes, &error) < 0 && !error.message[0])
        abort();
    for (size_t i = 0; i < set.count; i++) {
        if (!set.items[i].id || !set.items[i].program || !set.items[i].recording)
            abort();
    }
    if (rv_sequences_dedup(&set, NULL, NULL) < 0)
        abort();
    rv_sequences_done(&set);
}

/** A row repeats one before it, and the same reading stands there. */
static void check_repeats(const struct rv_series *series, size_t column)
{
    const struct rv_readings readings = { series->value + column, series->columns, series->rows };
    struct rv_repetition seen = { 0 };
    uint32_t *lag = malloc((series->rows + 1) * sizeof(*lag));

    if (!lag || rv_repeats_learn(&readings, &seen) < 0 ||
        rv_repeats_find(&readings, RV_REPEATS_LEAST, lag) < 0)
        abort();
    for (size_t i = 0; i < series->rows; i++) {
        double now = readings.first[i * readings.stride];

        if (lag[i] > i || fabs(now - readings.first[(i - lag[i]) * readings.stride]) > 0)
            abort();
    }
    free(lag);
}

static void check_series(struct rv_span bytes)
{
    struct rv_series_set set = { 0 };
    struct rv_dataset_error error = { 0 };

    if (rv_series_parse(&set, "fuzz", bytes, &error) < 0 && !error.message[0])
        abort();
    for (size_t s = 0; s < set.count; s++) {
        const struct rv_series *series = &set.items[s];

        for (size_t i = 0; i < series->rows * series->columns; i++) {
            if (isinf(series->value[i]))
                abort();
            if (isnan(series->value[i])) /* models fill these from the row before */
                series->value[i] = 0;
        }
        for (size_t column = 0; column < series->columns; column++)
            check_repeats(series, column);
    }
    rv_series_set_done(&set);
}

static void check_lines(struct rv_span bytes)
{
    struct rv_lines set = { 0 };
    struct rv_buf skeleton = { 0 };

    if (rv_lines_parse(&set, bytes, NULL) == 0 && rv_lines_dedup(&set, NULL, NULL) < 0)
        abort();
    for (size_t i = 0; i < set.count; i++)
        rv_text_skeleton(&skeleton, rv_span_str(set.items[i].text));
    rv_buf_done(&skeleton);
    rv_lines_done(&set);
}

static void check_labels(struct rv_span bytes)
{
    struct rv_labels labels = { 0 };
    struct rv_dataset_error error = { 0 };

    if (rv_labels_parse(&labels, bytes, &error) == -EBADMSG && !error.message[0])
        abort();
    for (size_t i = 0; i < labels.count; i++) {
        const struct rv_labelled *item = &labels.items[i];

        if (item->class >= RV_KIND_COUNT_ || item->source >= labels.source_count ||
            item->host >= labels.host_count)
            abort();
    }
    rv_labels_done(&labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_span bytes = rv_span(data, len);
    struct rv_buf inflated = { 0 };

    check_sequences(bytes);
    check_series(bytes);
    check_lines(bytes);
    check_labels(bytes);
    if (rv_gunzip(&inflated, bytes, (size_t)1 << 20) == 0)
        check_lines(rv_buf_span(&inflated));
    rv_buf_done(&inflated);
    return 0;
}
