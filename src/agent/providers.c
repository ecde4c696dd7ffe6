/* SPDX-License-Identifier: Apache-2.0 */
#include "provider_private.h"

const struct rv_provider *const rv_providers[] = { &rv_provider_lsm, &rv_provider_cgate,
                                                   &rv_provider_fan, NULL };
