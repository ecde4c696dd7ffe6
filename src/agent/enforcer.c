/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer.h"

#include "base/cgroup.h"
#include "base/fd.h"
#include "base/log.h"
#include "opening.h"
#include "protected.h"
#include "provider.h"
#include "roots.h"
#include "self_rules.h"
#include "sensors/sensors.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROTECTED_MAX 64
#define SNAPSHOT_MAX  ((size_t)512 * 1024)

/** A mechanism of provider.h, opened. */
struct open_provider {
    const struct rv_provider *does;
    void *handle; /* NULL: not open */
    bool broken;  /* it does not work here; said once */
    uint64_t carried;
};

struct rv_enforcer {
    struct rv_enforcer_options options;
    struct rv_actor *actor;
    struct open_provider providers[RV_MECHANISMS_];
    size_t provider_count;
    struct rv_opening *opening; /* of all of them; NULL: done, or not begun */
    bool waiting;               /* a whole set of rules waits for it */
    int ask_fd;
    struct rv_channel_model model; /* the judge's; not taken up while mechanisms are opened by it */
    bool model_waits;

    struct rv_channel_rules coming; /* the set that is being received */
    uint32_t received;
    uint64_t untold;        /* refusals whose record the judge did not take */
    bool state_untold;      /* nor the last word on how things are */
    struct rv_rule *rooted; /* the same with their paths under other roots */
    struct rv_rule *rules;  /* RV_RULES_MAX of them, in the order received */
    struct rv_channel_enforcing state;

    uint64_t scope[RV_SENSORS_SCOPE_MAX]; /* cgroup ids: what is watched; none: everything */
    size_t scope_count;
    struct rv_roots roots;
    struct rv_process_key own[PROTECTED_MAX]; /* processes of ours, the oldest go */
    uint32_t own_count;
};

/* ---- Providers ---- */

/** Programs under another root are of a kind, too. */
static void know_root(const struct open_provider *provider, const struct rv_root *root)
{
    char path[RV_ROOT_PATH_MAX];

    if (provider->does->know_root(provider->handle, rv_root_path(root, path)) < 0)
        rv_debug("not all programs under the root of process %" PRIu32 " could be told by kind",
                 root->process.tgid);
}

/** It is open now: what it missed while it was being opened, the stop first. */
static void settle(struct rv_enforcer *enforcer, struct open_provider *provider)
{
    if (provider->does->observe(provider->handle, enforcer->state.stopped) < 0)
        rv_error("%s could not be told of the emergency stop",
                 rv_mechanism_name(provider->does->mechanism));
    for (uint32_t i = 0; i < rv_min_u64(enforcer->own_count, PROTECTED_MAX); i++)
        rv_protect(provider->does, provider->handle, enforcer->own[i], true);
    rv_protect_host(provider->does, provider->handle);
    for (size_t i = 0; i < RV_COUNT(enforcer->roots.items); i++) {
        if (rv_root_is_known(&enforcer->roots.items[i]))
            know_root(provider, &enforcer->roots.items[i]);
    }
    if (provider->does->ask_through)
        provider->does->ask_through(provider->handle, enforcer->ask_fd);
}

/** With the first rules. @return whether they are still being opened: rules wait for that. */
static bool open_providers(struct rv_enforcer *enforcer)
{
    struct rv_provider_options options = { enforcer->options.config, enforcer->options.kernel };
    const struct rv_provider *unopened[RV_MECHANISMS_];
    size_t count = 0;
    int r;

    for (size_t i = 0; i < enforcer->provider_count; i++) {
        if (!enforcer->providers[i].handle && !enforcer->providers[i].broken)
            unopened[count++] = enforcer->providers[i].does;
    }
    if (count == 0 || enforcer->opening)
        return enforcer->opening != NULL;
    r = rv_opening_begin(&enforcer->opening, unopened, count, &options);
    if (r < 0)
        rv_error("no mechanism can be opened: %s; tried again in a second", strerror(-r));
    return true;
}

static struct open_provider *find_provider(struct rv_enforcer *enforcer,
                                           const struct rv_provider *does)
{
    size_t i = 0;

    while (enforcer->providers[i].does != does)
        i++;
    return &enforcer->providers[i];
}

