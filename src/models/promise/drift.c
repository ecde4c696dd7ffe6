/* SPDX-License-Identifier: Apache-2.0 */
#include "models/drift.h"

#include "base/hash.h"
#include "features/core.h"
#include "features/table.h"

#include <math.h>

#define SERIES    (RV_FEATURE_COUNT + 1)
#define AMBER_PSI 0.10
#define RED_PSI   0.25
#define BETTER    3U /* evaluations in a row before a light gets better */

/* ---- Histograms ---- */

static uint32_t half_octave(uint64_t value)
{
    uint32_t top = rv_core_top_bit(value);

    return value < 2 ? (uint32_t)value : 2 * top + ((uint32_t)(value >> (top - 1)) & 1);
}

uint32_t rv_drift_bin(int32_t value)
{
    return value <= 0 ? 0 : (uint32_t)rv_min_u64(half_octave((uint64_t)value), RV_DRIFT_BINS - 1);
}

/* Scores have a sign: eighths of a point, half of the bins for each side of 0. */
uint32_t rv_drift_score_bin(int64_t raw_q16)
{
    uint64_t size = raw_q16 < 0 ? 0 - (uint64_t)raw_q16 : (uint64_t)raw_q16;
    uint32_t step = (uint32_t)rv_min_u64(half_octave(size >> 13), RV_DRIFT_BINS / 2 - 1);

    return raw_q16 < 0 ? RV_DRIFT_BINS / 2 - 1 - step : RV_DRIFT_BINS / 2 + step;
}

static void increment(uint32_t *count, uint32_t by)
{
    *count = (uint32_t)rv_min_u64((uint64_t)*count + by, UINT32_MAX);
}

void rv_profile_add(struct rv_profile *profile, const struct rv_vector *vector, int64_t raw_q16)
{
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        increment(&profile->count[i][rv_drift_bin(vector->value[i])], 1);
    increment(&profile->count[RV_DRIFT_SCORE][rv_drift_score_bin(raw_q16)], 1);
    profile->rows++;
}

void rv_profile_merge(struct rv_profile *into, const struct rv_profile *from)
{
    for (size_t i = 0; i < SERIES; i++) {
        for (size_t j = 0; j < RV_DRIFT_BINS; j++)
            increment(&into->count[i][j], from->count[i][j]);
    }
    into->rows += from->rows;
}

/* ---- Bytes: head, then for each series a mask of the bins in use and their counts ---- */

#define MAGIC  "REEVEPRO"
#define FORMAT 1U

void rv_profile_save(const struct rv_profile *profile, struct rv_buf *buf)
{
    size_t start = buf->len;

    rv_buf_add(buf, MAGIC, 8);
    rv_buf_add_le32(buf, FORMAT);
    rv_buf_add_le32(buf, SERIES);
    rv_buf_add_le64(buf, profile->rows);
    for (size_t i = 0; i < SERIES; i++) {
        uint64_t used = 0;

        for (size_t j = 0; j < RV_DRIFT_BINS; j++)
            used |= (uint64_t)(profile->count[i][j] != 0) << j;
        rv_buf_add_le64(buf, used);
        for (size_t j = 0; j < RV_DRIFT_BINS; j++) {
            if (profile->count[i][j] != 0)
                rv_buf_add_le32(buf, profile->count[i][j]);
        }
    }
    if (!buf->failed)
        rv_buf_add_le32(buf, rv_crc32c(0, buf->data + start, buf->len - start));
}

static int refuse(const char **reterr, const char *why, int code)
{
    if (reterr)
        *reterr = why;
    return code;
}

int rv_profile_load(struct rv_profile *ret_profile, struct rv_span bytes, const char **reterr)
{
    struct rv_reader reader = rv_reader(bytes);
    RV_AUTO(rv_freep) struct rv_profile *profile = calloc(1, sizeof(*profile));
    uint32_t format, series, crc;
    size_t covered;

    if (!profile)
        return -ENOMEM;
    if (!rv_span_eq(rv_read_bytes(&reader, 8), rv_span_str(MAGIC)))
        return refuse(reterr, "not a profile", -EBADMSG);
    format = rv_read_le32(&reader);
    series = rv_read_le32(&reader);
    if (!reader.failed && (format != FORMAT || series != SERIES))
        return refuse(reterr, "the profile is of another version", -EPROTONOSUPPORT);
    profile->rows = rv_read_le64(&reader);
    for (size_t i = 0; i < SERIES; i++) {
        uint64_t used = rv_read_le64(&reader);

        for (size_t j = 0; j < RV_DRIFT_BINS; j++) {
            if (used >> j & 1)
                profile->count[i][j] = rv_read_le32(&reader);
        }
    }
    covered = reader.offset;
    crc = rv_read_le32(&reader);
    if (reader.failed || reader.rest.len != 0)
        return refuse(reterr, "the profile is shorter or longer than it says", -EBADMSG);
    if (crc != rv_crc32c(0, bytes.data, covered))
        return refuse(reterr, "the profile is damaged: its checksum is wrong", -EBADMSG);
    *ret_profile = *profile;
    return 0;
}

/* ---- Distances ---- */

static double total_of(const uint32_t *counts)
{
    double total = 0;

    for (size_t i = 0; i < RV_DRIFT_BINS; i++)
        total += counts[i];
    return total;
}

