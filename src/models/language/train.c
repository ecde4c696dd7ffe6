/* SPDX-License-Identifier: Apache-2.0 */
/* Counting, and what sessions score that the counts did not see. */
#include "language_private.h"

#define FOLDS   5U
#define NO_FOLD FOLDS

/** Sessions while counting: where each is. */
struct places {
    struct {
        uint64_t key;
        struct rv_text_place place;
    } * slots;
    size_t mask;
};

struct training {
    const struct rv_utterance *utterances;
    size_t count;
    uint8_t *folds;
    struct places places;
    int64_t *scores; /* of due verdicts of normal work */
    size_t score_count;
};

static void training_done(struct training *training)
{
    free(training->folds);
    free(training->places.slots);
    free(training->scores);
}

/** Normal streams take turns as wholes; of fewer streams than folds, stretches of time do. */
static int deal(struct training *training)
{
    uint32_t sources = 0, streams = 0;
    RV_AUTO(rv_freep) uint32_t *ordinal = NULL;

    for (size_t i = 0; i < training->count; i++)
        sources =
            training->utterances[i].source > sources ? training->utterances[i].source : sources;
    ordinal = calloc((size_t)sources + 1, sizeof(*ordinal));
    training->folds = malloc(training->count + 1);
    if (!ordinal || !training->folds)
        return -ENOMEM;
    for (size_t i = 0; i < training->count; i++) {
        const struct rv_utterance *item = &training->utterances[i];

        if (!item->attack && ordinal[item->source] == 0)
            ordinal[item->source] = ++streams;
    }
    for (size_t i = 0; i < training->count; i++) {
        const struct rv_utterance *item = &training->utterances[i];

        if (item->attack)
            training->folds[i] = NO_FOLD;
        else if (streams >= FOLDS)
            training->folds[i] = (uint8_t)(ordinal[item->source] % FOLDS);
        else
            training->folds[i] = (uint8_t)(i * FOLDS / training->count);
    }
    return 0;
}

/* ---- Counting ---- */

static int places_begin(struct places *places, size_t count)
{
    size_t slots = 1024;

    while (slots < count * 2)
        slots *= 2;
    free(places->slots);
    places->slots = calloc(slots, sizeof(*places->slots));
    places->mask = slots - 1;
    return places->slots ? 0 : -ENOMEM;
}

static struct rv_text_place *place_of(struct places *places, uint64_t key)
{
    size_t at = rv_mix64(key) & places->mask;

    while (places->slots[at].key && places->slots[at].key != key)
        at = (at + 1) & places->mask;
    places->slots[at].key = key;
    return &places->slots[at].place;
}

static int count_all(struct training *training, uint8_t left_out, struct rv_language *language)
{
    double sum = 0;
    size_t count = 0;
    int r = places_begin(&training->places, training->count);

    if (r == 0)
        r = rv_lm_init(&language->normal);
    if (r == 0)
        r = rv_lm_init(&language->attack);
    for (size_t i = 0; i < training->count && r == 0; i++) {
        const struct rv_utterance *item = &training->utterances[i];
        struct rv_text_place *place = place_of(&training->places, item->session);
        uint64_t contexts[RV_LANGUAGE_CONTEXTS];
        unsigned depth = rv_language_contexts(place, item->kind, contexts), seen;

        if (item->symbol >= RV_SYMBOL_END || (training->folds[i] == left_out && !item->attack))
            continue;
        if (!item->attack) {
            sum += rv_lm_surprise(&language->normal, contexts, depth, item->symbol, &seen);
            count++;
        }
        r = rv_lm_count(item->attack ? &language->attack : &language->normal, contexts, depth,
                        item->symbol);
        rv_language_move(place, item->symbol);
    }
    language->usual_q16 = count ? (int32_t)(sum * 65536 / (double)count) : 0;
    return r < 0 || count > 0 ? r : -EINVAL;
}

/* ---- Calibration ---- */

static int score_fold(struct training *training, uint8_t fold)
{
    RV_AUTO(rv_sessions_free) struct rv_sessions *sessions = NULL;
    RV_AUTO(rv_language_free) struct rv_language *language = calloc(1, sizeof(*language));
    int r = language ? count_all(training, fold, language) : -ENOMEM;

    if (r == 0)
        r = rv_sessions_new(&sessions, language);
    for (size_t i = 0; i < training->count && r == 0; i++) {
        const struct rv_utterance *item = &training->utterances[i];

        if (training->folds[i] != fold)
            continue;
        rv_sessions_put(sessions, item);
        if (!item->due)
            continue;
        training->scores[training->score_count++] =
            rv_sessions_speak_q16(sessions, item->session, item->vector_q16);
    }
    return r;
}

static int calibrate(struct training *training, struct rv_language *language)
{
    RV_AUTO(rv_freep) int64_t *edges = malloc(RV_CALIBRATION_EDGES_MAX * sizeof(*edges));
    struct rv_calibration_options options = { .edges_q16 = edges, .class_count = 1 };
    int r;

    if (!edges)
        return -ENOMEM;
    options.edge_count = rv_calibration_edges(training->scores, training->score_count, edges,
                                              RV_CALIBRATION_EDGES_MAX - 1);
    if (options.edge_count == 0)
        return -EINVAL;
    /* What is above all that is known is rarer than the highest of them, of which many are alike.
     */
    edges[options.edge_count] = edges[options.edge_count - 1] + 1;
    options.edge_count++;
    r = rv_calibration_new(&language->calibration, &options);
    for (size_t i = 0; i < training->score_count && r == 0; i++)
        rv_calibration_add(language->calibration, 0, training->scores[i], 1);
    return r;
}

int rv_language_train(struct rv_language **ret_language, const struct rv_utterance *utterances,
                      size_t count, const struct rv_task_options *options)
{
    RV_AUTO(training_done)
    struct training training = { .utterances = utterances, .count = count };
    RV_AUTO(rv_language_free) struct rv_language *language = calloc(1, sizeof(*language));
    int r = language ? deal(&training) : -ENOMEM;

    training.scores = malloc((count + 1) * sizeof(*training.scores));
    if (r == 0 && !training.scores)
        r = -ENOMEM;
    for (uint8_t fold = 0; fold < FOLDS && r == 0; fold++) {
        rv_progress_report(&options->progress, "language", fold, FOLDS + 1);
        r = score_fold(&training, fold);
    }
    if (r == 0)
        r = calibrate(&training, language);
    if (r == 0)
        r = count_all(&training, NO_FOLD, language);
    if (r < 0)
        return r;
    language->share_ppm = RV_LANGUAGE_SHARE_PPM;
    *ret_language = RV_TAKE(language);
    return 0;
}
