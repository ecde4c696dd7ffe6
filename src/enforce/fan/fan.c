/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's life: groups and their marks, sets put in place, the loop, the stop. */
#include "base/clock.h"
#include "base/fd.h"
#include "state.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
/* An opener may have met an old mark and be on its way to ask: time for it to arrive. */
#define RETIRE_NS       (100 * RV_NS_PER_MS)
#define LATENCY_CALLS   4096 /* before a judgement on p99.9 */
#define DESCRIPTORS_MIN 256

uint64_t rv_fan_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * RV_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- Groups ---- */

static int new_group(const struct rv_fan *fan)
{
    unsigned flags = FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_TID |
                     (fan->options.unlimited_queue ? FAN_UNLIMITED_QUEUE : 0);
    int fd = fanotify_init(flags | FAN_UNLIMITED_MARKS,
                           O_RDONLY | O_CLOEXEC | O_LARGEFILE | O_NONBLOCK | O_NOATIME);

    return fd < 0 ? -errno : fd;
}

static void wake(const struct rv_fan *fan)
{
    const uint64_t one = 1;

    (void)!write(fan->wake_fd, &one, sizeof(one));
}

/** The kernel lets pass whatever is asked in it, and forgets its marks. */
static void end_group(struct rv_fan *fan, unsigned at)
{
    struct group *group = &fan->groups[at];

    for (size_t i = 0; i < RV_FAN_PENDING_MAX && group->pending > 0; i++) {
        if (fan->pending[i].id && fan->pending[i].group == at) {
            fan->counts.stopped++;
            rv_fan_finish(fan, &fan->pending[i], true);
        }
    }
    (void)dup3(fan->null_fd, group->fd, O_CLOEXEC);
    group->state = GROUP_NONE;
    group->generation++;
}

