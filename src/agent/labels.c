/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

#include "agent/receipt.h"
#include "audit/entry.h"
#include "audit/tile.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "features/table.h"

#include <inttypes.h>

#define BOOK_NAME "labels"
#define BOOK_MAX  65536U /* judged entries remembered; the oldest go */
#define BYTES_MAX ((size_t)BOOK_MAX * 8)
#define NOTE_MAX  ((size_t)1000)

/** Entries that were judged: little-endian 64-bit indexes, oldest first. */
struct rv_labels_book {
    int state_fd;
    struct rv_buf bytes;
};

/* ---- The book ---- */

int rv_labels_book_open(struct rv_labels_book **ret_book, int state_fd)
{
    struct rv_labels_book *book = calloc(1, sizeof(*book));
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len = 0;
    int r;

    if (!book)
        return -ENOMEM;
    book->state_fd = state_fd;
    r = rv_read_file(state_fd, BOOK_NAME, BYTES_MAX, &bytes, &len);
    if (r == 0)
        rv_buf_add(&book->bytes, bytes, len / 8 * 8);
    else if (r != -ENOENT)
        rv_warning("which decisions were judged is not known any more: %s", strerror(-r));
    *ret_book = book;
    return 0;
}

void rv_labels_book_free(struct rv_labels_book **book)
{
    if (!*book)
        return;
    rv_buf_done(&(*book)->bytes);
    free(*book);
    *book = NULL;
}

static bool is_judged(const struct rv_labels_book *book, uint64_t entry)
{
    struct rv_reader reader = rv_reader(rv_buf_span(&book->bytes));

    while (reader.rest.len >= 8) {
        if (rv_read_le64(&reader) == entry)
            return true;
    }
    return false;
}

static void note_judged(struct rv_labels_book *book, uint64_t entry)
{
    int r;

    if (book->bytes.len >= BYTES_MAX) {
        book->bytes.len -= 8;
        memmove(book->bytes.data, book->bytes.data + 8, book->bytes.len);
    }
    rv_buf_add_le64(&book->bytes, entry);
    r = book->bytes.failed ? -ENOMEM
                           : rv_write_file_atomic(book->state_fd, BOOK_NAME, book->bytes.data,
                                                  book->bytes.len, 0600);
    if (r < 0)
        rv_warning("that entry %" PRIu64 " was judged is not kept over a restart: %s", entry,
                   strerror(-r));
}

/* ---- The receipt ---- */

static json_t *refuse(const char *why)
{
    return json_pack("{ss}", "error", why);
}

/** @return the entry, or NULL with a sentence. */
static json_t *read_entry(const struct rv_labels_place *place, uint64_t index, const char **reterr)
{
    struct rv_audit_status status;
    struct rv_source source;
    struct rv_tiles *tiles = NULL;
    struct rv_span bytes;
    json_t *object = NULL;

    rv_audit_status(place->audit, &status);
    if (index >= status.published) {
        *reterr = index < status.size ? "the entry is not published yet; ask again in a second"
                                      : "the log has no such entry";
        return NULL;
    }
    if (rv_source_dir(&source, place->log_fd) < 0 ||
        rv_tiles_new(&tiles, &source, status.published) < 0) {
        *reterr = "the log cannot be read";
        return NULL;
    }
    if (rv_tiles_entry(tiles, index, &bytes) < 0 ||
        rv_entry_read(bytes, index, &object) != RV_ENTRY_GOOD) {
        json_decref(object);
        object = NULL;
        *reterr = "the entry cannot be read; 'reeve audit verify' says more";
    }
    rv_tiles_free(&tiles);
    return object;
}

/** Can the entry be judged, by this person? @return NULL, or a sentence why not. */
static const char *check_entry(const json_t *entry, uint32_t peer_uid,
                               struct rv_receipt_verdict *ret_verdict, struct rv_sha256 *ret_model)
{
    const json_t *verdict = json_object_get(entry, "verdict");
    const json_t *uid = json_object_get(json_object_get(entry, "event"), "uid");
    struct rv_sha256 table, ours = rv_feature_table_digest();

    if (!rv_streq(rv_entry_type(entry), "decision"))
        return "the entry is no decision";
    if (!verdict)
        return "the decision has no verdict: no process was scored";
    if (!rv_receipt_digest(json_object_get(entry, "feature_table"), &table) ||
        memcmp(&table, &ours, sizeof(ours)) != 0)
        return "its vector is of another feature table than this agent's";
    if (!rv_receipt_verdict_read(verdict, ret_verdict) ||
        !rv_receipt_digest(json_object_get(verdict, "model"), ret_model))
        return "its verdict lacks a number or has one that cannot be read";
    if (peer_uid != 0 && (!json_is_integer(uid) || json_integer_value(uid) == peer_uid))
        return "nobody judges what ran as himself; ask another person, or root";
    return NULL;
}

static bool read_judgement(const json_t *request, enum rv_judgement *ret_judgement)
{
    const char *label = json_string_value(json_object_get(request, "label"));

    if (!label || !(rv_streq(label, "benign") || rv_streq(label, "malicious")))
        return false;
    *ret_judgement = rv_streq(label, "benign") ? RV_JUDGED_NORMAL : RV_JUDGED_BAD;
    return true;
}

json_t *rv_labels_answer(const struct rv_labels_place *place, const json_t *request,
                         uint32_t peer_uid)
{
    RV_AUTO(rv_json_freep) json_t *entry = NULL;
    RV_AUTO(rv_json_freep) json_t *members = NULL;
    const json_t *index = json_object_get(request, "entry"),
                 *note = json_object_get(request, "note");
    struct rv_receipt_verdict verdict;
    struct rv_models_label label = { .time_ns = place->time_boot_ns };
    const char *why = NULL;
    uint64_t number = (uint64_t)json_integer_value(index);
    bool applied;

    if (!json_is_integer(index) || json_integer_value(index) < 0 ||
        !read_judgement(request, &label.judgement))
        return refuse("a judgement names an entry, and says benign or malicious");
    if (note && (!json_is_string(note) || json_string_length(note) > NOTE_MAX))
        return refuse("a note is a text of at most 1000 bytes");
    if (!place->audit)
        return refuse("there is no log");
    entry = read_entry(place, number, &why);
    if (entry)
        why = check_entry(entry, peer_uid, &verdict, &label.model);
    if (why)
        return refuse(why);
    applied = verdict.held && !is_judged(place->book, number);
    members = json_pack("{sI sO sb sI sO*}", "entry", (json_int_t)number, "label",
                        json_object_get(request, "label"), "applied", applied, "uid",
                        (json_int_t)peer_uid, "note", note);
    if (!members)
        return NULL;
    if (rv_audit_append_json_wait(place->audit, "label", members, NULL) < 0)
        return refuse("the log takes no entry, so nothing was learnt");
    if (applied) {
        label.vector = &verdict.vector;
        label.class = verdict.class;
        label.session_q16 = verdict.session_q16;
        rv_models_label(place->models, &label);
        note_judged(place->book, number);
    }
    return RV_TAKE(members);
}
