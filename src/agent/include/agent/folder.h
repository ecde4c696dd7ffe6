/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/folder.h  A policy bundle read from a folder. */
#pragma once

#include "policy/bundle.h"

#define RV_POLICY_BASELINE "/usr/share/reeve/policies/baseline"

/**
 * Load the bundle in a folder, all or nothing.
 * @param path   NULL: REEVE_POLICY from the environment, else RV_POLICY_BASELINE.
 * @param reterr what is wrong, with file, line and the line itself, for people.
 * @return 0; -EINVAL or another -errno, with `reterr` filled.
 */
RV_MUST_CHECK int rv_bundle_open_folder(struct rv_bundle **ret_bundle, const char *path,
                                        struct rv_buf *reterr);
