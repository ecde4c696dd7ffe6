/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/model_store.h  Where the judge's models come from: a package, or a folder of packages
 * with a history (models/alias.h), as `reeve model promote` keeps it. Opened before the judge gives
 * up its rights; later only the folder's descriptor is used.
 */
#pragma once

#include "models/package.h"

#include <jansson.h>

struct rv_model_store {
    struct rv_package *live, *shadow; /* NULL: the built-in model; none */
    char *refused;                    /* a sentence a refused package; NULL: all is well */
    int folder_fd;                    /* -1: the model is a file, there is no history to follow */
};

/**
 * Never leaves the host without a model: a package that is damaged, made for another feature table
 * or quarantined is refused with a warning, and the built-in model speaks.
 * @param live, shadow paths; "" for none.
 * @return 0 or -ENOMEM.
 */
RV_MUST_CHECK int rv_model_store_open(struct rv_model_store *ret_store, const char *live,
                                      const char *shadow);
void rv_model_store_done(struct rv_model_store *store); /* cleanup attribute */

/**
 * Quarantine the model that speaks and open the last good one: one atomic replacement of the
 * history's file.
 * @param live        the model that speaks; the history must say so too.
 * @param ret_package NULL: the built-in one.
 * @return 0; -ENOENT without a history, or when it names another; -errno, nothing changed.
 */
struct rv_alias_note;
RV_MUST_CHECK int rv_model_store_return(struct rv_model_store *store, const struct rv_sha256 *live,
                                        const struct rv_alias_note *note,
                                        struct rv_package **ret_package);

/**
 * What the history says speaks now, when that is another than `live` (NULL: the built-in one).
 * @param ret_package NULL: the built-in one.
 * @return 0; -EALREADY: it is that one; -ENOENT without a history; -errno: it cannot be used.
 */
RV_MUST_CHECK int rv_model_store_take(const struct rv_model_store *store,
                                      const struct rv_sha256 *live,
                                      struct rv_package **ret_package);
