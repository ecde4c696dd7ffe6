/* SPDX-License-Identifier: Apache-2.0 */
/* One event: what is it, was it decided before, what do the rules say, and if they do not, who? */
#include "state.h"

#include "base/clock.h"

#include <time.h>
#include <unistd.h>

#define SAY_EVERY_NS RV_NS_PER_S                    /* a record of one cached decision */
#define RACY_NS      ((int64_t)(20 * RV_NS_PER_MS)) /* times of files are this coarse, at most */
#define NS_PER_HOUR  (3600 * RV_NS_PER_S)
#define NARROWED     (1U << 31) /* in a key's action: the open's mode was looked at */

/** One event on its way through. */
struct event {
    const struct asked *asked;
    struct fan_facts *facts;
    struct fan_rules *rules; /* a reference, wherever the lock is not held */
    struct fan_key key;
    uint64_t now_ns;
    uint32_t scope; /* FAN_SCOPE_* */
    bool leased;
};

/* ---- What it depends on ---- */

/** Facts that the set looks at beside those in the key, as one keyed hash. */
static uint64_t extra_facts(struct rv_fan *fan, const struct event *event)
{
    const uint32_t names = FAN_NEED_PLACE | FAN_NEED_NAME;
    struct fan_facts *facts = event->facts;
    uint32_t needs = event->rules->needs;
    struct {
        uint64_t seed, workload;
        uint32_t uid, gid;
        char path[FAN_PATH_ROOM];
    } room = { .seed = fan->seed };
    size_t len = offsetof(typeof(room), path);

    if (needs & FAN_NEED_EUID)
        rv_fan_facts_user(facts);
    if (needs & FAN_NEED_USERS) {
        rv_fan_facts_status(facts);
        room.uid = facts->uid;
        room.gid = facts->gid;
    }
    if (needs & FAN_NEED_WORKLOAD) {
        rv_fan_facts_workloads(&fan->source, facts);
        room.workload = facts->workload_count > 0 ? facts->workloads[0] : 0;
    }
    /* A file with several names, or a folder that may move unseen: the name is part of it. */
    if ((facts->link_count != 1 && ((needs & names) || event->rules->scope_count > 0)) ||
        ((needs & FAN_NEED_WIDE) && (needs & names))) {
        rv_fan_facts_path(&fan->source, event->asked->event_fd, facts);
        memcpy(room.path, facts->path, strlen(facts->path));
        len += strlen(facts->path);
    }
    return rv_hash64(rv_span(&room, len));
}

static bool needs_extra(const struct event *event)
{
    uint32_t needs = event->rules->needs;

    return (needs & (FAN_NEED_USERS | FAN_NEED_WORKLOAD)) ||
           ((needs & FAN_NEED_EUID) && !event->facts->user_known) || /* the set came just now */
           ((needs & FAN_NEED_WIDE) && (needs & (FAN_NEED_PLACE | FAN_NEED_NAME))) ||
           event->facts->link_count != 1;
}

static void make_key(struct event *event, uint64_t epoch, uint64_t extra)
{
    const struct fan_facts *facts = event->facts;

    event->key = (struct fan_key){
        .inode = facts->file.inode,
        .dev = facts->file.dev,
        .size = facts->size,
        .ctime_ns = facts->ctime_ns,
        .program_inode = facts->program.inode,
        .program_dev = facts->program.dev,
        .program_ctime_ns = facts->program_ctime_ns,
        .euid = facts->euid,
        .action = facts->action,
        .extra = extra,
        .epoch = epoch << 1 | event->leased,
    };
}

/** The file's times are too fresh to tell whether it changes once more. */
static bool is_racy(const struct fan_facts *facts)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return facts->ctime_ns > now.tv_sec * (int64_t)RV_NS_PER_S + now.tv_nsec - RACY_NS;
}

/* ---- Who may never be refused ---- */

static bool is_protected(const struct rv_fan *fan, const struct fan_facts *facts)
{
    const uint64_t tick_ns = RV_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK); /* /proc's grain */

    for (size_t i = 0; i < fan->protected_program_count; i++) {
        if (fan_same(fan->protected_programs[i], facts->program))
            return true;
    }
    for (size_t i = 0; i < fan->protected_process_count; i++) {
        const struct process_id *process = &fan->protected_processes[i];

        if (process->tgid == facts->tgid &&
            facts->start_boot_ns / tick_ns == process->start_boot_ns / tick_ns)
            return true;
    }
    return false;
}

