/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting: tidy texts stay, others become tidy once and for all, and mean what they meant. */
#include "policy_test.h"

#include "base/fd.h"

#include <fcntl.h>
#include <glob.h>

static char *format(const char *text)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    struct rv_buf buf = { 0 };

    if (rv_policy_format(&buf, "test", rv_span_str(text), &diags) < 0)
        fail_msg("%s\n%s", diags.count > 0 ? diags.items[0].message : "?", text);
    rv_buf_add_char(&buf, '\0');
    return rv_buf_take(&buf);
}

static char *meaning(const char *text)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    struct rv_buf buf = { 0 };

    assert_int_equal(rv_policy_read(&set, "test", rv_span_str(text), NULL), 0);
    value = rv_policy_set_to_json(&set);
    assert_int_equal(rv_json_canonical(&buf, value), 0);
    return rv_buf_take(&buf);
}

static size_t comments(const char *text)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, "//c")); at++)
        count++;
    return count;
}

/** @return the tidy text, after the promises were checked. */
static char *check(const char *text)
{
    char *once = format(text);
    RV_AUTO(rv_freep) char *twice = format(once);
    RV_AUTO(rv_freep) char *before = meaning(text), *after = meaning(once);

    assert_string_equal(once, twice);
    assert_string_equal(before, after);
    assert_int_equal(comments(text), comments(once));
    return once;
}

static void expect(const char *text, const char *wanted)
{
    RV_AUTO(rv_freep) char *got = check(text);

    assert_string_equal(got, wanted);
}

static void test_lines(void **state)
{
    (void)state;
    expect("", "");
    expect("  \n\n", "");
    expect("permit(principal,action,resource);permit ( principal , action , resource ) ;",
           "permit (principal, action, resource);\n\npermit (principal, action, resource);\n");
    expect(
        "@id( \"a\" )@x\nforbid(principal is A::B in C::\"d\",\naction in[Action::\"r\"],resource)"
        "when{1+ -2<-context.n&&!(ip( \"::1\" ).isIpv6( )||[ ].contains( 1 ))};",
        "@id(\"a\")\n@x\nforbid (\n  principal is A::B in C::\"d\",\n"
        "  action in [Action::\"r\"],\n  resource\n)\n"
        "when { 1 + -2 < -context.n && !(ip(\"::1\").isIpv6() || [].contains(1)) };\n");
}

static void test_blocks(void **state)
{
    (void)state;
    expect("permit(principal,action,resource)when{context.a||\n\n\ncontext [\"b c\"]}unless\n{\n"
           "if context has a then{a:1}.a==1 else false};",
           "permit (principal, action, resource)\nwhen {\n  context.a ||\n\n  context[\"b c\"]\n}\n"
           "unless {\n  if context has a then { a: 1 }.a == 1 else false\n};\n");
}

static void test_comments(void **state)
{
    (void)state;
    expect("//c top\n\n\n//c of a\npermit(principal,action,resource); //c behind  \n//c of b\n"
           "permit(principal,action,resource);\n//c end",
           "//c top\n\n//c of a\npermit (principal, action, resource); //c behind\n\n//c of b\n"
           "permit (principal, action, resource);\n\n//c end\n");
}

static void test_hostile(void **state)
{
    static const char *const texts[] = {
        "//c",
        "//c\r//c\r\n//c",
        "\n\n //c\n\n\n //c \t\n",
        "@permit //c\n( //c\n\"//x\" //c\n ) //c\n //c\n\n permit //c\n ( //c\n principal //c\n"
        " , //c\n action, resource //c\n) //c\n when //c\n { //c\n true //c\n } //c\n ; //c\n //c",
        "permit(principal,action,resource)when{[//c\n1,\n\n2 //c\n\n].contains(\n\n//c\n\n1)};//c",
        "permit(principal,action,resource)when{\n! //c\n!(- //c\n-1==1 - - 1)};",
        "permit(principal\n==\n?principal,action,resource\n)when{context\n.a\n.b\n. //c\nc};",
        "permit(principal,action,resource)when{\"a\nb//\"==\"\\\"//\"&&A //c\n:: //c\nB::\"x\"in [\n]};",
        "@when(\"a\")@permit@forbid(\"\")permit(principal,action,resource)when{{//c\n}=={}}when{{\n}=={\"a\":1}};",
        "permit(principal,action,resource)\xc2\xa0when{\xe2\x80\xa8true\x0b};\r\r\rforbid(principal,action,resource);",
    };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(texts); i++)
        free(check(texts[i]));
}

static void test_wrong(void **state)
{
    static const char *const texts[] = { "permit", "permit(principal,action,resource)",
                                         "permit(principal,action,resource) when { 1 + };", "}" };

    (void)state;
    for (size_t i = 0; i < RV_COUNT(texts); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        assert_int_equal(rv_policy_format(&buf, "test", rv_span_str(texts[i]), NULL), -EINVAL);
        assert_int_equal(buf.len, 0);
    }
}

static void test_baseline(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob(SOURCE_ROOT "/policies/baseline/*.cedar", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        RV_AUTO(rv_freep) char *text = NULL;
        size_t len;

        assert_int_equal(rv_read_file(AT_FDCWD, found.gl_pathv[i], 1 << 20, &text, &len), 0);
        free(check(text));
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_comments), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_wrong),    cmocka_unit_test(test_baseline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
