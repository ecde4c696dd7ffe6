/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup-BPF as the enforcer sees it. */
#include "base/cgroup.h"
#include "base/fd.h"
#include "enforce/act.h"
#include "enforce/cgate.h"
#include "programs.h"
#include "provider_private.h"

#include <limits.h>

static int know(void *context, const char *path, uint32_t kind)
{
    int r = rv_cgate_know_program(context, path, kind);

    return r == -ENOENT ? 0 : r; /* a link to nothing */
}

static int open_cgate(void **ret_handle, const struct rv_provider_options *options)
{
    RV_AUTO(rv_cgate_close) struct rv_cgate *cgate = NULL;
    char root[PATH_MAX];
    int r = rv_cgroup_root(root, sizeof(root));

    if (r == 0)
        r = rv_cgate_open(&cgate, root);
    if (r == 0)
        r = rv_programs_scan("", know, cgate);
    for (size_t i = 0; r == 0 && i < options->config->protect.count; i++)
        r = rv_cgate_protect_program(cgate, options->config->protect.items[i]);
    if (r == 0)
        *ret_handle = RV_TAKE(cgate);
    return r;
}

static void close_cgate(void *handle)
{
    struct rv_cgate *cgate = handle;

    rv_cgate_close(&cgate);
}

static int swap(void *handle, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried, size_t *reterr_rule)
{
    return rv_cgate_swap(handle, rules, count, settings, ret_carried, reterr_rule);
}

static int renew(void *handle, uint64_t ms)
{
    rv_cgate_renew(handle, ms);
    return 0;
}

static int observe(void *handle, bool on)
{
    rv_cgate_observe(handle, on);
    return 0;
}

static int grant(void *handle, const struct rv_grant *what)
{
    return rv_cgate_grant(handle, what);
}

static int risk(void *handle, struct rv_process_key process, uint32_t value)
{
    RV_AUTO(rv_closep) int pidfd = rv_process_open(process);

    return pidfd < 0 ? pidfd : rv_cgate_set_risk(handle, pidfd, value);
}

static int protect(void *handle, struct rv_process_key process, bool guarded)
{
    RV_AUTO(rv_closep) int pidfd = rv_process_open(process);

    (void)guarded;
    return pidfd < 0 ? pidfd : rv_cgate_protect(handle, pidfd);
}

static int poll_fd(void *handle)
{
    return rv_cgate_fd(handle);
}

static int drain(void *handle, rv_provider_put_fn *put, void *context)
{
    return rv_cgate_drain(handle, put, context);
}

static uint64_t disarmed(void *handle)
{
    return rv_cgate_disarmed(handle);
}

static uint64_t lost(void *handle)
{
    return rv_cgate_lost(handle);
}

static bool stale(void *handle)
{
    return rv_cgate_stale(handle);
}

static int know_root(void *handle, const char *root)
{
    return rv_programs_scan(root, know, handle);
}

const struct rv_provider rv_provider_cgate = {
    .mechanism = RV_BY_CGROUP,
    .open = open_cgate,
    .close = close_cgate,
    .swap = swap,
    .renew = renew,
    .observe = observe,
    .grant = grant,
    .risk = risk,
    .protect = protect,
    .poll_fd = poll_fd,
    .drain = drain,
    .disarmed = disarmed,
    .lost = lost,
    .know_root = know_root,
    .stale = stale,
};