/** Has the workload refusals left in this hour? Uses one up. */
static bool within_budget(struct rv_fan *fan, const struct event *event)
{
    uint64_t id = event->facts->workload_count > 0 ? event->facts->workloads[0] : 0;
    struct workload *found = NULL;

    if (event->rules->settings.budget == 0)
        return true;
    for (size_t i = 0; i < WORKLOADS_MAX; i++) {
        struct workload *at = &fan->workloads[i];

        if (at->window_ns && at->id == id) {
            found = at;
            break;
        }
        if (!found || at->window_ns < found->window_ns)
            found = at; /* the oldest goes: it begins a new hour, and can only be refused more */
    }
    if (found->id != id || event->now_ns - found->window_ns > NS_PER_HOUR)
        *found = (struct workload){ .id = id, .window_ns = event->now_ns };
    if (found->used >= event->rules->settings.budget)
        return false;
    found->used++;
    return true;
}

/* ---- Writing down ---- */

/** Of an open that may read or write, the graver that the rules speak of. */
static uint32_t one_action(const struct event *event, uint64_t matched)
{
    uint32_t action = event->facts->action;

    for (uint64_t left = matched; left && action == FAN_OPENS; left &= left - 1) {
        if (event->rules->rules[__builtin_ctzll(left)].actions & RV_DO_WRITE)
            action = RV_DO_WRITE;
    }
    return action == FAN_OPENS ? RV_DO_READ : action;
}

static struct rv_refusal_record describe(const struct event *event, uint64_t matched)
{
    const struct fan_facts *facts = event->facts;
    const char *base = strrchr(facts->path, '/');
    struct rv_refusal_record record = {
        .time_boot_ns = event->now_ns,
        .start_boot_ns = facts->start_boot_ns,
        .cgroup_id = facts->workload_count > 0 ? facts->workloads[0] : 0,
        .inode = facts->file.inode,
        .dev = facts->file.dev,
        .program_inode = facts->program.inode,
        .program_dev = facts->program.dev,
        .rules = matched,
        .digest = event->rules->settings.digest,
        .tgid = facts->tgid,
        .tid = facts->tid,
        .uid = facts->uid,
        .policy = matched ? event->rules->rules[__builtin_ctzll(matched)].policy : RV_POLICY_JUDGE,
        .action = one_action(event, matched),
        .mechanism = RV_BY_FANOTIFY,
    };

    memcpy(record.comm, facts->comm, sizeof(record.comm));
    base = base ? base + 1 : "";
    memcpy(record.name, base, rv_min_u64(strlen(base), sizeof(record.name) - 1));
    return record;
}

static void fill_question(struct rv_fan_question *question, const struct event *event,
                          const struct pending *pending)
{
    const struct fan_facts *facts = event->facts;

    *question = (struct rv_fan_question){
        .id = pending->id,
        .time_boot_ns = event->now_ns,
        .deadline_boot_ns = pending->deadline_ns,
        .rules = pending->record.rules,
        .digest = event->rules->settings.digest,
        .start_boot_ns = pending->record.start_boot_ns,
        .cgroup_id = pending->record.cgroup_id,
        .inode = facts->file.inode,
        .size = facts->size,
        .mtime_ns = facts->mtime_ns,
        .ctime_ns = facts->ctime_ns,
        .program_inode = facts->program.inode,
        .dev = facts->file.dev,
        .program_dev = facts->program.dev,
        .tgid = facts->tgid,
        .tid = facts->tid,
        .uid = facts->uid,
        .euid = facts->euid,
        .gid = facts->gid,
        .action = facts->action,
        .held = pending->held,
        .path_cut = strlen(facts->path) >= RV_FAN_PATH_MAX,
        .program_cut = strlen(facts->program_path) >= RV_FAN_PATH_MAX,
    };
    memcpy(question->comm, facts->comm, sizeof(question->comm));
    memcpy(question->path, facts->path, rv_min_u64(strlen(facts->path), RV_FAN_PATH_MAX - 1));
    memcpy(question->program, facts->program_path,
           rv_min_u64(strlen(facts->program_path), RV_FAN_PATH_MAX - 1));
}

/* ---- Conclusions; each ends the event. Called with the lock, which they give back. ---- */

static void end(struct rv_fan *fan, const struct event *event, bool allow)
{
    pthread_mutex_unlock(&fan->lock);
    rv_fan_respond(fan, event->asked->group, event->asked->event_fd, allow);
}

