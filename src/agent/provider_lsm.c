/* SPDX-License-Identifier: Apache-2.0 */
/* BPF LSM as the enforcer sees it. */
#include "base/fd.h"
#include "enforce/act.h"
#include "enforce/lsm.h"
#include "programs.h"
#include "provider_private.h"

#include <bpf/libbpf.h>

static int know(void *context, const char *path, uint32_t kind)
{
    int r = rv_lsm_know_program(context, path, kind);

    return r == -ENOENT ? 0 : r; /* a link to nothing */
}

static int open_lsm(void **ret_handle, const struct rv_provider_options *options)
{
    RV_AUTO(rv_lsm_close) struct rv_lsm *lsm = NULL;
    libbpf_print_fn_t print = libbpf_set_print(NULL); /* a refusal is said in our words */
    int r = rv_lsm_open(&lsm);

    (void)libbpf_set_print(print);
    if (r == 0)
        r = rv_programs_scan("", know, lsm);
    if (r == 0 && options->config->self_protect)
        r = rv_lsm_self_protect(lsm, true);
    if (r == 0)
        *ret_handle = RV_TAKE(lsm);
    return r;
}

static void close_lsm(void *handle)
{
    struct rv_lsm *lsm = handle;

    rv_lsm_close(&lsm);
}

static int swap(void *handle, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried, size_t *reterr_rule)
{
    return rv_lsm_swap(handle, rules, count, settings, ret_carried, reterr_rule);
}

static int renew(void *handle, uint64_t ms)
{
    return rv_lsm_renew(handle, ms);
}

static int observe(void *handle, bool on)
{
    return rv_lsm_observe(handle, on);
}

static int grant(void *handle, const struct rv_grant *what)
{
    return rv_lsm_grant(handle, what);
}

static int risk(void *handle, struct rv_process_key process, uint32_t value)
{
    RV_AUTO(rv_closep) int pidfd = rv_process_open(process);

    return pidfd < 0 ? pidfd : rv_lsm_set_risk(handle, pidfd, value);
}

static int protect(void *handle, struct rv_process_key process, bool guarded)
{
    RV_AUTO(rv_closep) int pidfd = rv_process_open(process);

    int r = pidfd < 0 ? pidfd : rv_lsm_protect(handle, pidfd);

    return r == 0 && guarded ? rv_lsm_guard(handle, pidfd) : r;
}

static int poll_fd(void *handle)
{
    return rv_lsm_fd(handle);
}

static int drain(void *handle, rv_provider_put_fn *put, void *context)
{
    return rv_lsm_drain(handle, put, context);
}

static uint64_t disarmed(void *handle)
{
    return rv_lsm_disarmed(handle);
}

static uint64_t lost(void *handle)
{
    return rv_lsm_lost(handle);
}

static bool stale(void *handle)
{
    return rv_lsm_stale(handle);
}

static int know_root(void *handle, const char *root)
{
    return rv_programs_scan(root, know, handle);
}

const struct rv_provider rv_provider_lsm = {
    .mechanism = RV_BY_LSM,
    .keeps_self = true,
    .open = open_lsm,
    .close = close_lsm,
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
