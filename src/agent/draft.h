/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file draft.h  Rules in the making: meeting of conditions, merging of alternatives, and the cut
 * to what one rule holds. Drafts live in an arena; lists of terms are sorted and never change.
 */
#pragma once

#include "vocabulary.h"

/** Groups of terms as in enforce/rule.h: FILE and FOLDER are one, each flag is its own. */
#define RV_DRAFT_GROUPS (RV_TERM_FLAG + RV_FLAGS_)

struct rv_terms {
    const struct rv_host_term *items;
    uint32_t count;
};

struct rv_draft {
    uint32_t actions; /* RV_DO_* */
    uint32_t risk_min, risk_max;
    struct rv_terms affirmed[RV_DRAFT_GROUPS]; /* empty: anything */
    struct rv_terms negated;
};

struct rv_drafts {
    struct rv_draft *items;
    uint32_t count, room;
};

void rv_drafts_done(struct rv_drafts *drafts); /* cleanup attribute */
/** @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_drafts_add(struct rv_drafts *drafts, const struct rv_draft *draft);

enum rv_draft_outcome {
    RV_DRAFT_CANNOT = 0, /* a rule cannot ask for both at once */
    RV_DRAFT_NEVER,      /* nothing can meet all of it */
    RV_DRAFT_GOES_ON,
};

/** Add one more condition. `arena->failed` tells of missing memory. */
enum rv_draft_outcome rv_draft_meet(struct rv_draft *draft, const struct rv_meaning *meaning,
                                    struct rv_arena *arena);
/** Drop negated terms that the affirmed ones make idle. */
enum rv_draft_outcome rv_draft_finish(struct rv_draft *draft, struct rv_arena *arena);

/** Make one of those that differ in nothing but the actions or one group's affirmed terms. */
void rv_drafts_merge(struct rv_drafts *drafts, struct rv_arena *arena);

/** Cut what has more terms than a rule. @return 0; -E2BIG when one cannot be cut; -ENOMEM. */
RV_MUST_CHECK int rv_drafts_cut(struct rv_drafts *drafts);

uint32_t rv_draft_terms(const struct rv_draft *draft);
/** Actions, risk and terms of a rule whose other members the caller fills. */
void rv_draft_write(const struct rv_draft *draft, struct rv_rule *rule);
