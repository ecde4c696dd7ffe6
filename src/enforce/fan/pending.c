/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that wait: their deadline, the judge's answers, a person's grants; and the records. */
#include "state.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Records and counts ---- */

/** The same, once more? Then a flood of them takes one place, as long as nobody has read it. */
static bool same_record(const struct rv_refusal_record *a, const struct rv_refusal_record *b)
{
    return a->tgid == b->tgid && a->start_boot_ns == b->start_boot_ns && a->inode == b->inode &&
           a->dev == b->dev && a->rules == b->rules && a->action == b->action &&
           a->verdict == b->verdict && a->uid == b->uid;
}

void rv_fan_say(struct rv_fan *fan, const struct rv_refusal_record *record)
{
    const uint64_t one = 1;
    size_t last = (fan->record_first + fan->record_count - 1) % RECORDS_MAX;

    rv_fan_count_rules(fan, record->rules, record->verdict);
    if (fan->record_count > 0 && same_record(&fan->records[last], record)) {
        fan->records[last].repeats += 1 + record->repeats;
        return;
    }
    if (fan->record_count == RECORDS_MAX) {
        fan->counts.records_lost++;
        return;
    }
    fan->records[(fan->record_first + fan->record_count++) % RECORDS_MAX] = *record;
    (void)!write(fan->records_fd, &one, sizeof(one));
}

void rv_fan_count_rules(struct rv_fan *fan, uint64_t rules, enum rv_refusal verdict)
{
    for (; rules; rules &= rules - 1)
        fan->rule_counts[__builtin_ctzll(rules)].by[verdict]++;
}

int rv_fan_drain(struct rv_fan *fan,
                 int (*put)(void *context, const struct rv_refusal_record *record), void *context)
{
    uint64_t ignored;
    int count = 0;

    (void)!read(fan->records_fd, &ignored, sizeof(ignored));
    for (;;) {
        struct rv_refusal_record record;
        bool found;
        int r;

        pthread_mutex_lock(&fan->lock);
        found = fan->record_count > 0;
        if (found) {
            record = fan->records[fan->record_first];
            fan->record_first = (fan->record_first + 1) % RECORDS_MAX;
            fan->record_count--;
        }
        pthread_mutex_unlock(&fan->lock);
        if (!found)
            return count;
        r = put(context, &record);
        if (r < 0)
            return r;
        count++;
    }
}

/* ---- Answers to the kernel ---- */

void rv_fan_respond(struct rv_fan *fan, unsigned group, int event_fd, bool allow)
{
    const struct fanotify_response response = { .fd = event_fd,
                                                .response = allow ? FAN_ALLOW : FAN_DENY };

    /* ENOENT: the opener was killed meanwhile, or its group has ended and it went on. */
    (void)!write(fan->groups[group].fd, &response, sizeof(response));
    (void)close(event_fd);
}

struct pending *rv_fan_pend(struct rv_fan *fan, unsigned group, uint64_t deadline_ns)
{
    uint32_t at = (uint32_t)(fan->questions % RV_FAN_PENDING_MAX); /* free, unless many wait */
    struct pending *question;

    if (fan->counts.pending >= fan->pending_limit)
        return NULL;
    while (fan->pending[at].id)
        at = (at + 1) % RV_FAN_PENDING_MAX;
    question = &fan->pending[at];
    /* A number names its place, and none is used twice. */
    *question = (struct pending){ .id = ++fan->questions * RV_FAN_PENDING_MAX + at,
                                  .deadline_ns = deadline_ns,
                                  .group = (uint8_t)group };
    fan->groups[group].pending++;
    fan->counts.pending++;
    if (fan->counts.pending > fan->counts.pending_max)
        fan->counts.pending_max = fan->counts.pending;
    fan->next_deadline_ns = rv_min_u64(fan->next_deadline_ns, deadline_ns);
    return question;
}

void rv_fan_finish(struct rv_fan *fan, struct pending *question, bool allow)
{
    rv_fan_respond(fan, question->group, question->event_fd, allow);
    fan->groups[question->group].pending--;
    fan->counts.pending--;
    question->id = 0;
}

void rv_fan_default(struct rv_fan *fan, struct pending *question)
{
    bool closed = question->closed || question->held;

    question->record.verdict = closed ? RV_REFUSAL_DENIED : RV_REFUSAL_LAPSED;
    rv_fan_say(fan, &question->record);
    if (!question->held)
        (*(closed ? &fan->counts.closed : &fan->counts.opened))++;
    rv_fan_finish(fan, question, !closed);
}

void rv_fan_expire(struct rv_fan *fan, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;

    if (now_ns < fan->next_deadline_ns)
        return;
    for (size_t i = 0; i < RV_FAN_PENDING_MAX && fan->counts.pending > 0; i++) {
        struct pending *question = &fan->pending[i];

        if (question->id && question->deadline_ns <= now_ns) {
            fan->counts.late += !question->held;
            rv_fan_default(fan, question);
        } else if (question->id) {
            next_ns = rv_min_u64(next_ns, question->deadline_ns);
        }
    }
    fan->next_deadline_ns = next_ns;
}

/* ---- The judge ---- */

/**
 * Tell the kernel not to ask about this file until it is modified. Evictable where it can be, so
 * that the mark does not keep the file in memory.
 */