static void drop_marks(int fd)
{
    (void)fanotify_mark(fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
    (void)fanotify_mark(fd, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, AT_FDCWD, NULL);
    (void)fanotify_mark(fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, NULL);
}

/** A place for a group; if each is taken, that of the one longest on its way out. */
static unsigned take_place(struct rv_fan *fan, int fd)
{
    unsigned at = GROUPS;

    for (unsigned i = 0; i < GROUPS; i++) {
        const struct group *group = &fan->groups[i];

        if (group->state == GROUP_NONE) {
            at = i;
            break;
        }
        if (group->state == GROUP_RETIRING &&
            (at == GROUPS || group->retired_ns < fan->groups[at].retired_ns))
            at = i;
    }
    assert(at < GROUPS); /* one is in force, one is being marked: the others are on their way out */
    if (fan->groups[at].state != GROUP_NONE)
        end_group(fan, at);
    (void)dup3(fd, fan->groups[at].fd, O_CLOEXEC);
    fan->groups[at].generation++;
    fan->groups[at].state = GROUP_MARKING;
    return at;
}

/** The new set is in force; what decided so far answers what it was asked, and goes. */
static void commit(struct rv_fan *fan, unsigned at)
{
    for (unsigned i = 0; i < GROUPS; i++) {
        struct group *group = &fan->groups[i];

        if (group->state != GROUP_ACTIVE)
            continue;
        group->state = GROUP_RETIRING;
        group->retired_ns = rv_fan_now_ns();
        drop_marks(group->fd);
        if (!atomic_load(&fan->running))
            end_group(fan, i);
    }
    fan->groups[at].state = GROUP_ACTIVE;
}

/** What decides from now on; takes both. Void: the cache, and what was counted by rule. */
static void replace(struct rv_fan *fan, struct fan_rules *rules, struct fan_marks *marks)
{
    struct fan_marks *old = fan->marks;

    rv_fan_rules_unref(fan->rules);
    fan->rules = rules;
    fan->marks = marks;
    fan->epoch++;
    memset(fan->rule_counts, 0, sizeof(fan->rule_counts));
    rv_fan_marks_free(&old);
}

static int begin_group(struct rv_fan *fan, unsigned *ret_at)
{
    RV_AUTO(rv_closep) int fd = new_group(fan);

    if (fd < 0)
        return fd;
    pthread_mutex_lock(&fan->lock);
    *ret_at = take_place(fan, fd);
    pthread_mutex_unlock(&fan->lock);
    wake(fan); /* it must be read from before anything is marked */
    return 0;
}

/** Mark all that `rules` are about in a group of its own, then put it in force. Takes `rules`. */
static int install(struct rv_fan *fan, struct fan_rules *rules, struct rv_fan_taken *taken)
{
    struct fan_marks_work work = { .changes_fd = fan->changes_fd,
                                   .rules = rules,
                                   .layer = fan->options.layer };
    struct fan_marks *marks = NULL;
    unsigned at = 0;
    int r = begin_group(fan, &at);

    if (r == 0) {
        work.fd = fan->groups[at].fd;
        r = rv_fan_marks_new(&marks, &work);
        taken->failed_rule = work.failed_rule;
    }
    pthread_mutex_lock(&fan->lock);
    if (fan->observe) { /* stopped meanwhile, and every group ended: the set is kept */
        rv_fan_marks_free(&marks);
        replace(fan, rules, NULL);
        r = 0;
    } else if (r < 0) {
        if (fan->groups[at].state == GROUP_MARKING)
            end_group(fan, at);
        rv_fan_rules_unref(rules);
    } else {
        taken->marks = rv_fan_marks_count(marks);
        taken->incomplete = work.incomplete;
        taken->missing_scopes = work.missing;
        taken->carried &= ~work.hanging;
        commit(fan, at);
        replace(fan, rules, marks);
    }
    pthread_mutex_unlock(&fan->lock);
    wake(fan);
    return r;
}

int rv_fan_swap(struct rv_fan *fan, const struct rv_fan_set *set, struct rv_fan_taken *ret_taken)
{
    struct rv_fan_taken taken;
    struct fan_rules *rules = NULL;
    int r = rv_fan_rules_new(&rules, set, &taken);

    if (r == 0) {
        pthread_mutex_lock(&fan->change);
        pthread_mutex_lock(&fan->lock);
        if (fan->observe) {
            replace(fan, rules, NULL);
            rules = NULL;
        }
        pthread_mutex_unlock(&fan->lock);
        if (rules)
            r = install(fan, rules, &taken);
        pthread_mutex_unlock(&fan->change);
    }
    if (ret_taken)
        *ret_taken = taken;
    return r;
}

int rv_fan_observe(struct rv_fan *fan, bool observe)
{
    struct rv_fan_taken taken;
    struct fan_rules *rules;
    int r = 0;

    if (observe) { /* not behind `change`: a swap that takes its time must not delay a stop */
        pthread_mutex_lock(&fan->lock);
        fan->observe = true;
        fan->epoch++;
        for (unsigned i = 0; i < GROUPS; i++)
            end_group(fan, i);
        pthread_mutex_unlock(&fan->lock);
        wake(fan);
        return 0;
    }
    pthread_mutex_lock(&fan->change);
    pthread_mutex_lock(&fan->lock);
    rules = fan->observe ? fan->rules : NULL;
    if (rules)
        rules->refs++;
    fan->observe = false;
    pthread_mutex_unlock(&fan->lock);
    if (rules)
        r = install(fan, rules, &taken);
    pthread_mutex_unlock(&fan->change);
    return r;
}

/* ---- New names ---- */

int rv_fan_changes_fd(const struct rv_fan *fan)
{
    return fan->changes_fd;
}

/** Read what changed. @return did folders come? `ret_renamed`: does a given name mean another? */
static bool read_changes(struct rv_fan *fan, bool *ret_renamed)
{
    _Alignas(struct inotify_event) char room[4096];
    bool folders = false;
    ssize_t len;

    while ((len = read(fan->changes_fd, room, sizeof(room))) > 0) {
        const struct inotify_event *event;

        for (const char *at = room; at < room + len; at += sizeof(*event) + event->len) {
            event = (const void *)at;
            if (event->mask & IN_Q_OVERFLOW)
                folders = *ret_renamed = true;
            folders = folders || (event->mask & IN_ISDIR);
            pthread_mutex_lock(&fan->lock);
            if (event->len > 0 && fan->marks &&
                rv_fan_marks_named(fan->marks, event->wd, event->name))
                *ret_renamed = true;
            pthread_mutex_unlock(&fan->lock);
        }
    }
    return folders;
}

int rv_fan_follow(struct rv_fan *fan)
{
    struct fan_marks_work work = { .fd = -1,
                                   .changes_fd = fan->changes_fd,
                                   .layer = fan->options.layer };
    struct fan_marks *marks = NULL;
    struct fan_rules *rules = NULL;
    bool renamed = false;
    int r = 0;

    pthread_mutex_lock(&fan->change);
    if (read_changes(fan, &renamed) || renamed) {
        pthread_mutex_lock(&fan->lock);
        for (unsigned i = 0; i < GROUPS; i++) {
            if (fan->groups[i].state == GROUP_ACTIVE)
                work.fd = fan->groups[i].fd;
        }
        rules = work.fd < 0 ? NULL : fan->rules; /* stays: nobody else may change it now */
        pthread_mutex_unlock(&fan->lock);
    }
    if (rules) {
        work.rules = rules;
        r = rv_fan_marks_new(&marks, &work);
        pthread_mutex_lock(&fan->lock);
        if (fan->observe)
            r = 0; /* stopped meanwhile: nothing to mark */
        if (marks && !fan->observe) {
            struct fan_marks *old = fan->marks;

            fan->marks = marks;
            marks = old;
            fan->epoch++; /* a folder that came may have moved from where other rules hold */
        }
        rv_fan_marks_free(&marks);
        pthread_mutex_unlock(&fan->lock);
    }
    pthread_mutex_unlock(&fan->change);
    return r < 0 ? r : renamed;
}

/* ---- The loop ---- */

static void note_overflow(struct rv_fan *fan)
{
    const struct rv_refusal_record record = {
        .time_boot_ns = rv_fan_now_ns(),
        .verdict = RV_REFUSAL_LAPSED,
        .mechanism = RV_BY_FANOTIFY,
        .name = "(the kernel's queue was full: some passed unasked)",
    };

    pthread_mutex_lock(&fan->lock);
    fan->counts.overflows++;
    rv_fan_say(fan, &record);
    pthread_mutex_unlock(&fan->lock);
}

/** How long the opener waited for our part; past the budget at p99.9 all passes from now on. */
static void note_latency(struct rv_fan *fan, uint64_t ns)
{
    unsigned step = ns ? 63 - (unsigned)__builtin_clzll(ns) : 0;
    uint64_t budget_ns, over = 0;

    fan->latency[step < LATENCY_STEPS ? step : LATENCY_STEPS - 1]++;
    if (++fan->latency_calls < LATENCY_CALLS)
        return;
    pthread_mutex_lock(&fan->lock);
    budget_ns = fan->rules ? fan->rules->settings.latency_budget_ns : 0;
    for (unsigned i = 0; i < LATENCY_STEPS; i++) {
        over += budget_ns && (1ULL << i) >= budget_ns ? fan->latency[i] : 0;
        fan->latency[i] = 0;
    }
    if (over * 1000 > fan->latency_calls) {
        const struct rv_refusal_record record = { .time_boot_ns = rv_fan_now_ns(),
                                                  .verdict = RV_REFUSAL_DISARMED,
                                                  .mechanism = RV_BY_FANOTIFY };

        atomic_store(&fan->disarmed, true);
        rv_fan_say(fan, &record);
    }
    fan->latency_calls = 0;
    pthread_mutex_unlock(&fan->lock);
}

/** Answer what waits in a group, as far as one read takes. @return the time when done. */
static uint64_t serve(struct rv_fan *fan, unsigned at)
{
    const struct fanotify_event_metadata *event = fan->events;
    ssize_t len = read(fan->groups[at].fd, fan->events, sizeof(fan->events));
    uint64_t read_ns = rv_fan_now_ns(), now_ns = read_ns;
    struct asked asked = { .group = at };

    if (len <= 0)
        return now_ns;
    /* After the read: had the place been given to another group before, this is the other's; if
     * not, they are of a group that has ended, and who asked has long passed. */
    pthread_mutex_lock(&fan->lock);
    asked.generation = fan->groups[at].generation;
    asked.users = fan->rules && (fan->rules->needs & FAN_NEED_EUID);
    pthread_mutex_unlock(&fan->lock);
    for (; FAN_EVENT_OK(event, len); event = FAN_EVENT_NEXT(event, len)) {
        if (event->mask & FAN_Q_OVERFLOW) {
            note_overflow(fan);
            continue;
        }
        if (event->fd < 0)
            continue;
        atomic_store(&fan->busy_since_ns, now_ns);
        asked.tid = (uint32_t)event->pid;
        asked.event_fd = event->fd;
        asked.exec = event->mask & FAN_OPEN_EXEC_PERM;
        asked.now_ns = now_ns;
        rv_fan_decide(fan, &asked);
        now_ns = rv_fan_now_ns();
        note_latency(fan, now_ns - read_ns);
    }
    return now_ns;
}

/** What to poll, and until when. Groups that have nothing more to answer end here. */
static void prepare_poll(struct rv_fan *fan, struct pollfd fds[GROUPS + 1], uint64_t now_ns,
                         uint64_t *ret_deadline_ns)
{
    uint64_t wake_ns = UINT64_MAX;

    pthread_mutex_lock(&fan->lock);
    rv_fan_expire(fan, now_ns);
    for (unsigned i = 0; i < GROUPS; i++) {
        const struct group *group = &fan->groups[i];
        struct pollfd one = { .fd = group->fd, .events = POLLIN };

        if (group->state == GROUP_RETIRING) {
            uint64_t end_ns = group->retired_ns + RETIRE_NS;

            if (now_ns < end_ns)
                wake_ns = rv_min_u64(wake_ns, end_ns);
            else if (group->pending == 0 && poll(&one, 1, 0) == 0)
                end_group(fan, i);
        }
        fds[i] =
            (struct pollfd){ .fd = group->state == GROUP_NONE ? -1 : group->fd, .events = POLLIN };
    }
    fds[GROUPS] = (struct pollfd){ .fd = fan->wake_fd, .events = POLLIN };
    if (fan->counts.pending > 0)
        wake_ns = rv_min_u64(wake_ns, fan->next_deadline_ns);
    *ret_deadline_ns = wake_ns;
    pthread_mutex_unlock(&fan->lock);
}

int rv_fan_run(struct rv_fan *fan)
{
    uint64_t now_ns = rv_fan_now_ns(), deadline_ns;
    struct pollfd fds[GROUPS + 1];
    int r = 0;

    atomic_store(&fan->running, true);
    while (r == 0 && !atomic_load(&fan->stop)) {
        struct timespec wait = { 0 };
        uint64_t ignored;

        prepare_poll(fan, fds, now_ns, &deadline_ns);
        if (deadline_ns > now_ns)
            wait = (struct timespec){ .tv_sec = (time_t)((deadline_ns - now_ns) / RV_NS_PER_S),
                                      .tv_nsec = (long)((deadline_ns - now_ns) % RV_NS_PER_S) };
        atomic_store(&fan->busy_since_ns, 0);
        r = ppoll(fds, GROUPS + 1, deadline_ns == UINT64_MAX ? NULL : &wait, NULL);
        if (r <= 0 || fds[GROUPS].revents) /* else serving says what time it is */
            now_ns = rv_fan_now_ns();
        r = r < 0 && errno != EINTR ? -errno : 0;
        if (r == 0 && fds[GROUPS].revents)
            (void)!read(fan->wake_fd, &ignored, sizeof(ignored));
        for (unsigned i = 0; r == 0 && i < GROUPS; i++) {
            if (fds[i].revents & POLLIN)
                now_ns = serve(fan, i);
        }
    }
    atomic_store(&fan->running, false);
    return r;
}

void rv_fan_stop(struct rv_fan *fan)
{
    atomic_store(&fan->stop, true);
    wake(fan);
}

/* ---- Birth and end ---- */

/** One descriptor a pending question: all layers leave half of what may be open to the rest. */
static int limit_pending(struct rv_fan *fan)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    if (limit.rlim_cur < DESCRIPTORS_MIN)
        return -EMFILE;
    fan->pending_limit =
        (uint32_t)rv_min_u64(RV_FAN_PENDING_MAX, limit.rlim_cur / 2 / RV_FAN_LAYERS_);
    return 0;
}

