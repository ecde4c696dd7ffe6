/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile policies as rules: whatever can be read compiles into a set that every provider takes,
 * whose places agree with what is in it.
 */
#include "agent/rules.h"
#include "policy/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t cgroups(void *context, struct rv_text workload, uint64_t *ids, size_t max)
{
    (void)context;
    for (size_t i = 0; i < max; i++)
        ids[i] = workload.hash % 7 + i;
    return workload.len % 3 ? rv_min_u64(workload.len, max) : 0;
}

static void check(const struct rv_rules *rules, const struct rv_rules_options *options)
{
    static const struct rv_rule_facts facts = { .action = RV_DO_READ, .program = "/bin/sh" };
    uint32_t counts = 0;

    if (rules->count + options->reserved > RV_RULES_MAX)
        abort();
    for (uint32_t i = 0; i < rules->count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf words = { 0 };
        const struct rv_rules_policy *policy = &rules->policies[rules->rules[i].policy];

        if (rv_rule_check(&rules->rules[i]) || policy->response == RV_RESPOND_ALERT ||
            policy->left_out || !policy->governs)
            abort();
        rv_rules_print(&words, &rules->rules[i]);
        (void)rv_rule_matches(&rules->rules[i], &facts);
    }
    for (uint32_t i = 0; i < rules->policy_count; i++) {
        const struct rv_rules_policy *policy = &rules->policies[i];

        counts += policy->rule_count;
        if (policy->partial && policy->place == RV_PLACE_KERNEL)
            abort();
        if (policy->place > RV_PLACE_AFTER && !(policy->mechanisms & options->offered) &&
            policy->reason_count > 0)
            abort();
    }
    if (counts != rules->count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_rules_free) struct rv_rules *rules = NULL;
    struct rv_rules_options options = { .cgroups = cgroups };

    if (size < 1 || size > 16384 || data[0] > '~')
        return 0;
    options.offered = data[0] % 8U << RV_BY_LSM;
    options.reserved = data[0] % 5U;
    if (rv_policy_read(&set, "fuzz", rv_span(data, size), NULL) < 0 ||
        rv_rules_compile(&rules, &set, NULL, &options) < 0)
        return 0;
    check(rules, &options);
    (void)rv_rules_stability(&set, NULL, "file.read");
    return 0;
}
