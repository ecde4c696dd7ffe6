/* SPDX-License-Identifier: Apache-2.0 */
/* The card that people read. */
#include "models/card.h"

#include "models/forest_model.h"

#include <inttypes.h>

#define CURVE_POINTS_MAX 64
#define CURVE_WIDTH      50

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* 860000 ppm as "86.00 %". */
static void add_percent(struct rv_buf *buf, int64_t ppm)
{
    rv_buf_addf(buf, "%s%" PRId64 ".%02" PRId64 " %%", ppm < 0 ? "-" : "", labs(ppm) / 10000,
                labs(ppm) / 100 % 100);
}

static void add_heading(struct rv_buf *buf, const char *heading)
{
    rv_buf_addf(buf, "\n%s\n", heading);
}

static void add_head(const struct rv_package *package, struct rv_buf *buf)
{
    const json_t *manifest = rv_package_manifest(package);
    struct rv_sha256 digest = rv_package_digest(package);
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&digest, hex);
    rv_buf_addf(buf, "%s %s  (%s)\n", text_of(manifest, "name"), text_of(manifest, "version"),
                text_of(manifest, "kind"));
    rv_buf_addf(buf, "  digest         sha256:%s\n", hex);
    rv_buf_addf(buf, "  signature      %s\n",
                rv_package_signature(package).len ? "present, not checked here" : "none");
    rv_buf_addf(buf, "  feature table  %s\n", text_of(manifest, "feature_table"));
    rv_buf_addf(buf, "  made by        reeve %s, seed %" PRId64 "\n",
                text_of(manifest, "code_version"), number_of(manifest, "seed"));
}

static void add_forest(const struct rv_package *package, const char *section, struct rv_buf *buf)
{
    struct rv_forest *forest = NULL;
    struct rv_forest_spec spec;

    if (rv_package_forest(package, section, &forest, NULL) < 0)
        return;
    spec = rv_forest_spec_of(forest);
    rv_buf_addf(buf, "  %-14s %zu trees of depth %u, %zu nodes, rows of %u integers\n", section,
                spec.tree_count, rv_forest_depth(forest), spec.node_count, spec.width);
    rv_forest_free(&forest);
}

/** Made for the hooks of the kernel by `reeve model train --head kernel`. */
static void add_kernel(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *kernel = json_object_get(manifest, "kernel");

    if (json_is_object(kernel))
        rv_buf_addf(buf, "  %-14s at LSM hooks; %" PRId64 " features, risks up to %" PRId64 "\n",
                    "kernel", number_of(kernel, "features"), number_of(kernel, "risk_max"));
}

static void add_sentence(const json_t *manifest, const char *key, const char *heading,
                         struct rv_buf *buf)
{
    const char *sentence = text_of(manifest, key);

    add_heading(buf, heading);
    rv_buf_addf(buf, "  %s\n", *sentence ? sentence : "Not stated.");
}

/** Kinds whose section holds its own calibration; `reeve model train` makes them. */
static bool scores_items(const char *kind)
{
    return rv_streq(kind, "sequence") || rv_streq(kind, "series") || rv_streq(kind, "text");
}

static void add_promise(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *promise = json_object_get(manifest, "promise");
    int64_t alarms = number_of(promise, "alarms_per_host_day_ppm");

    add_heading(buf, "Promise");
    if (!json_is_object(promise) && scores_items(text_of(manifest, "kind"))) {
        rv_buf_add_str(buf, "  No number of alarms a day: it scores items of data files. Calibrated on"
                            " normal\n  items set aside in turn: a risk of 200 stands for one false"
                            " alarm in a hundred\n  items like those.\n");
        return;
    }
    if (!json_is_object(promise)) {
        rv_buf_add_str(buf, "  None: this model has not been calibrated.\n");
        return;
    }
    rv_buf_addf(buf, "  At most %" PRId64 ".%02" PRId64 " alarms per host-day with ",
                alarms / 1000000, alarms / 10000 % 100);
    add_percent(buf, number_of(promise, "confidence_ppm"));
    rv_buf_addf(buf,
                " confidence while the monitor is\n  green; calibrated on %" PRId64
                " normal scores.\n",
                number_of(promise, "calibration_scores"));
}

