/* SPDX-License-Identifier: Apache-2.0 */
/** @file lsm/set.h  A set of rules as one of the kernel's two tables. */
#pragma once

#include "identity.h"

struct rv_lsm_bpf;

/** A path of the set, and where it led: what rv_lsm_stale() compares. */
struct rv_lsm_path {
    struct rv_lsm_program identity;
    char path[RV_RULE_TEXT_MAX];
};

struct rv_lsm_set {
    struct rv_lsm_table table;
    uint64_t carried;
    struct rv_lsm_path *paths;
    size_t path_count, path_room;
};

/** What a set is compiled with. */
struct rv_lsm_compiler {
    struct rv_lsm_bpf *bpf;
    struct rv_lsm_mounts mounts;
    uint64_t seed;
    uint32_t idle;    /* the table to fill */
    uint32_t missing; /* RV_DO_* that this kernel has no hook for */
};

/**
 * Fill the idle table's indexes; `ret_set->table` is for the caller to put.
 * @return 0 or -errno, of rule `*reterr_rule`. Free the set in both cases.
 */
RV_MUST_CHECK int rv_lsm_compile(const struct rv_lsm_compiler *compiler,
                                 const struct rv_rule *rules, size_t count,
                                 struct rv_lsm_set *ret_set, size_t *reterr_rule);
void rv_lsm_set_free(struct rv_lsm_set *set);
