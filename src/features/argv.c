/* SPDX-License-Identifier: Apache-2.0 */
#include "argv.h"

#include "hash.h"

#include "features/core.h"

#define ENTROPY_BYTES 256U
#define ARGUMENTS_MAX 64U /* the shape of a longer list is that of its beginning */

static uint8_t entropy_q4(struct rv_span text)
{
    uint16_t counts[256] = { 0 };
    size_t len = rv_min_u64(text.len, ENTROPY_BYTES);
    uint32_t weighted = 0;

    if (len == 0)
        return 0;
    for (size_t i = 0; i < len; i++)
        counts[text.data[i]]++;
    for (size_t i = 0; i < RV_COUNT(counts); i++) {
        if (counts[i] > 1)
            weighted += counts[i] * rv_core_log2_q8(counts[i]);
    }
    return (uint8_t)((rv_core_log2_q8(len) - weighted / len) >> 4);
}

/* What a byte can be part of. */
enum {
    UPPER = 1,
    LOWER = 2,
    DIGIT = 4,
    B64_SIGN = 8, /* + / = */
    META = 16,
    NET = 32, /* : and /, which begin what names the network; digits do too */
};

static const uint8_t classes[256] = {
    ['A' ... 'Z'] = UPPER, ['a' ... 'z'] = LOWER, ['0' ... '9'] = DIGIT | NET,
    ['+'] = B64_SIGN,      ['='] = B64_SIGN,      ['/'] = B64_SIGN | NET,
    [':'] = NET,           [';'] = META,          ['|'] = META,
    ['&'] = META,          ['$'] = META,          ['`'] = META,
    ['<'] = META,          ['>'] = META,
};

static bool is_digit(uint8_t c)
{
    return classes[c] & DIGIT;
}

/* A run of base64 letters counts only when upper case, lower case and digits are all in it. */
struct run {
    unsigned len, kinds, best;
};

static void run_end(struct run *run)
{
    if ((run->kinds & (UPPER | LOWER | DIGIT)) == (UPPER | LOWER | DIGIT) && run->len > run->best)
        run->best = run->len;
    run->len = run->kinds = 0;
}

static bool starts(struct rv_span text, size_t at, const char *with)
{
    size_t len = strlen(with);

    return text.len - at >= len && memcmp(text.data + at, with, len) == 0;
}

/* Four groups of digits with dots between, beginning at `at`, which must not follow a digit. */
static bool dotted_address(struct rv_span text, size_t at)
{
    unsigned groups = 0;

    while (at < text.len && is_digit(text.data[at])) {
        for (unsigned digits = 0; at < text.len && is_digit(text.data[at]); digits++, at++) {
            if (digits == 3)
                return false;
        }
        if (++groups == 4)
            return at == text.len || text.data[at] != '.';
        if (at >= text.len || text.data[at] != '.')
            return false;
        at++;
    }
    return false;
}

static bool names_network(struct rv_span text, size_t at)
{
    uint8_t c = text.data[at];

    if (c == ':')
        return starts(text, at, "://");
    if (c == '/')
        return starts(text, at, "/dev/tcp/") || starts(text, at, "/dev/udp/");
    if (!is_digit(c) || (at > 0 && (is_digit(text.data[at - 1]) || text.data[at - 1] == '.')))
        return false;
    return dotted_address(text, at);
}

/*
 * The shape: options by name, everything else as one of a few letters, repeats of a letter as one,
 * so that `gcc -c -o a.o a.c` and `gcc -c -o b.o b.c` look alike and `gcc -c` with ten files too.
 */
static uint64_t shape_of(struct rv_span argv)
{
    uint64_t hash = 0;
    char before = 0;
    size_t at = rv_argv_at(argv, 0).len + 1;

    for (unsigned i = 1; i < ARGUMENTS_MAX && at < argv.len; i++) {
        const uint8_t *end = memchr(argv.data + at, 0, argv.len - at);
        struct rv_span argument =
            rv_span(argv.data + at, (end ? (size_t)(end - argv.data) : argv.len) - at);
        const uint8_t *equals = argument.len ? memchr(argument.data, '=', argument.len) : NULL;
        char letter = 'w';

        at += argument.len + 1;
        if (argument.len > 1 && argument.data[0] == '-') {
            size_t len = equals ? (size_t)(equals - argument.data) : argument.len;

            hash = rv_mix64(hash + rv_name_hash(rv_span(argument.data, rv_min_u64(len, 24))));
            before = 0;
            continue;
        }
        if (argument.len > 0 && is_digit(argument.data[0]))
            letter = 'n';
        else if (argument.len > 0 && memchr(argument.data, '/', argument.len))
            letter = 'p';
        else if (argument.len > 0 && memchr(argument.data, ' ', argument.len))
            letter = 't';
        if (letter != before)
            hash = rv_mix64(hash + (uint64_t)letter);
        before = letter;
    }
    return hash;
}

struct rv_argv_look rv_argv_look(struct rv_span argv, uint32_t true_len)
{
    struct rv_argv_look look = {
        .shape = shape_of(argv),
        .len = (uint16_t)rv_min_u64(rv_max_u64(true_len, argv.len), 65535),
        .entropy_q4 = entropy_q4(argv),
    };
    struct run run = { 0 };
    unsigned meta = 0, net = 0;

    for (size_t i = 0; i < argv.len; i++) {
        uint8_t class = classes[argv.data[i]];

        if (class & (UPPER | LOWER | DIGIT | B64_SIGN)) {
            run.len++;
            run.kinds |= class;
        } else {
            run_end(&run);
        }
        meta += (class & META) != 0;
        if (class & NET)
            net += names_network(argv, i);
    }
    run_end(&run);
    look.meta = (uint8_t)rv_min_u64(meta, 255);
    look.b64_run = (uint8_t)rv_min_u64(run.best, 255);
    look.net = (uint8_t)rv_min_u64(net, 255);
    return look;
}

struct rv_span rv_argv_at(struct rv_span argv, unsigned index)
{
    size_t at = 0;

    for (; at < argv.len; index--) {
        const uint8_t *end = memchr(argv.data + at, 0, argv.len - at);
        size_t len = end ? (size_t)(end - argv.data) - at : argv.len - at;

        if (index == 0)
            return rv_span(argv.data + at, len);
        at += len + 1;
    }
    return rv_span(NULL, 0);
}
