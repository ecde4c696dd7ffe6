/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, group commit, publishing and the two threads; writer.h draws the picture. */
#include "writer.h"

#include "audit/entry.h"

#include <signal.h>
#include <unistd.h>

/* ---- Small parts; lock held by the caller where they touch shared fields ---- */

static void batch_list_add(struct rv_batch_list *list, struct rv_batch *batch)
{
    batch->next = NULL;
    if (list->last)
        list->last->next = batch;
    else
        list->first = batch;
    list->last = batch;
}

static struct rv_batch *batch_list_take(struct rv_batch_list *list)
{
    struct rv_batch *batch = list->first;

    if (batch) {
        list->first = batch->next;
        if (!list->first)
            list->last = NULL;
        batch->next = NULL;
    }
    return batch;
}

static void batch_list_put_back(struct rv_batch_list *list, struct rv_batch *batch)
{
    batch->next = list->first;
    list->first = batch;
    if (!list->last)
        list->last = batch;
}

static struct rv_batch *batch_new(uint64_t first)
{
    struct rv_batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        return NULL;
    batch->first = first;
    if (pthread_cond_init(&batch->finished_cond, NULL) != 0) {
        free(batch);
        return NULL;
    }
    return batch;
}

static void batch_release(struct rv_batch *batch)
{
    if (!batch->consumed || batch->waiters > 0)
        return;
    (void)pthread_cond_destroy(&batch->finished_cond);
    free(batch->record);
    free(batch->done.items);
    free(batch);
}

static void batch_consume(struct rv_batch *batch)
{
    batch->consumed = true;
    batch_release(batch);
}

static int done_list_reserve(struct rv_done_list *list, size_t more)
{
    size_t room = rv_max_u64(list->room * 2, list->count + more);
    void *grown;

    if (list->count + more <= list->room)
        return 0;
    grown = reallocarray(list->items, room, sizeof(*list->items));
    if (!grown)
        return -ENOMEM;
    list->items = grown;
    list->room = room;
    return 0;
}

static void wake_event_loop(struct rv_audit *audit)
{
    uint64_t one = 1;

    if (audit->event_fd >= 0)
        (void)!write(audit->event_fd, &one, sizeof(one)); /* full means readable: fine */
}

/** Tell those who wait for a batch, and queue its callbacks. */
static void batch_finish(struct rv_audit *audit, struct rv_batch *batch, int result)
{
    batch->finished = true;
    batch->result = result;
    if (batch->waiters > 0)
        (void)pthread_cond_broadcast(&batch->finished_cond);
    if (batch->done.count == 0)
        return;
    /* append() reserved the room, so that no result is lost for want of memory. */
    for (size_t i = 0; i < batch->done.count; i++) {
        struct rv_done *done = &audit->finished.items[audit->finished.count++];

        *done = batch->done.items[i];
        done->result = result;
    }
    batch->done.count = 0;
    wake_event_loop(audit);
}

static void seal(struct rv_audit *audit, int error, const char *failed)
{
    struct rv_batch *batch;

    if (audit->error == 0) {
        audit->error = error;
        audit->failed = failed;
    }
    while ((batch = batch_list_take(&audit->queue))) {
        batch_finish(audit, batch, error);
        batch_consume(batch);
    }
    (void)pthread_cond_broadcast(&audit->work);
    (void)pthread_cond_broadcast(&audit->integrate);
    (void)pthread_cond_broadcast(&audit->progress);
    wake_event_loop(audit);
}

/* ---- Appending ---- */

void rv_kind_count(struct rv_kind_counts *counts, const char *type, uint64_t add)
{
    size_t i;

    if (!type || strlen(type) > RV_AUDIT_KIND_MAX) {
        counts->other += add;
        return;
    }
    for (i = 0; i < counts->kind_count; i++) {
        if (rv_streq(counts->kinds[i].type, type))
            break;
    }
    if (i == RV_AUDIT_KINDS_MAX) {
        counts->other += add;
        return;
    }
    if (i == counts->kind_count) {
        memcpy(counts->kinds[i].type, type, strlen(type) + 1);
        counts->kinds[i].count = 0;
        counts->kind_count++;
    }
    counts->kinds[i].count += add;
}

static size_t batch_bytes_max(const struct rv_audit *audit)
{
    return rv_min_u64(RV_BATCH_BYTES_MAX, audit->options.journal_bytes / 2);
}

