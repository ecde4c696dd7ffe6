/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

struct rv_lsm *lsm;

int open_lsm(void)
{
    int r;

    if (!getenv("REEVE_VM")) {
        printf("1..0 # SKIP only inside tests/vm/run-vm\n# skip: only inside tests/vm/run-vm\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    r = rv_lsm_open(&lsm);
    if (r < 0) {
        printf("not ok 1 - open the provider: %s\n", strerror(-r));
        return 1;
    }
    return -1;
}

struct rv_rule rule_about(uint32_t actions)
{
    return (struct rv_rule){ .actions = actions, .risk_max = 1000, .mode = RV_RULE_ENFORCE };
}

static struct rv_rule_term *add(struct rv_rule *rule, enum rv_rule_subject subject, bool negated)
{
    struct rv_rule_term *term = &rule->terms[rule->term_count++];

    assert_true(rule->term_count <= RV_RULE_TERMS_MAX);
    *term = (struct rv_rule_term){ .subject = (uint8_t)subject, .negated = negated };
    return term;
}

void add_text(struct rv_rule *rule, enum rv_rule_subject subject, const char *text, bool negated)
{
    struct rv_rule_term *term = add(rule, subject, negated);

    assert_true(strlen(text) < sizeof(term->text));
    strcpy(term->text, text);
}

void add_number(struct rv_rule *rule, enum rv_rule_subject subject, uint64_t number, bool negated)
{
    add(rule, subject, negated)->number = number;
}

void put_rules(const struct rv_rule *rules, size_t count, const struct rv_rule_settings *settings)
{
    static const struct rv_rule_settings none;
    uint64_t carried = 0;
    size_t at = 0;
    int r = rv_lsm_swap(lsm, rules, count, settings ? settings : &none, &carried, &at);

    if (r < 0)
        fail_msg("rule %zu: %s", at, strerror(-r));
    assert_int_equal(carried, (UINT64_C(1) << count) - 1);
    rv_assert_ok(rv_lsm_renew(lsm, LEASE_MS));
}

void put_rule(const struct rv_rule *rule)
{
    put_rules(rule, 1, NULL);
}

void put_nothing(void)
{
    put_rules(NULL, 0, NULL);
}

uint64_t count_of(size_t rule, enum rv_refusal verdict)
{
    struct rv_rule_counts counts = { 0 };

    rv_assert_ok(rv_lsm_rule_counts(lsm, rule, &counts));
    return counts.by[verdict];
}

int in_child(int (*attempt)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(-attempt());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

    while (sendfile(out, in, NULL, 1 << 20) > 0)
        ;
    close(in);
    close(out);
}
