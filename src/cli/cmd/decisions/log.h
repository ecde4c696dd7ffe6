/* SPDX-License-Identifier: Apache-2.0 */
/** @file decisions/log.h  What the `reeve decisions` commands share: the agent's log, read only. */
#pragma once

#include "audit/checkpoint.h"
#include "audit/tile.h"
#include "base/json.h"

#define DECISIONS_LOG_DIR "/var/lib/reeve/log"

/** Who signed it is the business of `reeve audit verify`. @return 0, or -errno, said. */
int decisions_open_log(const char *path, struct rv_tiles **ret_tiles,
                       struct rv_checkpoint *ret_checkpoint);

/** The entry at an index if it is of that type; else NULL. */
json_t *decisions_read(struct rv_tiles *tiles, uint64_t index, const char *type);
