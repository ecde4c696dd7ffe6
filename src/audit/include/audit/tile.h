/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/tile.h  Reading a C2SP tlog-tiles log: paths, where the bytes come from (a directory,
 * a web server), entry bundles, hashes and proofs computed from tiles. One thread at a time.
 * Nothing read here is trusted: proofs and roots are to be judged by audit/tree.h.
 */
#pragma once

#include "audit/tree.h"

#define RV_TILE_WIDTH      ((unsigned)256)
#define RV_TILE_LEVELS     8 /* levels that a tree below 2^63 can fill */
#define RV_TILE_PATH_MAX   ((size_t)96)
#define RV_BUNDLE_LEN_MAX  ((size_t)RV_TILE_WIDTH * (2 + 65535))
#define RV_CHECKPOINT_PATH "checkpoint"

/** Which tree of files: the hash tiles of a level, or the entry bundles. */
#define RV_TILE_ENTRIES (-1)

/** `tile/<level>/<n>[.p/<width>]`; width RV_TILE_WIDTH is a full tile. */
void rv_tile_path(char path[RV_TILE_PATH_MAX], int level, uint64_t n, unsigned width);

/** The width of tile `n` of a level (or bundle `n`) in a tree of `size` entries; 0: no such. */
unsigned rv_tile_width(int level, uint64_t n, uint64_t size);

/* ---- Where the bytes come from ---- */

struct rv_source_ops {
    /** Append the resource's bytes. @return 0; -ENOENT; -EFBIG above `len_max`; another -errno. */
    int (*read)(void *context, const char *path, size_t len_max, struct rv_buf *ret_bytes);
    /** Call `each` with every name in a directory until it answers not 0, which is handed on.
     *  NULL: this source cannot. @return 0; -ENOENT; another -errno. */
    int (*list)(void *context, const char *path, int (*each)(void *context, const char *name),
                void *each_context);
    void (*free)(void *context);
};

struct rv_source {
    const struct rv_source_ops *ops; /* NULL: none */
    void *context;
};

/** A directory; the descriptor is duplicated. @return 0 or -errno. */
RV_MUST_CHECK int rv_source_dir(struct rv_source *ret_source, int dir_fd);
void rv_source_done(struct rv_source *source);
static inline int rv_source_read(const struct rv_source *source, const char *path, size_t len_max,
                                 struct rv_buf *ret_bytes)
{
    return source->ops->read(source->context, path, len_max, ret_bytes);
}

/* ---- Bundles ---- */

/** The next entry of a bundle, or an empty span with `failed` set when the bundle is malformed. */
struct rv_span rv_bundle_next(struct rv_reader *bundle);

/* ---- A tree over tiles ---- */

struct rv_tiles;

/** A tree of `size` entries. Takes over `source`. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_tiles_new(struct rv_tiles **ret_tiles, struct rv_source *source,
                               uint64_t size);
/** The same over a source that stays the caller's. */
RV_MUST_CHECK int rv_tiles_borrow(struct rv_tiles **ret_tiles, const struct rv_source *source,
                                  uint64_t size);
void rv_tiles_free(struct rv_tiles **tiles);

/**
 * One tile's hashes, `rv_tile_width()` of them; valid until the next call.
 * @return 0; -ENOENT beyond the tree or missing; -EBADMSG for a wrong length; another -errno.
 */
RV_MUST_CHECK int rv_tiles_hashes(struct rv_tiles *tiles, int level, uint64_t n,
                                  const struct rv_sha256 **ret_hashes);
/** One bundle's bytes, holding rv_tile_width() entries or more; valid until the next call. */
RV_MUST_CHECK int rv_tiles_bundle(struct rv_tiles *tiles, uint64_t n, struct rv_span *ret_bundle);
/** One entry, a view valid until the next call. @return as above. */
RV_MUST_CHECK int rv_tiles_entry(struct rv_tiles *tiles, uint64_t index, struct rv_span *ret_entry);

/** MTH(D[0:size]) for any size up to the tree's. */
RV_MUST_CHECK int rv_tiles_root(struct rv_tiles *tiles, uint64_t size, struct rv_sha256 *ret_root);
RV_MUST_CHECK int rv_tiles_prove_inclusion(struct rv_tiles *tiles, uint64_t index, uint64_t size,
                                           struct rv_proof *ret_proof);
RV_MUST_CHECK int rv_tiles_prove_consistency(struct rv_tiles *tiles, uint64_t older, uint64_t newer,
                                             struct rv_proof *ret_proof);
