/* SPDX-License-Identifier: Apache-2.0 */
/** @file agent/provider.h  What refuses before the fact, as the enforcer sees each mechanism. */
#pragma once

#include "channel.h"
#include "config.h"
#include "enforce/rule.h"
#include "event/event.h"
#include "kernel_model.h"

struct rv_provider_options {
    const struct rv_agent_config *config;
    const struct rv_kernel_models *kernel; /* borrowed until it is closed */
};

typedef int rv_provider_put_fn(void *context, const struct rv_refusal_record *record);

/**
 * One mechanism. open() may run in a thread of its own, beside others' functions; then the handle
 * is handed over, and all else is of one thread. NULL: it has no such thing.
 */
struct rv_provider {
    enum rv_mechanism mechanism;
    bool keeps_self; /* it can tell lineages, so rules that keep Reeve itself are for it too */
    /** It refuses nothing until observe(handle, false). @return 0; -errno: it does not work here.
     */
    int (*open)(void **ret_handle, const struct rv_provider_options *options);
    void (*close)(void *handle);
    /** Replace the whole set. On failure the old one stands. `ret_carried`: bits of rules. */
    int (*swap)(void *handle, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried,
                size_t *reterr_rule);
    int (*renew)(void *handle, uint64_t ms);
    int (*observe)(void *handle, bool observe);
    int (*grant)(void *handle, const struct rv_grant *grant);
    int (*risk)(void *handle, struct rv_process_key process, uint32_t risk);
    /** Never refuse this process whatever a rule says; it is one of Reeve's own if `guarded`. */
    int (*protect)(void *handle, struct rv_process_key process, bool guarded);
    /** Whom to ask from now on: a socket to the judge, borrowed; -1: nobody. */
    void (*ask_through)(void *handle, int fd);
    int (*poll_fd)(void *handle); /* readable: drain() */
    int (*drain)(void *handle, rv_provider_put_fn *put, void *context);
    uint64_t (*disarmed)(void *handle);
    uint64_t (*lost)(void *handle);
    /** Programs below another root, "/proc/PID/root", are of a kind too. */
    int (*know_root)(void *handle, const char *root);
    /** Once a second. @return whether a name of the set means something else now: swap again. */
    bool (*stale)(void *handle);
    /** The kernel's models are others now. @return 0; -errno: none scores. */
    int (*model)(void *handle, const struct rv_kernel_models *models);
    /** What models in the kernel did so far; left alone where none scores. */
    void (*scores)(void *handle, struct rv_channel_scores *ret_scores);
};

/** The mechanisms that are built in, strongest first; ends with NULL. */
extern const struct rv_provider *const rv_providers[];