static int open_all(struct rv_fan *fan)
{
    int r = limit_pending(fan), probe;

    if (r < 0)
        return r;
    fan->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    fan->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fan->records_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fan->changes_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fan->null_fd < 0 || fan->wake_fd < 0 || fan->records_fd < 0 || fan->changes_fd < 0)
        return -errno;
    for (unsigned i = 0; i < GROUPS; i++) {
        fan->groups[i].fd = fcntl(fan->null_fd, F_DUPFD_CLOEXEC, 0);
        if (fan->groups[i].fd < 0)
            return -errno;
    }
    if (getrandom(&fan->seed, sizeof(fan->seed), 0) != sizeof(fan->seed))
        return -EIO;
    r = rv_fan_source_open(&fan->source);
    if (r < 0)
        return r;
    r = rv_fan_cache_new(&fan->cache, fan->seed);
    if (r < 0)
        return r;
    probe = new_group(fan);
    if (probe < 0)
        return probe;
    rv_closep(&probe);
    return 0;
}

int rv_fan_open(struct rv_fan **ret_fan, const struct rv_fan_options *options)
{
    RV_AUTO(rv_fan_close) struct rv_fan *fan = calloc(1, sizeof(*fan));
    int r;

    if (!fan)
        return -ENOMEM;
    fan->options = *options;
    fan->next_deadline_ns = UINT64_MAX;
    fan->wake_fd = fan->records_fd = fan->changes_fd = fan->null_fd = -1;
    rv_fan_source_init(&fan->source);
    for (unsigned i = 0; i < GROUPS; i++)
        fan->groups[i].fd = -1;
    (void)pthread_mutex_init(&fan->change, NULL);
    (void)pthread_mutex_init(&fan->lock, NULL);
    r = open_all(fan);
    if (r < 0)
        return r;
    *ret_fan = RV_TAKE(fan);
    return 0;
}

