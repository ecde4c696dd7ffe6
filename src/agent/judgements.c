/* SPDX-License-Identifier: Apache-2.0 */
#include "judgements.h"

#include "base/fd.h"
#include "base/log.h"

#include <inttypes.h>

#define NAME        "judgements"
#define MAGIC       "REEVEJD1"
#define RECORDS_MAX 16384U
#define RECORD_BYTES                                                                               \
    ((size_t)(8 + 4 * 4 + RV_MODELS_TAUGHT * (RV_SHA256_LEN + 8) + 8 + RV_SHA256_LEN))
#define BYTES_MAX   (8 + RECORDS_MAX * RECORD_BYTES)
#define JUDGE_PART  10U /* of the false alarms that are to be expected */
#define PEOPLE_PART 2U

struct record {
    uint64_t entry;
    uint32_t uid, learnt;
    enum rv_judgement judgement;
    struct rv_models_taught taught;
};

struct rv_judgements {
    int dir_fd;
    struct record *records; /* oldest first */
    size_t count;
};

/* ---- Bytes ---- */

static void write_record(struct rv_buf *buf, const struct record *record)
{
    const struct rv_models_taught *taught = &record->taught;

    rv_buf_add_le64(buf, record->entry);
    rv_buf_add_le32(buf, record->uid);
    rv_buf_add_le32(buf, record->learnt);
    rv_buf_add_le32(buf, record->judgement);
    rv_buf_add_le32(buf, taught->class);
    for (size_t i = 0; i < RV_MODELS_TAUGHT; i++) {
        rv_buf_add(buf, taught->model[i].bytes, RV_SHA256_LEN);
        rv_buf_add_le64(buf, (uint64_t)taught->raw_q16[i]);
    }
    rv_buf_add_le64(buf, (uint64_t)taught->session_q16);
    rv_buf_add(buf, taught->session_model.bytes, RV_SHA256_LEN);
}

static void read_digest(struct rv_reader *reader, struct rv_sha256 *ret_digest)
{
    struct rv_span bytes = rv_read_bytes(reader, RV_SHA256_LEN);

    if (!reader->failed)
        memcpy(ret_digest->bytes, bytes.data, RV_SHA256_LEN);
}

static bool read_record(struct rv_reader *reader, struct record *record)
{
    struct rv_models_taught *taught = &record->taught;
    uint32_t judgement;

    record->entry = rv_read_le64(reader);
    record->uid = rv_read_le32(reader);
    record->learnt = rv_read_le32(reader);
    judgement = rv_read_le32(reader);
    record->judgement = judgement == RV_JUDGED_NORMAL ? RV_JUDGED_NORMAL : RV_JUDGED_BAD;
    taught->class = rv_read_le32(reader);
    for (size_t i = 0; i < RV_MODELS_TAUGHT; i++) {
        read_digest(reader, &taught->model[i]);
        taught->raw_q16[i] = (int64_t)rv_read_le64(reader);
    }
    taught->session_q16 = (int64_t)rv_read_le64(reader);
    read_digest(reader, &taught->session_model);
    return !reader->failed && judgement <= RV_JUDGED_NORMAL && record->learnt <= 1 &&
           taught->class < RV_KIND_COUNT_;
}

static int read_all(struct rv_judgements *judgements, struct rv_span bytes)
{
    struct rv_reader reader = rv_reader(bytes);

    if (!rv_span_eq(rv_read_bytes(&reader, 8), rv_span_str(MAGIC)))
        return -EBADMSG;
    while (reader.rest.len > 0 && judgements->count < RECORDS_MAX) {
        if (!read_record(&reader, &judgements->records[judgements->count]))
            return -EBADMSG;
        judgements->count++;
    }
    return 0;
}

static void save(const struct rv_judgements *judgements)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    int r = -ENOMEM;

    rv_buf_add(&buf, MAGIC, 8);
    for (size_t i = 0; i < judgements->count; i++)
        write_record(&buf, &judgements->records[i]);
    if (!buf.failed)
        r = rv_write_file_atomic(judgements->dir_fd, NAME, buf.data, buf.len, 0600);
    if (r < 0)
        rv_warning("what people judged is not kept over a restart: %s", strerror(-r));
}

int rv_judgements_open(struct rv_judgements **ret_judgements, int dir_fd)
{
    RV_AUTO(rv_judgements_free) struct rv_judgements *judgements = calloc(1, sizeof(*judgements));
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len = 0;
    int r;

    if (!judgements)
        return -ENOMEM;
    judgements->dir_fd = dir_fd;
    judgements->records = calloc(RECORDS_MAX, sizeof(*judgements->records));
    if (!judgements->records)
        return -ENOMEM;
    r = rv_read_file(dir_fd, NAME, BYTES_MAX, &bytes, &len);
    if (r == 0)
        r = read_all(judgements, rv_span(bytes, len));
    if (r < 0 && r != -ENOENT)
        rv_warning("which decisions were judged is not known any more: %s", strerror(-r));
    *ret_judgements = RV_TAKE(judgements);
    return 0;
}

