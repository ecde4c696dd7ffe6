/* SPDX-License-Identifier: Apache-2.0 */
/** @file enforce/probe.h  Which mechanisms can stop something on this host, each one tried. */
#pragma once

#include "base/base.h"

struct rv_enforce_probe {
    const char *mechanism, *stops; /* static */
    bool works;
    const char *reason; /* static; when it does not work */
};

/**
 * Try every mechanism, strongest first; nothing stays behind. Needs root.
 * Loading the LSM hooks without rules lets everything pass.
 */
void rv_enforce_probe(void (*put)(void *context, const struct rv_enforce_probe *probe),
                      void *context);