static bool place_ignore_mark(int fan_fd, int event_fd, const struct fan_key *key)
{
    uint64_t mask = key->action == RV_DO_EXEC ? FAN_OPEN_EXEC_PERM : FAN_OPEN_PERM;
    unsigned add = FAN_MARK_ADD | FAN_MARK_IGNORED_MASK;
    struct statx st;

    if (fanotify_mark(fan_fd, add | FAN_MARK_EVICTABLE, mask, event_fd, NULL) < 0 &&
        (errno != EEXIST || fanotify_mark(fan_fd, add, mask, event_fd, NULL) < 0))
        return false;
    /* Modified between the look and the mark? The mark would not have noticed. */
    if (statx(event_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_CTIME, &st) == 0 &&
        st.stx_ctime.tv_sec * (int64_t)RV_NS_PER_S + st.stx_ctime.tv_nsec == key->ctime_ns)
        return true;
    (void)fanotify_mark(fan_fd, FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, mask, event_fd, NULL);
    return false;
}

void rv_fan_settle(struct rv_fan *fan, unsigned group, int event_fd, const struct fan_key *key)
{
    bool settled = fan->groups[group].state == GROUP_ACTIVE &&
                   place_ignore_mark(fan->groups[group].fd, event_fd, key);

    (*(settled ? &fan->counts.settled : &fan->counts.settle_failed))++;
}

/** Whoever waits with the very same question is answered too. */
static void finish_same(struct rv_fan *fan, const struct fan_key *key, bool allow)
{
    for (size_t i = 0; i < RV_FAN_PENDING_MAX; i++) {
        struct pending *question = &fan->pending[i];

        if (!question->id || question->held || memcmp(&question->key, key, sizeof(*key)) != 0)
            continue;
        if (!allow) {
            question->record.verdict = RV_REFUSAL_DENIED;
            rv_fan_say(fan, &question->record);
        }
        fan->counts.judged++;
        rv_fan_finish(fan, question, allow);
    }
}

static void take_answer(struct rv_fan *fan, struct pending *question, bool allow, unsigned flags)
{
    const struct fan_key key = question->key;
    const struct fan_cached value = { .rules = question->record.rules,
                                      .said_ns = rv_fan_now_ns(),
                                      .allow = allow,
                                      .refusal = allow ? RV_REFUSAL_ALLOWED : RV_REFUSAL_DENIED,
                                      .judged = 1 };
    bool current = question->cacheable && key.epoch >> 1 == fan->epoch;

    fan->counts.judged++;
    if ((flags & RV_FAN_SETTLE) && allow && current)
        rv_fan_settle(fan, question->group, question->event_fd, &key);
    if (!allow) {
        question->record.verdict = RV_REFUSAL_DENIED;
        rv_fan_say(fan, &question->record);
    }
    rv_fan_finish(fan, question, allow);
    if ((flags & RV_FAN_CACHE) && current) {
        fan->counts.evicted += rv_fan_cache_put(fan->cache, &key, &value);
        finish_same(fan, &key, allow);
    }
}

int rv_fan_answer(struct rv_fan *fan, uint64_t id, enum rv_fan_verdict verdict, unsigned flags)
{
    struct pending *question = &fan->pending[id % RV_FAN_PENDING_MAX];
    int r = -ENOENT;

    pthread_mutex_lock(&fan->lock);
    if (id != 0 && question->id == id && !(question->held && verdict == RV_FAN_ALLOW)) {
        take_answer(fan, question, verdict == RV_FAN_ALLOW, flags);
        r = 0;
    }
    pthread_mutex_unlock(&fan->lock);
    return r;
}

/* ---- A person ---- */

static bool fits(const struct rv_grant *grant, const struct pending *question)
{
    return grant->program_inode == question->program.inode &&
           grant->program_dev == question->program.dev &&
           grant->file_inode == question->file.inode && grant->file_dev == question->file.dev &&
           grant->uid == question->record.uid && grant->action == question->record.action;
}

bool rv_fan_use_grant(struct rv_fan *fan, const struct pending *question)
{
    for (size_t i = 0; i < GRANTS_MAX; i++) {
        if (fan->grants[i].expires_boot_ns > rv_fan_now_ns() && fits(&fan->grants[i], question)) {
            fan->grants[i].expires_boot_ns = 0;
            return true;
        }
    }
    return false;
}

int rv_fan_grant(struct rv_fan *fan, const struct rv_grant *grant)
{
    uint64_t now_ns = rv_fan_now_ns();
    int r = -ENOSPC;

    pthread_mutex_lock(&fan->lock);
    for (size_t i = 0; i < RV_FAN_PENDING_MAX && r < 0 && fan->counts.pending > 0; i++) {
        struct pending *question = &fan->pending[i];

        if (question->id && question->held && grant->expires_boot_ns > now_ns &&
            fits(grant, question)) {
            question->record.verdict = RV_REFUSAL_GRANTED;
            rv_fan_say(fan, &question->record);
            rv_fan_finish(fan, question, true);
            r = 0; /* used up */
        }
    }
    for (size_t i = 0; i < GRANTS_MAX && r < 0; i++) {
        if (fan->grants[i].expires_boot_ns <= now_ns) {
            fan->grants[i] = *grant;
            fan->epoch++; /* refusals in the cache know nothing of it */
            r = 0;
        }
    }
    pthread_mutex_unlock(&fan->lock);
    return r;
}
