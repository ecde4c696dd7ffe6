/* SPDX-License-Identifier: Apache-2.0 */
/* The feature table as data, its digest and its page. */
#include "features/table.h"

static const struct rv_feature_info infos[] = {
#define INFO(number, constant, name, max, unit, window, kept, mutability, meaning)                 \
    [number] = {                                                                                   \
        name, unit, meaning, max, RV_WINDOW_##window, RV_KEPT_##kept, RV_MUTABLE_##mutability      \
    },
    RV_FEATURES(INFO)
#undef INFO
};

_Static_assert(RV_COUNT(infos) == RV_FEATURE_COUNT, "the vector is as long as the table");

static const char *const window_names[] = {
    [RV_WINDOW_EXEC] = "exec", [RV_WINDOW_LIFE] = "life", [RV_WINDOW_FAST] = "fast",
    [RV_WINDOW_SLOW] = "slow", [RV_WINDOW_NOW] = "now",
};

static const char *const kept_names[] = {
    [RV_KEPT_KERNEL] = "kernel",
    [RV_KEPT_JUDGE] = "judge",
};

static const char *const mutability_names[] = {
    [RV_MUTABLE_FIXED] = "fixed",
    [RV_MUTABLE_RAISE] = "raise",
    [RV_MUTABLE_DILUTE] = "dilute",
};

const struct rv_feature_info *rv_feature_info(size_t feature)
{
    return feature < RV_COUNT(infos) ? &infos[feature] : NULL;
}

int rv_feature_by_name(struct rv_span name)
{
    for (size_t i = 0; i < RV_COUNT(infos); i++) {
        if (rv_span_eq(rv_span_str(infos[i].name), name))
            return (int)i;
    }
    return -ENOENT;
}

const char *rv_feature_window_name(enum rv_feature_window window)
{
    return window_names[window];
}

const char *rv_feature_kept_name(enum rv_feature_kept kept)
{
    return kept_names[kept];
}

const char *rv_mutability_name(enum rv_mutability mutability)
{
    return mutability_names[mutability];
}

struct rv_sha256 rv_feature_table_digest(void)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    rv_buf_addf(&text, "reeve feature table %d\n", RV_FEATURE_TABLE_VERSION);
    for (size_t i = 0; i < RV_COUNT(infos); i++) {
        rv_buf_addf(&text, "%zu %s %d %s %s %s %s\n", i, infos[i].name, infos[i].max, infos[i].unit,
                    window_names[infos[i].window], kept_names[infos[i].kept],
                    mutability_names[infos[i].mutability]);
    }
    if (text.failed)
        abort(); /* 8 KiB at start: nothing can go on without them */
    return rv_sha256(rv_buf_span(&text));
}

void rv_feature_document(struct rv_buf *buf)
{
    struct rv_sha256 digest = rv_feature_table_digest();
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&digest, hex);
    rv_buf_addf(
        buf,
        "# Features\n\n"
        "Generated from `src/features/include/features/table.h`; a test compares. Version "
        "%d, digest\n`%s`.\n\n"
        "Every value is an integer from 0 to its maximum and saturates there. Half-life of "
        "`fast`\n2^30 ns (about 1 s), of `slow` 2^36 ns (about 69 s); `exec`: set when the "
        "program starts;\n`life`: since the process started. `kernel`: computed by the same "
        "code in the kernel and in the\njudge. Mutability, what an attacker who keeps doing "
        "what he does can do to the value: `fixed`\nnothing, `raise` only raise it, `dilute` "
        "move it either way.\n\n"
        "| | feature | unit | max | window | kept | mutability | meaning |\n"
        "|---|---|---|---|---|---|---|---|\n",
        RV_FEATURE_TABLE_VERSION, hex);
    for (size_t i = 0; i < RV_COUNT(infos); i++) {
        rv_buf_addf(buf, "| %zu | `%s` | %s | %d | %s | %s | %s | %s |\n", i, infos[i].name,
                    infos[i].unit, infos[i].max, window_names[infos[i].window],
                    kept_names[infos[i].kept], mutability_names[infos[i].mutability],
                    infos[i].meaning);
    }
}
