/* SPDX-License-Identifier: Apache-2.0 */
/* A witness's judgement and its memory; and the log's side of the same messages. */
#include "audit/witness.h"

#include "audit/proof.h"
#include "base/encode.h"
#include "base/fd.h"
#include "note_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOGS_MAX ((size_t)64)

struct rv_witness {
    int dir_fd, lock_fd;
    const struct rv_signer *signer;
    struct rv_clock clock;
    struct rv_note_key logs[LOGS_MAX];
    size_t log_count;
};

/* ---- Messages ---- */

void rv_witness_request_format(struct rv_buf *buf, const struct rv_witness_request *request)
{
    rv_buf_addf(buf, "old %llu\n", (unsigned long long)request->old_size);
    rv_proof_lines_format(buf, &request->proof);
    rv_buf_add_char(buf, '\n');
    rv_buf_add(buf, request->checkpoint.data, request->checkpoint.len);
}

int rv_witness_request_parse(struct rv_witness_request *ret_request, struct rv_span bytes)
{
    struct rv_witness_request request = { 0 };
    struct rv_span line;

    if (bytes.len > RV_WITNESS_REQUEST_MAX || rv_line_take(&bytes, &line) < 0 || line.len < 5 ||
        memcmp(line.data, "old ", 4) != 0 ||
        rv_size_parse(&request.old_size, rv_span(line.data + 4, line.len - 4)) < 0 ||
        rv_proof_lines_parse(&request.proof, &bytes, RV_WITNESS_PROOF_MAX) < 0)
        return -EBADMSG;
    request.checkpoint = bytes;
    *ret_request = request;
    return 0;
}

int rv_witness_accept(struct rv_buf *lines, struct rv_span answer, struct rv_span checkpoint,
                      const struct rv_note_key *key)
{
    RV_AUTO(rv_freep) struct rv_note *note = calloc(1, sizeof(*note));
    RV_AUTO(rv_freep) struct rv_note *one = calloc(1, sizeof(*one));
    bool found = false;
    int r;

    if (!note || !one)
        return -ENOMEM;
    r = rv_note_parse(note, checkpoint);
    if (r < 0)
        return r;
    one->text = note->text;
    note->signature_count = 0;
    r = rv_note_parse_signatures(note, answer);
    if (r < 0)
        return r;
    for (size_t i = 0; i < note->signature_count; i++) {
        one->signatures[0] = note->signatures[i];
        one->signature_count = 1;
        if (rv_note_check(one, key, 1, NULL) != RV_NOTE_GOOD)
            continue;
        rv_buf_add(lines, note->signatures[i].line.data, note->signatures[i].line.len);
        found = true;
    }
    if (!found)
        return -EBADMSG;
    return lines->failed ? -ENOMEM : 0;
}

/* ---- Memory: one file a log, named by the digest of its origin, holding the signed note ---- */

static void state_name(char name[RV_SHA256_HEX_LEN + 1], const char *origin)
{
    struct rv_sha256 digest = rv_sha256(rv_span_str(origin));

    rv_sha256_hex(&digest, name);
}

/** @return 0, an empty head when nothing was cosigned yet; -EBADMSG for a damaged memory. */
static int recall(struct rv_witness *witness, const char *origin, struct rv_tree_head *ret_head)
{
    char name[RV_SHA256_HEX_LEN + 1];
    struct rv_checkpoint checkpoint;
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len = 0;
    int r;

    state_name(name, origin);
    r = rv_read_file(witness->dir_fd, name, RV_NOTE_LEN_MAX, &bytes, &len);
    if (r == -ENOENT) {
        *ret_head = (struct rv_tree_head){ 0, rv_tree_empty() };
        return 0;
    }
    if (r < 0)
        return r;
    r = rv_checkpoint_parse(&checkpoint, rv_span(bytes, len));
    if (r < 0 || !rv_streq(checkpoint.origin, origin))
        return -EBADMSG;
    *ret_head = checkpoint.head;
    return 0;
}