/** Take over what was opened. */
static void end_opening(struct rv_enforcer *enforcer)
{
    struct rv_opened opened[RV_MECHANISMS_] = { 0 };

    rv_opening_end(&enforcer->opening, opened);
    for (size_t i = 0; i < RV_COUNT(opened) && opened[i].does; i++) {
        struct open_provider *provider = find_provider(enforcer, opened[i].does);

        provider->handle = opened[i].handle;
        provider->broken = !opened[i].handle;
        if (provider->broken)
            rv_notice("%s does not work here (%s); 'reeve doctor' says more",
                      rv_mechanism_name(provider->does->mechanism), strerror(-opened[i].error));
    }
}

/* ---- What the judge is told ---- */

static int tell(struct rv_enforcer *enforcer, enum rv_channel_type type, struct rv_span payload)
{
    int r = enforcer->options.tell(enforcer->options.context, type, payload);

    if (r < 0)
        rv_debug("the judge could not be told of what was enforced");
    return r;
}

/** What providers count by themselves. @return whether it is news. */
static bool look_at_providers(struct rv_enforcer *enforcer)
{
    struct rv_channel_enforcing *state = &enforcer->state;
    uint64_t disarmed = 0, lost = enforcer->untold;
    bool news;

    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        if (provider->handle && provider->does->disarmed)
            disarmed |= provider->does->disarmed(provider->handle);
        if (provider->handle && provider->does->lost)
            lost += provider->does->lost(provider->handle);
    }
    news = state->disarmed != disarmed || state->lost != lost;
    state->disarmed = disarmed;
    state->lost = lost;
    return news;
}

static void tell_state(struct rv_enforcer *enforcer)
{
    struct rv_channel_enforcing *state = &enforcer->state;

    state->mechanisms = state->offered = 1U << RV_BY_AFTER;
    memset(state->carried, 0, sizeof(state->carried));
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        if (!provider->broken)
            state->offered |= 1U << provider->does->mechanism;
        if (!provider->handle)
            continue;
        state->mechanisms |= 1U << provider->does->mechanism;
        state->carried[provider->does->mechanism] = provider->carried;
        if (provider->does->scores)
            provider->does->scores(provider->handle, &state->scores);
    }
    state->scores.live_why = enforcer->options.kernel->live_why;
    state->scores.shadow_why = enforcer->options.kernel->shadow_why;
    state->scores.error = enforcer->options.kernel->error;
    (void)look_at_providers(enforcer);
    state->opening = enforcer->opening != NULL;
    state->standing = rv_actor_standing(enforcer->actor);
    enforcer->state_untold =
        tell(enforcer, RV_CHANNEL_ENFORCING, rv_span(state, sizeof(*state))) < 0;
}

static int tell_record(void *context, const struct rv_refusal_record *record)
{
    struct rv_enforcer *enforcer = context;

    if (tell(enforcer, RV_CHANNEL_REFUSAL, rv_span(record, sizeof(*record))) < 0)
        enforcer->untold += 1 + (uint64_t)record->repeats;
    return 0;
}

/* ---- Sets of rules ---- */

/** Where only some cgroups are watched, only they are refused anything. */
static void add_scope(const struct rv_enforcer *enforcer, struct rv_rule *rule)
{
    for (uint32_t k = 0; k < rule->term_count; k++) {
        if (rule->terms[k].subject == RV_TERM_WORKLOAD && !rule->terms[k].negated)
            return; /* its cgroups were met, so they are among those watched */
    }
    if (rule->term_count + enforcer->scope_count > RV_RULE_TERMS_MAX)
        rule->mode = RV_RULE_SHADOW; /* it would reach beyond the scope */
    for (size_t i = 0; i < enforcer->scope_count && rule->term_count < RV_RULE_TERMS_MAX; i++)
        rule->terms[rule->term_count++] = (struct rv_rule_term){
            .subject = RV_TERM_WORKLOAD,
            .number = enforcer->scope[i],
        };
}

/** The rules that keep Reeve itself, behind those of the policy. @return how many there are then.
 */
static uint32_t add_self(const struct rv_enforcer *enforcer, uint32_t count)
{
    struct rv_rule *self = &enforcer->rooted[count];

    if (count == 0 || !enforcer->options.config->self_protect ||
        count + RV_SELF_RULES > RV_RULES_MAX)
        return count;
    return count + (uint32_t)rv_self_rules_here(enforcer->options.config, self);
}

/**
 * What BPF LSM refuses whole is not asked about as well: fanotify would come first for programs
 * that start, and cost each opener some forty times as much.
 */
