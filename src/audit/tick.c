/* SPDX-License-Identifier: Apache-2.0 */
/* What the log itself appends by the clock: heartbeats, what checkpoints commit, summaries of a
 * period, jumps of the wall clock. docs/PROTOCOL.md has the members of each. */
#include "writer.h"

#include "audit/entry.h"

#define CLOCK_JUMP_NS RV_NS_PER_S

/* ---- Counts as JSON ---- */

static json_t *counts_to_json(const struct rv_kind_counts *counts)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < counts->kind_count; i++) {
        if (counts->kinds[i].count > 0)
            (void)json_object_set_new(object, counts->kinds[i].type,
                                      json_integer((json_int_t)counts->kinds[i].count));
    }
    if (object && counts->other > 0)
        (void)json_object_set_new(object, "other", json_integer((json_int_t)counts->other));
    return object;
}

static void counts_from_json(struct rv_kind_counts *counts, json_t *object)
{
    *counts = (struct rv_kind_counts){ 0 };
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *type = json_object_iter_key(at);
        uint64_t count = (uint64_t)json_integer_value(json_object_iter_value(at));

        rv_kind_count(counts, rv_streq(type, "other") ? NULL : type, count);
    }
}

static void counts_subtract(struct rv_kind_counts *counts, const struct rv_kind_counts *less)
{
    for (size_t i = 0; i < less->kind_count; i++)
        rv_kind_count(counts, less->kinds[i].type, 0 - less->kinds[i].count);
    counts->other -= less->other;
}

/* ---- Where the period stood when the last writer ended: the log itself says ---- */

/** Take up the counts that an "audit.checkpoint" or "audit.summary" entry states. */
static void take_up(struct rv_audit *audit, struct rv_kind_counts *counts, const json_t *entry)
{
    struct rv_schedule *schedule = &audit->schedule;
    struct rv_kind_counts stated;

    if (rv_streq(rv_entry_type(entry), "audit.checkpoint")) {
        const json_t *period = json_object_get(entry, "period");

        schedule->period_from = (uint64_t)json_integer_value(json_object_get(period, "from"));
        schedule->period_unix_us = (uint64_t)json_integer_value(json_object_get(period, "since"));
        counts_from_json(counts, json_object_get(period, "counts"));
    } else if (rv_streq(rv_entry_type(entry), "audit.summary")) {
        counts_from_json(&stated, json_object_get(entry, "counts"));
        counts_subtract(counts, &stated);
        schedule->period_from = (uint64_t)json_integer_value(json_object_get(entry, "to"));
        schedule->period_unix_us = (uint64_t)json_integer_value(json_object_get(entry, "until"));
    }
    rv_kind_count(counts, rv_entry_type(entry), 1);
}

/** The last "audit.checkpoint" entry, or 0. */
static int find_last_commit(struct rv_tiles *tiles, uint64_t size, uint64_t *ret_index)
{
    for (uint64_t index = size; index > 0; index--) {
        RV_AUTO(rv_json_freep) json_t *object = NULL;
        struct rv_span entry;
        int r = rv_tiles_entry(tiles, index - 1, &entry);

        if (r < 0)
            return r;
        if (rv_entry_read(entry, index - 1, &object) == RV_ENTRY_GOOD &&
            rv_streq(rv_entry_type(object), "audit.checkpoint")) {
            *ret_index = index - 1;
            return 0;
        }
    }
    *ret_index = 0;
    return 0;
}

static int recount(struct rv_audit *audit, uint64_t size, struct rv_kind_counts *ret_counts)
{
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    uint64_t index = 0;
    int r;

    r = rv_source_dir(&source, audit->dir_fd);
    if (r == 0)
        r = rv_tiles_new(&tiles, &source, size);
    if (r == 0)
        r = find_last_commit(tiles, size, &index);
    for (; r == 0 && index < size; index++) {
        RV_AUTO(rv_json_freep) json_t *object = NULL;
        struct rv_span entry;

        r = rv_tiles_entry(tiles, index, &entry);
        if (r < 0)
            break;
        if (rv_entry_read(entry, index, &object) == RV_ENTRY_OTHER)
            rv_kind_count(ret_counts, NULL, 1);
        else
            take_up(audit, ret_counts, object);
    }
    return r;
}

