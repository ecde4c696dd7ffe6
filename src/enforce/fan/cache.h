/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fan/cache.h  Verdicts that were reached before, by everything that they depend on.
 * Fixed memory, four ways a bucket, the least recently used goes. Not thread-safe.
 */
#pragma once

#include "base/base.h"
#include "base/hash.h"

/** Compared whole; callers zero it first, so that padding is equal too. */
struct fan_key {
    uint64_t inode, size, program_inode;
    int64_t ctime_ns, program_ctime_ns;
    uint64_t extra; /* keyed hash of further facts that the set looks at */
    uint32_t dev, program_dev, euid, action;
    uint64_t epoch; /* of the set: policy and model */
};

struct fan_cached {
    uint64_t rules;   /* that matched, by place */
    uint64_t said_ns; /* when a record was last written */
    uint32_t repeats; /* since */
    uint8_t allow;    /* 1 */
    uint8_t refusal;  /* enum rv_refusal: what a record and the counts call it */
    uint8_t narrow;   /* 1: ask again with the open's mode */
    uint8_t judged;   /* 1: the judge's answer, else the rules' */
};

struct fan_cache;

/** @param seed secret: where keys fall is nobody's to choose. @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_fan_cache_new(struct fan_cache **ret_cache, uint64_t seed);
void rv_fan_cache_free(struct fan_cache **cache);

/** @return the entry, for changing; NULL: none. Valid until the next put. */
struct fan_cached *rv_fan_cache_get(struct fan_cache *cache, const struct fan_key *key);
/** @return true when a live entry had to go. `epoch`: entries of any other are dead. */
bool rv_fan_cache_put(struct fan_cache *cache, const struct fan_key *key,
                      const struct fan_cached *value);