static void leave_out(struct rv_rule *rules, uint32_t count, uint64_t refused)
{
    for (uint32_t i = 0; i < count; i++) {
        if (refused >> i & 1)
            rules[i].actions = RV_DO_BPF; /* a rule needs an action: one that nobody opens */
    }
}

/** Each provider takes the whole set; one that cannot keeps its old one, and the judge is told. */
static void put_in_place(struct rv_enforcer *enforcer)
{
    struct rv_channel_enforcing *state = &enforcer->state;
    uint64_t begun = enforcer->options.clock.boot_ns(enforcer->options.clock.context);
    uint32_t count = state->boot_guarded ? 0 : enforcer->coming.count;
    uint64_t by_lsm = 0; /* rules */
    uint32_t with_self;

    enforcer->waiting = count > 0 && open_providers(enforcer);
    if (enforcer->waiting) {
        tell_state(enforcer);
        return;
    }
    rv_roots_forget_dead(&enforcer->roots);
    memcpy(enforcer->rooted, enforcer->rules, count * sizeof(*enforcer->rules));
    for (uint32_t i = 0; i < count; i++) {
        add_scope(enforcer, &enforcer->rooted[i]);
        rv_roots_extend(&enforcer->roots, &enforcer->rooted[i]);
    }
    with_self = add_self(enforcer, count);
    state->error = 0;
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        struct open_provider *provider = &enforcer->providers[i];
        size_t at = 0;
        int r;

        if (!provider->handle)
            continue;
        if (provider->does->mechanism == RV_BY_FANOTIFY)
            leave_out(enforcer->rooted, count, by_lsm);
        r = provider->does->swap(provider->handle, enforcer->rooted,
                                 provider->does->keeps_self ? with_self : count,
                                 &enforcer->coming.settings, &provider->carried, &at);
        if (r == 0 && provider->does->mechanism == RV_BY_LSM)
            by_lsm = provider->carried;
        if (r < 0) {
            state->error = r;
            state->error_rule = (uint32_t)at;
            state->error_mechanism = provider->does->mechanism;
            rv_error("%s does not take the new rules (rule %zu: %s); its old ones stand",
                     rv_mechanism_name(provider->does->mechanism), at, strerror(-r));
        }
    }
    state->digest = enforcer->coming.settings.digest;
    state->rules = count;
    rv_debug("%" PRIu32 " rules put in place in %" PRIu64 " ms", count,
             (enforcer->options.clock.boot_ns(enforcer->options.clock.context) - begun) /
                 RV_NS_PER_MS);
    tell_state(enforcer);
}

/* ---- Models ---- */

static void follow_model(struct rv_enforcer *enforcer)
{
    struct rv_kernel_models *kernel = enforcer->options.kernel;

    enforcer->model_waits = false;
    if (!rv_kernel_models_follow(kernel, enforcer->options.config, &enforcer->model))
        return;
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];
        int r = provider->handle && provider->does->model
                    ? provider->does->model(provider->handle, kernel)
                    : 0;

        if (r < 0)
            rv_kernel_models_refuse(kernel, r);
    }
}

int rv_enforcer_model(struct rv_enforcer *enforcer, const struct rv_channel_model *model)
{
    enforcer->model = *model;
    enforcer->model_waits = true;
    if (enforcer->opening)
        return 0;
    follow_model(enforcer);
    tell_state(enforcer);
    return 0;
}

/** Mechanisms are open: the rules that waited, with the stop and the judge as they are now. */
static void take_opened(struct rv_enforcer *enforcer)
{
    if (!enforcer->opening || !rv_opening_is_done(enforcer->opening))
        return;
    end_opening(enforcer);
    if (enforcer->model_waits)
        follow_model(enforcer);
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        if (enforcer->providers[i].handle)
            settle(enforcer, &enforcer->providers[i]);
    }
    if (enforcer->waiting)
        put_in_place(enforcer);
    else
        tell_state(enforcer);
}

int rv_enforcer_rules(struct rv_enforcer *enforcer, const struct rv_channel_rules *rules)
{
    if (rules->count > RV_RULES_MAX)
        return -EBADMSG;
    enforcer->coming = *rules;
    enforcer->received = 0;
    enforcer->waiting = false;
    if (rules->count == 0)
        put_in_place(enforcer);
    return 0;
}

