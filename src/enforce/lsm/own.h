/* SPDX-License-Identifier: Apache-2.0 */
/** @file lsm/own.h  The list of BPF objects that are Reeve's own. */
#pragma once

#include "base/base.h"

struct bpf_object_skeleton;

/** Add what a loaded skeleton made: maps, programs, links. @return 0; -E2BIG; -EPERM: frozen. */
RV_MUST_CHECK int rv_own_add(int own_fd, const struct bpf_object_skeleton *skeleton);