void rv_fan_disown(struct rv_fan *fan)
{
    for (size_t i = 0; i < RV_FAN_PENDING_MAX; i++) {
        if (fan->pending[i].id)
            rv_closep(&fan->pending[i].event_fd);
    }
    for (unsigned i = 0; i < GROUPS; i++)
        rv_closep(&fan->groups[i].fd);
    rv_closep(&fan->wake_fd);
    rv_closep(&fan->records_fd);
    rv_closep(&fan->changes_fd);
    rv_closep(&fan->null_fd);
    rv_fan_source_close(&fan->source);
}

void rv_fan_close(struct rv_fan **fan)
{
    struct rv_fan *f = *fan;

    if (!f)
        return;
    rv_fan_disown(f);
    rv_fan_rules_unref(f->rules);
    rv_fan_marks_free(&f->marks);
    rv_fan_cache_free(&f->cache);
    (void)pthread_mutex_destroy(&f->change);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
    *fan = NULL;
}

/* ---- Small ones ---- */

void rv_fan_renew(struct rv_fan *fan, uint64_t ms)
{
    pthread_mutex_lock(&fan->lock);
    fan->lease_ns = rv_fan_now_ns() + ms * RV_NS_PER_MS;
    pthread_mutex_unlock(&fan->lock);
}