int rv_enforcer_rule(struct rv_enforcer *enforcer, const struct rv_rule *rule)
{
    if (enforcer->received >= enforcer->coming.count || rv_rule_check(rule))
        return -EBADMSG;
    enforcer->rules[enforcer->received++] = *rule;
    if (enforcer->received == enforcer->coming.count)
        put_in_place(enforcer);
    return 0;
}

/** Names change meaning as files are replaced: the set in place is resolved anew. */
static void refresh(struct rv_enforcer *enforcer)
{
    bool stale = false;

    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        stale |=
            provider->handle && provider->does->stale && provider->does->stale(provider->handle);
    }
    /* A set that waits for nothing: mechanisms could not even begin to be opened. */
    stale |= enforcer->waiting && !enforcer->opening;
    if (stale && enforcer->received == enforcer->coming.count)
        put_in_place(enforcer);
}

int rv_enforcer_health(struct rv_enforcer *enforcer)
{
    refresh(enforcer);
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        if (provider->handle && provider->does->renew(provider->handle, RV_LEASE_MS) < 0)
            rv_debug("a lease could not be renewed");
    }
    rv_enforcer_drain(enforcer); /* repeats that nothing new followed */
    /* The counts of a model go on by themselves. */
    if (look_at_providers(enforcer) || enforcer->state_untold || enforcer->state.scores.model)
        tell_state(enforcer);
    return 0;
}

int rv_enforcer_grant(struct rv_enforcer *enforcer, const struct rv_grant *grant)
{
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];
        int r = provider->handle && provider->does->grant
                    ? provider->does->grant(provider->handle, grant)
                    : 0;

        if (r < 0)
            rv_warning("%s could not take an approval: %s",
                       rv_mechanism_name(provider->does->mechanism), strerror(-r));
    }
    return 0;
}

int rv_enforcer_risk(struct rv_enforcer *enforcer, const struct rv_channel_risk *risk)
{
    if (risk->risk > 1000)
        return -EBADMSG;
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        if (provider->handle && provider->does->risk)
            (void)provider->does->risk(provider->handle, risk->process, risk->risk);
    }
    return 0;
}

/* ---- Actions ---- */

