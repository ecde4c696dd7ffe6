/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/hold.h"

#include "base/clock.h"

static bool is_open(const struct rv_hold *hold)
{
    return hold->id && (hold->state == RV_HOLD_PENDING || hold->state == RV_HOLD_APPROVED);
}

static bool same_thing(const struct rv_grant *a, const struct rv_grant *b)
{
    return a->program_inode == b->program_inode && a->program_dev == b->program_dev &&
           a->file_inode == b->file_inode && a->file_dev == b->file_dev && a->uid == b->uid &&
           a->action == b->action && a->port == b->port &&
           memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/** The same action under the same policy; a frozen process is held once for itself. */
static bool same_action(const struct rv_hold *a, const struct rv_hold *b)
{
    if (a->kind != b->kind || a->digest != b->digest || !rv_streq(a->policy, b->policy))
        return false;
    if (a->kind == RV_HOLD_FROZEN)
        return a->tgid == b->tgid && a->start_boot_ns == b->start_boot_ns;
    return same_thing(&a->what, &b->what);
}

/** A free place, else that of the oldest one that is decided. */
static struct rv_hold *find_place(struct rv_holds *holds)
{
    struct rv_hold *oldest = NULL;

    for (size_t i = 0; i < RV_HOLDS_MAX; i++) {
        struct rv_hold *hold = &holds->items[i];

        if (!hold->id)
            return hold;
        if (!is_open(hold) && (!oldest || hold->id < oldest->id))
            oldest = hold;
    }
    return oldest;
}

int rv_hold_open(struct rv_holds *holds, const struct rv_hold *hold, struct rv_hold **ret_hold,
                 bool *ret_is_new)
{
    struct rv_hold *place;

    for (size_t i = 0; i < RV_HOLDS_MAX; i++) {
        if (is_open(&holds->items[i]) && same_action(&holds->items[i], hold)) {
            holds->items[i].tries++;
            *ret_hold = &holds->items[i];
            *ret_is_new = false;
            return 0;
        }
    }
    place = find_place(holds);
    if (!place)
        return -ENOSPC;
    *place = *hold;
    place->id = ++holds->last_id;
    place->state = RV_HOLD_PENDING;
    place->tries = 1;
    *ret_hold = place;
    *ret_is_new = true;
    return 0;
}

struct rv_hold *rv_hold_find(struct rv_holds *holds, uint64_t id)
{
    for (size_t i = 0; id && i < RV_HOLDS_MAX; i++) {
        if (holds->items[i].id == id)
            return &holds->items[i];
    }
    return NULL;
}

static int find_pending(struct rv_holds *holds, uint64_t id, struct rv_hold **ret_hold)
{
    struct rv_hold *hold = rv_hold_find(holds, id);

    if (!hold)
        return -ENOENT;
    if (hold->state != RV_HOLD_PENDING)
        return -EALREADY;
    *ret_hold = hold;
    return 0;
}

int rv_hold_approve(struct rv_holds *holds, uint64_t id, uint32_t by_uid, uint64_t now_boot_ns,
                    uint64_t approve_ms, struct rv_hold **ret_hold)
{
    struct rv_hold *hold = NULL;
    int r = find_pending(holds, id, &hold);

    if (r < 0)
        return r;
    if (by_uid == hold->what.uid)
        return -EPERM;
    hold->state = RV_HOLD_APPROVED;
    hold->decided_by_uid = by_uid;
    hold->expires_boot_ns = now_boot_ns + approve_ms * RV_NS_PER_MS;
    hold->what.expires_boot_ns = hold->expires_boot_ns;
    *ret_hold = hold;
    return 0;
}

int rv_hold_deny(struct rv_holds *holds, uint64_t id, uint32_t by_uid, struct rv_hold **ret_hold)
{
    struct rv_hold *hold = NULL;
    int r = find_pending(holds, id, &hold);

    if (r < 0)
        return r;
    hold->state = RV_HOLD_DENIED;
    hold->decided_by_uid = by_uid;
    *ret_hold = hold;
    return 0;
}

struct rv_hold *rv_hold_use(struct rv_holds *holds, const struct rv_grant *what)
{
    for (size_t i = 0; i < RV_HOLDS_MAX; i++) {
        struct rv_hold *hold = &holds->items[i];

        if (hold->id && hold->state == RV_HOLD_APPROVED && hold->kind == RV_HOLD_REFUSED &&
            same_thing(&hold->what, what)) {
            hold->state = RV_HOLD_USED;
            return hold;
        }
    }
    return NULL;
}

struct rv_hold *rv_hold_expire(struct rv_holds *holds, uint64_t now_boot_ns)
{
    for (size_t i = 0; i < RV_HOLDS_MAX; i++) {
        struct rv_hold *hold = &holds->items[i];

        if (is_open(hold) && now_boot_ns >= hold->expires_boot_ns) {
            hold->state = RV_HOLD_EXPIRED;
            return hold;
        }
    }
    return NULL;
}

struct rv_hold *rv_hold_outdate(struct rv_holds *holds, uint64_t digest)
{
    for (size_t i = 0; i < RV_HOLDS_MAX; i++) {
        struct rv_hold *hold = &holds->items[i];

        if (is_open(hold) && hold->kind == RV_HOLD_REFUSED && hold->digest != digest) {
            hold->state = RV_HOLD_EXPIRED;
            return hold;
        }
    }
    return NULL;
}

const char *rv_hold_state_name(enum rv_hold_state state)
{
    static const char *const names[] = {
        [RV_HOLD_PENDING] = "pending", [RV_HOLD_APPROVED] = "approved", [RV_HOLD_USED] = "used",
        [RV_HOLD_DENIED] = "denied",   [RV_HOLD_EXPIRED] = "expired",
    };

    return state < RV_COUNT(names) ? names[state] : "unknown";
}

json_t *rv_hold_to_json(const struct rv_hold *hold, uint64_t now_boot_ns)
{
    uint64_t left_s = is_open(hold) && hold->expires_boot_ns > now_boot_ns
                          ? (hold->expires_boot_ns - now_boot_ns) / RV_NS_PER_S
                          : 0;
    json_t *object = json_pack(
        "{sI ss ss ss ss ss sI sI sI sI sI}", "id", (json_int_t)hold->id, "state",
        rv_hold_state_name(hold->state), "kind",
        hold->kind == RV_HOLD_FROZEN ? "frozen" : "refused", "policy", hold->policy, "action",
        hold->action, "program", hold->program[0] ? hold->program : hold->comm, "uid",
        (json_int_t)hold->what.uid, "pid", (json_int_t)hold->tgid, "tries", (json_int_t)hold->tries,
        "age_s",
        (json_int_t)((now_boot_ns - rv_min_u64(hold->since_boot_ns, now_boot_ns)) / RV_NS_PER_S),
        "left_s", (json_int_t)left_s);

    if (!object)
        return NULL;
    /* Names of files are bytes; what is not UTF-8 is said as such. */
    if (json_object_set_new(object, "resource", json_string(hold->resource)) < 0)
        (void)json_object_set_new(object, "resource", json_string("(not UTF-8)"));
    if (hold->state == RV_HOLD_APPROVED || hold->state == RV_HOLD_USED ||
        hold->state == RV_HOLD_DENIED)
        (void)json_object_set_new(object, "decided_by_uid",
                                  json_integer((json_int_t)hold->decided_by_uid));
    if (hold->note[0])
        (void)json_object_set_new(object, "note", json_string(hold->note));
    return object;
}
