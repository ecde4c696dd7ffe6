/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets: each format read as it comes, copies dropped, damage refused with the line. */
#include "test.h"

#include "models/dataset.h"

#include <math.h>
#include <stdio.h>
#include <zlib.h>

static void sequences_come_by_column_name(void **state)
{
    static const char text[] = "n\tcalls\tlabel\tid\tclass\n"
                               "3\t6 6 63\t0\tUTD-1\tnormal\n"
                               "2\t168 65535\t1\tA/1\tHydra\r\n"
                               "\n"
                               "0\t\t-\tempty\t\n";
    struct rv_sequences set = { 0 };
    struct rv_dataset_error error;

    rv_assert_ok(rv_sequences_parse(&set, rv_span_str(text), &error));
    assert_int_equal(set.count, 3);
    assert_string_equal(set.items[0].id, "UTD-1");
    assert_int_equal(set.items[0].count, 3);
    assert_int_equal(set.items[0].calls[2], 63);
    assert_int_equal(set.items[0].label, RV_LABEL_NORMAL);
    assert_int_equal(set.items[1].label, RV_LABEL_ATTACK);
    assert_int_equal(set.items[1].calls[1], 65535);
    assert_string_equal(set.items[1].program, "Hydra");
    assert_string_equal(set.items[1].recording, "");
    assert_int_equal(set.items[2].label, RV_LABEL_UNKNOWN);
    assert_int_equal(set.items[2].count, 0);
    rv_sequences_done(&set);
}

static void bad_sequences_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *name, *text;
        size_t line;
    } cases[] = {
        { "empty", "", 0 },
        { "no calls column", "id\tlabel\nx\t0\n", 1 },
        { "letters", "id\tcalls\na\t1 2\nb\t3 x\n", 3 },
        { "negative", "calls\n-1\n", 2 },
        { "too large", "calls\n65536\n", 2 },
        { "far too large", "calls\n99999999999999999999\n", 2 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_sequences set = { 0 };
        struct rv_dataset_error error = { .line = 99 };
        int r = rv_sequences_parse(&set, rv_span_str(cases[i].text), &error);

        if (r != -EBADMSG || error.line != cases[i].line || !error.message[0])
            fail_msg("%s: got %d, line %zu", cases[i].name, r, error.line);
        rv_sequences_done(&set);
    }
}

static void copies_go_and_the_first_stays(void **state)
{
    static const char known_text[] = "calls\n7 8\n";
    static const char text[] = "id\tcalls\na\t1 2\nb\t1 2 3\nc\t1 2\nd\t7 8\n";
    struct rv_sequences set = { 0 }, known = { 0 };
    size_t dropped = 0;

    rv_assert_ok(rv_sequences_parse(&known, rv_span_str(known_text), NULL));
    rv_assert_ok(rv_sequences_parse(&set, rv_span_str(text), NULL));
    rv_assert_ok(rv_sequences_dedup(&set, &known, &dropped));
    assert_int_equal(dropped, 2);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.items[0].id, "a");
    assert_string_equal(set.items[1].id, "b");
    rv_sequences_done(&set);
    rv_sequences_done(&known);
}

static void series_find_separator_time_and_label(void **state)
{
    static const char batadal[] = "DATETIME,L_T1, F_PU1,ATT_FLAG\n04/07/16 00,2.44,93.63,0\n"
                                  "04/07/16 01,2.5,,-999\n04/07/16 02,1e-3,-4,1\n";
    static const char skab[] = "datetime;A;Volume Flow RateRMS;anomaly;changepoint\n"
                               "2020-03-09 10:14:33;0.1;32.0;0.0;0.0\n";
    struct rv_series_set set = { 0 };
    const struct rv_series *series;

    rv_assert_ok(rv_series_parse(&set, "b", rv_span_str(batadal), NULL));
    rv_assert_ok(rv_series_parse(&set, "s", rv_span_str(skab), NULL));
    assert_int_equal(set.count, 2);
    series = &set.items[0];
    assert_int_equal(series->rows, 3);
    assert_int_equal(series->columns, 2);
    assert_string_equal(series->column[1], "F_PU1");
    assert_string_equal(series->row_id[1], "04/07/16 01");
    assert_true(isnan(series->value[3]));
    assert_int_equal(series->label[0], RV_LABEL_NORMAL);
    assert_int_equal(series->label[1], RV_LABEL_UNKNOWN);
    assert_int_equal(series->label[2], RV_LABEL_ATTACK);
    series = &set.items[1];
    assert_int_equal(series->columns, 2);
    assert_string_equal(series->column[1], "Volume Flow RateRMS");
    assert_true(series->labelled);
    rv_series_set_done(&set);
}