/** The place of a program in the table of kinds, or where it would go. */
static size_t kind_slot(const struct rv_fan *fan, struct fan_id program)
{
    size_t at = rv_mix64(program.inode ^ (uint64_t)program.dev << 40) & (KIND_SLOTS - 1);

    while (fan->kinds[at].id.inode && !fan_same(fan->kinds[at].id, program))
        at = (at + 1) & (KIND_SLOTS - 1);
    return at;
}

uint32_t rv_fan_kind_of(const struct rv_fan *fan, struct fan_id program)
{
    return fan->kinds[kind_slot(fan, program)].kind;
}

int rv_fan_know_program(struct rv_fan *fan, const char *path, uint32_t kind)
{
    struct known_program program = { .kind = kind };
    int r = rv_fan_identify(path, &program.id);
    size_t at;

    if (r < 0)
        return r;
    pthread_mutex_lock(&fan->lock);
    at = kind_slot(fan, program.id);
    if (!fan->kinds[at].id.inode && fan->kind_count == KINDS_MAX) {
        r = -ENOSPC;
    } else {
        fan->kind_count += !fan->kinds[at].id.inode;
        fan->kinds[at] = program;
        fan->epoch++;
    }
    pthread_mutex_unlock(&fan->lock);
    return r;
}

int rv_fan_protect(struct rv_fan *fan, const char *program)
{
    struct fan_id id;
    int r = rv_fan_identify(program, &id);

    if (r < 0)
        return r;
    pthread_mutex_lock(&fan->lock);
    if (fan->protected_program_count < PROTECTED_MAX)
        fan->protected_programs[fan->protected_program_count++] = id;
    else
        r = -ENOSPC;
    fan->epoch++;
    pthread_mutex_unlock(&fan->lock);
    return r;
}