/** The batch that takes the next entry of `len` bytes; NULL without memory. */
static struct rv_batch *open_batch(struct rv_audit *audit, size_t len)
{
    struct rv_batch *batch = audit->queue.last;

    if (batch && !batch->closed && batch->count < audit->options.batch_entries_max &&
        batch->body_len + 2 + len <= batch_bytes_max(audit))
        return batch;
    batch = batch_new(audit->size);
    if (batch)
        batch_list_add(&audit->queue, batch);
    return batch;
}

/** Room for `len` more bytes of body, and for the zeros that fill the last block. */
static int reserve_record(struct rv_batch *batch, size_t len)
{
    size_t need = rv_journal_record_len(batch->body_len + len);
    size_t room = rv_max_u64(need, batch->record_room * 2);
    void *grown;

    if (need <= batch->record_room)
        return 0;
    grown = realloc(batch->record, room);
    if (!grown)
        return -ENOMEM;
    batch->record = grown;
    batch->record_room = room;
    return 0;
}

static int check_appendable(const struct rv_audit *audit, size_t len)
{
    if (audit->error != 0)
        return -EROFS;
    if (len > RV_AUDIT_ENTRY_MAX)
        return -EMSGSIZE;
    if (audit->unpublished_bytes + len > audit->options.queue_bytes_max)
        return -EAGAIN;
    return 0;
}

/** Queue one entry; lock held. `ret_batch` is where it went. */
static int enqueue(struct rv_audit *audit, struct rv_span entry, const char *type,
                   const struct rv_done *done, struct rv_batch **ret_batch)
{
    struct rv_batch *batch;
    uint8_t *at;
    int r;

    r = check_appendable(audit, entry.len);
    if (r < 0)
        return r;
    batch = open_batch(audit, entry.len);
    if (!batch || reserve_record(batch, 2 + entry.len) < 0)
        return -ENOMEM;
    if (done->function) {
        /* Also room for every callback that is queued, so that finishing cannot fail. */
        if (done_list_reserve(&batch->done, 1) < 0 ||
            done_list_reserve(&audit->finished, audit->size - audit->durable + 1) < 0)
            return -ENOMEM;
        batch->done.items[batch->done.count] = *done;
        batch->done.items[batch->done.count++].index = audit->size;
    }
    at = batch->record + RV_JOURNAL_RECORD_HEAD + batch->body_len;
    at[0] = (uint8_t)(entry.len >> 8);
    at[1] = (uint8_t)entry.len;
    if (entry.len > 0)
        memcpy(at + 2, entry.data, entry.len);
    batch->body_len += 2 + entry.len;
    batch->count++;
    audit->size++;
    audit->unpublished_bytes += entry.len;
    rv_kind_count(&audit->counts, type, 1);
    (void)pthread_cond_signal(&audit->work);
    *ret_batch = batch;
    return 0;
}

/** What an entry is counted as when the caller does not say: its own "type", if it has one. */
static const char *type_of(struct rv_span entry, json_t **ret_object)
{
    return rv_entry_read(entry, 0, ret_object) == RV_ENTRY_OTHER ? NULL
                                                                 : rv_entry_type(*ret_object);
}

int rv_audit_append(struct rv_audit *audit, struct rv_span entry, const char *type,
                    rv_audit_done_fn *done, void *done_context, uint64_t *ret_index)
{
    struct rv_done wanted = { .function = done, .context = done_context };
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    struct rv_batch *batch;
    uint64_t index;
    int r;

    if (!type)
        type = type_of(entry, &object);
    (void)pthread_mutex_lock(&audit->lock);
    index = audit->size;
    r = enqueue(audit, entry, type, &wanted, &batch);
    (void)pthread_mutex_unlock(&audit->lock);
    if (r == 0 && ret_index)
        *ret_index = index;
    return r;
}

int rv_audit_enqueue_json(struct rv_audit *audit, const char *type, const json_t *members,
                          const struct rv_done *done)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { .len_max = RV_AUDIT_ENTRY_MAX };
    uint64_t now_us = audit->options.clock.unix_ns(audit->options.clock.context) / 1000;
    struct rv_batch *batch;
    int r = rv_entry_format(&text, type, now_us, audit->size, members);

    return r == 0 ? enqueue(audit, rv_buf_span(&text), type, done, &batch) : r;
}

