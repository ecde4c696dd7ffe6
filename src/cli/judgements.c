/* SPDX-License-Identifier: Apache-2.0 */
#include "judgements.h"

#include "agent/receipt.h"
#include "audit/entry.h"
#include "cmd/decisions/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void rv_judgements_done(struct rv_judgements *judgements)
{
    json_decref(judgements->things);
    json_decref(judgements->people);
    *judgements = (struct rv_judgements){ 0 };
}

/** What a word is about. Names that are not UTF-8 stand as they do in a receipt. */
static void add_thing(struct rv_buf *key, struct rv_process_key process, const char *action,
                      struct rv_span resource)
{
    rv_buf_addf(key, "%" PRIu32 " %" PRIu64 " %s ", process.tgid, process.start_boot_ns, action);
    rv_json_add_string(key, resource);
}

/** @return false: the receipt lacks something, so nothing that was stopped is like it. */
static bool thing_of_receipt(const json_t *receipt, struct rv_buf *key)
{
    const json_t *event = json_object_get(receipt, "event"),
                 *resource = json_object_get(receipt, "resource");
    const char *action = json_string_value(json_object_get(receipt, "action"));
    int64_t tgid, start;

    if (!action || !json_is_string(resource) ||
        !rv_receipt_integer(json_object_get(event, "tgid"), &tgid) ||
        !rv_receipt_integer(json_object_get(event, "start_boot_ns"), &start))
        return false;
    add_thing(key,
              (struct rv_process_key){ .tgid = (uint32_t)tgid, .start_boot_ns = (uint64_t)start },
              action, rv_span(json_string_value(resource), json_string_length(resource)));
    return !key->failed;
}

/** Whether one more decision may be called malicious by this person; counts it if so. */
static bool may_call_malicious(struct rv_judgements *judgements, int64_t uid)
{
    json_int_t before;
    char key[24];

    (void)snprintf(key, sizeof(key), "%" PRId64, uid);
    before = json_integer_value(json_object_get(judgements->people, key));
    return before < (json_int_t)RV_JUDGEMENTS_TRUE_MAX &&
           json_object_set_new(judgements->people, key, json_integer(before + 1)) == 0;
}

static int take_word(struct rv_judgements *judgements, const json_t *label, const json_t *receipt)
{
    RV_AUTO(rv_buf_done) struct rv_buf key = { 0 };
    const json_t *by = json_object_get(label, "uid"),
                 *whose = json_object_get(json_object_get(receipt, "event"), "uid");
    bool malicious = rv_streq(json_string_value(json_object_get(label, "label")), "malicious");
    int64_t uid = json_integer_value(by);
    json_t *words;
    char word[48];

    if (!json_is_integer(by) || !json_is_integer(whose) || !thing_of_receipt(receipt, &key))
        return 0;
    judgements->labels++;
    if (uid != 0 && uid == json_integer_value(whose)) {
        judgements->own++;
        return 0;
    }
    (void)snprintf(word, sizeof(word), "%" PRId64 " %" PRId64, uid,
                   (int64_t)json_integer_value(json_object_get(label, "entry")));
    words = json_object_get(judgements->things, key.data);
    if (malicious && !json_is_true(json_object_get(words, word)) &&
        !may_call_malicious(judgements, uid)) {
        judgements->beyond++;
        return 0;
    }
    if (!words) {
        words = json_object();
        if (json_object_set_new(judgements->things, key.data, words) < 0)
            return -ENOMEM;
    }
    return json_object_set_new(words, word, json_boolean(malicious)) < 0 ? -ENOMEM : 0;
}

/** Entries are canonical, so most need not be read to know that they are no labels. */
static bool may_be_label(struct rv_tiles *tiles, uint64_t index)
{
    static const char mark[] = "\"type\":\"label\"";
    struct rv_span entry;

    return rv_tiles_entry(tiles, index, &entry) == 0 &&
           memmem(entry.data, entry.len, mark, sizeof(mark) - 1);
}

static int read_label(struct rv_judgements *judgements, struct rv_tiles *tiles, uint64_t index,
                      uint64_t since_unix_ns)
{
    RV_AUTO(rv_json_freep) json_t *label = decisions_read(tiles, index, "label");
    const json_t *entry = json_object_get(label, "entry");
    RV_AUTO(rv_json_freep) json_t *receipt = NULL;

    if (!json_is_integer(entry) || json_integer_value(entry) < 0)
        return 0;
    receipt = decisions_read(tiles, (uint64_t)json_integer_value(entry), "decision");
    if (!receipt || rv_entry_time_us(receipt) < since_unix_ns / 1000)
        return 0;
    return take_word(judgements, label, receipt);
}

int rv_judgements_read(struct rv_judgements *judgements, const char *log_path,
                       uint64_t since_unix_ns)
{
    struct rv_tiles *tiles = NULL;
    struct rv_checkpoint checkpoint;
    int r = decisions_open_log(log_path, &tiles, &checkpoint);

    if (r < 0)
        return r;
    judgements->things = json_object();
    judgements->people = json_object();
    if (!judgements->things || !judgements->people)
        r = -ENOMEM;
    for (uint64_t index = 0; r == 0 && index < checkpoint.head.size; index++) {
        if (may_be_label(tiles, index))
            r = read_label(judgements, tiles, index, since_unix_ns);
    }
    rv_tiles_free(&tiles);
    return r;
}

enum rv_stop rv_judgements_of(const struct rv_judgements *judgements, struct rv_process_key process,
                              const char *action, struct rv_span resource)
{
    RV_AUTO(rv_buf_done) struct rv_buf key = { 0 };
    bool malicious = false, benign = false;
    json_t *words, *value;
    const char *word;

    if (json_object_size(judgements->things) == 0)
        return RV_STOP_UNLABELLED;
    add_thing(&key, process, action, resource);
    words = key.failed ? NULL : json_object_get(judgements->things, key.data);
    json_object_foreach(words, word, value)
    {
        malicious |= json_is_true(value);
        benign |= !json_is_true(value);
    }
    if (malicious && benign)
        return RV_STOP_DISPUTED;
    return malicious ? RV_STOP_TRUE : benign ? RV_STOP_FALSE : RV_STOP_UNLABELLED;
}

const char *rv_judgements_log(const char *path)
{
    if (path)
        return path;
    return access(DECISIONS_LOG_DIR "/" RV_CHECKPOINT_PATH, F_OK) == 0 || errno != ENOENT
               ? DECISIONS_LOG_DIR
               : NULL;
}
