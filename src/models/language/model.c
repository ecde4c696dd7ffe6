/* SPDX-License-Identifier: Apache-2.0 */
#include "language_private.h"

#include "task/tail.h"

#include <math.h>

#define FORMAT       1U
#define KIND_KEY     0x6b696e6473000000ULL /* contexts of kinds begin with it */
#define SURPRISE_MAX 8.0                   /* one-class: a symbol is never worth more nats */
#define SLACK        1.0 /* one-class: nats above the usual that are still usual */
#define EVIDENCE_MAX 16.0
#define MILLION      1000000U

unsigned rv_language_contexts(const struct rv_text_place *place, uint8_t kind,
                              uint64_t contexts[RV_LANGUAGE_CONTEXTS])
{
    unsigned count = 0;

    contexts[count++] = RV_LM_ROOT;
    contexts[count++] = rv_lm_context(KIND_KEY, kind);
    for (unsigned depth = 1; depth <= place->depth; depth++) {
        uint64_t context = RV_LM_ROOT;

        for (unsigned back = depth; back-- > 0;)
            context = rv_lm_context(context, place->last[back]);
        contexts[count++] = context;
    }
    return count;
}

void rv_language_move(struct rv_text_place *place, uint16_t symbol)
{
    memmove(&place->last[1], &place->last[0], sizeof(place->last) - sizeof(place->last[0]));
    place->last[0] = symbol;
    if (place->depth < RV_COUNT(place->last))
        place->depth++;
}

void rv_language_judge(const struct rv_language *language, const struct rv_text_place *place,
                       uint8_t kind, uint16_t symbol, struct rv_said *ret_said)
{
    uint64_t contexts[RV_LANGUAGE_CONTEXTS];
    unsigned count = rv_language_contexts(place, kind, contexts), seen = 0, seen_in_attacks = 0;
    double evidence = rv_lm_surprise(&language->normal, contexts, count, symbol, &seen);

    if (language->attack.used > 0)
        evidence -= rv_lm_surprise(&language->attack, contexts, count, symbol, &seen_in_attacks);
    else
        evidence = fmin(evidence, SURPRISE_MAX) - (double)language->usual_q16 / 65536 - SLACK;
    if (language->attack.used > 0 && seen + seen_in_attacks == 0)
        evidence = 0; /* nobody ever did it: which of the two is nearer says nothing */
    evidence = fmax(-EVIDENCE_MAX, fmin(evidence, EVIDENCE_MAX));
    *ret_said = (struct rv_said){
        .evidence_q16 = (int32_t)rv_score_q16(evidence),
        .symbol = symbol,
        .kind = kind,
        .unseen = seen < count,
    };
}

const struct rv_calibration *rv_language_calibration(const struct rv_language *language)
{
    return language->calibration;
}

void rv_language_size(const struct rv_language *language, size_t *ret_normal, size_t *ret_attack)
{
    *ret_normal = language->normal.used;
    *ret_attack = language->attack.used;
}

uint32_t rv_language_share_ppm(const struct rv_language *language)
{
    return language->share_ppm;
}

void rv_language_free(struct rv_language **language)
{
    if (!*language)
        return;
    rv_lm_done(&(*language)->normal);
    rv_lm_done(&(*language)->attack);
    rv_calibration_free(&(*language)->calibration);
    free(*language);
    *language = NULL;
}

/* ---- Bytes ---- */

void rv_language_save(const struct rv_language *language, struct rv_buf *into)
{
    RV_AUTO(rv_buf_done) struct rv_buf tables = { 0 };
    struct rv_sha256 alphabet = rv_symbol_digest();

    rv_buf_add_le32(into, FORMAT);
    rv_buf_add(into, alphabet.bytes, sizeof(alphabet.bytes));
    rv_buf_add_le32(into, (uint32_t)language->usual_q16);
    rv_buf_add_le32(into, language->share_ppm);
    into->failed |= rv_lm_save(&language->normal, into) < 0;
    into->failed |= rv_lm_save(&language->attack, into) < 0;
    rv_calibration_save(language->calibration, &tables);
    rv_part_add(into, &tables);
}

static int load(struct rv_language *language, struct rv_reader *reader)
{
    struct rv_sha256 alphabet = rv_symbol_digest();
    uint32_t format = rv_read_le32(reader);
    struct rv_span named = rv_read_bytes(reader, sizeof(alphabet.bytes));
    int r;

    if (reader->failed || format != FORMAT ||
        memcmp(named.data, alphabet.bytes, sizeof(alphabet.bytes)) != 0)
        return -EBADMSG;
    language->usual_q16 = (int32_t)rv_read_le32(reader);
    language->share_ppm = rv_read_le32(reader);
    if (language->usual_q16 < 0 || language->share_ppm >= MILLION)
        return -EBADMSG;
    r = rv_lm_load(&language->normal, reader);
    if (r == 0)
        r = rv_lm_load(&language->attack, reader);
    if (r == 0)
        r = rv_calibration_load(&language->calibration, rv_part_read(reader), NULL);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    return reader->failed || reader->rest.len > 0 || language->normal.root.total == 0 ||
                   rv_calibration_classes(language->calibration) != 1
               ? -EBADMSG
               : 0;
}

int rv_language_load(struct rv_language **ret_language, struct rv_span bytes)
{
    RV_AUTO(rv_language_free) struct rv_language *language = calloc(1, sizeof(*language));
    struct rv_reader reader = rv_reader(bytes);
    int r;

    if (!language)
        return -ENOMEM;
    r = load(language, &reader);
    if (r < 0)
        return r;
    *ret_language = RV_TAKE(language);
    return 0;
}

/* ---- Two detectors ---- */

static struct rv_p_value of_share(struct rv_p_value p, uint32_t share_ppm)
{
    const uint64_t limit = UINT64_MAX / MILLION;
    struct rv_p_value scaled = p;

    if (p.above > limit || p.of > limit)
        return p; /* no calibration holds so many */
    scaled.above = p.above * MILLION;
    scaled.of = p.of * share_ppm;
    if (scaled.above > scaled.of)
        scaled.above = scaled.of;
    return scaled;
}

struct rv_p_value rv_language_combine(struct rv_p_value other, struct rv_p_value language,
                                      uint32_t share_ppm, bool *ret_language_speaks)
{
    struct rv_p_value a, b;

    *ret_language_speaks = false;
    if (share_ppm == 0)
        return other;
    a = of_share(other, MILLION - share_ppm);
    b = of_share(language, share_ppm);
    *ret_language_speaks = (unsigned __int128)b.above * a.of < (unsigned __int128)a.above * b.of;
    return *ret_language_speaks ? b : a;
}