void rv_judgements_free(struct rv_judgements **judgements)
{
    if (!*judgements)
        return;
    free((*judgements)->records);
    free(*judgements);
    *judgements = NULL;
}

/* ---- Weighing ---- */

const char *rv_word_text(enum rv_word word)
{
    static const char *const texts[] = {
        [RV_WORD_SAID_BEFORE] = "it was judged so before",
        [RV_WORD_LEARN] = "learnt",
        [RV_WORD_JUDGE_FULL] = "not learnt: this judge's share of what people may teach is used up",
        [RV_WORD_PEOPLE_FULL] = "not learnt: people have taught as much as they may",
        [RV_WORD_HIDES] = "not learnt: something that was called malicious would alarm no more",
    };

    return texts[word];
}

static struct record *find(const struct rv_judgements *judgements, uint64_t entry)
{
    for (size_t i = judgements->count; i > 0; i--) {
        if (judgements->records[i - 1].entry == entry)
            return &judgements->records[i - 1];
    }
    return NULL;
}

/** Those that count now; the entry in question is not one of them. */
static uint64_t count_learnt(const struct rv_judgements *judgements, const struct rv_word_of *of,
                             bool of_this_judge)
{
    uint64_t count = 0;

    for (size_t i = 0; i < judgements->count; i++) {
        const struct record *record = &judgements->records[i];

        count += record->learnt && record->judgement == RV_JUDGED_NORMAL &&
                 record->entry != of->entry && (!of_this_judge || record->uid == of->uid);
    }
    return count;
}

/** Known attacks are the hold-out: each that alarms must go on alarming. */
static bool hides_an_attack(const struct rv_judgements *judgements, const struct rv_models *models,
                            const struct rv_word_of *of)
{
    struct rv_models_taught taught;

    rv_models_teaches(models, of->label, &taught);
    for (size_t i = 0; i < judgements->count; i++) {
        const struct record *record = &judgements->records[i];

        if (record->judgement == RV_JUDGED_BAD && record->entry != of->entry &&
            rv_models_would_hide(models, &taught, &record->taught))
            return true;
    }
    return false;
}

enum rv_word rv_judgements_weigh(const struct rv_judgements *judgements,
                                 const struct rv_models *models, const struct rv_word_of *of)
{
    const struct record *before = find(judgements, of->entry);
    uint64_t expected = rv_models_false_alarms_expected(models);

    if (before && before->judgement == of->label->judgement)
        return RV_WORD_SAID_BEFORE;
    if (of->label->judgement == RV_JUDGED_BAD)
        return RV_WORD_LEARN;
    if (count_learnt(judgements, of, false) >= rv_max_u64(expected / PEOPLE_PART, 1))
        return RV_WORD_PEOPLE_FULL;
    if (count_learnt(judgements, of, true) >= rv_max_u64(expected / JUDGE_PART, 1))
        return RV_WORD_JUDGE_FULL;
    return hides_an_attack(judgements, models, of) ? RV_WORD_HIDES : RV_WORD_LEARN;
}

/* ---- Settling ---- */

/** Room for one more; the oldest goes. */
static struct record *make_record(struct rv_judgements *judgements)
{
    if (judgements->count == RECORDS_MAX) {
        judgements->count--;
        memmove(judgements->records, judgements->records + 1,
                judgements->count * sizeof(*judgements->records));
    }
    return &judgements->records[judgements->count++];
}

void rv_judgements_settle(struct rv_judgements *judgements, struct rv_models *models,
                          const struct rv_word_of *of, enum rv_word word)
{
    struct record *record = find(judgements, of->entry);
    struct rv_models_label label = *of->label;

    if (word == RV_WORD_SAID_BEFORE)
        return;
    label.settled = record && record->learnt;
    if (record && record->learnt && record->judgement == RV_JUDGED_NORMAL)
        rv_models_unlearn(models, &record->taught);
    if (!record)
        record = make_record(judgements);
    *record = (struct record){
        .entry = of->entry,
        .uid = of->uid,
        .learnt = word == RV_WORD_LEARN,
        .judgement = of->label->judgement,
    };
    rv_models_teaches(models, &label, &record->taught);
    if (record->learnt)
        rv_models_label(models, &label);
    save(judgements);
}