/** The path of a cgroup by its id. @return false: it is gone, or the kernel has no such handles. */
static bool cgroup_path(uint64_t id, char path[PATH_MAX])
{
    struct {
        struct file_handle head;
        uint64_t id;
    } handle = { { sizeof(uint64_t), 0xfe /* FILEID_KERNFS */ }, id };
    RV_AUTO(rv_closep) int root = -1;
    RV_AUTO(rv_closep) int fd = -1;
    char link[32];
    ssize_t len;

    if (rv_cgroup_open(NULL, &root) < 0)
        return false;
    fd = open_by_handle_at(root, &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, PATH_MAX - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    return true;
}

static void send_snapshot(struct rv_enforcer *enforcer, const struct rv_channel_act *act)
{
    RV_AUTO(rv_buf_done) struct rv_buf json = { .len_max = SNAPSHOT_MAX };
    union {
        struct rv_channel_snapshot head;
        uint8_t bytes[RV_CHANNEL_PAYLOAD_MAX];
    } *packet = malloc(sizeof(*packet));
    const size_t room = sizeof(*packet) - sizeof(packet->head);

    if (!packet || rv_act_snapshot(act->process, &json) < 0 || json.failed) {
        free(packet);
        return; /* it is gone, and so is what could be said of it */
    }
    for (size_t at = 0; at < json.len; at += room) {
        size_t len = rv_min_u64(room, json.len - at);

        packet->head = (struct rv_channel_snapshot){ act->request, at + len == json.len, 0 };
        memcpy(packet->bytes + sizeof(packet->head), json.data + at, len);
        (void)tell(enforcer, RV_CHANNEL_SNAPSHOT, rv_span(packet, sizeof(packet->head) + len));
    }
    free(packet);
}

int rv_enforcer_act(struct rv_enforcer *enforcer, const struct rv_channel_act *act)
{
    RV_AUTO(rv_freep) char *path = act->cgroup_id ? malloc(PATH_MAX) : NULL;
    struct rv_channel_acted acted = { .request = act->request };
    struct rv_act_request request = { .action = (enum rv_action)act->action,
                                      .process = act->process };
    enum rv_act_outcome outcome = RV_ACT_REFUSED;

    if (act->action <= RV_ACT_NONE || act->action >= RV_ACT_COUNT_ || act->snapshot > 1)
        return -EBADMSG;
    if (act->cgroup_id && (!path || !cgroup_path(act->cgroup_id, path)))
        acted.error = -ENOENT;
    else
        request.cgroup = path;
    if (enforcer->state.stopped || enforcer->state.boot_guarded)
        acted.error = -ECANCELED;
    if (acted.error == 0 && act->snapshot)
        send_snapshot(enforcer, act);
    if (acted.error == 0)
        acted.error = rv_act(enforcer->actor, &request, &outcome, &acted.number);
    acted.outcome = outcome;
    (void)snprintf(acted.how, sizeof(acted.how), "%s", rv_act_how(enforcer->actor));
    (void)tell(enforcer, RV_CHANNEL_ACTED, rv_span(&acted, sizeof(acted)));
    return 0;
}

int rv_enforcer_undo(struct rv_enforcer *enforcer, const struct rv_channel_undo *undo)
{
    struct rv_channel_acted acted = { .request = undo->request, .outcome = RV_ACT_DONE };
    int r = undo->number ? rv_act_undo(enforcer->actor, undo->number)
                         : rv_act_undo_all(enforcer->actor);

    acted.error = r < 0 ? r : 0;
    acted.number = undo->number ? undo->number : (uint32_t)(r > 0 ? r : 0);
    (void)tell(enforcer, RV_CHANNEL_ACTED, rv_span(&acted, sizeof(acted)));
    tell_state(enforcer);
    return 0;
}

/* ---- The stop ---- */

void rv_enforcer_stop(struct rv_enforcer *enforcer, bool stop)
{
    int undone = 0;

    if (enforcer->state.stopped == stop)
        return;
    enforcer->state.stopped = stop;
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];
        int r = provider->handle ? provider->does->observe(provider->handle, stop) : 0;

        if (r < 0)
            rv_error("%s could not be %s: %s", rv_mechanism_name(provider->does->mechanism),
                     stop ? "stopped" : "started again", strerror(-r));
    }
    if (stop)
        undone = rv_act_undo_all(enforcer->actor);
    if (undone < 0)
        rv_error("not all that stood could be undone: %s", strerror(-undone));
    rv_notice(stop ? "emergency stop: nothing is refused, what stood is undone"
                   : "the emergency stop is over: rules hold again");
    tell_state(enforcer);
}

bool rv_enforcer_stopped(const struct rv_enforcer *enforcer)
{
    return enforcer->state.stopped;
}

bool rv_enforcer_armed(const struct rv_enforcer *enforcer)
{
    return (enforcer->state.rules > 0 || enforcer->opening) && !enforcer->state.stopped;
}

/* ---- The guard's loop ---- */

void rv_enforcer_fds(const struct rv_enforcer *enforcer, int fds[RV_ENFORCER_FDS])
{
    fds[RV_MECHANISMS_] = rv_opening_fd(enforcer->opening);
    for (size_t i = 0; i < RV_MECHANISMS_; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        fds[i] = i < enforcer->provider_count && provider->handle && provider->does->poll_fd
                     ? provider->does->poll_fd(provider->handle)
                     : -1;
    }
}

void rv_enforcer_drain(struct rv_enforcer *enforcer)
{
    take_opened(enforcer);
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        if (provider->handle && provider->does->drain(provider->handle, tell_record, enforcer) < 0)
            rv_debug("records of %s could not be read",
                     rv_mechanism_name(provider->does->mechanism));
    }
}

void rv_enforcer_root(struct rv_enforcer *enforcer, pid_t pid)
{
    const struct rv_root *root = rv_roots_meet(&enforcer->roots, pid);

    if (!root)
        return;
    rv_debug("process %d lives under another root", pid);
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        if (enforcer->providers[i].handle)
            know_root(&enforcer->providers[i], root);
    }
    if (enforcer->received > 0 && enforcer->received == enforcer->coming.count)
        put_in_place(enforcer);
}

void rv_enforcer_protect(struct rv_enforcer *enforcer, pid_t pid)
{
    struct rv_process_key key;

    if (rv_process_key_of(pid, &key) < 0)
        return;
    enforcer->own[enforcer->own_count++ % PROTECTED_MAX] = key;
    if (pid != getpid() && rv_actor_protect_process(enforcer->actor, key) < 0)
        rv_debug("process %d has ended before it could be protected", pid);
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        if (enforcer->providers[i].handle)
            rv_protect(enforcer->providers[i].does, enforcer->providers[i].handle, key, true);
    }
}

