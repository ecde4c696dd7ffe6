/* SPDX-License-Identifier: Apache-2.0 */
#include "words_private.h"

#define NAME_MAX_BYTES 80U

void rv_words_untrusted(struct rv_buf *buf, struct rv_span text, size_t len_max)
{
    size_t len = rv_min_u64(text.len, len_max);

    for (size_t i = 0; i < len; i++) {
        uint8_t c = text.data[i];

        if (c >= ' ' && c <= '~' && c != '\\')
            rv_buf_add_char(buf, (char)c);
        else
            rv_buf_addf(buf, "\\x%02x", c);
    }
    if (len < text.len)
        rv_buf_add_str(buf, "...");
}

/* ---- Pieces ---- */

void rv_words_name(const struct words *words, const struct rv_executable *program,
                   const char *instead)
{
    if (program && program->path_len > 0)
        rv_words_untrusted(words->buf, rv_span(program->path, program->path_len), NAME_MAX_BYTES);
    else
        rv_buf_add_str(words->buf, instead);
}

void rv_words_count(const struct words *words, int32_t count, const char *one, const char *many)
{
    rv_buf_addf(words->buf, "%d %s", count, count == 1 ? one : many);
}

void rv_words_odds(const struct words *words, int32_t rarity_q4)
{
    rv_buf_addf(words->buf, " (about 1 in %llu)", 1ULL << rv_min_u64((uint64_t)rarity_q4 / 16, 40));
}

/* ---- Reasons ---- */

static struct words words_of(struct rv_buf *buf, const struct rv_words_input *input)
{
    return (struct words){ buf, input->process, input->vector->value,
                           input->usual ? input->usual->value : NULL };
}

static rv_words_clause *clause_of(size_t feature)
{
    return rv_words_origin[feature] ? rv_words_origin[feature] : rv_words_conduct[feature];
}

void rv_words_feature(struct rv_buf *buf, const struct rv_words_input *input, size_t feature)
{
    struct words words = words_of(buf, input);

    assert(feature < RV_FEATURE_COUNT);
    clause_of(feature)(&words);
}

/* The loudest feature that has not been said, or RV_FEATURE_COUNT. */
static size_t loudest(const struct rv_words_input *input, const bool *said)
{
    size_t best = RV_FEATURE_COUNT;

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        if (said[i] || input->attribution_q16[i] <= 0)
            continue;
        if (best == RV_FEATURE_COUNT || input->attribution_q16[i] > input->attribution_q16[best])
            best = i;
    }
    return best;
}

void rv_words_reasons(struct rv_buf *buf, const struct rv_words_input *input, size_t clause_max)
{
    bool said[RV_FEATURE_COUNT] = { false };

    for (size_t count = 0; count < clause_max; count++) {
        size_t feature = loudest(input, said);

        if (feature == RV_FEATURE_COUNT) {
            if (count == 0)
                rv_buf_add_str(buf, "nothing stands out");
            return;
        }
        if (count > 0)
            rv_buf_add_str(buf, "; ");
        rv_words_feature(buf, input, feature);
        said[feature] = true;
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
            said[i] |= clause_of(i) == clause_of(feature);
    }
}
