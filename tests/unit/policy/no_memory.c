/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out at every allocation in turn: an error each time, no crash, no leak. */
#include "policy_test.h"

static long allowed = -1; /* allocations until the first that fails; below 0: all succeed */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static bool refused(void)
{
    if (allowed < 0)
        return false;
    if (allowed == 0)
        return true;
    allowed--;
    return false;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return refused() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return refused() ? NULL : __real_reallocarray(old, count, size);
}

static const char schema_text[] =
    "namespace N { type T = { a: Long, b?: Set<String> }; @x(\"y\") entity U in [G] = { t: T, "
    "ip: ipaddr } tags String; entity G; entity M enum [\"a\", \"b\"]; action all; "
    "action v, w in all appliesTo { principal: [U], resource: [G, M], context: T }; }";

static const char policy_text[] =
    "@id(\"p\") permit(principal is N::U in N::G::\"g\", action == N::Action::\"v\", resource) "
    "when { principal.t has b && principal.t.b.contains(\"x\") && principal.hasTag(\"k\") && "
    "principal.getTag(\"k\") like \"a*b\" && (if context.a > 1 then [1, 2] else [3]).contains(4) && "
    "principal.ip.isInRange(ip(\"10.0.0.0/8\")) && {a: principal.nope} == {a: 1} };";

/** All of it once. @return 0, or the first error. */
static int work(void)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL, *other = NULL;
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 }, again = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL, *policies = NULL;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 }, json = { 0 };
    enum rv_validity validity = RV_VALID;
    int r = rv_schema_read("s", rv_span_str(schema_text), &schema, &diags);

    if (r == 0)
        r = rv_schema_print(&text, schema, &diags);
    if (r == 0 && !(value = rv_schema_to_json(schema)))
        r = -ENOMEM;
    if (r == 0)
        r = rv_json_canonical(&json, value);
    if (r == 0)
        r = rv_schema_read_json("j", rv_buf_span(&json), &other, &diags);
    if (r == 0)
        r = rv_policy_read(&set, "p", rv_span_str(policy_text), &diags);
    if (r == 0 && !(policies = rv_policy_set_to_json(&set)))
        r = -ENOMEM;
    if (r == 0)
        r = rv_policy_set_read_json(&again, policies, &diags);
    if (r == 0)
        r = rv_validate_policies(other, &again, RV_VALIDATE_STRICT, &diags, &validity);
    if (r == 0)
        assert_int_equal(validity, RV_INVALID);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    long n = 0;
    int r;

    do {
        allowed = n++;
        r = work();
        allowed = -1;
        if (r != 0 && r != -ENOMEM)
            fail_msg("allocation %ld: %d", n, r);
        assert_true(n < 100000);
    } while (r != 0);
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_allocation_may_fail) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
