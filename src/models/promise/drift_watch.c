/* SPDX-License-Identifier: Apache-2.0 */
#include "models/drift_watch.h"

#include "base/clock.h"

#define DAY_NS  (24 * 3600 * RV_NS_PER_S)
#define HOUR_NS (3600 * RV_NS_PER_S)

void rv_drift_watch_init(struct rv_drift_watch *watch, uint64_t window_ns)
{
    *watch = (struct rv_drift_watch){
        .window_ns = window_ns ? window_ns : DAY_NS,
        .drift.light = RV_LIGHT_GREEN,
    };
}

static void pass_time(struct rv_drift_watch *watch, uint64_t time_ns)
{
    uint64_t gap = watch->last_ns && time_ns > watch->last_ns ? time_ns - watch->last_ns : 0;

    watch->watched_ns += rv_min_u64(gap, HOUR_NS);
    if (time_ns > watch->last_ns)
        watch->last_ns = time_ns;
}

enum rv_light rv_drift_watch_row(struct rv_drift_watch *watch, const struct rv_vector *vector,
                                 int64_t raw_q16, uint64_t time_ns)
{
    struct rv_profile *profile = watch->settled ? &watch->now : &watch->reference;
    uint64_t rows_min = watch->settled ? RV_DRIFT_ROWS_MIN : RV_DRIFT_REFERENCE_ROWS;

    pass_time(watch, time_ns);
    rv_profile_add(profile, vector, raw_q16);
    if (watch->watched_ns < watch->window_ns || profile->rows < rows_min)
        return watch->drift.light;
    if (watch->settled) {
        rv_drift_evaluate(&watch->drift, &watch->reference, &watch->now, &watch->report);
        watch->windows++;
    }
    watch->settled = true;
    watch->watched_ns = 0;
    watch->now = (struct rv_profile){ 0 };
    return watch->drift.light;
}

void rv_drift_watch_peek(const struct rv_drift_watch *watch, struct rv_drift_report *ret_report)
{
    struct rv_drift drift = watch->drift;

    if (watch->settled) {
        rv_drift_evaluate(&drift, &watch->reference, &watch->now, ret_report);
        ret_report->light = watch->drift.light;
        return;
    }
    *ret_report = (struct rv_drift_report){
        .light_now = RV_LIGHT_GREEN,
        .light = watch->drift.light,
    };
}

/* ---- Bytes: two profiles, each after its length, then what is counted ---- */

static void save_profile(const struct rv_profile *profile, struct rv_buf *buf)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    rv_profile_save(profile, &bytes);
    rv_buf_add_le32(buf, (uint32_t)bytes.len);
    rv_buf_add(buf, bytes.data, bytes.len);
    buf->failed |= bytes.failed;
}

void rv_drift_watch_save(const struct rv_drift_watch *watch, struct rv_buf *buf)
{
    save_profile(&watch->reference, buf);
    save_profile(&watch->now, buf);
    rv_buf_add_le64(buf, watch->watched_ns);
    rv_buf_add_le64(buf, watch->windows);
    rv_buf_add_le32(buf, watch->drift.light);
    rv_buf_add_le32(buf, watch->drift.better);
    rv_buf_add_le32(buf, watch->settled);
}

static int load_profile(struct rv_profile *ret_profile, struct rv_reader *reader)
{
    struct rv_span bytes = rv_read_bytes(reader, rv_read_le32(reader));

    return reader->failed ? -EBADMSG : rv_profile_load(ret_profile, bytes, NULL);
}

int rv_drift_watch_load(struct rv_drift_watch *watch, struct rv_reader *reader)
{
    RV_AUTO(rv_freep) struct rv_drift_watch *loaded = malloc(sizeof(*loaded));
    uint32_t light, settled;
    int r;

    if (!loaded)
        return -ENOMEM;
    rv_drift_watch_init(loaded, watch->window_ns);
    r = load_profile(&loaded->reference, reader);
    if (r == 0)
        r = load_profile(&loaded->now, reader);
    if (r < 0)
        return r;
    loaded->watched_ns = rv_read_le64(reader);
    loaded->windows = rv_read_le64(reader);
    light = rv_read_le32(reader);
    loaded->drift.better = rv_read_le32(reader);
    settled = rv_read_le32(reader);
    if (reader->failed || light > RV_LIGHT_GREEN || settled > 1)
        return -EBADMSG;
    loaded->drift.light = (enum rv_light)light;
    loaded->settled = settled;
    *watch = *loaded;
    return 0;
}
