/* SPDX-License-Identifier: Apache-2.0 */
/** @file import_private.h  What the importers share. */
#pragma once

#include "models/import.h"

#include <stdarg.h>

/** Fill `reterr` (may be NULL). @return `code`. */
int import_refuse(struct rv_import_error *reterr, int code, const char *format, ...)
    RV_PRINTF(3, 4);
