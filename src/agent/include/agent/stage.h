/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/stage.h  How far each policy may go, in each workload: observe, shadow or enforce.
 *
 * Settings name a policy, a workload, both or neither ("*"); the one that names most holds, a
 * policy before a workload. What nothing is said about has the default. No I/O; not thread-safe.
 */
#pragma once

#include "base/json.h"

enum rv_stage {
    RV_STAGE_OBSERVE = 0, /* seen and reported after the fact */
    RV_STAGE_SHADOW,      /* asked before the fact as well, and counted; nothing is refused */
    RV_STAGE_ENFORCE,
    RV_STAGES_,
};

#define RV_STAGE_SETTINGS_MAX 256
#define RV_STAGE_NAME_MAX     128 /* bytes with the final zero */

struct rv_stage_setting {
    char policy[RV_STAGE_NAME_MAX], workload[RV_STAGE_NAME_MAX]; /* "*": any */
    enum rv_stage stage;
    uint32_t by_uid;  /* who said so */
    uint64_t unix_us; /* when */
};

struct rv_stages {
    enum rv_stage fallback; /* for what no setting speaks of */
    enum rv_stage ceiling;  /* nothing goes further, whatever was said */
    size_t count;
    struct rv_stage_setting settings[RV_STAGE_SETTINGS_MAX];
};

/** @param policy, workload NULL or "*": any, as opposed to one of the name. */
enum rv_stage rv_stage_of(const struct rv_stages *stages, const char *policy, const char *workload);

/**
 * Set, or replace what was said of exactly this policy and workload.
 * @return 0; -ENOSPC; -ENAMETOOLONG.
 */
RV_MUST_CHECK int rv_stage_set(struct rv_stages *stages, const struct rv_stage_setting *setting);
/** Forget what was said of exactly this policy and workload. @return 0; -ENOENT. */
RV_MUST_CHECK int rv_stage_unset(struct rv_stages *stages, const char *policy,
                                 const char *workload);

/** A new array of the settings, or NULL without memory. */
json_t *rv_stages_to_json(const struct rv_stages *stages);
/** Replaces the settings; on failure they stay. @return 0; -EINVAL for another shape; -E2BIG. */
RV_MUST_CHECK int rv_stages_from_json(struct rv_stages *stages, const json_t *settings);

/** "observe", "shadow" or "enforce". Static. */
const char *rv_stage_name(enum rv_stage stage);
/** @return 0; -EINVAL for another word. */
RV_MUST_CHECK int rv_stage_parse(const char *name, enum rv_stage *ret_stage);
