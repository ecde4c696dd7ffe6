/* SPDX-License-Identifier: Apache-2.0 */
/** @file cmd/hold/hold.h  What the verbs of `reeve hold` share. */
#pragma once

#include "base/json.h"

/** A hold in a few lines, for people. */
void rv_hold_print(const json_t *hold);
