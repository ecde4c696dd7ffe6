/* SPDX-License-Identifier: Apache-2.0 */
/* The gate before every action (protected set, budget, dry run), what stands, and its undo. */
#include "enforce/act.h"

#include "act/hold_still.h"
#include "act/isolate.h"
#include "act/kill.h"
#include "act/protect.h"
#include "act/standing.h"

#include <stdio.h>

#define NS_PER_HOUR (3600 * RV_NS_PER_S)

struct rv_actor {
    struct rv_act_options options;
    char *state_path; /* NULL: nothing is written */
    struct rv_standing standing[RV_STANDING_MAX];
    struct rv_protected protected;
    struct rv_buf how; /* of the last action, in words */
    uint32_t last_number, ended;
    uint64_t window_boot_ns;
    uint32_t used;
};

int rv_actor_protect(struct rv_actor *actor, const char *program)
{
    return rv_protected_add(&actor->protected, program, RV_ANYBODY);
}

int rv_actor_protect_process(struct rv_actor *actor, struct rv_process_key process)
{
    struct rv_protected *set = &actor->protected;
    struct rv_process_key now;

    if (rv_process_key_of((pid_t)process.tgid, &now) < 0)
        return -ESRCH;
    /* A ring: the oldest are judges that have long been replaced. */
    set->processes[set->next_process++ % RV_COUNT(set->processes)] = now;
    return 0;
}

/* ---- The gate ---- */

/** Of both, the process is for the record where the action knows cgroups; a kill means it. */
static bool on_cgroup(const struct rv_act_request *request)
{
    return request->cgroup &&
           ((request->action != RV_ACT_KILL && request->action != RV_ACT_KILL_TREE) ||
            request->process.tgid == 0);
}

static bool is_possible(const struct rv_act_request *request)
{
    if (request->action <= RV_ACT_NONE || request->action >= RV_ACT_COUNT_)
        return false;
    if (request->action == RV_ACT_ISOLATE)
        return request->cgroup;
    if (request->action == RV_ACT_KILL)
        return request->process.tgid != 0;
    return request->cgroup || request->process.tgid != 0;
}

static bool within_budget(struct rv_actor *actor)
{
    uint64_t now = actor->options.clock.boot_ns(actor->options.clock.context);

    if (!actor->window_boot_ns || now - actor->window_boot_ns >= NS_PER_HOUR) {
        actor->window_boot_ns = now;
        actor->used = 0;
    }
    return actor->used < actor->options.budget_per_hour;
}

static struct rv_standing *free_place(struct rv_actor *actor)
{
    for (size_t i = 0; i < RV_STANDING_MAX; i++)
        if (!actor->standing[i].number)
            return &actor->standing[i];
    return NULL;
}

/** A refusal, or RV_ACT_DONE: nothing stands against it. */
static enum rv_act_outcome may_act(struct rv_actor *actor, const struct rv_act_request *request)
{
    const char *why = on_cgroup(request)
                          ? rv_protected_why_cgroup(&actor->protected, request->cgroup)
                          : rv_protected_why(&actor->protected, (pid_t)request->process.tgid);

    if (why) {
        rv_buf_addf(&actor->how, "refused: %s", why);
        return RV_ACT_REFUSED;
    }
    if (!within_budget(actor)) {
        rv_buf_addf(&actor->how, "over the budget of %u in an hour",
                    actor->options.budget_per_hour);
        return RV_ACT_OVER_BUDGET;
    }
    if (actor->options.dry_run)
        rv_buf_add_str(&actor->how, "dry run: nothing was done");
    return actor->options.dry_run ? RV_ACT_DRY : RV_ACT_DONE;
}

/* ---- Actions ---- */

static int save(const struct rv_actor *actor)
{
    return actor->state_path
               ? rv_standing_write(actor->state_path, actor->standing, actor->last_number)
               : 0;
}

