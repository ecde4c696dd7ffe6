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

#define NOTE_MAX ((size_t)1000)

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
    const struct rv_word_of of = { number, peer_uid, &label };
    enum rv_word word = RV_WORD_SAID_BEFORE;

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
    label.vector = &verdict.vector;
    label.class = verdict.class;
    label.session_q16 = verdict.session_q16;
    if (verdict.held)
        word = rv_judgements_weigh(place->judgements, place->models, &of);
    members = json_pack("{sI sO sb sI sO* ss}", "entry", (json_int_t)number, "label",
                        json_object_get(request, "label"), "applied", word == RV_WORD_LEARN, "uid",
                        (json_int_t)peer_uid, "note", note, "learning",
                        verdict.held ? rv_word_text(word) : "nothing was held apart for it");
    if (!members)
        return NULL;
    if (rv_audit_append_json_wait(place->audit, "label", members, NULL) < 0)
        return refuse("the log takes no entry, so nothing was learnt");
    if (verdict.held)
        rv_judgements_settle(place->judgements, place->models, &of, word);
    return RV_TAKE(members);
}