/** Decided here and now. `cache`: the next one like it need not come this far. */
static void conclude(struct rv_fan *fan, const struct event *event, uint64_t matched,
                     enum rv_refusal refusal, bool cache)
{
    const struct fan_cached value = { .rules = matched,
                                      .said_ns = event->now_ns,
                                      .allow = refusal != RV_REFUSAL_DENIED,
                                      .refusal = (uint8_t)refusal };

    if (refusal != RV_REFUSAL_ALLOWED) {
        const struct fan_cached *before = rv_fan_cache_get(fan->cache, &event->key);
        struct rv_refusal_record record = describe(event, matched);

        record.verdict = refusal;
        record.repeats = before ? before->repeats : 0;
        rv_fan_say(fan, &record);
    }
    if (cache && !is_racy(event->facts))
        fan->counts.evicted += rv_fan_cache_put(fan->cache, &event->key, &value);
    end(fan, event, value.allow);
}

/** Pending, until the judge (or, held, a person) answers or the deadline passes. */
static void ask(struct rv_fan *fan, const struct event *event, struct pending *prepared)
{
    uint64_t wait_ns = prepared->held ? event->rules->hold_ns : event->rules->deadline_ns;
    struct pending *question = rv_fan_pend(fan, event->asked->group, event->now_ns + wait_ns);
    uint64_t id;

    if (!question) { /* answered at once, as if the deadline had passed */
        fan->counts.full++;
        prepared->record.verdict =
            prepared->closed || prepared->held ? RV_REFUSAL_DENIED : RV_REFUSAL_LAPSED;
        rv_fan_say(fan, &prepared->record);
        (*(prepared->closed || prepared->held ? &fan->counts.closed : &fan->counts.opened))++;
        end(fan, event, !(prepared->closed || prepared->held));
        return;
    }
    prepared->id = id = question->id;
    prepared->deadline_ns = question->deadline_ns;
    prepared->group = question->group;
    *question = *prepared;
    fill_question(&fan->question, event, question);
    fan->counts.asked += !question->held;
    pthread_mutex_unlock(&fan->lock);
    if (fan->options.ask && fan->options.ask(fan->options.context, &fan->question) == 0)
        return;
    pthread_mutex_lock(&fan->lock);
    if (question->id == id && !question->held) { /* a held one waits for its grant regardless */
        fan->counts.unsent++;
        rv_fan_default(fan, question);
    }
    pthread_mutex_unlock(&fan->lock);
}

static struct pending prepare(const struct event *event, uint64_t matched)
{
    return (struct pending){
        .key = event->key,
        .record = describe(event, matched),
        .program = event->facts->program,
        .file = event->facts->file,
        .event_fd = event->asked->event_fd,
        .cacheable = !is_racy(event->facts),
    };
}

static uint64_t rules_where(const struct event *event, uint64_t rules,
                            bool (*holds)(const struct rv_rule *rule))
{
    uint64_t found = 0;

    for (uint64_t left = rules; left; left &= left - 1) {
        unsigned at = (unsigned)__builtin_ctzll(left);

        found |= holds(&event->rules->rules[at]) ? 1ULL << at : 0;
    }
    return found;
}

static bool lapses_closed(const struct rv_rule *rule)
{
    return rule->lapse == RV_LAPSE_CLOSED;
}

static bool is_held(const struct rv_rule *rule)
{
    return rule->held;
}

static bool is_budgeted(const struct rv_rule *rule)
{
    return rule->budgeted;
}

/** Rules in force forbid it. */
static void forbid(struct rv_fan *fan, const struct event *event, uint64_t matched)
{
    uint64_t standing = event->leased ? matched : rules_where(event, matched, lapses_closed);
    bool held = standing && rules_where(event, standing, is_held) == standing;
    bool budgeted = standing && rules_where(event, standing, is_budgeted) == standing;
    struct pending pending;

    fan->counts.by_rules++;
    if (is_protected(fan, event->facts)) {
        conclude(fan, event, matched, RV_REFUSAL_PROTECTED, fan->protected_process_count == 0);
        return;
    }
    if (!standing) {
        conclude(fan, event, matched, RV_REFUSAL_LAPSED, true);
        return;
    }
    if (held) {
        pending = prepare(event, standing);
        if (rv_fan_use_grant(fan, &pending)) {
            conclude(fan, event, standing, RV_REFUSAL_GRANTED, false);
            return;
        }
        pending.held = true;
        if (event->rules->hold_ns > 0) {
            ask(fan, event, &pending);
            return;
        }
    }
    if (budgeted && !within_budget(fan, event)) {
        conclude(fan, event, standing, RV_REFUSAL_OVER_BUDGET, false);
        return;
    }
    conclude(fan, event, standing, RV_REFUSAL_DENIED,
             !budgeted && fan->protected_process_count == 0);
}

