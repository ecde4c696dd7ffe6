/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/verify.h  The outsider: everything re-derived from the entries, nothing believed but
 * the public keys. Reads a log through audit/tile.h, so a directory or a web server. One pass,
 * constant memory. May run while the log grows: it judges the tree of the checkpoint it read.
 */
#pragma once

#include "audit/checkpoint.h"
#include "audit/tile.h"

enum rv_verify_finding { RV_VERIFY_WRONG = 0, RV_VERIFY_RIGHT };

struct rv_verify_request {
    const struct rv_note_key *keys;
    size_t key_count;
    const struct rv_tree_head
        *older; /* an earlier checkpoint that this log must contain; or NULL */
};

struct rv_verify_report {
    enum rv_verify_finding finding;
    struct rv_checkpoint checkpoint;
    uint64_t verified;  /* entries seen to be right before the first that is not */
    bool entry_known;   /* `entry` is meaningful */
    uint64_t entry;     /* the entry that the first wrong byte belongs to */
    uint64_t entry_end; /* above entry + 1: somewhere in this range */
    char what[256];     /* a sentence: which file, what is wrong with it */
};

/** @return 0 with a report; -errno only if it could not be told (I/O, memory). A missing or
 *  malformed file is a finding. */
RV_MUST_CHECK int rv_verify_log(const struct rv_source *source,
                                const struct rv_verify_request *request,
                                struct rv_verify_report *ret_report);

/* ---- The population: what the entries themselves say (audit/entry.h) ---- */

#define RV_POPULATION_TYPES_MAX ((size_t)256)

struct rv_population {
    enum rv_verify_finding finding;
    uint64_t entries;
    uint64_t other; /* of no type */
    size_t type_count;
    struct {
        char type[64];
        uint64_t count;
    } types[RV_POPULATION_TYPES_MAX];
    uint64_t first_time_us, last_time_us; /* by the entries' own clock; 0: none has one */
    uint64_t summaries;                   /* "audit.summary" entries found right */
    uint64_t entry;                       /* the first entry that breaks a rule */
    char what[200];
};

/**
 * Count every entry by type, and hold each summary against what is there: its range, root and
 * counts. Call after rv_verify_log() found the log right.
 */
RV_MUST_CHECK int rv_verify_population(const struct rv_source *source,
                                       const struct rv_tree_head *head,
                                       struct rv_population *ret_population);
