/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a log: the lock, the last checkpoint, what the journal holds beyond it. */
#include "writer.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static int take_options(struct rv_audit *audit, const struct rv_audit_options *options)
{
    struct rv_audit_options *own = &audit->options;

    if (options->signer_count == 0 || options->signer_count > RV_AUDIT_SIGNERS_MAX ||
        !options->clock.boot_ns || !options->clock.unix_ns)
        return -EINVAL;
    *own = *options;
    for (size_t i = 0; i < options->signer_count; i++) {
        const struct rv_note_key *key = rv_signer_key(options->signers[i]);

        audit->signers[i] = options->signers[i];
        if (key->algorithm != RV_NOTE_ED25519 ||
            !rv_streq(key->name, rv_signer_key(options->signers[0])->name))
            return -EINVAL; /* rotation changes the key, never the origin */
    }
    own->signers = audit->signers;
    memcpy(audit->origin, rv_signer_key(audit->signers[0])->name, sizeof(audit->origin));
    own->journal_bytes = own->journal_bytes ? own->journal_bytes : 8U << 20;
    own->batch_entries_max = own->batch_entries_max ? own->batch_entries_max : 256;
    own->queue_bytes_max = own->queue_bytes_max ? own->queue_bytes_max : 64U << 20;
    own->checkpoint_ms = own->checkpoint_ms ? own->checkpoint_ms : 1000;
    own->heartbeat_ms = own->heartbeat_ms ? own->heartbeat_ms : 60 * 1000;
    own->period_ms = own->period_ms ? own->period_ms : 3600 * 1000;
    if (own->journal_bytes < RV_JOURNAL_BYTES_MIN || own->journal_bytes % RV_JOURNAL_BLOCK != 0)
        return -EINVAL;
    return 0;
}

static int open_state(struct rv_audit *audit, int dir_fd)
{
    struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    audit->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (audit->dir_fd < 0)
        return -errno;
    if (mkdirat(audit->dir_fd, RV_STATE_DIR, 0700) < 0) {
        if (errno != EEXIST)
            return -errno;
    } else if (fsync(audit->dir_fd) < 0) { /* no checkpoint without what it needs beside it */
        return -errno;
    }
    audit->state_fd =
        openat(audit->dir_fd, RV_STATE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (audit->state_fd < 0)
        return -errno;
    audit->lock_fd =
        openat(audit->state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (audit->lock_fd < 0)
        return -errno;
    if (fcntl(audit->lock_fd, F_OFD_SETLK, &whole_file) < 0)
        return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    return 0;
}

/** The checkpoint on disk, checked against our keys. @return 0; -ENOENT: a new log; -errno. */
static int read_checkpoint(struct rv_audit *audit, struct rv_tree_head *ret_head)
{
    struct rv_note_key keys[RV_AUDIT_SIGNERS_MAX];
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    struct rv_checkpoint checkpoint;
    char *text = NULL;
    size_t len = 0;
    int r;

    r = rv_read_file(audit->dir_fd, RV_CHECKPOINT_PATH, RV_NOTE_LEN_MAX, &text, &len);
    if (r == -ENOENT) /* the first checkpoint precedes the first tile */
        return faccessat(audit->dir_fd, "tile", F_OK, 0) == 0 ? -EBADMSG : -ENOENT;
    if (r < 0)
        return r == -EFBIG ? -EBADMSG : r;
    rv_buf_add(&audit->checkpoint, text, len);
    free(text);
    for (size_t i = 0; i < audit->options.signer_count; i++)
        keys[i] = *rv_signer_key(audit->signers[i]);
    r = rv_checkpoint_open(&checkpoint, &finding, rv_buf_span(&audit->checkpoint), keys,
                           audit->options.signer_count);
    if (r < 0)
        return r;
    if (finding != RV_NOTE_GOOD || !rv_streq(checkpoint.origin, audit->origin))
        return -EBADMSG;
    *ret_head = checkpoint.head;
    return 0;
}

/** A recovered record: its entries become part of the tree at once. */
static int replay(void *context, uint64_t first, uint32_t count, struct rv_span body)
{
    struct rv_reader reader = rv_reader(body);
    struct rv_audit *audit = context;

    if (first != rv_builder_size(audit->builder))
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        struct rv_span entry = rv_bundle_next(&reader);
        int r = reader.failed ? -EBADMSG : rv_builder_add(audit->builder, entry);

        if (r < 0)
            return r;
    }
    if (reader.rest.len > 0)
        return -EBADMSG;
    audit->opening.recovered += count;
    return 0;
}

static int publish_recovered(struct rv_audit *audit)
{
    const char *failed = NULL;

    audit->root = rv_builder_root(audit->builder);
    return rv_audit_put_checkpoint(audit, &failed);
}

static int recover(struct rv_audit *audit)
{
    struct rv_journal_opening opening = { .replay = replay, .context = audit };
    struct rv_tree_head head = { 0 };
    int r;

    r = read_checkpoint(audit, &head);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == -ENOENT)
        opening.create_bytes = audit->options.journal_bytes;
    else
        r = rv_builder_load(audit->builder, audit->dir_fd, &head);
    if (r < 0 && r != -ENOENT)
        return r;
    opening.published = head.size;
    r = rv_journal_open(&audit->journal, audit->state_fd, &opening, &audit->opening.torn);
    if (r < 0)
        return r;
    if (audit->opening.recovered > 0 || opening.create_bytes > 0)
        r = publish_recovered(audit);
    else
        audit->root = head.root;
    if (r < 0)
        return r;
    audit->opening.size = rv_builder_size(audit->builder);
    audit->size = audit->durable = audit->published = audit->opening.size;
    return rv_journal_reset(audit->journal, audit->size);
}

