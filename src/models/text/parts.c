/* SPDX-License-Identifier: Apache-2.0 */
#include "parts.h"

#include "base/hash.h"

#include <ctype.h>
#include <math.h>

#define GRAM_MIN    2U
#define GRAM_MAX    5U
#define TOKENS_MAX  3U /* tokens of one feature */
#define PARTS_MAX   64U
#define RUN_MAX     6U
#define BYTES_READ  ((size_t)4096) /* of a stretch */

static const size_t windows[] = { 48, 96, 192 };

/* ---- Features ---- */

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

static int add(struct rv_text_features *features, uint64_t hash, size_t at)
{
    if (features->count == RV_TEXT_FEATURES_MAX)
        return 0;
    if (features->count == features->room) {
        size_t room = features->room ? features->room * 2 : 1024;
        struct rv_text_feature *items = reallocarray(features->items, room, sizeof(*items));

        if (!items)
            return -ENOMEM;
        features->items = items;
        features->room = room;
    }
    features->items[features->count++] = (struct rv_text_feature){
        .bucket = (uint32_t)(rv_mix64(hash) & (RV_TEXT_BUCKETS / 2 - 1)),
        .at = (uint32_t)at,
    };
    return 0;
}

/** Strings of 2 to 5 bytes, digits alike. */
static int add_bytes(struct rv_text_features *features, struct rv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint64_t hash = 0;

        for (size_t n = 1; n <= GRAM_MAX && i + n <= text.len; n++) {
            int r;

            hash = hash << 8 | masked(text.data[i + n - 1]);
            if (n < GRAM_MIN)
                continue;
            r = add(features, hash << 3 | n, i);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static uint64_t token_hash(struct rv_span token)
{
    if (isdigit(token.data[0]))
        return 1; /* all numbers alike */
    return rv_hash64(token);
}

/** One, two and three tokens on end; blanks do not count. */
static int add_tokens(struct rv_text_features *features, struct rv_span text)
{
    uint64_t last[TOKENS_MAX] = { 0 };
    size_t seen = 0;

    for (size_t at = 0; at < text.len;) {
        size_t len = rv_text_token(rv_span(text.data + at, text.len - at));
        uint64_t hash = 0x746f6b656eULL;

        if (!isspace(text.data[at])) {
            memmove(last + 1, last, (TOKENS_MAX - 1) * sizeof(*last));
            last[0] = token_hash(rv_span(text.data + at, len));
            seen++;
            for (size_t n = 0; n < TOKENS_MAX && n < seen; n++) {
                int r;

                hash = rv_mix64(hash ^ last[n]) + n;
                r = add(features, hash, at);
                if (r < 0)
                    return r;
            }
        }
        at += len;
    }
    return 0;
}

static int by_bucket(const void *a, const void *b)
{
    const struct rv_text_feature *left = a, *right = b;

    if (left->bucket != right->bucket)
        return left->bucket < right->bucket ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

/** Each bucket once from `first` on, all of one value, together of length 1; moved by `offset`. */
static void settle(struct rv_text_features *features, size_t first, uint32_t offset)
{
    size_t kept = first;

    if (features->count == first)
        return;
    qsort(features->items + first, features->count - first, sizeof(*features->items), by_bucket);
    for (size_t i = first; i < features->count; i++) {
        if (i == first || features->items[i].bucket != features->items[kept - 1].bucket)
            features->items[kept++] = features->items[i];
    }
    for (size_t i = first; i < kept; i++) {
        features->items[i].bucket += offset;
        features->items[i].value = (float)(1 / sqrt((double)(kept - first)));
    }
    features->count = kept;
}

int rv_text_features(struct rv_text_features *features, struct rv_span text)
{
    size_t tokens;
    int r;

    if (text.len > BYTES_READ)
        text.len = BYTES_READ;
    features->count = 0;
    r = add_tokens(features, text);
    if (r < 0)
        return r;
    settle(features, 0, 0);
    tokens = features->count;
    r = add_bytes(features, text);
    if (r < 0)
        return r;
    settle(features, tokens, RV_TEXT_BUCKETS / 2);
    return 0;
}

void rv_text_features_done(struct rv_text_features *features)
{
    free(features->items);
    *features = (struct rv_text_features){ 0 };
}

/* ---- Stretches ---- */

static bool quotes_balance(struct rv_span line)
{
    uint8_t open = 0;

    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.data[i];

        if (c == '\\' && open != '\'')
            i++;
        else if (open && c == open)
            open = 0;
        else if (!open && (c == '\'' || c == '"' || c == '`'))
            open = c;
    }
    return open == 0;
}

/** Where commands end: ; | & and comments, outside quotes when those balance. */
static size_t split(struct rv_span line, struct rv_text_stretch parts[PARTS_MAX])
{
    bool minds_quotes = quotes_balance(line);
    size_t count = 0, begin = 0;
    uint8_t open = 0;

    for (size_t i = 0; i <= line.len && count < PARTS_MAX; i++) {
        uint8_t c = i < line.len ? line.data[i] : ';';
        bool cut = c == ';' || c == '|' || c == '&' || c == '\n' ||
                   (c == '#' && i > 0 && isspace(line.data[i - 1]));

        if (i < line.len && c == '\\' && open != '\'') {
            i++;
            continue;
        }
        if (i < line.len && minds_quotes && open) {
            open = c == open ? 0 : open;
            continue;
        }
        if (minds_quotes && (c == '\'' || c == '"' || c == '`')) {
            open = c;
            continue;
        }
        if (!cut)
            continue;
        if (i > begin)
            parts[count++] = (struct rv_text_stretch){ begin, i - begin };
        begin = i + 1;
    }
    return count;
}

static void offer(struct rv_text_stretch *stretches, size_t *count, size_t at, size_t len)
{
    if (*count < RV_TEXT_STRETCHES_MAX && len > 1)
        stretches[(*count)++] = (struct rv_text_stretch){ at, len };
}

size_t rv_text_stretches(struct rv_span line, struct rv_text_stretch *stretches)
{
    struct rv_text_stretch parts[PARTS_MAX];
    size_t part_count, count = 0;

    if (line.len == 0)
        return 0;
    stretches[count++] = (struct rv_text_stretch){ 0, line.len };
    part_count = split(line, parts);
    for (size_t first = 0; first < part_count; first++) {
        for (size_t last = first; last < part_count && last < first + RUN_MAX; last++) {
            size_t end = parts[last].at + parts[last].len;

            if (part_count > 1 && (first > 0 || last + 1 < part_count))
                offer(stretches, &count, parts[first].at, end - parts[first].at);
        }
    }
    for (size_t w = 0; w < RV_COUNT(windows); w++) {
        for (size_t at = 0; at + windows[w] < line.len; at += windows[w] / 2)
            offer(stretches, &count, at, windows[w]);
        if (line.len > windows[w])
            offer(stretches, &count, line.len - windows[w], windows[w]);
    }
    return count;
}