/** The judge's, because a rule depends on what only it knows, or because the scope says so. */
static void refer(struct rv_fan *fan, const struct event *event, uint64_t maybe)
{
    struct pending pending;

    if (is_protected(fan, event->facts)) {
        conclude(fan, event, 0, RV_REFUSAL_ALLOWED, false);
        return;
    }
    pending = prepare(event, maybe);
    pending.closed = rules_where(event, maybe, lapses_closed) != 0 ||
                     ((event->scope & FAN_SCOPE_ASK) && (event->scope & FAN_SCOPE_CLOSED));
    if (event->leased) {
        ask(fan, event, &pending);
        return;
    }
    fan->counts.lapsed++;
    (*(pending.closed ? &fan->counts.closed : &fan->counts.opened))++;
    conclude(fan, event, maybe, pending.closed ? RV_REFUSAL_DENIED : RV_REFUSAL_LAPSED, true);
}

/* ---- The way through ---- */

/** Does the question still stand, and is it to be decided? Else it is answered, lock and all. */
static bool stands(struct rv_fan *fan, const struct event *event)
{
    const struct group *group = &fan->groups[event->asked->group];

    if (group->generation == event->asked->generation && group->state != GROUP_NONE && fan->rules &&
        !atomic_load(&fan->disarmed))
        return true;
    fan->counts.stopped++;
    end(fan, event, true);
    return false;
}

static bool enter(struct rv_fan *fan, const struct event *event)
{
    pthread_mutex_lock(&fan->lock);
    return stands(fan, event);
}

/** Answer out of the cache. @return false: it has to be decided, and the lock is held still. */
static bool answer_cached(struct rv_fan *fan, struct event *event)
{
    struct fan_cached *cached = rv_fan_cache_get(fan->cache, &event->key);

    if (cached && cached->narrow) {
        pthread_mutex_unlock(&fan->lock);
        rv_fan_facts_mode(event->facts);
        if (!enter(fan, event))
            return true;
        if (event->facts->action == RV_DO_EXEC) {
            fan->counts.hits++;
            end(fan, event, true);
            return true;
        }
        event->key.action = event->facts->action | NARROWED;
        cached = rv_fan_cache_get(fan->cache, &event->key);
    }
    if (!cached || (cached->refusal != RV_REFUSAL_ALLOWED &&
                    event->now_ns - cached->said_ns >= SAY_EVERY_NS)) {
        fan->counts.misses++;
        return false;
    }
    fan->counts.hits++;
    if (cached->refusal != RV_REFUSAL_ALLOWED) {
        cached->repeats++;
        rv_fan_count_rules(fan, cached->rules, cached->refusal);
    }
    end(fan, event, cached->allow);
    return true;
}

/** All that the rules and the judge may want to know. Without the lock. */
static void learn(struct rv_fan *fan, const struct event *event)
{
    struct fan_facts *facts = event->facts;

    rv_fan_facts_status(facts);
    rv_fan_facts_user(facts);
    rv_fan_facts_start(&fan->source, facts);
    rv_fan_facts_workloads(&fan->source, facts);
    rv_fan_facts_path(&fan->source, event->asked->event_fd, facts);
    rv_fan_facts_program_path(facts);
    if ((event->rules->needs & FAN_NEED_PLACE) || event->rules->scope_count > 0)
        rv_fan_facts_place(&fan->source, event->asked->event_fd, facts);
}

/**
 * Does it make a difference whether the open reads or writes? Then look, and note in the cache that
 * one has to. @return false: it is the open of a program being started, and answered.
 */
