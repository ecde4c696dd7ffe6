/* SPDX-License-Identifier: Apache-2.0 */
/** @file package_private.h  What reader and writer of packages agree on. */
#pragma once

#include "models/package.h"

#define PACKAGE_MAGIC     "REEVEMDL"
#define PACKAGE_MAGIC_LEN ((size_t)8)
#define PACKAGE_VERSION   1U
#define PACKAGE_HEAD_LEN  ((size_t)24)
#define PACKAGE_ROW_LEN   ((size_t)64)

/** [a-z0-9.-], 1..23 characters, padded with NULs to the end. */
bool package_name_ok(const char name[RV_PACKAGE_NAME_MAX + 1]);
