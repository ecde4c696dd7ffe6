/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every stretch of a line is scored in constant time from running sums of its n-grams' weights, so
 * a line of n tokens costs 64 n looks, not 64 n readings.
 */
#include "parts.h"

#include "base/hash.h"

#include <ctype.h>
#include <math.h>

#define BYTE_GRAM_MIN 2U

/* ---- n-grams ---- */

static uint8_t masked(uint8_t c)
{
    return c >= '0' && c <= '9' ? '0' : c;
}

static bool is_word(uint8_t c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

size_t rv_text_token(struct rv_span text)
{
    size_t len = 1;

    if (text.len == 0)
        return 0;
    if (isdigit(text.data[0])) {
        while (len < text.len && isdigit(text.data[len]))
            len++;
    } else if (is_word(text.data[0])) {
        while (len < text.len &&
               (is_word(text.data[len]) || text.data[len] == '.' || text.data[len] == '-'))
            len++;
    } else if (!isspace(text.data[0])) {
        while (len < text.len && !is_word(text.data[len]) && !isspace(text.data[len]))
            len++;
    }
    return len;
}

static uint32_t bucket_of(uint64_t hash, bool bytes)
{
    return (uint32_t)(rv_mix64(hash) & (RV_TEXT_BUCKETS / 2 - 1)) +
           (bytes ? RV_TEXT_BUCKETS / 2 : 0);
}

static uint64_t token_hash(struct rv_span token)
{
    return isdigit(token.data[0]) ? 1 : rv_hash64(token); /* all numbers alike */
}

/** Blanks do not count. */
static void cut_tokens(struct rv_text_parts *parts)
{
    uint64_t last[RV_TEXT_TOKEN_GRAMS] = { 0 };

    for (size_t at = 0, len; at < parts->text.len; at += len) {
        uint64_t hash = 0x746f6b656eULL;

        len = rv_text_token(rv_span(parts->text.data + at, parts->text.len - at));
        if (isspace(parts->text.data[at]))
            continue;
        memmove(last + 1, last, (RV_TEXT_TOKEN_GRAMS - 1) * sizeof(*last));
        last[0] = token_hash(rv_span(parts->text.data + at, len));
        parts->tokens[parts->token_count++] = (struct rv_text_stretch){ at, len };
        for (unsigned n = 0; n < RV_TEXT_TOKEN_GRAMS && n < parts->token_count; n++) {
            hash = rv_mix64(hash ^ last[n]) + n;
            parts->grams[n][parts->gram_count[n]++] = bucket_of(hash, false);
        }
    }
}

/** Digits are alike. */
static void cut_bytes(struct rv_text_parts *parts)
{
    for (size_t at = 0; at < parts->text.len; at++) {
        uint64_t hash = masked(parts->text.data[at]);

        for (unsigned n = 0; n < RV_TEXT_BYTE_GRAMS; n++) {
            unsigned kind = RV_TEXT_TOKEN_GRAMS + n, bytes = BYTE_GRAM_MIN + n;

            if (at + bytes > parts->text.len)
                break;
            hash = hash << 8 | masked(parts->text.data[at + bytes - 1]);
            parts->grams[kind][parts->gram_count[kind]++] = bucket_of(hash << 3 | bytes, true);
        }
    }
}

static int make_room(struct rv_text_parts *parts, size_t bytes)
{
    struct rv_text_stretch *tokens;

    if (bytes <= parts->room)
        return 0;
    tokens = reallocarray(parts->tokens, bytes, sizeof(*tokens));
    if (!tokens)
        return -ENOMEM;
    parts->tokens = tokens;
    for (unsigned k = 0; k < RV_TEXT_GRAMS; k++) {
        uint32_t *grams = reallocarray(parts->grams[k], bytes, sizeof(*grams));
        double *sums = reallocarray(parts->sums[k], bytes + 1, sizeof(*sums));

        parts->grams[k] = grams ? grams : parts->grams[k];
        parts->sums[k] = sums ? sums : parts->sums[k];
        if (!grams || !sums)
            return -ENOMEM;
    }
    parts->room = bytes;
    return 0;
}

int rv_text_cut(struct rv_text_parts *parts, struct rv_span text)
{
    int r;

    if (text.len > RV_TEXT_BYTES_MAX)
        text.len = RV_TEXT_BYTES_MAX;
    r = make_room(parts, text.len);
    if (r < 0)
        return r;
    parts->text = text;
    parts->token_count = 0;
    memset(parts->gram_count, 0, sizeof(parts->gram_count));
    cut_tokens(parts);
    cut_bytes(parts);
    return 0;
}

void rv_text_parts_done(struct rv_text_parts *parts)
{
    free(parts->tokens);
    for (unsigned k = 0; k < RV_TEXT_GRAMS; k++) {
        free(parts->grams[k]);
        free(parts->sums[k]);
    }
    *parts = (struct rv_text_parts){ 0 };
}

/* ---- Stretches ---- */

static void sum_up(struct rv_text_parts *parts, const float *weights)
{
    for (unsigned k = 0; k < RV_TEXT_GRAMS; k++) {
        double sum = 0;

        for (size_t i = 0; i < parts->gram_count[k]; i++) {
            parts->sums[k][i] = sum;
            sum += (double)weights[parts->grams[k][i]];
        }
        if (parts->sums[k])
            parts->sums[k][parts->gram_count[k]] = sum;
    }
}

/** Mean weight, times the root of their number, of the n-grams within places [first, end). */
static double family_score(const struct rv_text_parts *parts, unsigned first_kind, unsigned kinds,
                           unsigned shortest, size_t first, size_t end)
{
    double sum = 0;
    size_t count = 0;

    for (unsigned k = 0; k < kinds; k++) {
        size_t n = shortest + k; /* places that such an n-gram takes */

        if (end - first < n)
            break;
        sum += parts->sums[first_kind + k][end - n + 1] - parts->sums[first_kind + k][first];
        count += end - n + 1 - first;
    }
    return count ? sum / sqrt((double)count) : 0;
}

double rv_text_highest(struct rv_text_parts *parts, const float *weights, double bias,
                       struct rv_text_stretch *ret_best)
{
    size_t all = parts->token_count;
    size_t shortest = all < RV_TEXT_STRETCH_MIN ? all : RV_TEXT_STRETCH_MIN;
    double highest = -INFINITY;

    *ret_best = (struct rv_text_stretch){ 0, parts->text.len };
    if (all == 0)
        return bias;
    sum_up(parts, weights);
    for (size_t first = 0; first + shortest <= all; first++) {
        size_t at = parts->tokens[first].at;

        for (size_t end = first + shortest; end <= all && end <= first + RV_TEXT_STRETCH_MAX;
             end++) {
            size_t byte_end = parts->tokens[end - 1].at + parts->tokens[end - 1].len;
            double score = bias + family_score(parts, 0, RV_TEXT_TOKEN_GRAMS, 1, first, end) +
                           family_score(parts, RV_TEXT_TOKEN_GRAMS, RV_TEXT_BYTE_GRAMS,
                                        BYTE_GRAM_MIN, at, byte_end);

            if (score <= highest)
                continue;
            highest = score;
            *ret_best = (struct rv_text_stretch){ at, byte_end - at };
        }
    }
    return highest;
}

/* ---- Features, to learn from ---- */

static int add_kind(struct rv_text_features *features, const struct rv_text_parts *parts,
                    unsigned kind, float value)
{
    size_t wanted = features->count + parts->gram_count[kind];

    if (wanted > features->room) {
        struct rv_text_feature *items = reallocarray(features->items, 2 * wanted, sizeof(*items));

        if (!items)
            return -ENOMEM;
        features->items = items;
        features->room = 2 * wanted;
    }
    for (size_t i = 0; i < parts->gram_count[kind]; i++)
        features->items[features->count++] = (struct rv_text_feature){
            .bucket = parts->grams[kind][i],
            .at = (uint32_t)(kind < RV_TEXT_TOKEN_GRAMS ? parts->tokens[i].at : i),
            .value = value,
        };
    return 0;
}

int rv_text_features(struct rv_text_features *features, struct rv_text_parts *parts,
                     struct rv_span text)
{
    size_t tokens = 0, bytes = 0;
    int r = rv_text_cut(parts, text);

    features->count = 0;
    for (unsigned k = 0; k < RV_TEXT_GRAMS && r == 0; k++)
        *(k < RV_TEXT_TOKEN_GRAMS ? &tokens : &bytes) += parts->gram_count[k];
    for (unsigned k = 0; k < RV_TEXT_GRAMS && r == 0; k++) {
        size_t family = k < RV_TEXT_TOKEN_GRAMS ? tokens : bytes;

        if (parts->gram_count[k] > 0)
            r = add_kind(features, parts, k, (float)(1 / sqrt((double)family)));
    }
    return r;
}

void rv_text_features_done(struct rv_text_features *features)
{
    free(features->items);
    *features = (struct rv_text_features){ 0 };
}
