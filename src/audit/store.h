/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store.h  The writer's files: each put appears whole or not at all (temporary file, fsync,
 * rename), and is durable once rv_store_sync() has synced the directories. One thread.
 */
#pragma once

#include "audit/tile.h"

#define RV_STATE_DIR ".state"

struct rv_store {
    int dir_fd;   /* borrowed: the served directory */
    int state_fd; /* borrowed: where temporary files live */
    const char *tmp_name;
    char (*dirty)[RV_TILE_PATH_MAX]; /* directories that a put changed since the last sync */
    size_t dirty_count, dirty_room;
};

void rv_store_done(struct rv_store *store);
/** Make missing directories, then put the file. @return 0 or -errno. */
RV_MUST_CHECK int rv_store_put(struct rv_store *store, const char *path, struct rv_span bytes);
RV_MUST_CHECK int rv_store_sync(struct rv_store *store);
/** Remove the partial tiles that a full one has replaced; failing leaves them, which is harmless.
 */
void rv_store_prune_partials(struct rv_store *store, int level, uint64_t n);
