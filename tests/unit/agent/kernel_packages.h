/* SPDX-License-Identifier: Apache-2.0 */
/** @file kernel_packages.h  Small packages for the kernel's slots, apart: enforce/score_package.h
 * and enforce/act.h do not go together. */
#pragma once

#include "base/hash.h"

#include <sys/types.h>

enum kernel_package { KERNEL_PACKAGE_NOT, KERNEL_PACKAGE_ITSELF, KERNEL_PACKAGE_CARRIES };

/** A package in a folder of models, as `reeve model promote` leaves it there. */
struct rv_sha256 kernel_package_put(int dir_fd, int32_t from, enum kernel_package kind,
                                    mode_t mode);
/** What the kernel calls the one that KERNEL_PACKAGE_CARRIES carries. */
uint64_t kernel_package_carried(int32_t from);

struct rv_score_package;
uint64_t kernel_package_digest(const struct rv_score_package *package); /* NULL: 0 */