static int make_locks(struct rv_audit *audit)
{
    if (pthread_mutex_init(&audit->publish_lock, NULL) != 0 ||
        pthread_mutex_init(&audit->lock, NULL) != 0 || pthread_cond_init(&audit->work, NULL) != 0 ||
        pthread_cond_init(&audit->integrate, NULL) != 0 ||
        pthread_cond_init(&audit->progress, NULL) != 0)
        return -ENOMEM;
    audit->locks_made = true;
    return 0;
}

int rv_audit_open(struct rv_audit **ret_audit, int dir_fd, const struct rv_audit_options *options)
{
    RV_AUTO(rv_audit_free) struct rv_audit *audit = calloc(1, sizeof(*audit));
    int r;

    if (!audit)
        return -ENOMEM;
    audit->dir_fd = audit->state_fd = audit->lock_fd = audit->event_fd = -1;
    r = make_locks(audit);
    if (r == 0)
        r = take_options(audit, options);
    if (r == 0)
        r = open_state(audit, dir_fd);
    if (r < 0)
        return r;
    audit->store = (struct rv_store){ .dir_fd = audit->dir_fd,
                                      .state_fd = audit->state_fd,
                                      .tmp_name = "tile.tmp" };
    r = rv_builder_new(&audit->builder, &audit->store);
    if (r == 0)
        r = recover(audit);
    if (r < 0)
        return r;
    if (audit->options.mode == RV_AUDIT_THREAD) {
        audit->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = audit->event_fd < 0 ? -errno : rv_audit_start_threads(audit);
        if (r < 0)
            return r;
    }
    *ret_audit = RV_TAKE(audit);
    return 0;
}

void rv_audit_free(struct rv_audit **audit_ptr)
{
    struct rv_audit *audit = *audit_ptr;

    if (!audit)
        return;
    if (audit->locks_made) {
        rv_audit_stop_threads(audit);
        rv_audit_drop_batches(audit);
        (void)pthread_cond_destroy(&audit->progress);
        (void)pthread_cond_destroy(&audit->integrate);
        (void)pthread_cond_destroy(&audit->work);
        (void)pthread_mutex_destroy(&audit->lock);
        (void)pthread_mutex_destroy(&audit->publish_lock);
    }
    rv_journal_free(&audit->journal);
    rv_builder_free(&audit->builder);
    rv_store_done(&audit->store);
    rv_buf_done(&audit->checkpoint);
    rv_closep(&audit->event_fd);
    rv_closep(&audit->lock_fd);
    rv_closep(&audit->state_fd);
    rv_closep(&audit->dir_fd);
    free(audit->finished.items);
    free(audit);
    *audit_ptr = NULL;
}

struct rv_audit_opening rv_audit_opening(const struct rv_audit *audit)
{
    return audit->opening;
}
