/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/models.h"

#include "base/json.h"
#include "base/log.h"
#include "scorer.h"

#define KEPT_MAX 4U /* models that do not run now, whose learning is kept */

struct kept {
    struct rv_sha256 digest;
    struct rv_buf bytes; /* of rv_scorer_save(); empty: a free place */
};

/** Verdicts by who called them an alarm. */
struct agreement {
    uint64_t both, live_only, shadow_only, neither;
};

struct rv_models {
    struct rv_scorer live, shadow;
    struct agreement agreement;
    struct kept kept[KEPT_MAX];
    unsigned kept_next;
    uint64_t drift_window_ns;
    uint32_t risk_min;
    bool stands;     /* as last told */
    bool stands_now; /* as it is */
};

static bool same(const struct rv_sha256 *a, const struct rv_sha256 *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- Making ---- */

int rv_models_check(const struct rv_package *package, const char **reterr)
{
    RV_AUTO(rv_scorer_done) struct rv_scorer scorer = { 0 };

    return rv_scorer_open(&scorer, package, 0, reterr);
}

/** What stands in the shadow when nothing is named: the built-in model behind a trained one. */
static int open_shadow(struct rv_models *models, const struct rv_package *package,
                       const char **reterr)
{
    struct rv_scorer shadow = { 0 };
    int r = rv_scorer_open(&shadow, package, models->drift_window_ns, reterr);

    if (r < 0)
        return r;
    if (same(&shadow.model->digest, &models->live.model->digest))
        rv_scorer_done(&shadow);
    models->shadow = shadow;
    return 0;
}

int rv_models_new(struct rv_models **ret_models, const struct rv_models_options *options,
                  const char **reterr)
{
    RV_AUTO(rv_models_free) struct rv_models *models = calloc(1, sizeof(*models));
    int r;

    if (!models)
        return -ENOMEM;
    models->drift_window_ns = options->drift_window_ns;
    models->risk_min = options->risk_min;
    models->stands = models->stands_now = true;
    r = rv_scorer_open(&models->live, options->live, options->drift_window_ns, reterr);
    if (r == 0)
        r = open_shadow(models, options->shadow, reterr);
    if (r < 0)
        return r;
    *ret_models = RV_TAKE(models);
    return 0;
}

void rv_models_free(struct rv_models **models)
{
    if (!*models)
        return;
    rv_scorer_done(&(*models)->live);
    rv_scorer_done(&(*models)->shadow);
    for (size_t i = 0; i < KEPT_MAX; i++)
        rv_buf_done(&(*models)->kept[i].bytes);
    free(*models);
    *models = NULL;
}

const struct rv_model *rv_models_live(const struct rv_models *models)
{
    return models->live.model;
}

const char *rv_models_live_hex(const struct rv_models *models)
{
    return models->live.hex;
}

enum rv_light rv_models_light(const struct rv_models *models)
{
    return models->live.promise.light;
}

bool rv_models_stands(const struct rv_models *models)
{
    return models->stands_now;
}

/* ---- Verdicts ---- */

void rv_models_hear(struct rv_models *models, const struct rv_event *event,
                    const struct rv_process *process)
{
    if (models->live.sessions)
        rv_sessions_hear(models->live.sessions, event, process);
    if (models->shadow.sessions)
        rv_sessions_hear(models->shadow.sessions, event, process);
}

void rv_models_score(const struct rv_models *models, const struct rv_models_asked *asked,
                     struct rv_verdict *ret_verdict, struct rv_p_value *ret_p,
                     struct rv_models_session *ret_session)
{
    rv_model_judge(models->live.model, asked->vector, RV_SCORE_ONLY, ret_verdict);
    rv_scorer_score(&models->live, asked, ret_verdict, ret_p, ret_session);
}

uint32_t rv_models_risk_to_decide_on(const struct rv_models *models, uint32_t risk)
{
    uint32_t quiet = models->risk_min > 0 ? models->risk_min - 1 : 0;

    return models->stands_now ? risk : (uint32_t)rv_min_u64(risk, quiet);
}

static void count_agreement(struct rv_models *models, bool live, bool shadow)
{
    struct agreement *agreement = &models->agreement;

    agreement->both += live && shadow;
    agreement->live_only += live && !shadow;
    agreement->shadow_only += !live && shadow;
    agreement->neither += !live && !shadow;
}

static void take_in_shadow(struct rv_models *models, const struct rv_models_seen *seen)
{
    struct rv_scorer *shadow = &models->shadow;
    struct rv_scorer_seen mine = { .seen = seen, .fate = seen->fate };
    struct rv_models_asked asked = { seen->vector, seen->class, seen->process, seen->tid };
    struct rv_models_session session;
    struct rv_verdict verdict = { 0 };
    struct rv_p_value p;

    verdict.raw_q16 = mine.raw_q16 = rv_model_score_q16(shadow->model, seen->vector);
    rv_scorer_score(shadow, &asked, &verdict, &p, &session);
    mine.alarmed = verdict.risk >= models->risk_min;
    count_agreement(models, seen->verdict->risk >= models->risk_min, mine.alarmed);
    if (mine.alarmed && mine.fate == RV_FATE_NORMAL)
        mine.fate = RV_FATE_FORGET; /* nobody will be asked about it */
    rv_scorer_take(shadow, &mine);
}

void rv_models_take(struct rv_models *models, const struct rv_models_seen *seen)
{
    rv_scorer_take(&models->live, &(struct rv_scorer_seen){
                                      .seen = seen,
                                      .raw_q16 = seen->verdict->raw_q16,
                                      .alarmed = seen->alarmed,
                                      .fate = seen->fate,
                                  });
    if (models->shadow.model)
        take_in_shadow(models, seen);
    models->stands_now = rv_scorer_stands(&models->live);
}

/* ---- Changes ---- */

json_t *rv_models_take_change(struct rv_models *models)
{
    json_t *change;

    if (models->stands == models->stands_now)
        return NULL;
    models->stands = models->stands_now;
    change = rv_scorer_json(&models->live, RV_MODELS_BRIEF);
    if (change)
        json_object_set_new(change, "change",
                            json_string(models->stands ? "step-up" : "step-down"));
    return change;
}

void rv_models_label(struct rv_models *models, const struct rv_models_label *label)
{
    assert(label->class < RV_KIND_COUNT_);
    rv_scorer_label(&models->live, label);
    if (models->shadow.model)
        rv_scorer_label(&models->shadow, label);
    if (label->judgement == RV_JUDGED_NORMAL && !label->settled &&
        same(&label->model, &models->live.model->digest))
        (void)rv_promise_false_alarm(&models->live.promise, label->time_ns);
    models->stands_now = rv_scorer_stands(&models->live);
}

void rv_models_teaches(const struct rv_models *models, const struct rv_models_label *label,
                       struct rv_models_taught *ret_taught)
{
    const struct rv_scorer *scorers[RV_MODELS_TAUGHT] = { &models->live, &models->shadow };

    *ret_taught = (struct rv_models_taught){ .class = label->class,
                                             .session_q16 = label->session_q16,
                                             .session_model = label->model };
    for (size_t i = 0; i < RV_MODELS_TAUGHT; i++) {
        if (!scorers[i]->model)
            continue;
        ret_taught->model[i] = scorers[i]->model->digest;
        ret_taught->raw_q16[i] = rv_model_score_q16(scorers[i]->model, label->vector);
    }
}

void rv_models_unlearn(struct rv_models *models, const struct rv_models_taught *taught)
{
    struct rv_scorer *scorers[RV_MODELS_TAUGHT] = { &models->live, &models->shadow };

    for (size_t i = 0; i < RV_MODELS_TAUGHT; i++) {
        for (size_t k = 0; k < RV_MODELS_TAUGHT && scorers[i]->model; k++) {
            if (same(&scorers[i]->model->digest, &taught->model[k]))
                rv_scorer_unlearn(scorers[i], taught, taught->raw_q16[k]);
        }
    }
}

bool rv_models_would_hide(const struct rv_models *models, const struct rv_models_taught *normal,
                          const struct rv_models_taught *attack)
{
    struct rv_p_value p;

    if (!same(&attack->model[0], &models->live.model->digest))
        return false;
    p = rv_calibration_p(models->live.calibration, attack->class, attack->raw_q16[0]);
    if (rv_risk_of_p(p) < models->risk_min)
        return false;
    p.above += normal->raw_q16[0] >= attack->raw_q16[0];
    p.of++;
    return rv_risk_of_p(p) < models->risk_min;
}

uint64_t rv_models_false_alarms_expected(const struct rv_models *models)
{
    return rv_calibration_false_alarms_expected(models->live.calibration);
}

/* ---- What was learnt beside models that do not run now ---- */

static struct kept *find_kept(struct rv_models *models, const struct rv_sha256 *digest)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (models->kept[i].bytes.len > 0 && same(&models->kept[i].digest, digest))
            return &models->kept[i];
    }
    return NULL;
}

