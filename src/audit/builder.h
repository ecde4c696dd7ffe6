/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file builder.h  Entries in, tiles out: keeps the right edge of the tree and writes each full
 * bundle and tile as it fills. One thread.
 */
#pragma once

#include "store.h"

struct rv_builder;

RV_MUST_CHECK int rv_builder_new(struct rv_builder **ret_builder, struct rv_store *store);
void rv_builder_free(struct rv_builder **builder);
/**
 * Continue a tree whose tiles are in a directory, checking that its right edge gives this root and
 * that the last bundle's entries are the leaves that the last tile names.
 * @return 0; -EBADMSG if they do not; another -errno.
 */
RV_MUST_CHECK int rv_builder_load(struct rv_builder *builder, int dir_fd,
                                  const struct rv_tree_head *head);
uint64_t rv_builder_size(const struct rv_builder *builder);
/** Add one entry; writes files when a tile fills. @return 0 or -errno of the store. */
RV_MUST_CHECK int rv_builder_add(struct rv_builder *builder, struct rv_span entry);
/** Write the partial tiles that a checkpoint of this size needs. */
RV_MUST_CHECK int rv_builder_write_partials(struct rv_builder *builder);
struct rv_sha256 rv_builder_root(const struct rv_builder *builder);
/** After a checkpoint: drop partial tiles that full ones have replaced. */
void rv_builder_prune(struct rv_builder *builder);
