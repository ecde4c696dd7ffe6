/* SPDX-License-Identifier: Apache-2.0 */
/** @file extension.h  Printing values of extension types. */
#pragma once

#include "policy/value.h"

/** Append `ip("...")`, `decimal("...")`, `datetime("...")` or `duration("...")`. */
void rv_extension_print(struct rv_buf *buf, const struct rv_value *value);