static int start_schedule(struct rv_audit *audit, uint64_t boot_ns, uint64_t unix_ns)
{
    RV_AUTO(rv_freep) struct rv_kind_counts *before = calloc(1, sizeof(*before));
    struct rv_schedule *schedule = &audit->schedule;
    int r;

    if (!before)
        return -ENOMEM;
    schedule->period_unix_us = unix_ns / 1000;
    r = recount(audit, audit->opening.size, before);
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&audit->lock);
    for (size_t i = 0; i < before->kind_count; i++)
        rv_kind_count(&audit->counts, before->kinds[i].type, before->kinds[i].count);
    audit->counts.other += before->other;
    schedule->commit_boot_ns = schedule->period_boot_ns = boot_ns;
    schedule->wall_offset_ns = unix_ns - boot_ns;
    schedule->commit_size = audit->opening.size;
    schedule->started = true;
    (void)pthread_mutex_unlock(&audit->lock);
    return 0;
}

/* ---- The entries ---- */

static int append_own(struct rv_audit *audit, const char *type, json_t *members)
{
    int r = members ? rv_audit_append_json(audit, type, members, NULL, NULL, NULL) : -ENOMEM;

    json_decref(members);
    return r;
}

static int note_clock_jump(struct rv_audit *audit, uint64_t boot_ns, uint64_t unix_ns)
{
    struct rv_schedule *schedule = &audit->schedule;
    int64_t moved_ns = (int64_t)(unix_ns - boot_ns - schedule->wall_offset_ns);

    if (moved_ns < (int64_t)CLOCK_JUMP_NS && moved_ns > -(int64_t)CLOCK_JUMP_NS)
        return 0;
    schedule->wall_offset_ns = unix_ns - boot_ns;
    return append_own(audit, "audit.clock",
                      json_pack("{sI}", "moved_us", (json_int_t)(moved_ns / 1000)));
}

static json_t *summary_members(struct rv_audit *audit, const struct rv_tree_head *head,
                               uint64_t unix_us)
{
    const struct rv_schedule *schedule = &audit->schedule;
    char root[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&head->root, root);
    return json_pack("{sI sI ss sI sI so}", "from", (json_int_t)schedule->period_from, "to",
                     (json_int_t)head->size, "root", root, "since",
                     (json_int_t)schedule->period_unix_us, "until", (json_int_t)unix_us, "counts",
                     counts_to_json(&schedule->commit_counts));
}

/** Once a period: what the population was, up to a checkpoint that has been published. */
static int append_summary(struct rv_audit *audit, uint64_t boot_ns, uint64_t unix_ns)
{
    struct rv_schedule *schedule = &audit->schedule;
    struct rv_tree_head head;
    int r;

    (void)pthread_mutex_lock(&audit->lock);
    head = schedule->commit_head;
    (void)pthread_mutex_unlock(&audit->lock);
    if (boot_ns - schedule->period_boot_ns < audit->options.period_ms * RV_NS_PER_MS ||
        head.size <= schedule->period_from || head.size != schedule->commit_size)
        return 0;
    r = append_own(audit, "audit.summary", summary_members(audit, &head, unix_ns / 1000));
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&audit->lock);
    counts_subtract(&audit->counts, &schedule->commit_counts);
    (void)pthread_mutex_unlock(&audit->lock);
    schedule->commit_counts = (struct rv_kind_counts){ 0 };
    schedule->period_from = head.size;
    schedule->period_boot_ns = boot_ns;
    schedule->period_unix_us = unix_ns / 1000;
    return 0;
}