int rv_audit_append_json(struct rv_audit *audit, const char *type, const json_t *members,
                         rv_audit_done_fn *done, void *done_context, uint64_t *ret_index)
{
    struct rv_done wanted = { .function = done, .context = done_context };
    uint64_t index;
    int r;

    (void)pthread_mutex_lock(&audit->lock);
    index = audit->size;
    r = rv_audit_enqueue_json(audit, type, members, &wanted);
    (void)pthread_mutex_unlock(&audit->lock);
    if (r == 0 && ret_index)
        *ret_index = index;
    return r;
}

/* ---- Commit ---- */

/** Make the first batch of the queue durable. lock held; given up while the disk works. */
static int commit_one(struct rv_audit *audit)
{
    struct rv_batch *batch = batch_list_take(&audit->queue);
    uint64_t published = audit->published;
    size_t used = RV_JOURNAL_RECORD_HEAD + batch->body_len;
    unsigned fill;
    int r;

    (void)pthread_mutex_unlock(&audit->lock);
    memset(batch->record + used, 0, rv_journal_record_len(batch->body_len) - used);
    r = rv_journal_write(audit->journal, batch->record, batch->body_len, batch->first, batch->count,
                         published);
    fill = rv_journal_fill(audit->journal);
    (void)pthread_mutex_lock(&audit->lock);
    if (r < 0) {
        batch_list_put_back(&audit->queue, batch);
        if (r != -EAGAIN)
            seal(audit, r, "writing the journal");
        return r;
    }
    audit->durable += batch->count;
    audit->batches++;
    audit->ready_entries += batch->count;
    if (fill >= 50 && !audit->commit_due) {
        audit->commit_due = true;
        wake_event_loop(audit);
    }
    batch_finish(audit, batch, 0);
    batch_list_add(&audit->ready, batch);
    (void)pthread_cond_broadcast(&audit->progress);
    if (audit->ready_entries >= RV_TILE_WIDTH || audit->durable >= audit->publish_target)
        (void)pthread_cond_signal(&audit->integrate);
    return 0;
}

/* ---- Integrate and publish ---- */

static int add_batch(struct rv_audit *audit, const struct rv_batch *batch)
{
    struct rv_reader reader =
        rv_reader(rv_span(batch->record + RV_JOURNAL_RECORD_HEAD, batch->body_len));

    for (uint32_t i = 0; i < batch->count; i++) {
        int r = rv_builder_add(audit->builder, rv_bundle_next(&reader));

        if (r < 0)
            return r;
    }
    return 0;
}

/** Feed the first ready batch to the builder. lock held; given up meanwhile. */
static int integrate_one(struct rv_audit *audit)
{
    struct rv_batch *batch = batch_list_take(&audit->ready);
    int r;

    (void)pthread_mutex_unlock(&audit->lock);
    r = add_batch(audit, batch);
    (void)pthread_mutex_lock(&audit->lock);
    audit->ready_entries -= batch->count;
    audit->unpublished_bytes -= batch->body_len - 2 * (size_t)batch->count;
    batch_consume(batch);
    if (r < 0)
        seal(audit, r, "writing a tile");
    return r;
}

static int sign_checkpoint(struct rv_audit *audit, const struct rv_tree_head *head,
                           struct rv_buf *ret_note)
{
    uint64_t now_s = audit->options.clock.unix_ns(audit->options.clock.context) / RV_NS_PER_S;
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    struct rv_checkpoint checkpoint = { .head = *head };
    int r;