static void keep(struct rv_models *models, const struct rv_sha256 *digest, struct rv_span bytes)
{
    struct kept *kept = find_kept(models, digest);

    if (!kept)
        kept = &models->kept[models->kept_next++ % KEPT_MAX];
    kept->digest = *digest;
    rv_buf_clear(&kept->bytes);
    rv_buf_add(&kept->bytes, bytes.data, bytes.len);
    if (kept->bytes.failed) /* without memory it is forgotten */
        rv_buf_clear(&kept->bytes);
}

static void keep_scorer(struct rv_models *models, const struct rv_scorer *scorer)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    if (!scorer->model)
        return;
    rv_scorer_save(scorer, &bytes);
    if (!bytes.failed)
        keep(models, &scorer->model->digest, rv_buf_span(&bytes));
}

static void take_up(struct rv_models *models, struct rv_scorer *scorer)
{
    struct kept *kept = scorer->model ? find_kept(models, &scorer->model->digest) : NULL;

    if (!kept)
        return;
    if (rv_scorer_load(scorer, rv_buf_span(&kept->bytes)) < 0)
        rv_debug("what was learnt beside model %s is not used; learning starts anew", scorer->hex);
    rv_buf_clear(&kept->bytes);
}

int rv_models_swap(struct rv_models *models, const struct rv_package *live, const char **reterr)
{
    struct rv_scorer scorer = { 0 };
    int r = rv_scorer_open(&scorer, live, models->drift_window_ns, reterr);

    if (r < 0)
        return r;
    keep_scorer(models, &models->live);
    keep_scorer(models, &models->shadow);
    if (models->shadow.model && same(&models->shadow.model->digest, &scorer.model->digest))
        rv_scorer_done(&models->shadow);
    rv_scorer_done(&models->live);
    models->live = scorer;
    take_up(models, &models->live);
    take_up(models, &models->shadow);
    models->agreement = (struct agreement){ 0 };
    models->stands = models->stands_now = rv_scorer_stands(&models->live);
    return 0;
}