void rv_enforcer_new_judge(struct rv_enforcer *enforcer, int ask_fd)
{
    for (size_t i = 0; i < enforcer->provider_count; i++) {
        const struct open_provider *provider = &enforcer->providers[i];

        if (provider->handle && provider->does->ask_through)
            provider->does->ask_through(provider->handle, ask_fd);
    }
    rv_closep(&enforcer->ask_fd);
    enforcer->ask_fd = ask_fd;
    enforcer->coming = (struct rv_channel_rules){ 0 };
    enforcer->received = 0;
    enforcer->waiting = false;
}

/* ---- Life ---- */

static int open_actor(struct rv_enforcer *enforcer)
{
    const struct rv_agent_config *config = enforcer->options.config;
    RV_AUTO(rv_freep) char *standing = NULL;
    struct rv_act_options options = {
        .budget_per_hour = (uint32_t)config->act_budget,
        .clock = enforcer->options.clock,
    };
    int r;

    if (asprintf(&standing, "%s/standing", config->runtime_dir) < 0) {
        standing = NULL;
        return -ENOMEM;
    }
    options.state_path = standing;
    r = rv_actor_new(&enforcer->actor, &options);
    for (size_t i = 0; r == 0 && i < config->protect.count; i++) {
        r = rv_actor_protect(enforcer->actor, config->protect.items[i]);
        if (r < 0)
            rv_error("protect = %s: %s", config->protect.items[i], strerror(-r));
    }
    if (r == 0 && rv_actor_standing(enforcer->actor) > 0)
        rv_notice("%u actions of a former agent stand; 'reeve undo all' takes them back",
                  rv_actor_standing(enforcer->actor));
    return r;
}

/** What the sensors are limited to limits us too. The sensors say what is wrong with a path. */
static void read_scope(struct rv_enforcer *enforcer)
{
    const struct rv_config_list *scope = &enforcer->options.config->scope;

    for (size_t i = 0; i < scope->count && i < RV_COUNT(enforcer->scope); i++) {
        struct stat st;

        if (stat(scope->items[i], &st) == 0)
            enforcer->scope[enforcer->scope_count++] = st.st_ino;
    }
}

int rv_enforcer_new(struct rv_enforcer **ret_enforcer, const struct rv_enforcer_options *options)
{
    struct rv_enforcer *enforcer = calloc(1, sizeof(*enforcer));
    int r;

    if (!enforcer)
        return -ENOMEM;
    enforcer->options = *options;
    enforcer->ask_fd = -1;
    enforcer->state.boot_guarded = options->boot_guarded;
    for (size_t i = 0; rv_providers[i]; i++)
        enforcer->providers[enforcer->provider_count++].does = rv_providers[i];
    enforcer->rules = calloc(RV_RULES_MAX, sizeof(*enforcer->rules));
    enforcer->rooted = calloc(RV_RULES_MAX, sizeof(*enforcer->rooted));
    read_scope(enforcer);
    r = enforcer->rules && enforcer->rooted ? open_actor(enforcer) : -ENOMEM;
    if (r < 0) {
        rv_enforcer_free(&enforcer, RV_ENFORCER_LEAVE);
        return r;
    }
    *ret_enforcer = enforcer;
    return 0;
}

void rv_enforcer_free(struct rv_enforcer **enforcer, enum rv_enforcer_end end)
{
    if (!*enforcer)
        return;
    if ((*enforcer)->actor && end == RV_ENFORCER_UNDO && rv_act_undo_all((*enforcer)->actor) < 0)
        rv_error("not all that stood could be undone");
    if ((*enforcer)->opening)
        end_opening(*enforcer);
    for (size_t i = 0; i < (*enforcer)->provider_count; i++) {
        if ((*enforcer)->providers[i].handle)
            (*enforcer)->providers[i].does->close((*enforcer)->providers[i].handle);
    }
    rv_actor_free(&(*enforcer)->actor);
    rv_closep(&(*enforcer)->ask_fd);
    free((*enforcer)->rooted);
    free((*enforcer)->rules);
    free(*enforcer);
    *enforcer = NULL;
}
