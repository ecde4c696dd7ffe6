/* SPDX-License-Identifier: Apache-2.0 */
/** @file path.h  What a path says: hashes of file, directory and stem, extension, and its place. */
#pragma once

#include "base/bytes.h"

struct rv_path_look {
    uint64_t dir, file, stem; /* hashes; stem: without the last extension */
    struct rv_span ext;       /* of the last component, without the dot; empty when there is none */
    bool ordinary;            /* not below /proc, /sys or /dev (but /dev/shm is ordinary) */
};

struct rv_path_look rv_path_look(struct rv_span path);

/** A place that starts programs, or lets in who may: cron, units, profiles, keys, preload, PAM. */
bool rv_path_persists(struct rv_span path);

/** A log, a login record or a shell's history. */
bool rv_path_is_log(struct rv_span path);

/** Extensions that any host may know, found in constant time. All-zero before rv_exts_init(). */
#define RV_EXTS_ROOM 1024U
struct rv_exts {
    uint32_t hashes[RV_EXTS_ROOM]; /* open addressing; 0: free */
};
void rv_exts_init(struct rv_exts *exts);

/** Never 0. Lower case and upper case are the same. */
uint32_t rv_ext_hash(struct rv_span ext);

/**
 * Whether an extension can be strange at all: 2 to 12 letters and digits, at least one a letter.
 * Others (versions, random suffixes with signs) are nobody's extension.
 */
bool rv_ext_plausible(struct rv_span ext);
bool rv_ext_known(const struct rv_exts *exts, uint32_t hash);
