/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/rules.h  A bundle of Cedar policies as rules that refuse before the fact, and where
 * each policy is thereby enforced.
 *
 * A forbid becomes rules (enforce/rule.h) by its normal form: each alternative whose facts a rule
 * can hold is one, alternatives that differ in one thing share one. Nothing else is guessed: what
 * is compiled refuses exactly what Cedar denies, but for three widenings that docs/policy.md names
 * (either name of a rename, opening for both reading and writing, kinds by identity). The place of
 * a policy follows: the kernel's where all of it became rules that a mechanism of this host
 * carries.
 *
 * What no permit allows is denied too; that is the last "policy" of a set, without a struct of its
 * own and named RV_RULES_NO_PERMIT.
 */
#pragma once

#include "agent/stage.h"
#include "enforce/rule.h"
#include "policy/ast.h"
#include "policy/policy.h"

#define RV_RULES_NO_PERMIT   "no-permit" /* for stages, as if it were an @id */
#define RV_RULES_REASONS_MAX 8
#define RV_RULES_CGROUPS_MAX 16 /* of one workload */

/** From strongest to weakest; zero is the weakest so that forgetting promises nothing. */
enum rv_place { RV_PLACE_AFTER = 0, RV_PLACE_INLINE, RV_PLACE_KERNEL };
/** "kernel", "inline" or "after". Static. */
const char *rv_place_name(enum rv_place place);

/** What a forbid asks for (`@respond`). All but an alert refuse where they can. */
enum rv_response {
    RV_RESPOND_DENY = 0,
    RV_RESPOND_ALERT,
    RV_RESPOND_HOLD,
    RV_RESPOND_THROTTLE,
    RV_RESPOND_FREEZE,
    RV_RESPOND_ISOLATE,
    RV_RESPOND_KILL,
    RV_RESPONSES_,
};
const char *rv_response_name(enum rv_response response); /* static */
/** Of a policy; without the annotation, or with a word that is none of these, it denies. */
enum rv_response rv_response_of(const struct rv_policy *policy);

struct rv_rules_options {
    uint32_t reserved;              /* places in the table that the caller fills itself */
    unsigned offered;               /* 1 << enum rv_mechanism, of those that work here */
    uint32_t lacks[RV_MECHANISMS_]; /* RV_DO_* that one cannot refuse here all the same */
    const struct rv_stages *stages; /* NULL: everything is enforced */
    /** Ids of a workload's cgroups, at most `max`; 0: none runs now. NULL: none ever does. */
    size_t (*cgroups)(void *context, struct rv_text workload, uint64_t *ids, size_t max);
    /** When nobody healthy stands behind a refusal; `policy` NULL: what no permit allows.
     * NULL: open. */
    enum rv_rule_lapse (*lapse)(void *context, const struct rv_policy *policy);
    void *context;
};

struct rv_rules_reason {
    enum rv_place place;            /* the best that is left because of this */
    const struct rv_policy *policy; /* where `loc` is; may be NULL */
    struct rv_loc loc;              /* zero for the action or the host */
    char text[160];
};

struct rv_rules_policy {
    const struct rv_policy *policy; /* NULL: what no permit allows */
    char name[RV_STAGE_NAME_MAX];   /* its @id, else its id; cut */
    bool governs; /* it can deny at least one action of a host; else nothing below is set */
    enum rv_response response;
    enum rv_rule_lapse lapse;
    enum rv_stage stage; /* where no workload has its own */
    enum rv_place place; /* the weakest of its actions and alternatives */
    uint32_t mechanisms; /* 1 << enum rv_mechanism: those that refuse at that place */
    uint32_t rule_count; /* rules in the set: none for an alert or what is only observed */
    uint32_t actions;    /* RV_DO_* of its rules */
    bool partial;        /* the rules refuse a part of what it denies; the judge sees the rest */
    bool scoped;         /* at place "inline": not everywhere, but in scopes that are declared */
    bool waits;    /* it names a workload of which no cgroup runs: compile again when one does */
    bool left_out; /* the table was full: none of its rules is in the set */
    struct rv_rules_reason reasons[RV_RULES_REASONS_MAX];
    uint32_t reason_count; /* in the order found; the same is not said twice */
};

struct rv_rules {
    struct rv_rule *rules; /* enforced ones before those in the shadow; rv_rule.policy is a place
                              in `policies` */
    uint32_t count;
    struct rv_rules_policy *policies; /* in the order of the set, then what no permit allows */
    uint32_t policy_count;
    /** Policies that found no room among RV_RULES_MAX, and those of them that lapse closed: with
     * one of the latter the set must not be put in place. */
    uint32_t left_out, left_out_closed;
};

/**
 * Compile. Borrows `set`, which must outlive the result.
 * @param entities those of the bundle: they say which groups an action is in. NULL: as in the
 *        shipped schema.
 * @return 0 or -ENOMEM. What could not be compiled is said in each policy's reasons.
 */
RV_MUST_CHECK int rv_rules_compile(struct rv_rules **ret_rules, const struct rv_policy_set *set,
                                   const struct rv_entities *entities,
                                   const struct rv_rules_options *options);
/**
 * Correct the places by what the providers took: bits of the rules that each carries in full.
 * A policy with a rule that nobody carries before the fact is enforced after it.
 */
void rv_rules_carried(struct rv_rules *rules, const uint64_t carried[RV_MECHANISMS_]);
void rv_rules_free(struct rv_rules **rules);

/** Append a rule in words, one line without its end. */
void rv_rules_print(struct rv_buf *buf, const struct rv_rule *rule);

/**
 * How long a decision of the whole set about an action stays what it is, digest aside. The file is
 * meant with its path: one with several links, or under a stage by workload, is the caller's to
 * leave out.
 */
enum rv_stability {
    RV_STABLE_NOT = 0,    /* it may change from one time to the next */
    RV_STABLE_BY_PROGRAM, /* the same program, user and file: the same decision */
    RV_STABLE_BY_FILE,    /* it does not look at the principal at all */
};
/** @param action a Cedar id such as "file.read". Without memory, or unknown: RV_STABLE_NOT. */
enum rv_stability rv_rules_stability(const struct rv_policy_set *set,
                                     const struct rv_entities *entities, const char *action);
