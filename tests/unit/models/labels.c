/* SPDX-License-Identifier: Apache-2.0 */
/* People's judgements as JSON lines: what is read, who said it, what is refused. */
#include "test.h"

#include "features/table.h"
#include "models/labels.h"

/** One line; `vector` values of 7 but for the first. */
static void add_line(struct rv_buf *text, const char *host, unsigned uid, unsigned entry,
                     const char *label)
{
    struct rv_sha256 table = rv_feature_table_digest();
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&table, hex);
    rv_buf_addf(text,
                "{\"class\":1,\"entry\":%u,\"feature_table\":\"%s\",\"host\":\"%s\",\"label\":"
                "\"%s\",\"uid\":%u,\"vector\":[-3",
                entry, hex, host, label, uid);
    for (size_t i = 1; i < RV_FEATURE_COUNT; i++)
        rv_buf_add_str(text, ",7");
    rv_buf_add_str(text, "]}\n");
}

static void lines_become_rows_and_a_later_word_counts(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_labels_done) struct rv_labels labels = { 0 };
    struct rv_dataset_error error;

    add_line(&text, "a/reeve", 0, 5, "malicious");
    add_line(&text, "b/reeve", 0, 5, "benign");
    add_line(&text, "a/reeve", 1000, 5, "benign");
    add_line(&text, "a/reeve", 1000, 6, "malicious");
    rv_assert_ok(rv_labels_parse(&labels, rv_buf_span(&text), &error));
    assert_int_equal(labels.count, 3);
    assert_int_equal(labels.source_count, 3);
    assert_int_equal(labels.items[0].judgement, RV_JUDGED_NORMAL);
    assert_string_equal(labels.sources[labels.items[0].source], "uid 1000 of a/reeve");
    assert_int_equal(labels.items[2].judgement, RV_JUDGED_BAD);
    assert_int_equal(labels.items[0].vector.value[0], -3);
    assert_int_equal(labels.items[0].vector.value[95], 7);
}

static void refuse_with(const char *from, const char *to, const char *why)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf changed = { 0 };
    RV_AUTO(rv_labels_done) struct rv_labels labels = { 0 };
    struct rv_dataset_error error = { 0 };
    const char *at;

    add_line(&text, "a/reeve", 0, 5, "benign");
    add_line(&text, "a/reeve", 0, 6, "benign");
    at = strrchr(text.data, '{');
    at = strstr(at, from);
    assert_non_null(at);
    rv_buf_add(&changed, text.data, (size_t)(at - text.data));
    rv_buf_add_str(&changed, to);
    rv_buf_add_str(&changed, at + strlen(from));
    assert_int_equal(rv_labels_parse(&labels, rv_buf_span(&changed), &error), -EBADMSG);
    assert_int_equal(error.line, 2);
    if (!strstr(error.message, why))
        fail_msg("'%s' for '%s': %s", to, from, error.message);
    assert_int_equal(labels.count, 1);
}

static void what_makes_no_sense_names_its_line(void **state)
{
    refuse_with("\"label\":\"benign\"", "\"label\":\"perhaps\"", "neither benign");
    refuse_with("\"class\":1", "\"class\":16", "no such class");
    refuse_with("\"class\":1", "\"class\":-1", "no such class");
    refuse_with("[-3,", "[-3,7,", "no vector of 96");
    refuse_with("[-3,", "[-3.5,", "no vector of 96");
    refuse_with("[-3,", "[-3000000000,", "no vector of 96");
    refuse_with("\"uid\":0", "\"uid\":-1", "whose word");
    refuse_with("\"host\"", "\"hast\"", "whose word");
    refuse_with("\"feature_table\":\"", "\"feature_table\":\"0", "another feature table");
    refuse_with("}", "", "not JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_rows_and_a_later_word_counts),
        cmocka_unit_test(what_makes_no_sense_names_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