static int remember(struct rv_witness *witness, const struct rv_checkpoint *checkpoint)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    char name[RV_SHA256_HEX_LEN + 1];

    state_name(name, checkpoint->origin);
    rv_checkpoint_format(&text, checkpoint);
    if (text.failed)
        return -ENOMEM;
    return rv_write_file_atomic(witness->dir_fd, name, text.data, text.len, 0600);
}

/* ---- Judgement ---- */

static int refuse(struct rv_witness_answer *answer, int status, const char *why)
{
    answer->status = status;
    answer->content_type = "text/plain; charset=utf-8";
    rv_buf_addf(&answer->body, "%s\n", why);
    return answer->body.failed ? -ENOMEM : 0;
}

static int tell_size(struct rv_witness_answer *answer, uint64_t size)
{
    answer->status = 409;
    answer->content_type = "text/x.tlog.size";
    rv_buf_addf(&answer->body, "%llu\n", (unsigned long long)size);
    return answer->body.failed ? -ENOMEM : 0;
}

static size_t keys_of(const struct rv_witness *witness, const char *origin,
                      struct rv_note_key keys[LOGS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < witness->log_count; i++) {
        if (rv_streq(witness->logs[i].name, origin))
            keys[count++] = witness->logs[i];
    }
    return count;
}

/** Who signed it. @return 0 with RV_NOTE_GOOD only for the origin's own key; 1: refused. */
static int check_signature(struct rv_witness *witness, struct rv_span checkpoint_note,
                           struct rv_checkpoint *ret_checkpoint, struct rv_witness_answer *answer)
{
    RV_AUTO(rv_freep) struct rv_note_key *keys = calloc(LOGS_MAX, sizeof(*keys));
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    size_t count;
    int r;

    if (!keys)
        return -ENOMEM;
    r = rv_checkpoint_open(ret_checkpoint, &finding, checkpoint_note, NULL, 0);
    if (r == -EBADMSG)
        r = refuse(answer, 400, "the checkpoint is malformed");
    else if (r == 0) {
        count = keys_of(witness, ret_checkpoint->origin, keys);
        if (count == 0)
            r = refuse(answer, 404, "unknown log origin");
        else {
            r = rv_checkpoint_open(ret_checkpoint, &finding, checkpoint_note, keys, count);
            if (r == 0 && finding == RV_NOTE_GOOD)
                return 0;
            if (r == 0)
                r = refuse(answer, 403, "no good signature by a key trusted for this origin");
        }
    }
    return r < 0 ? r : 1;
}

/** Does it extend what was cosigned before? @return 0: yes; 1: refused; -errno. */
static int check_growth(const struct rv_witness_request *request, const struct rv_tree_head *last,
                        const struct rv_tree_head *next, struct rv_witness_answer *answer)
{
    int r;

    if (request->old_size > next->size) {
        r = refuse(answer, 400, "the old size is larger than the checkpoint's");
    } else if (request->old_size != last->size) {
        r = tell_size(answer, last->size);
    } else if (last->size == next->size && memcmp(&last->root, &next->root, sizeof(last->root))) {
        answer->fork = true;
        r = tell_size(answer, last->size);
    } else if (rv_proof_check_consistency(&request->proof, last, next) != RV_PROOF_RIGHT) {
        r = refuse(answer, 422, "the consistency proof is wrong");
    } else {
        return 0;
    }
    return r < 0 ? r : 1;
}

/** Evidence: the note that contradicts what was cosigned. Named by its text, so that one lie makes
 *  one file however often it is told. */
static int keep_fork(struct rv_witness *witness, struct rv_span checkpoint_note)
{
    RV_AUTO(rv_freep) struct rv_note *note = calloc(1, sizeof(*note));
    char name[sizeof("fork-") + RV_SHA256_HEX_LEN] = "fork-";
    struct rv_sha256 digest;
    int r;

    if (!note)
        return -ENOMEM;
    r = rv_note_parse(note, checkpoint_note);
    if (r < 0)
        return r;
    digest = rv_sha256(note->text);
    rv_sha256_hex(&digest, name + strlen("fork-"));
    return rv_write_file_atomic(witness->dir_fd, name, checkpoint_note.data, checkpoint_note.len,
                                0600);
}

