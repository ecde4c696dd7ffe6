/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file vocabulary.h  The host's words (host.cedarschema, agent/host.h) as terms of rules: which
 * actions there are and what can refuse them, and what an atom of a policy comes to.
 */
#pragma once

#include "agent/rules.h"
#include "policy/normal.h"

/** A Cedar action of a host. */
struct rv_host_verb {
    const char *name, *group; /* the group right above */
    const char *resource;     /* entity type */
    uint32_t actions;         /* RV_DO_* */
    unsigned by;              /* 1 << enum rv_mechanism that can refuse it */
    uint32_t family;          /* which attributes it has; one bit */
};

size_t rv_host_verb_count(void);
const struct rv_host_verb *rv_host_verb(size_t i);

/** What an atom is judged by. `fold_context` of rv_normal_add() points to one. */
struct rv_host_question {
    const struct rv_host_verb *verb;
    const struct rv_entities *entities; /* may be NULL */
};

/** rv_normal_fold: what holds by type and by the verb alone. */
enum rv_fold rv_host_fold(void *question, const struct rv_atom *atom);

#define RV_MEANING_TERMS_MAX 40

/** Points into the policy, or to static text. */
struct rv_host_term {
    uint8_t subject; /* enum rv_rule_subject */
    uint64_t number;
    struct rv_text text;
};

enum rv_meaning_kind {
    RV_MEANS_UNKNOWN = 0, /* no rule can hold it: `place` and `why` */
    RV_MEANS_NEVER,
    RV_MEANS_TERMS,
};

/** A literal as terms: affirmed ones of one group are alternatives, groups hold together. */
struct rv_meaning {
    enum rv_meaning_kind kind;
    struct rv_host_term affirmed[RV_MEANING_TERMS_MAX], negated[RV_MEANING_TERMS_MAX];
    uint32_t affirmed_count, negated_count;
    char addresses[2][56]; /* what ADDRESS terms point to */
    uint32_t address_count;
    uint32_t risk_min, risk_max;
    bool user_namespace; /* the verb is about a user namespace, and no other */
    bool waits;          /* a workload without a cgroup */
    enum rv_place place; /* RV_MEANS_UNKNOWN: where the fact is known */
    const char *why;     /* static, without its full stop */
};

void rv_host_meaning(const struct rv_host_question *question,
                     const struct rv_rules_options *options, const struct rv_atom *atom,
                     enum rv_literal_mode mode, struct rv_meaning *ret_meaning);

/** Whether an atom comes to the same for the same program, user and file. */
bool rv_host_is_stable(const struct rv_host_question *question, const struct rv_atom *atom);

/* ---- Between the two halves: facts ---- */
enum rv_fact_type { RV_FACT_BOOL, RV_FACT_LONG, RV_FACT_STRING, RV_FACT_IP, RV_FACT_RECORD };

/** An attribute of principal, resource or context. */
struct rv_host_fact {
    const char *name;
    uint8_t var;     /* enum rv_var */
    uint8_t type;    /* enum rv_fact_type */
    uint8_t subject; /* enum rv_rule_subject; 0: in no rule */
    uint8_t flag;    /* RV_TERM_FLAG: which */
    uint8_t place;   /* enum rv_place: the best where it is known */
    bool stable;     /* the same for the same program, user and file */
    uint32_t families;
    const char *why; /* in no rule: why, without its full stop */
};

/** NULL: the verb has no such attribute. */
const struct rv_host_fact *rv_host_fact(const struct rv_host_question *question,
                                        const struct rv_atom *atom);

/** Where the comparison of an atom with a number is true, within what the fact can be. */
struct rv_interval {
    int64_t min, max; /* empty when min > max */
    int64_t domain_min, domain_max;
};
struct rv_interval rv_host_interval(const struct rv_host_fact *fact, const struct rv_atom *atom);

/** The number of a program kind; RV_KIND_COUNT_ for none of this name. */
uint32_t rv_host_kind(struct rv_text name);
/** A user id as the entity's id holds it. @return false when it is none. */
bool rv_host_user(struct rv_text id, uint32_t *ret_uid);
/** Whether a pattern takes a text. */
bool rv_pattern_takes(const struct rv_pattern *pattern, struct rv_text text);
