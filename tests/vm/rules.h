/* SPDX-License-Identifier: Apache-2.0 */
/** @file vm/rules.h  Rules in few words, and the one provider that a suite of the VM puts them
 * into. */
#pragma once

#include "test.h"

#include "enforce/lsm.h"

#define LEASE_MS 60000

extern struct rv_lsm *lsm;

/** Open it. @return what main() must end with, or -1 to go on. */
int open_lsm(void);

/** A rule about these actions that refuses everything, for every risk. */
struct rv_rule rule_about(uint32_t actions);
void add_text(struct rv_rule *rule, enum rv_rule_subject subject, const char *text, bool negated);
void add_number(struct rv_rule *rule, enum rv_rule_subject subject, uint64_t number, bool negated);

/** A whole set, with a fresh lease; fails the test when it is not taken and carried in full. */
void put_rules(const struct rv_rule *rules, size_t count, const struct rv_rule_settings *settings);
void put_rule(const struct rv_rule *rule);
void put_nothing(void);

uint64_t count_of(size_t rule, enum rv_refusal verdict);

/* One group of tests in each file; nonzero when one failed. */
int hooks_run(void);
int terms_run(void);
int safety_run(void);
int cost_run(void);
int self_run(void);

void copy_file(const char *from, const char *to);

/** Run in a child; what it returns is 0 or -errno. */
int in_child(int (*attempt)(void));