static int cosign(struct rv_witness *witness, const struct rv_checkpoint *checkpoint,
                  struct rv_span text, struct rv_witness_answer *answer)
{
    uint64_t now_s = witness->clock.unix_ns(witness->clock.context) / RV_NS_PER_S;
    int r = remember(witness, checkpoint);

    if (r < 0)
        return r;
    r = rv_note_sign(&answer->body, text, witness->signer, now_s);
    if (r < 0)
        return r;
    answer->status = 200;
    answer->content_type = "text/plain; charset=utf-8";
    return 0;
}

int rv_witness_add_checkpoint(struct rv_witness *witness, struct rv_span request_bytes,
                              struct rv_witness_answer *ret_answer)
{
    RV_AUTO(rv_witness_answer_done) struct rv_witness_answer answer = { 0 };
    RV_AUTO(rv_freep) struct rv_note *note = calloc(1, sizeof(*note));
    struct rv_checkpoint checkpoint;
    struct rv_witness_request request;
    struct rv_tree_head last;
    int r;

    if (!note)
        return -ENOMEM;
    r = rv_witness_request_parse(&request, request_bytes);
    if (r < 0)
        r = refuse(&answer, 400, "the request is malformed") < 0 ? -ENOMEM : 1;
    if (r == 0)
        r = check_signature(witness, request.checkpoint, &checkpoint, &answer);
    if (r == 0)
        r = recall(witness, checkpoint.origin, &last);
    if (r == 0)
        r = check_growth(&request, &last, &checkpoint.head, &answer);
    if (r == 1 && answer.fork)
        r = keep_fork(witness, request.checkpoint) < 0 ? -EIO : 1;
    if (r == 0)
        r = rv_note_parse(note, request.checkpoint);
    if (r == 0)
        r = cosign(witness, &checkpoint, note->text, &answer);
    if (r < 0)
        return r;
    *ret_answer = answer;
    answer.body = (struct rv_buf){ 0 };
    return 0;
}

void rv_witness_answer_done(struct rv_witness_answer *answer)
{
    rv_buf_done(&answer->body);
}

/* ---- Making one ---- */

int rv_witness_open(struct rv_witness **ret_witness, int state_dir_fd,
                    const struct rv_signer *signer, struct rv_clock clock)
{
    RV_AUTO(rv_witness_free) struct rv_witness *witness = calloc(1, sizeof(*witness));
    struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (!witness)
        return -ENOMEM;
    witness->dir_fd = witness->lock_fd = -1;
    witness->signer = signer;
    witness->clock = clock;
    if (rv_signer_key(signer)->algorithm != RV_NOTE_COSIGNATURE)
        return -EINVAL;
    witness->dir_fd = fcntl(state_dir_fd, F_DUPFD_CLOEXEC, 0);
    if (witness->dir_fd < 0)
        return -errno;
    witness->lock_fd =
        openat(witness->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (witness->lock_fd < 0)
        return -errno;
    if (fcntl(witness->lock_fd, F_OFD_SETLK, &whole_file) < 0)
        return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    *ret_witness = RV_TAKE(witness);
    return 0;
}

void rv_witness_free(struct rv_witness **witness)
{
    if (!*witness)
        return;
    rv_closep(&(*witness)->lock_fd);
    rv_closep(&(*witness)->dir_fd);
    free(*witness);
    *witness = NULL;
}

int rv_witness_add_log(struct rv_witness *witness, const struct rv_note_key *key)
{
    if (key->algorithm != RV_NOTE_ED25519)
        return -EINVAL;
    if (witness->log_count == LOGS_MAX)
        return -ENOSPC;
    witness->logs[witness->log_count++] = *key;
    return 0;
}
