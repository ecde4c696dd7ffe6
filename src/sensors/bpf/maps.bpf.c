// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The maps and settings that all sensors share; every object of theirs is linked with this one. */
#define RV_DEFINE_MAPS
#include "bpf/identity.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
