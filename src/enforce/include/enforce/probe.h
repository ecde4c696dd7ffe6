/* SPDX-License-Identifier: Apache-2.0 */
/** @file enforce/probe.h  Which mechanisms can stop something on this host, each one tried. */
#pragma once

#include "enforce/rule.h"

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

/** By what one action is stopped here, at the strongest. */
struct rv_enforce_action {
    char action[16]; /* as rv_do_name() has it; or "freeze", "throttle", "isolate", "kill" */
    enum rv_mechanism mechanism; /* RV_BY_NONE: nothing stops it, or does it, here */
    char detail[160];            /* how it is done; or what stands in the way of a stronger one */
};

/**
 * Try each action with a rule against it, provider by provider, and each act after the fact: in a
 * child, on processes, files and a network of its own, with rules about its own workload alone.
 * Nothing stays behind. Takes a second, more where the LSM provider loads.
 * @return 0; -EPERM: needs root; another -errno: no namespaces can be made here.
 */
RV_MUST_CHECK int rv_enforce_probe_actions(void (*put)(void *context,
                                                       const struct rv_enforce_action *action),
                                           void *context);

#define RV_ENFORCE_OVERLAY_WORDS                                                                   \
    "this kernel (before Linux 6.5) does not ask about a file that an overlay opens: whoever may " \
    "mount one over it gets past rules on files that fanotify alone carries"

/**
 * Whether that is so here: tried in namespaces of a child's own; where overlays are not loaded,
 * told by the kernel's version.
 */
bool rv_enforce_overlay_passes(void);
