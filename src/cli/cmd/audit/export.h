/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file export.h  An exported folder: entries FROM..TO without a gap, each with its proof, the
 * checkpoint and the public keys. The same log and range give the same bytes.
 */
#pragma once

#include "log.h"

bool audit_export_is(const char *folder);
/** Check every entry of the range against its proof. @return an enum rv_exit, said. */
int audit_export_verify(const char *folder, const struct audit_keys *keys);