/** The entry just before a checkpoint, and the aim at it. */
static int append_commit(struct rv_audit *audit, uint64_t boot_ns)
{
    RV_AUTO(rv_json_freep) json_t *members = json_object();
    struct rv_schedule *schedule = &audit->schedule;
    const struct rv_done nobody = { 0 };
    struct rv_kind_counts counts;
    json_t *period;
    int r;

    (void)pthread_mutex_lock(&audit->lock);
    counts = audit->counts;
    (void)pthread_mutex_unlock(&audit->lock);
    period = json_pack("{sI sI so}", "from", (json_int_t)schedule->period_from, "since",
                       (json_int_t)schedule->period_unix_us, "counts", counts_to_json(&counts));
    if (!members || json_object_set_new(members, "period", period) < 0)
        return -ENOMEM;
    r = audit->options.commit ? audit->options.commit(audit->options.context, members) : 0;
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&audit->lock);
    r = rv_audit_enqueue_json(audit, "audit.checkpoint", members, &nobody);
    if (r == 0) {
        schedule->commit_counts = audit->counts;
        schedule->commit_size = audit->size;
        schedule->commit_boot_ns = boot_ns;
        rv_audit_aim(audit);
        if (audit->options.mode == RV_AUDIT_INLINE)
            r = rv_audit_publish_now(audit);
    }
    (void)pthread_mutex_unlock(&audit->lock);
    return r;
}

/* ---- The clock ---- */

enum due { NOTHING_DUE, COMMIT_DUE, HEARTBEAT_DUE };

static enum due what_is_due(struct rv_audit *audit, uint64_t boot_ns)
{
    const struct rv_schedule *schedule = &audit->schedule;
    uint64_t since_ns = boot_ns - schedule->commit_boot_ns;
    enum due due = NOTHING_DUE;

    (void)pthread_mutex_lock(&audit->lock);
    if (audit->size > schedule->commit_size &&
        (audit->commit_due || since_ns >= audit->options.checkpoint_ms * RV_NS_PER_MS))
        due = COMMIT_DUE;
    else if (since_ns >= audit->options.heartbeat_ms * RV_NS_PER_MS)
        due = HEARTBEAT_DUE;
    (void)pthread_mutex_unlock(&audit->lock);
    return due;
}

static int start_if_needed(struct rv_audit *audit, uint64_t boot_ns, uint64_t unix_ns)
{
    bool sealed;

    (void)pthread_mutex_lock(&audit->lock);
    sealed = audit->error != 0;
    (void)pthread_mutex_unlock(&audit->lock);
    if (sealed)
        return -EROFS;
    return audit->schedule.started ? 0 : start_schedule(audit, boot_ns, unix_ns);
}

int rv_audit_tick(struct rv_audit *audit)
{
    const struct rv_clock *clock = &audit->options.clock;
    uint64_t boot_ns = clock->boot_ns(clock->context), unix_ns = clock->unix_ns(clock->context);
    enum due due;
    int r;

    r = start_if_needed(audit, boot_ns, unix_ns);
    if (r == 0)
        r = note_clock_jump(audit, boot_ns, unix_ns);
    if (r == 0)
        r = append_summary(audit, boot_ns, unix_ns);
    if (r < 0)
        return r;
    due = what_is_due(audit, boot_ns);
    if (due == HEARTBEAT_DUE)
        r = append_own(audit, "audit.heartbeat",
                       json_pack("{sI}", "uptime_us", (json_int_t)(boot_ns / 1000)));
    return r == 0 && due != NOTHING_DUE ? append_commit(audit, boot_ns) : r;
}

int rv_audit_publish_committed(struct rv_audit *audit)
{
    const struct rv_clock *clock = &audit->options.clock;
    uint64_t boot_ns = clock->boot_ns(clock->context);
    int r = start_if_needed(audit, boot_ns, clock->unix_ns(clock->context));

    if (r == 0)
        r = append_commit(audit, boot_ns);
    return r == 0 ? rv_audit_publish(audit) : r;
}