    memcpy(checkpoint.origin, audit->origin, sizeof(checkpoint.origin));
    rv_checkpoint_format(&text, &checkpoint);
    rv_buf_add(ret_note, text.data, text.len);
    rv_buf_add_char(ret_note, '\n');
    if (text.failed || ret_note->failed)
        return -ENOMEM;
    for (size_t i = 0; i < audit->options.signer_count; i++) {
        r = rv_note_sign(ret_note, rv_buf_span(&text), audit->signers[i], now_s);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_note(struct rv_audit *audit, struct rv_buf *note, const char **ret_failed)
{
    int r;

    *ret_failed = "writing the checkpoint";
    r = rv_store_replace(&audit->store, RV_CHECKPOINT_PATH, rv_buf_span(note));
    if (r == 0)
        r = rv_store_sync(&audit->store);
    if (r < 0)
        return r;
    rv_buf_clear(&audit->checkpoint);
    rv_buf_add(&audit->checkpoint, note->data, note->len);
    return audit->checkpoint.failed ? -ENOMEM : 0;
}

int rv_audit_put_checkpoint(struct rv_audit *audit, const char **ret_failed)
{
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    struct rv_tree_head head = { .size = rv_builder_size(audit->builder) };
    int r;

    *ret_failed = "writing a partial tile";
    r = rv_builder_write_partials(audit->builder);
    if (r == 0)
        r = rv_store_sync(&audit->store); /* what a checkpoint names is durable before it */
    if (r < 0)
        return r;
    head.root = rv_builder_root(audit->builder);
    *ret_failed = "signing the checkpoint";
    r = sign_checkpoint(audit, &head, &note);
    if (r == 0)
        r = put_note(audit, &note, ret_failed);
    if (r < 0)
        return r;
    rv_builder_prune(audit->builder);
    return 0;
}

static bool publish_due(const struct rv_audit *audit)
{
    return audit->publish_forced ||
           (audit->publish_target > audit->published && audit->durable >= audit->publish_target);
}

/** Publish what the builder holds. lock held; given up meanwhile. */
static int publish(struct rv_audit *audit)
{
    uint64_t size = rv_builder_size(audit->builder);
    struct rv_sha256 root;
    const char *failed = NULL;
    int r;

    (void)pthread_mutex_unlock(&audit->lock);
    (void)pthread_mutex_lock(&audit->publish_lock);
    r = rv_audit_put_checkpoint(audit, &failed);
    root = rv_builder_root(audit->builder);
    (void)pthread_mutex_unlock(&audit->publish_lock);
    (void)pthread_mutex_lock(&audit->lock);
    if (r < 0) {
        seal(audit, r, failed);
        return r;
    }
    audit->published = size;
    audit->root = root;
    audit->published_unix_us = audit->options.clock.unix_ns(audit->options.clock.context) / 1000;
    audit->publish_forced = false;
    audit->commit_due = false;
    if (audit->schedule.commit_size == size)
        audit->schedule.commit_head = (struct rv_tree_head){ size, root };
    (void)pthread_cond_broadcast(&audit->progress);
    wake_event_loop(audit);
    return 0;
}

/** One step of the publishing thread, or of the caller in inline mode. lock held. */
static int integrate_step(struct rv_audit *audit)
{
    uint64_t built = rv_builder_size(audit->builder);
    bool aimed = audit->publish_target > audit->published && built == audit->publish_target;

    if (publish_due(audit) && (aimed || !audit->ready.first))
        return publish(audit);
    return integrate_one(audit);
}

void rv_audit_aim(struct rv_audit *audit)
{
    if (audit->queue.last)
        audit->queue.last->closed = true;
    audit->publish_target = audit->size;
    (void)pthread_cond_signal(&audit->integrate);
}

/* ---- Inline mode ---- */

/** Commit all that is queued in the caller. lock held. */
static int commit_all_inline(struct rv_audit *audit)
{
    while (audit->queue.first) {
        int r = commit_one(audit);

        if (r != -EAGAIN) {
            if (r < 0)
                return r;
            continue;
        }
        audit->publish_forced = true;
        while (audit->publish_forced) {
            r = integrate_step(audit);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int rv_audit_publish_now(struct rv_audit *audit)
{
    int r = commit_all_inline(audit);

    while (r == 0 && audit->published < audit->publish_target)
        r = integrate_step(audit);
    return r;
}

/* ---- Waiting ---- */

static int wait_for_room(struct rv_audit *audit, size_t len)
{
    int r;

    while ((r = check_appendable(audit, len)) == -EAGAIN) {
        audit->publish_forced = true;
        if (audit->options.mode == RV_AUDIT_INLINE) {
            r = commit_all_inline(audit);
            while (r == 0 && audit->publish_forced)
                r = integrate_step(audit);
            if (r < 0)
                return r;
        } else {
            (void)pthread_cond_signal(&audit->integrate);
            (void)pthread_cond_wait(&audit->progress, &audit->lock);
        }
    }
    return r;
}

/** Wait until the batch is durable or failed. lock held. */
static int wait_for_batch(struct rv_audit *audit, struct rv_batch *batch)
{
    int r;

    batch->waiters++;
    if (audit->options.mode == RV_AUDIT_INLINE) {
        r = commit_all_inline(audit);
    } else {
        while (!batch->finished)
            (void)pthread_cond_wait(&batch->finished_cond, &audit->lock);
        r = batch->result;
    }
    batch->waiters--;
    batch_release(batch);
    return r;
}

static int append_and_wait(struct rv_audit *audit, struct rv_span entry, const char *type,
                           uint64_t *ret_index)
{
    const struct rv_done nobody = { 0 };
    struct rv_batch *batch;
    uint64_t index = audit->size;
    int r;

    r = enqueue(audit, entry, type, &nobody, &batch);
    if (r == 0)
        r = wait_for_batch(audit, batch);
    if (r == 0 && ret_index)
        *ret_index = index;
    return r;
}

int rv_audit_append_wait(struct rv_audit *audit, struct rv_span entry, const char *type,
                         uint64_t *ret_index)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    int r;

    if (!type)
        type = type_of(entry, &object);
    (void)pthread_mutex_lock(&audit->lock);
    r = wait_for_room(audit, entry.len);
    if (r == 0)
        r = append_and_wait(audit, entry, type, ret_index);
    (void)pthread_mutex_unlock(&audit->lock);
    return r;
}

int rv_audit_append_json_wait(struct rv_audit *audit, const char *type, const json_t *members,
                              uint64_t *ret_index)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { .len_max = RV_AUDIT_ENTRY_MAX };
    uint64_t now_us = audit->options.clock.unix_ns(audit->options.clock.context) / 1000;
    int r;

    (void)pthread_mutex_lock(&audit->lock);
    r = wait_for_room(audit, RV_AUDIT_ENTRY_MAX);
    if (r == 0)
        r = rv_entry_format(&text, type, now_us, audit->size, members);
    if (r == 0)
        r = append_and_wait(audit, rv_buf_span(&text), type, ret_index);
    (void)pthread_mutex_unlock(&audit->lock);
    return r;
}

static int flush_locked(struct rv_audit *audit)
{
    uint64_t upto = audit->size;

    if (audit->options.mode == RV_AUDIT_INLINE)
        return audit->error ? -EROFS : commit_all_inline(audit);
    while (audit->durable < upto && audit->error == 0)
        (void)pthread_cond_wait(&audit->progress, &audit->lock);
    return audit->durable < upto ? audit->error : 0;
}

int rv_audit_flush(struct rv_audit *audit)
{
    int r;

    (void)pthread_mutex_lock(&audit->lock);
    r = flush_locked(audit);
    (void)pthread_mutex_unlock(&audit->lock);
    (void)rv_audit_dispatch(audit);
    return r;
}

int rv_audit_publish(struct rv_audit *audit)
{
    uint64_t upto;
    int r = 0;

    (void)pthread_mutex_lock(&audit->lock);
    upto = audit->size;
    if (audit->error != 0) {
        r = -EROFS;
    } else if (audit->published < upto) {
        rv_audit_aim(audit);
        if (audit->options.mode == RV_AUDIT_INLINE)
            r = rv_audit_publish_now(audit);
        while (r == 0 && audit->published < upto && audit->error == 0)
            (void)pthread_cond_wait(&audit->progress, &audit->lock);
        if (r == 0 && audit->published < upto)
            r = audit->error;
    }
    (void)pthread_mutex_unlock(&audit->lock);
    (void)rv_audit_dispatch(audit);
    return r;
}

/* ---- The event loop's side ---- */

int rv_audit_fd(const struct rv_audit *audit)
{
    return audit->event_fd;
}

unsigned rv_audit_dispatch(struct rv_audit *audit)
{
    struct rv_done_list list;
    uint64_t ignored;
    bool commit_due;

    if (audit->event_fd >= 0)
        (void)!read(audit->event_fd, &ignored, sizeof(ignored)); /* empty is fine */
    (void)pthread_mutex_lock(&audit->lock);
    list = audit->finished;
    audit->finished = (struct rv_done_list){ 0 };
    /* The new list must again have room for all that is queued. */
    if (audit->size > audit->durable &&
        done_list_reserve(&audit->finished, audit->size - audit->durable) < 0) {
        audit->finished = list;
        list = (struct rv_done_list){ 0 };
    }
    commit_due = audit->commit_due && audit->error == 0 && audit->schedule.started &&
                 audit->publish_target <= audit->published;
    (void)pthread_mutex_unlock(&audit->lock);
    for (size_t i = 0; i < list.count; i++)
        list.items[i].function(list.items[i].context, list.items[i].result, list.items[i].index);
    free(list.items);
    if (commit_due)
        (void)!rv_audit_tick(audit); /* a failure seals, and is told by status */
    return (unsigned)list.count;
}

void rv_audit_status(struct rv_audit *audit, struct rv_audit_status *ret_status)
{
    (void)pthread_mutex_lock(&audit->lock);
    *ret_status = (struct rv_audit_status){
        .state = audit->error ? RV_AUDIT_SEALED : RV_AUDIT_WRITABLE,
        .error = audit->error,
        .failed = audit->failed,
        .size = audit->size,
        .durable = audit->durable,
        .published = audit->published,
        .batches = audit->batches,
        .published_unix_us = audit->published_unix_us,
        .root = audit->root,
        .unpublished_bytes = audit->unpublished_bytes,
    };
    (void)pthread_mutex_unlock(&audit->lock);
}

int rv_audit_add_cosignatures(struct rv_audit *audit, uint64_t size, struct rv_span signature_lines)
{
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };
    struct rv_audit_status status;
    const char *failed = NULL;
    int r = -ESTALE;

    (void)pthread_mutex_lock(&audit->publish_lock);
    rv_audit_status(audit, &status);
    if (status.state == RV_AUDIT_SEALED) {
        r = -EROFS;
    } else if (status.published == size) {
        rv_buf_add(&note, audit->checkpoint.data, audit->checkpoint.len);
        rv_buf_add(&note, signature_lines.data, signature_lines.len);
        r = note.failed ? -ENOMEM : put_note(audit, &note, &failed);
        if (r < 0) {
            (void)pthread_mutex_lock(&audit->lock);
            seal(audit, r, failed);
            (void)pthread_mutex_unlock(&audit->lock);
        }
    }
    (void)pthread_mutex_unlock(&audit->publish_lock);
    return r;
}

/* ---- Threads ---- */

static void *journal_main(void *context)
{
    struct rv_audit *audit = context;

    (void)pthread_mutex_lock(&audit->lock);
    while (audit->error == 0) {
        if (!audit->queue.first) {
            if (audit->stopping)
                break;
            (void)pthread_cond_wait(&audit->work, &audit->lock);
        } else if (commit_one(audit) == -EAGAIN) {
            uint64_t published = audit->published;

            audit->publish_forced = true;
            (void)pthread_cond_signal(&audit->integrate);
            while (audit->published == published && audit->error == 0)
                (void)pthread_cond_wait(&audit->progress, &audit->lock);
        }
    }
    (void)pthread_mutex_unlock(&audit->lock);
    return NULL;
}

static void *publish_main(void *context)
{
    struct rv_audit *audit = context;

    (void)pthread_mutex_lock(&audit->lock);
    while (audit->error == 0) {
        if (publish_due(audit) || audit->ready_entries >= RV_TILE_WIDTH) {
            if (integrate_step(audit) < 0)
                break;
        } else if (audit->stopping) {
            break;
        } else {
            (void)pthread_cond_wait(&audit->integrate, &audit->lock);
        }
    }
    (void)pthread_mutex_unlock(&audit->lock);
    return NULL;
}

int rv_audit_start_threads(struct rv_audit *audit)
{
    static void *(*const mains[])(void *) = { journal_main, publish_main };
    sigset_t all, before;
    int r = 0;

    /* Signals belong to the program's own thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < RV_COUNT(mains) && r == 0; i++) {
        r = -pthread_create(&audit->threads[i], NULL, mains[i], audit);
        if (r == 0)
            audit->thread_count++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

void rv_audit_stop_threads(struct rv_audit *audit)
{
    (void)pthread_mutex_lock(&audit->lock);
    if (audit->thread_count == 0 && audit->journal && audit->error == 0)
        (void)!commit_all_inline(audit);
    (void)pthread_mutex_unlock(&audit->lock);
    /* The journal thread first: it may still need something published. */
    for (unsigned i = 0; i < audit->thread_count; i++) {
        (void)pthread_mutex_lock(&audit->lock);
        audit->stopping = true;
        (void)pthread_cond_broadcast(&audit->work);
        (void)pthread_mutex_unlock(&audit->lock);
        if (i == 1) {
            (void)pthread_mutex_lock(&audit->lock);
            (void)pthread_cond_broadcast(&audit->integrate);
            (void)pthread_mutex_unlock(&audit->lock);
        }
        (void)pthread_join(audit->threads[i], NULL);
    }
    audit->thread_count = 0;
}

void rv_audit_drop_batches(struct rv_audit *audit)
{
    struct rv_batch *batch;

    while ((batch = batch_list_take(&audit->queue)))
        batch_consume(batch);
    while ((batch = batch_list_take(&audit->ready)))
        batch_consume(batch);
}