static void what_stands_for_a_missing_reading_is_one(void **state)
{
    static const char text[] =
        "time,a,b,label\n1,nan,2,0\n2,NA,2,NaN\n3,null,\" N/A \",\n4, - ,?,1\n";
    struct rv_series_set set = { 0 };

    (void)state;
    rv_assert_ok(rv_series_parse(&set, "x", rv_span_str(text), NULL));
    assert_int_equal(set.items[0].rows, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(isnan(set.items[0].value[2 * i]));
    assert_true(isnan(set.items[0].value[5]));
    assert_int_equal(set.items[0].label[0], RV_LABEL_NORMAL);
    assert_int_equal(set.items[0].label[1], RV_LABEL_UNKNOWN);
    assert_int_equal(set.items[0].label[2], RV_LABEL_UNKNOWN);
    rv_series_set_done(&set);
}

/** Names end up in lists of tabs and lines, and on terminals. */
static void names_from_a_file_keep_to_their_cell(void **state)
{
    static const char text[] = "time;a\tb;c\n1\x1b[2J\tx;2;3\n";
    struct rv_series_set set = { 0 };

    (void)state;
    rv_assert_ok(rv_series_parse(&set, "x", rv_span_str(text), NULL));
    assert_string_equal(set.items[0].column[0], "a?b");
    assert_string_equal(set.items[0].row_id[0], "1?[2J?x");
    rv_series_set_done(&set);
}

static void bad_series_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *text;
        size_t line;
    } cases[] = {
        { "", 0 },
        { "time,label\n1,0\n", 1 },
        { "a,b\n1,2\n1\n", 3 },
        { "a,b\n1,2,3\n", 2 },
        { "a,b\n1,x\n", 2 },
        { "a,b\n1,inf\n", 2 },
        { "a,b\n1,0x10\n", 2 },
        { "a,b\n1,\"2,5\"\n", 2 },
        { "a,b,a\n1,2,3\n", 1 },
        { "a,b\n1,1e300\n", 2 },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_series_set set = { 0 };
        struct rv_dataset_error error = { .line = 99 };
        int r = rv_series_parse(&set, "x", rv_span_str(cases[i].text), &error);

        if (r != -EBADMSG || error.line != cases[i].line)
            fail_msg("case %zu: got %d, line %zu", i, r, error.line);
        rv_series_set_done(&set);
    }
}

/** One ustar member: head block and content, padded. */
static void tar_add(struct rv_buf *tar, const char *name, const char *content)
{
    char head[512] = { 0 };

    (void)snprintf(head, 100, "%s", name);
    (void)snprintf(head + 124, 12, "%011o", (unsigned)strlen(content));
    head[156] = '0';
    memcpy(head + 257, "ustar", 5);
    rv_buf_add(tar, head, sizeof(head));
    rv_buf_add_str(tar, content);
    while (tar->len % 512 != 0)
        rv_buf_add_char(tar, '\0');
}

static void a_tar_gives_its_csv_members(void **state)
{
    struct rv_buf tar = { 0 };
    struct rv_series_set set = { 0 };

    tar_add(&tar, "LICENSE", "text");
    tar_add(&tar, "valve1/0.csv", "a;b\n1;2\n");
    tar_add(&tar, "valve1/1.csv", "a;b\n1;2\n3;4\n");
    rv_assert_ok(rv_series_parse(&set, "x.tar", rv_buf_span(&tar), NULL));
    assert_int_equal(set.count, 2);
    assert_string_equal(set.items[1].name, "valve1/1.csv");
    assert_int_equal(set.items[1].rows, 2);
    rv_series_set_done(&set);

    tar.data[512 * 2 + 124] = '7'; /* a member larger than the tar */
    assert_int_equal(rv_series_parse(&set, "x.tar", rv_buf_span(&tar), NULL), -EBADMSG);
    rv_series_set_done(&set);
    rv_buf_done(&tar);
}

static void lines_come_plain_or_as_json(void **state)
{
    struct rv_lines set = { 0 };

    rv_assert_ok(rv_lines_parse(&set, rv_span_str("ls -l\n\nfind / -perm -4000\n"), NULL));
    assert_int_equal(set.count, 2);
    assert_string_equal(set.items[1].id, "3");
    assert_string_equal(set.items[1].text, "find / -perm -4000");
    rv_lines_done(&set);

    rv_assert_ok(rv_lines_parse(&set,
                                rv_span_str("{\"cmd\": \"echo\\nAdam\", \"session\": \"s\"}\n"
                                            "{\"alias\": \"x\"}\n"),
                                NULL));
    assert_int_equal(set.count, 1);
    assert_string_equal(set.items[0].id, "s:1");
    assert_string_equal(set.items[0].text, "echo Adam");
    rv_lines_done(&set);
    assert_int_equal(rv_lines_parse(&set, rv_span_str("{\"cmd\": 1"), NULL), -EBADMSG);
    rv_lines_done(&set);
}

static size_t gzip_bytes(const char *text, uint8_t *out, size_t room)
{
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)strlen(text) };

    stream.next_out = out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static void gzip_is_undone_or_refused(void **state)
{
    uint8_t zipped[512];
    size_t one = gzip_bytes("first ", zipped, 256);
    size_t len = one + gzip_bytes("second", zipped + one, 256);
    struct rv_buf out = { 0 };

    rv_assert_ok(rv_gunzip(&out, rv_span(zipped, len), 1000));
    assert_int_equal(out.len, 12);
    assert_memory_equal(out.data, "first second", 12);
    rv_buf_clear(&out);
    assert_int_equal(rv_gunzip(&out, rv_span(zipped, len), 5), -EFBIG);
    rv_buf_clear(&out);
    for (size_t cut = 0; cut < one; cut++) {
        assert_int_equal(rv_gunzip(&out, rv_span(zipped, cut), 1000), -EBADMSG);
        rv_buf_clear(&out);
    }
    rv_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_come_by_column_name),
        cmocka_unit_test(bad_sequences_are_refused_with_the_line),
        cmocka_unit_test(copies_go_and_the_first_stays),
        cmocka_unit_test(series_find_separator_time_and_label),
        cmocka_unit_test(what_stands_for_a_missing_reading_is_one),
        cmocka_unit_test(names_from_a_file_keep_to_their_cell),
        cmocka_unit_test(bad_series_are_refused_with_the_line),
        cmocka_unit_test(a_tar_gives_its_csv_members),
        cmocka_unit_test(lines_come_plain_or_as_json),
        cmocka_unit_test(gzip_is_undone_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
