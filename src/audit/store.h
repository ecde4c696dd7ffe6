/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store.h  The writer's files. One thread.
 * Tiles are written under a temporary name, renamed, and synced together by rv_store_sync() before
 * a checkpoint names them: syncing each as it is written would cost a commit of the file system's
 * journal for every 128 entries. After a crash a tile that no checkpoint covers may be torn; it is
 * written again. The checkpoint itself is synced before it is renamed, so it is always whole.
 */
#pragma once

#include "audit/tile.h"

#define RV_STATE_DIR ".state"

struct rv_path_list {
    char (*items)[RV_TILE_PATH_MAX];
    size_t count, room;
};

struct rv_store {
    int dir_fd;   /* borrowed: the served directory */
    int state_fd; /* borrowed: where temporary files live */
    const char *tmp_name;
    struct rv_path_list files;       /* put since the last sync */
    struct rv_path_list directories; /* changed since the last sync */
};

void rv_store_done(struct rv_store *store);
/** Make missing directories, then put a file; durable after rv_store_sync(). @return 0 or -errno.
 */
RV_MUST_CHECK int rv_store_put(struct rv_store *store, const char *path, struct rv_span bytes);
/** Put a file that is whole after a crash, old or new; durable after rv_store_sync(). */
RV_MUST_CHECK int rv_store_replace(struct rv_store *store, const char *path, struct rv_span bytes);
RV_MUST_CHECK int rv_store_sync(struct rv_store *store);
/** Remove the partial tiles that a full one has replaced; failing leaves them, which is harmless.
 */
void rv_store_prune_partials(struct rv_store *store, int level, uint64_t n);
