/* SPDX-License-Identifier: Apache-2.0 */
/** @file package.h  What the `reeve model` verbs share: opening things and saying why not. */
#pragma once

#include "models/forest_model.h"

#include <stdio.h>

/** Open a package. @return it, or NULL after saying why on standard error. */
struct rv_package *model_open_package(const char *path);

/** Its first forest. @return it, or NULL after saying why. */
struct rv_forest *model_open_forest(const struct rv_package *package, const char *path);

/** Rows from a file; `width` 0: any. @return 0, or -1 after saying why. */
int model_read_rows(const char *path, uint32_t width, struct rv_row_set *ret_rows);

/** The name of a feature: of the host table if the forest was made for it, else "f<number>". */
struct model_feature_name {
    char text[48];
};
struct model_feature_name model_feature_name(const struct rv_package *package, uint32_t feature);

/** Whether the manifest names this build's feature table. */
bool model_is_of_host(const struct rv_package *package);

/** Print JSON on one line and free it. */
void model_print_json(json_t *value);

/** Q16.16 as a decimal. */
static inline double model_decimal(int64_t q16)
{
    return (double)q16 / 65536.0;
}
