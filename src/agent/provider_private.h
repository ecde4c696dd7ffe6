/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/provider_private.h  The mechanisms that are built in, one file each. */
#pragma once

#include "provider.h"

extern const struct rv_provider rv_provider_lsm;   /* provider_lsm.c */
extern const struct rv_provider rv_provider_cgate; /* provider_cgate.c */
extern const struct rv_provider rv_provider_fan;   /* provider_fan.c */