/* ---- How they stand ---- */

json_t *rv_models_json(const struct rv_models *models, enum rv_models_detail detail)
{
    const struct agreement *agreement = &models->agreement;
    json_t *object = json_pack("{so}", "live", rv_scorer_json(&models->live, detail));

    if (!object || !models->shadow.model)
        return object;
    json_object_set_new(object, "shadow", rv_scorer_json(&models->shadow, detail));
    json_object_set_new(object, "agreement",
                        json_pack("{sI sI sI sI}", "both", (json_int_t)agreement->both, "live_only",
                                  (json_int_t)agreement->live_only, "shadow_only",
                                  (json_int_t)agreement->shadow_only, "neither",
                                  (json_int_t)agreement->neither));
    return object;
}

/* ---- Bytes ---- */

#define MAGIC  "REEVEMDS"
#define FORMAT 2U

static void save_one(struct rv_buf *buf, const struct rv_sha256 *digest, struct rv_span bytes)
{
    rv_buf_add(buf, digest->bytes, sizeof(digest->bytes));
    rv_buf_add_le64(buf, bytes.len);
    rv_buf_add(buf, bytes.data, bytes.len);
}

static void save_scorer(struct rv_buf *buf, const struct rv_scorer *scorer)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    rv_scorer_save(scorer, &bytes);
    save_one(buf, &scorer->model->digest, rv_buf_span(&bytes));
    buf->failed |= bytes.failed;
}

