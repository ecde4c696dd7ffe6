/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/protected.h  Whom no mechanism refuses anything, whatever a rule says: Reeve's own
 * processes, and what a host needs to be reached and mended.
 */
#pragma once

#include "provider.h"

/** Never refuse this process; it is one of ours if `guarded`. What fails is said, not returned. */
void rv_protect(const struct rv_provider *does, void *handle, struct rv_process_key key,
                bool guarded);

/** Pid 1, those that started us, and each process of sshd, systemd, a container runtime, ... */
void rv_protect_host(const struct rv_provider *does, void *handle);
