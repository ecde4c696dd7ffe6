/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No language model makes a session read out of bounds, loop or overflow. Models of two n-grams a
 * side whose keys and counts are at their limits, keys that collide in the table among them, are
 * offered as bytes; what rv_language_load() accepts hears every kind of symbol, and accounts stay
 * within eight times the most that one symbol and one vector can be worth.
 */
#include "models/language.h"

#include "../nondet.h"

#define ENTRIES_MAX 2

/** A root and up to two entries, in the order of their keys, as rv_lm_save() writes them. */
static void add_counts(struct rv_buf *bytes, const uint64_t *keys)
{
    static const uint32_t counts[] = { 0, 1, UINT32_MAX };
    uint64_t entries = nondet_choice(ENTRIES_MAX + 1);

    rv_buf_add_le64(bytes, 0x7265657665726f6fULL);
    for (unsigned i = 0; i < 3; i++)
        rv_buf_add_le32(bytes, nondet_choice(2) ? UINT32_MAX : 0);
    rv_buf_add_le64(bytes, entries);
    for (uint64_t i = 0; i < entries; i++) {
        uint32_t all = counts[nondet_choice(3)];

        rv_buf_add_le64(bytes, keys[i]);
        for (unsigned k = 0; k < 3; k++)
            rv_buf_add_le32(bytes, all);
    }
}

static void add_calibration(struct rv_buf *bytes)
{
    RV_AUTO(rv_calibration_free) struct rv_calibration *calibration = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf tables = { 0 };
    const int64_t edge = 65536;
    struct rv_calibration_options options = { .edges_q16 = &edge,
                                              .edge_count = 1,
                                              .class_count = 1 };

    ASSUME(rv_calibration_new(&calibration, &options) == 0);
    rv_calibration_save(calibration, &tables);
    rv_buf_add_le64(bytes, tables.len);
    rv_buf_add(bytes, tables.data, tables.len);
}

void harness(void)
{
    /* What the first event of a session looks up, and keys that share its place in the table. */
    static const uint64_t normal_keys[ENTRIES_MAX] = { 4096, UINT64_MAX };
    static const uint64_t attack_keys[ENTRIES_MAX] = { 1, 1 + 4096 };
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    RV_AUTO(rv_language_free) struct rv_language *language = NULL;
    RV_AUTO(rv_sessions_free) struct rv_sessions *sessions = NULL;
    struct rv_sha256 alphabet = rv_symbol_digest();
    struct rv_utterance utterance = { .session = 1 };
    int64_t raw_q16;

    rv_buf_add_le32(&bytes, 1);
    rv_buf_add(&bytes, alphabet.bytes, sizeof(alphabet.bytes));
    rv_buf_add_le32(&bytes, nondet_choice(2) ? INT32_MAX : 0);
    rv_buf_add_le32(&bytes, nondet_choice(2) ? 999999 : 0);
    add_counts(&bytes, normal_keys);
    add_counts(&bytes, attack_keys);
    add_calibration(&bytes);
    if (rv_language_load(&language, rv_buf_span(&bytes)) < 0)
        return;
    ASSUME(rv_sessions_new(&sessions, language) == 0);
    for (unsigned symbol = 0; symbol < RV_SYMBOL_END; symbol += 127) {
        utterance.symbol = (uint16_t)symbol;
        utterance.kind = (uint8_t)symbol;
        rv_sessions_put(sessions, &utterance);
    }
    raw_q16 = rv_sessions_speak_q16(sessions, 1, 64 * 65536);
    PROVE(raw_q16 >= 0 && raw_q16 <= (8 * 16 + 64) * 65536 + 8);
}