static void add_metrics(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *metrics = json_object_get(manifest, "metrics"), *metric;
    size_t index;

    add_heading(buf, "Metrics (95 % interval)");
    if (json_array_size(metrics) == 0)
        rv_buf_add_str(buf, "  None recorded.\n");
    json_array_foreach(metrics, index, metric)
    {
        rv_buf_addf(buf, "  %-40s ", text_of(metric, "name"));
        add_percent(buf, number_of(metric, "value_ppm"));
        rv_buf_add_str(buf, "  (");
        add_percent(buf, number_of(metric, "low_ppm"));
        rv_buf_add_str(buf, " to ");
        add_percent(buf, number_of(metric, "high_ppm"));
        rv_buf_add_str(buf, ")\n");
    }
}

static void add_language(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *language = json_object_get(manifest, "language");
    int64_t attacks = number_of(language, "attack_ngrams");

    if (!json_is_object(language))
        return;
    add_heading(buf, "Sessions");
    rv_buf_addf(buf, "  A language model of what sessions do: %" PRId64 " n-grams of normal work",
                number_of(language, "normal_ngrams"));
    if (attacks > 0)
        rv_buf_addf(buf, ", %" PRId64 " of attacks", attacks);
    rv_buf_addf(buf, ",\n  learnt from %" PRId64 " events. It has ",
                number_of(language, "symbols"));
    add_percent(buf, number_of(language, "alpha_share_ppm"));
    rv_buf_add_str(buf, " of the promise's alpha, vectors the rest:\n"
                        "  a verdict's risk is that of the rarer of the two under its share.\n");
}

static void add_evasion(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *rows = json_object_get(manifest, "evasion"), *row;
    size_t index;

    add_heading(buf, "Evasion: detection when the attacker does this");
    if (json_array_size(rows) == 0)
        rv_buf_add_str(buf, "  Not measured.\n");
    json_array_foreach(rows, index, row)
    {
        rv_buf_addf(buf, "  %-40s ", text_of(row, "attack"));
        add_percent(buf, number_of(row, "detection_ppm"));
        rv_buf_add_char(buf, '\n');
    }
}

/* A bar a point: how much is detected at that rate of false alarms. */
static void add_curve(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *points = json_object_get(manifest, "curve"), *point;
    size_t index;

    if (json_array_size(points) == 0)
        return;
    add_heading(buf, "Detection by false-positive rate");
    json_array_foreach(points, index, point)
    {
        int64_t detection = number_of(point, "detection_ppm");
        int64_t bar = detection * CURVE_WIDTH / 1000000;

        if (index == CURVE_POINTS_MAX)
            break;
        rv_buf_addf(buf, "  %8" PRId64 " ppm |", number_of(point, "false_positives_ppm"));
        for (int64_t i = 0; i < CURVE_WIDTH; i++)
            rv_buf_add_char(buf, i < bar ? '#' : ' ');
        rv_buf_add_str(buf, "| ");
        add_percent(buf, detection);
        rv_buf_add_char(buf, '\n');
    }
}

static void add_data(const json_t *manifest, struct rv_buf *buf)
{
    const json_t *sets = json_object_get(manifest, "training_data"), *set;
    size_t index;

    add_heading(buf, "Training data");
    if (json_array_size(sets) == 0)
        rv_buf_add_str(buf, "  Not known to this package.\n");
    json_array_foreach(sets, index, set)
        rv_buf_addf(buf, "  %s, %" PRId64 " rows, sha256:%.16s..., %s\n", text_of(set, "name"),
                    number_of(set, "rows"), text_of(set, "sha256"), text_of(set, "source"));
}

int rv_card_text(const struct rv_package *package, struct rv_buf *buf)
{
    const json_t *manifest = rv_package_manifest(package);

    if (*text_of(manifest, "name") == '\0' || *text_of(manifest, "kind") == '\0')
        return -EINVAL;
    add_head(package, buf);
    add_forest(package, "forest", buf);
    add_forest(package, "forest.monotone", buf);
    add_kernel(manifest, buf);
    add_sentence(manifest, "intended_use", "Intended use", buf);
    add_sentence(manifest, "limits", "Limits", buf);
    add_promise(manifest, buf);
    add_language(manifest, buf);
    add_metrics(manifest, buf);
    add_curve(manifest, buf);
    add_evasion(manifest, buf);
    add_data(manifest, buf);
    return buf->failed ? -ENOMEM : 0;
}