static int end(struct rv_actor *actor, const struct rv_act_request *request)
{
    if (request->action == RV_ACT_KILL)
        return rv_kill_process(request->process, &actor->how);
    return on_cgroup(request) ? rv_kill_cgroup(request->cgroup, &actor->protected, &actor->how)
                              : rv_kill_tree(request->process, &actor->protected, &actor->how);
}

static int isolate_prepare(struct rv_standing *standing, struct rv_buf *how)
{
    (void)how;
    standing->method = RV_METHOD_CGROUP_BPF;
    return 0;
}

static int isolate(struct rv_standing *standing, const struct rv_protected *set, struct rv_buf *how)
{
    int r = rv_isolate(&standing->isolation, standing->cgroup);

    (void)set;
    if (r == -EOPNOTSUPP)
        rv_buf_add_str(how, "this is no folder of cgroup v2, and no other has hooks");
    else if (r == 0)
        rv_buf_add_str(how, "cut off by cgroup-BPF; ends with the agent");
    return r;
}

static int isolate_undo(const struct rv_standing *standing)
{
    (void)standing;
    return 0; /* rv_isolation_end() does it */
}

/** What stands until it is undone; a hole does not. */
static const struct {
    int (*prepare)(struct rv_standing *standing, struct rv_buf *how);
    int (*carry_out)(struct rv_standing *standing, const struct rv_protected *set,
                     struct rv_buf *how);
    int (*undo)(const struct rv_standing *standing);
} lasting[RV_ACT_COUNT_] = {
    [RV_ACT_FREEZE] = { rv_freeze_prepare, rv_freeze, rv_thaw },
    [RV_ACT_THROTTLE] = { rv_throttle_prepare, rv_throttle, rv_unthrottle },
    [RV_ACT_ISOLATE] = { isolate_prepare, isolate, isolate_undo },
};

static void clear(struct rv_standing *place)
{
    rv_isolation_end(&place->isolation);
    rv_standing_done(place);
}

/**
 * What can be undone is written down before it is done: an action that could not be taken back
 * after a crash is not begun. Half-done it is taken back.
 */
static int begin(struct rv_actor *actor, const struct rv_act_request *request, uint32_t number)
{
    struct rv_standing *place = free_place(actor);
    int r;

    if (!place)
        return -ENOSPC;
    *place = (struct rv_standing){ .number = number, .action = request->action };
    if (on_cgroup(request)) {
        place->cgroup = strdup(request->cgroup);
        if (!place->cgroup) {
            clear(place);
            return -ENOMEM;
        }
    } else {
        place->process = request->process;
    }
    r = lasting[place->action].prepare(place, &actor->how);
    if (r == 0) {
        r = save(actor);
        if (r < 0)
            rv_buf_addf(&actor->how, "it could not be written down for undo: %s", strerror(-r));
    }
    if (r == 0) {
        r = lasting[place->action].carry_out(place, &actor->protected, &actor->how);
        place->complete = true;
        if (r < 0)
            (void)lasting[place->action].undo(place);
    }
    if (r < 0)
        clear(place);
    if (save(actor) < 0 && r == 0)
        rv_buf_add_str(&actor->how, "; after a crash it is undone without its details");
    return r;
}

int rv_act(struct rv_actor *actor, const struct rv_act_request *request,
           enum rv_act_outcome *ret_outcome, uint32_t *ret_number)
{
    enum rv_act_outcome outcome;
    uint32_t number = actor->last_number + 1;
    int r;

    rv_buf_clear(&actor->how);
    if (!is_possible(request))
        return -EINVAL;
    outcome = may_act(actor, request);
    if (outcome == RV_ACT_DONE) {
        actor->last_number = number;
        r = lasting[request->action].carry_out ? begin(actor, request, number)
                                               : end(actor, request);
        if (r < 0)
            actor->last_number = number - 1;
        if (r == -ESRCH || (r == -ENOENT && on_cgroup(request)))
            outcome = RV_ACT_GONE;
        else if (r < 0)
            return r;
    }
    actor->used += outcome == RV_ACT_DONE;
    *ret_number = outcome == RV_ACT_DONE ? number : 0;
    *ret_outcome = outcome;
    return 0;
}