static bool narrow(struct rv_fan *fan, struct event *event, struct fan_matches *matches)
{
    const struct fan_cached look = { .narrow = 1, .allow = 1 };
    struct fan_facts *facts = event->facts;

    if (event->asked->exec || (event->key.action & NARROWED) ||
        !(event->rules->needs & FAN_NEED_MODE) ||
        !(matches->enforce | matches->shadow | matches->maybe))
        return true;
    if (!is_racy(facts))
        fan->counts.evicted += rv_fan_cache_put(fan->cache, &event->key, &look);
    pthread_mutex_unlock(&fan->lock);
    rv_fan_facts_mode(facts);
    if (facts->action != RV_DO_EXEC)
        *matches = rv_fan_match_all(event->rules, facts);
    if (!enter(fan, event))
        return false;
    if (facts->action == RV_DO_EXEC) {
        end(fan, event, true);
        return false;
    }
    event->key.action = facts->action | NARROWED;
    return true;
}

static void decide(struct rv_fan *fan, struct event *event)
{
    struct fan_matches matches;

    learn(fan, event);
    if (!enter(fan, event))
        return;
    event->scope = fan->marks ? rv_fan_marks_scope(fan->marks, event->facts) : 0;
    event->facts->program_kind = rv_fan_kind_of(fan, event->facts->program);
    event->facts->file_kind = rv_fan_kind_of(fan, event->facts->file);
    fan->counts.unplaced += event->facts->place == FAN_PLACE_HIDDEN;
    matches = rv_fan_match_all(event->rules, event->facts);
    if (!narrow(fan, event, &matches))
        return;
    if (matches.shadow) {
        struct rv_refusal_record record = describe(event, matches.shadow);

        record.verdict = RV_REFUSAL_WOULD_DENY;
        rv_fan_say(fan, &record);
    }
    if (matches.enforce) {
        forbid(fan, event, matches.enforce);
    } else if (matches.maybe || (event->scope & FAN_SCOPE_ASK)) {
        refer(fan, event, matches.maybe);
    } else {
        fan->counts.by_rules++;
        if (!is_racy(event->facts) && rv_fan_never(event->rules, event->facts))
            rv_fan_settle(fan, event->asked->group, event->asked->event_fd, &event->key);
        conclude(fan, event, 0, RV_REFUSAL_ALLOWED, matches.shadow == 0);
    }
}

/** Beyond the cache's reach, holding on to the rules; the lock is held, and given back. */
static void decide_anew(struct rv_fan *fan, struct event *event)
{
    event->rules->refs++;
    pthread_mutex_unlock(&fan->lock);
    decide(fan, event);
    pthread_mutex_lock(&fan->lock);
    rv_fan_rules_unref(event->rules);
    pthread_mutex_unlock(&fan->lock);
}

/** Look further before the cache is asked. @return false: answered; else the lock is held. */
static bool look_further(struct rv_fan *fan, struct event *event, uint64_t *ret_extra)
{
    struct fan_rules *rules = event->rules;
    bool answered;

    rules->refs++;
    pthread_mutex_unlock(&fan->lock);
    *ret_extra = extra_facts(fan, event);
    answered = !enter(fan, event);
    if (answered)
        pthread_mutex_lock(&fan->lock);
    event->rules = fan->rules; /* if another set came meanwhile, its epoch is not ours: a miss */
    rv_fan_rules_unref(rules);
    if (answered)
        pthread_mutex_unlock(&fan->lock);
    return !answered;
}

void rv_fan_decide(struct rv_fan *fan, const struct asked *asked)
{
    struct fan_facts *facts = &fan->facts;
    struct event event = { .asked = asked, .facts = facts, .now_ns = asked->now_ns };
    uint64_t extra = 0, epoch;
    bool known, own;

    fan->path[0] = fan->program_path[0] = '\0';
    memset(facts, 0, offsetof(struct fan_facts, workloads));
    facts->action = asked->exec ? RV_DO_EXEC : FAN_OPENS;
    facts->path = fan->path;
    facts->program_path = fan->program_path;
    known = rv_fan_facts_quick(&fan->source, asked->event_fd, asked->tid, facts) == 0;
    own = known && facts->own;
    if (known && !own && asked->users)
        rv_fan_facts_user(facts);
    pthread_mutex_lock(&fan->lock);
    fan->counts.events++;
    fan->counts.own += own;
    if (own || !known) { /* what cannot even be looked at cannot be judged, nor read */
        end(fan, &event, own);
        return;
    }
    if (!stands(fan, &event))
        return;
    event.leased = fan->lease_ns > event.now_ns;
    event.rules = fan->rules;
    epoch = fan->epoch;
    if (needs_extra(&event) && !look_further(fan, &event, &extra))
        return;
    make_key(&event, epoch, extra);
    if (!answer_cached(fan, &event))
        decide_anew(fan, &event);
}
