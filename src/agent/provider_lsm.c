/* SPDX-License-Identifier: Apache-2.0 */
/* BPF LSM as the enforcer sees it. */
#include "base/fd.h"
#include "base/log.h"
#include "enforce/act.h"
#include "enforce/lsm.h"
#include "kernel_scores.h"
#include "programs.h"
#include "provider_private.h"

#include <bpf/libbpf.h>

/** The rules, and the scores that they may ask for. */
struct hooks {
    struct rv_lsm *lsm;
    struct rv_kernel_scores *score; /* NULL: no model, or the kernel does not take it */
};

static struct rv_lsm *lsm_of(void *handle)
{
    return ((struct hooks *)handle)->lsm;
}

/* ---- Scores ---- */

static int know(void *context, const char *path, uint32_t kind)
{
    const struct hooks *hooks = context;
    int r = rv_lsm_know_program(hooks->lsm, path, kind);

    if (hooks->score && rv_kernel_scores_kind(hooks->score, path, kind) < 0)
        rv_debug("%s is of no kind to the kernel's scores", path);
    return r == -ENOENT ? 0 : r; /* a link to nothing */
}

static void scores(void *handle, struct rv_channel_scores *ret_scores)
{
    const struct hooks *hooks = handle;

    if (hooks->score)
        rv_kernel_scores_count(hooks->score, ret_scores);
}

static int model(void *handle, const struct rv_kernel_models *models)
{
    const struct hooks *hooks = handle;

    if (!hooks->score)
        return models->live ? -EOPNOTSUPP : 0;
    return rv_kernel_scores_put(hooks->score, models);
}

/** Without scores rules go on with what the judge says of risk. */
static void open_score(struct hooks *hooks, const struct rv_provider_options *options)
{
    const struct rv_kernel_scores_options how = {
        .config = options->config,
        .models = options->kernel,
        .risks_fd = rv_lsm_risks_fd(hooks->lsm),
        .own_fd = rv_lsm_own_fd(hooks->lsm),
    };
    int r = rv_kernel_scores_open(&hooks->score, &how);

    if (r < 0)
        rv_warning("the kernel does not score (%s); risk is the judge's alone", strerror(-r));
}

/* ---- Life ---- */

static void close_lsm(void *handle)
{
    struct hooks *hooks = handle;

    rv_kernel_scores_close(&hooks->score);
    rv_lsm_close(&hooks->lsm);
    free(hooks);
}

static int open_lsm(void **ret_handle, const struct rv_provider_options *options)
{
    struct hooks *hooks = calloc(1, sizeof(*hooks));
    libbpf_print_fn_t print = libbpf_set_print(NULL); /* a refusal is said in our words */
    int r = hooks ? rv_lsm_open(&hooks->lsm) : -ENOMEM;

    if (r == 0 && (options->kernel->live || options->kernel->may_follow))
        open_score(hooks, options);
    (void)libbpf_set_print(print);
    if (r == 0)
        r = rv_programs_scan("", know, hooks);
    if (r == 0 && options->config->self_protect) /* all that is ours is there */
        r = rv_lsm_observe(hooks->lsm, true);
    if (r == 0 && options->config->self_protect)
        r = rv_lsm_self_protect(hooks->lsm, true);
    if (r < 0) {
        if (hooks)
            close_lsm(hooks);
        return r;
    }
    *ret_handle = hooks;
    return 0;
}

/* ---- Rules ---- */

static int swap(void *handle, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried, size_t *reterr_rule)
{
    return rv_lsm_swap(lsm_of(handle), rules, count, settings, ret_carried, reterr_rule);
}

static int renew(void *handle, uint64_t ms)
{
    return rv_lsm_renew(lsm_of(handle), ms);
}

static int observe(void *handle, bool on)
{
    return rv_lsm_observe(lsm_of(handle), on);
}

static int grant(void *handle, const struct rv_grant *what)
{
    return rv_lsm_grant(lsm_of(handle), what);
}

static int risk(void *handle, struct rv_process_key process, uint32_t value)
{
    RV_AUTO(rv_closep) int pidfd = rv_process_open(process);

    return pidfd < 0 ? pidfd : rv_lsm_set_risk(lsm_of(handle), pidfd, value);
}

static int protect(void *handle, struct rv_process_key process, bool guarded)
{
    RV_AUTO(rv_closep) int pidfd = rv_process_open(process);

    int r = pidfd < 0 ? pidfd : rv_lsm_protect(lsm_of(handle), pidfd);

    return r == 0 && guarded ? rv_lsm_guard(lsm_of(handle), pidfd) : r;
}

static int poll_fd(void *handle)
{
    return rv_lsm_fd(lsm_of(handle));
}

static int drain(void *handle, rv_provider_put_fn *put, void *context)
{
    return rv_lsm_drain(lsm_of(handle), put, context);
}

static uint64_t disarmed(void *handle)
{
    return rv_lsm_disarmed(lsm_of(handle));
}

static uint64_t lost(void *handle)
{
    return rv_lsm_lost(lsm_of(handle));
}

static bool stale(void *handle)
{
    return rv_lsm_stale(lsm_of(handle));
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
    .model = model,
    .scores = scores,
};