const char *rv_act_how(const struct rv_actor *actor)
{
    return actor->how.data && !actor->how.failed ? actor->how.data : "";
}

/* ---- Undo ---- */

static int undo(struct rv_actor *actor, struct rv_standing *place)
{
    int r = lasting[place->action].undo(place);

    if (r < 0 && r != -ESRCH && r != -ENOENT)
        return r; /* still standing: may be tried again */
    clear(place);
    (void)save(actor); /* undone twice does no harm */
    return 0;
}

int rv_act_undo(struct rv_actor *actor, uint32_t number)
{
    for (size_t i = 0; number && i < RV_STANDING_MAX; i++)
        if (actor->standing[i].number == number)
            return undo(actor, &actor->standing[i]);
    return -ENOENT;
}

/** The one that stands with the highest number below `below`. */
static struct rv_standing *latest_below(struct rv_actor *actor, uint64_t below)
{
    struct rv_standing *latest = NULL;

    for (size_t i = 0; i < RV_STANDING_MAX; i++) {
        struct rv_standing *place = &actor->standing[i];

        if (place->number && place->number < below && (!latest || place->number > latest->number))
            latest = place;
    }
    return latest;
}

int rv_act_undo_all(struct rv_actor *actor)
{
    int undone = 0, first = 0;
    uint64_t below = (uint64_t)UINT32_MAX + 1;
    struct rv_standing *place;

    while ((place = latest_below(actor, below))) {
        int r;

        below = place->number;
        r = undo(actor, place);
        undone += r == 0;
        if (r < 0 && first == 0)
            first = r;
    }
    return first < 0 ? first : undone;
}

uint32_t rv_actor_standing(const struct rv_actor *actor)
{
    uint32_t count = 0;

    for (size_t i = 0; i < RV_STANDING_MAX; i++)
        count += actor->standing[i].number != 0;
    return count;
}

uint32_t rv_actor_ended(const struct rv_actor *actor)
{
    return actor->ended;
}

/* ---- Life ---- */

/** What cannot be read must not keep the agent from starting, and must not be written over. */
static int set_aside(struct rv_actor *actor, int why)
{
    RV_AUTO(rv_freep) char *aside = NULL;

    if (why == -ENOMEM)
        return why;
    if (asprintf(&aside, "%s.bad", actor->state_path) < 0) {
        aside = NULL;
        return -ENOMEM;
    }
    if (rename(actor->state_path, aside) < 0)
        return -errno;
    rv_buf_addf(&actor->how, "what a former agent left standing could not be read (%s): see %s",
                strerror(-why), aside);
    return 0;
}

int rv_actor_new(struct rv_actor **ret_actor, const struct rv_act_options *options)
{
    RV_AUTO(rv_actor_free) struct rv_actor *actor = calloc(1, sizeof(*actor));
    int r = 0;

    if (!actor)
        return -ENOMEM;
    actor->options = *options;
    rv_protected_init(&actor->protected);
    if (options->state_path) {
        actor->state_path = strdup(options->state_path);
        if (!actor->state_path)
            return -ENOMEM;
        r = rv_standing_read(actor->state_path, actor->standing, &actor->last_number,
                             &actor->ended);
        if (r < 0)
            r = set_aside(actor, r);
    }
    if (r < 0)
        return r;
    *ret_actor = RV_TAKE(actor);
    return 0;
}

void rv_actor_free(struct rv_actor **actor)
{
    if (!*actor)
        return;
    for (size_t i = 0; i < RV_STANDING_MAX; i++)
        clear(&(*actor)->standing[i]);
    rv_buf_done(&(*actor)->how);
    free((*actor)->state_path);
    free(*actor);
    *actor = NULL;
}