int rv_fan_protect_process(struct rv_fan *fan, uint32_t tgid, uint64_t start_boot_ns)
{
    int r = 0;

    pthread_mutex_lock(&fan->lock);
    if (fan->protected_process_count < PROTECTED_MAX)
        fan->protected_processes[fan->protected_process_count++] =
            (struct process_id){ tgid, start_boot_ns };
    else
        r = -ENOSPC;
    fan->epoch++;
    pthread_mutex_unlock(&fan->lock);
    return r;
}

int rv_fan_records_fd(const struct rv_fan *fan)
{
    return fan->records_fd;
}

void rv_fan_counts(struct rv_fan *fan, struct rv_fan_counts *ret_counts)
{
    pthread_mutex_lock(&fan->lock);
    *ret_counts = fan->counts;
    pthread_mutex_unlock(&fan->lock);
}

int rv_fan_rule_counts(struct rv_fan *fan, size_t index, struct rv_rule_counts *ret_counts)
{
    int r = -ENOENT;

    pthread_mutex_lock(&fan->lock);
    if (fan->rules && index < fan->rules->count) {
        *ret_counts = fan->rule_counts[index];
        r = 0;
    }
    pthread_mutex_unlock(&fan->lock);
    return r;
}

uint64_t rv_fan_busy_ns(const struct rv_fan *fan)
{
    uint64_t since_ns = atomic_load(&fan->busy_since_ns);

    return since_ns ? rv_fan_now_ns() - since_ns : 0;
}

bool rv_fan_disarmed(const struct rv_fan *fan)
{
    return atomic_load(&fan->disarmed);
}

void rv_fan_rearm(struct rv_fan *fan)
{
    atomic_store(&fan->disarmed, false);
}