void rv_models_save(const struct rv_models *models, struct rv_buf *buf)
{
    static const struct rv_sha256 none;
    const struct agreement *agreement = &models->agreement;
    size_t start = buf->len;
    uint32_t count = 1 + (models->shadow.model != NULL);

    for (size_t i = 0; i < KEPT_MAX; i++)
        count += models->kept[i].bytes.len > 0;
    rv_buf_add(buf, MAGIC, 8);
    rv_buf_add_le32(buf, FORMAT);
    rv_buf_add(buf, models->live.model->digest.bytes, RV_SHA256_LEN);
    rv_buf_add(buf, (models->shadow.model ? &models->shadow.model->digest : &none)->bytes,
               RV_SHA256_LEN);
    rv_buf_add_le64(buf, agreement->both);
    rv_buf_add_le64(buf, agreement->live_only);
    rv_buf_add_le64(buf, agreement->shadow_only);
    rv_buf_add_le64(buf, agreement->neither);
    rv_buf_add_le32(buf, count);
    save_scorer(buf, &models->live);
    if (models->shadow.model)
        save_scorer(buf, &models->shadow);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (models->kept[i].bytes.len > 0)
            save_one(buf, &models->kept[i].digest, rv_buf_span(&models->kept[i].bytes));
    }
    if (!buf->failed)
        rv_buf_add_le32(buf, rv_crc32c(0, buf->data + start, buf->len - start));
}

static bool reads_digest(struct rv_reader *reader, const struct rv_scorer *scorer)
{
    static const struct rv_sha256 none;
    struct rv_span bytes = rv_read_bytes(reader, RV_SHA256_LEN);
    const struct rv_sha256 *mine = scorer->model ? &scorer->model->digest : &none;

    return !reader->failed && memcmp(bytes.data, mine->bytes, RV_SHA256_LEN) == 0;
}

static int refuse(const char **reterr, const char *why)
{
    if (reterr)
        *reterr = why;
    return -EBADMSG;
}

/** Reads all, or says where it ends. With `models`, takes it. */
static int walk(struct rv_reader *reader, struct rv_models *models)
{
    uint32_t count = rv_read_le32(reader);

    if (count > KEPT_MAX + 2)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        struct rv_span bytes = rv_read_bytes(reader, RV_SHA256_LEN);
        struct rv_sha256 digest;
        struct rv_span learnt = rv_read_bytes(reader, rv_read_le64(reader));
        struct rv_scorer *scorer = NULL;

        if (reader->failed)
            return -EBADMSG;
        memcpy(digest.bytes, bytes.data, RV_SHA256_LEN);
        if (!models)
            continue;
        if (same(&digest, &models->live.model->digest))
            scorer = &models->live;
        else if (models->shadow.model && same(&digest, &models->shadow.model->digest))
            scorer = &models->shadow;
        if (!scorer)
            keep(models, &digest, learnt);
        else if (rv_scorer_load(scorer, learnt) < 0)
            return -EBADMSG;
    }
    return reader->rest.len == 0 ? 0 : -EBADMSG;
}

int rv_models_load(struct rv_models *models, struct rv_span bytes, const char **reterr)
{
    struct rv_reader reader, end;
    struct agreement agreement;
    bool pair;
    int r;

    if (bytes.len < 4)
        return refuse(reterr, "what was learnt of models is cut short");
    reader = rv_reader(rv_span(bytes.data, bytes.len - 4));
    end = rv_reader(rv_span(bytes.data + bytes.len - 4, 4));
    if (!rv_span_eq(rv_read_bytes(&reader, 8), rv_span_str(MAGIC)) ||
        rv_read_le32(&reader) != FORMAT)
        return refuse(reterr, "what was learnt of models is of another version");
    if (rv_read_le32(&end) != rv_crc32c(0, bytes.data, bytes.len - 4))
        return refuse(reterr, "what was learnt of models is damaged: its checksum is wrong");
    pair = reads_digest(&reader, &models->live);
    pair = reads_digest(&reader, &models->shadow) && pair;
    agreement.both = rv_read_le64(&reader);
    agreement.live_only = rv_read_le64(&reader);
    agreement.shadow_only = rv_read_le64(&reader);
    agreement.neither = rv_read_le64(&reader);
    r = walk(&(struct rv_reader){ reader.rest, reader.offset, reader.failed }, NULL);
    if (r == 0)
        r = walk(&reader, models);
    if (r < 0)
        return refuse(reterr, "what was learnt of models makes no sense");
    if (pair)
        models->agreement = agreement;
    models->stands = models->stands_now = rv_scorer_stands(&models->live);
    return 0;
}