struct rv_distance rv_distance(const uint32_t *reference, const uint32_t *now)
{
    struct rv_distance distance = { 0 };
    double n = total_of(reference), m = total_of(now), down_n = 0, down_m = 0, bins = 0;

    if (n <= 0 || m <= 0)
        return distance;
    for (size_t i = 0; i < RV_DRIFT_BINS; i++)
        bins += reference[i] != 0 || now[i] != 0;
    for (size_t i = 0; i < RV_DRIFT_BINS; i++) {
        /* Half a count more in each bin in use: an empty one is unlikely, not impossible. */
        double p = (reference[i] + 0.5) / (n + 0.5 * bins), q = (now[i] + 0.5) / (m + 0.5 * bins);
        double middle = (p + q) / 2;

        if (reference[i] == 0 && now[i] == 0)
            continue;
        distance.psi += (q - p) * log(q / p);
        distance.js += (p * log2(p / middle) + q * log2(q / middle)) / 2;
        down_n += reference[i] / n;
        down_m += now[i] / m;
        distance.ks = fmax(distance.ks, fabs(down_n - down_m));
    }
    /* Two samples of one distribution differ by about this much. */
    distance.psi = fmax(0, distance.psi - (bins - 1) * (1 / n + 1 / m));
    distance.js = fmax(0, distance.js - (bins - 1) * (1 / n + 1 / m) / (8 * log(2)));
    distance.ks = fmax(0, distance.ks - sqrt((1 / n + 1 / m) / 2));
    return distance;
}

/* ---- Lights ---- */

static enum rv_light light_of_psi(double psi)
{
    return psi >= RED_PSI ? RV_LIGHT_RED : psi >= AMBER_PSI ? RV_LIGHT_AMBER : RV_LIGHT_GREEN;
}

/* Features may move while the score does not: then the model does not look at them. */
static enum rv_light light_of(const struct rv_drift_report *report)
{
    enum rv_light score = light_of_psi(report->distance[RV_DRIFT_SCORE].psi);

    if (score == RV_LIGHT_RED || report->red_features >= RV_FEATURE_COUNT / 4)
        return RV_LIGHT_RED;
    if (score == RV_LIGHT_AMBER || report->red_features > 0 ||
        report->amber_features >= RV_FEATURE_COUNT / 8)
        return RV_LIGHT_AMBER;
    return RV_LIGHT_GREEN;
}

/* Time alone moves these, in each short window: they say nothing of the model. */
static bool moves_by_itself(size_t feature)
{
    return feature == RV_FEATURE_HOUR_OF_WEEK || feature == RV_FEATURE_EXE_AGE ||
           feature == RV_FEATURE_EXE_RUNS;
}

static void turn(struct rv_drift *drift, enum rv_light now)
{
    if (now <= drift->light) {
        drift->light = now;
        drift->better = 0;
        return;
    }
    if (++drift->better < BETTER)
        return;
    drift->light = drift->light == RV_LIGHT_RED ? RV_LIGHT_AMBER : RV_LIGHT_GREEN;
    drift->better = 0;
}

void rv_drift_evaluate(struct rv_drift *drift, const struct rv_profile *reference,
                       const struct rv_profile *now, struct rv_drift_report *ret_report)
{
    *ret_report = (struct rv_drift_report){ 0 };
    ret_report->enough = reference->rows >= RV_DRIFT_ROWS_MIN && now->rows >= RV_DRIFT_ROWS_MIN;
    for (size_t i = 0; i < SERIES; i++) {
        enum rv_light light;

        ret_report->distance[i] = rv_distance(reference->count[i], now->count[i]);
        light = light_of_psi(ret_report->distance[i].psi);
        if (i == RV_DRIFT_SCORE || moves_by_itself(i))
            continue;
        ret_report->red_features += light == RV_LIGHT_RED;
        ret_report->amber_features += light == RV_LIGHT_AMBER;
    }
    ret_report->light_now = ret_report->enough ? light_of(ret_report) : drift->light;
    if (ret_report->enough)
        turn(drift, ret_report->light_now);
    ret_report->light = drift->light;
}

void rv_drift_words(const struct rv_drift_report *report, size_t feature_max, struct rv_buf *buf)
{
    bool said[RV_FEATURE_COUNT] = { false };

    if (!report->enough) {
        rv_buf_addf(buf, "Fewer than %u rows on one side: nothing can be said about drift.",
                    RV_DRIFT_ROWS_MIN);
        return;
    }
    rv_buf_addf(buf,
                "%s: the score moved by PSI %.3f (KS %.3f, JS %.3f); %u features red, %u amber.",
                rv_light_name(report->light), report->distance[RV_DRIFT_SCORE].psi,
                report->distance[RV_DRIFT_SCORE].ks, report->distance[RV_DRIFT_SCORE].js,
                report->red_features, report->amber_features);
    for (size_t n = 0; n < feature_max; n++) {
        size_t most = RV_FEATURE_COUNT;

        for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
            if (!said[i] &&
                (most == RV_FEATURE_COUNT || report->distance[i].psi > report->distance[most].psi))
                most = i;
        }
        if (most == RV_FEATURE_COUNT || report->distance[most].psi < AMBER_PSI)
            return;
        said[most] = true;
        rv_buf_addf(buf, "%s %s %.3f", n == 0 ? " Most:" : ",", rv_feature_info(most)->name,
                    report->distance[most].psi);
    }
}
