/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard says: refusals, results of actions, snapshots, and how it enforces. */
#include "enforcement_private.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>

#define SNAPSHOT_MAX ((size_t)512 * 1024)

#define RECEIPTS_A_SECOND 200U /* of refusals; what is beyond is counted and said as a number */

/* ---- What the guard says ---- */

static void log_refusal(struct rv_enforcement *enforcement, const struct rv_refusal_record *record)
{
    json_t *members;

    if (++enforcement->logged_this_second > RECEIPTS_A_SECOND) {
        enforcement->unlogged += 1 + record->repeats;
        return;
    }
    members =
        json_pack("{ss ss ss so so so sI sI sI so so sI sI}", "verdict",
                  rv_refusal_name((enum rv_refusal)record->verdict), "mechanism",
                  rv_mechanism_name((enum rv_mechanism)record->mechanism), "action",
                  rv_do_name(record->action) ? rv_do_name(record->action) : "?", "policy",
                  rv_enforcement_policy_json(enforcement, record->policy), "process",
                  rv_enforcement_process_json(record->tgid, record->start_boot_ns), "comm",
                  rv_enforcement_comm_json(record->comm), "uid", (json_int_t)record->uid,
                  "cgroup_id", (json_int_t)record->cgroup_id, "risk", (json_int_t)record->risk,
                  "name", rv_enforcement_text(record->name, strnlen(record->name, 64)), "set",
                  rv_enforcement_digest_json(record->digest), "inode", (json_int_t)record->inode,
                  "repeats", (json_int_t)record->repeats);
    if (members && record->port)
        (void)json_object_set_new(members, "port", json_integer((json_int_t)record->port));
    rv_enforcement_log(enforcement, "refusal", members);
}

static void count_refusal(struct rv_enforcement *enforcement,
                          const struct rv_refusal_record *record)
{
    struct rv_policy_counts *counts = &enforcement->counts[record->policy];
    uint64_t n = 1 + (uint64_t)record->repeats;

    if (record->verdict == RV_REFUSAL_DENIED)
        counts->denied += n;
    else if (record->verdict == RV_REFUSAL_WOULD_DENY)
        counts->would_deny += n;
    else if (record->verdict == RV_REFUSAL_GRANTED)
        counts->granted += n;
    else
        counts->passed += n;
}

static struct rv_grant what_of(const struct rv_refusal_record *record)
{
    struct rv_grant what = {
        .file_inode = record->inode,
        .file_dev = record->dev,
        .program_inode = record->program_inode,
        .program_dev = record->program_dev,
        .uid = record->uid,
        .action = record->action,
        .port = record->port,
    };

    memcpy(what.addr, record->addr, sizeof(what.addr));
    return what;
}

void rv_enforcement_hold(struct rv_enforcement *enforcement, const struct rv_refusal_record *record,
                         const char *resource)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    const char *name = rv_enforcement_policy_name(enforcement, record->policy);
    const char *action = rv_do_name(record->action);
    const struct rv_process *process =
        rv_features_process(rv_pipeline_features(enforcement->options.pipeline),
                            (struct rv_process_key){ record->start_boot_ns, record->tgid });
    struct rv_hold hold = {
        .kind = RV_HOLD_REFUSED,
        .what = what_of(record),
        .digest = record->digest,
        .tgid = record->tgid,
        .start_boot_ns = record->start_boot_ns,
        .cgroup_id = record->cgroup_id,
        .since_boot_ns = now,
        .expires_boot_ns = now + enforcement->options.config->hold_s * RV_NS_PER_S,
    };
    struct rv_hold *opened = NULL;
    bool is_new = false;

    rv_enforcement_copy(hold.policy, sizeof(hold.policy), name, strlen(name));
    rv_enforcement_copy(hold.action, sizeof(hold.action), action ? action : "?",
                        strlen(action ? action : "?"));
    rv_enforcement_copy(hold.resource, sizeof(hold.resource), resource, strlen(resource));
    rv_enforcement_copy(hold.comm, sizeof(hold.comm), record->comm, strnlen(record->comm, 16));
    if (process)
        rv_enforcement_copy(hold.program, sizeof(hold.program), process->program->path,
                            process->program->path_len);
    if (rv_hold_open(&enforcement->holds, &hold, &opened, &is_new) < 0)
        rv_warning("too many actions are held; 'reeve hold list' shows them");
    else if (is_new)
        rv_enforcement_log(enforcement, "hold", rv_hold_to_json(opened, now));
}

/** A held rule refused it: from now on a person may let it pass, once. */
static void hold_refused(struct rv_enforcement *enforcement, const struct rv_refusal_record *record)
{
    char name[sizeof(record->name) + 1];

    rv_enforcement_copy(name, sizeof(name), record->name,
                        strnlen(record->name, sizeof(record->name)));
    rv_enforcement_hold(enforcement, record, name);
}

static int on_refusal(struct rv_enforcement *enforcement, struct rv_span payload)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    struct rv_refusal_record record;
    struct rv_grant what;
    struct rv_hold *used;

    memcpy(&record, payload.data, sizeof(record));
    record.start_boot_ns =
        rv_enforcement_key(enforcement,
                           (struct rv_process_key){ record.start_boot_ns, record.tgid })
            .start_boot_ns;
    if (record.policy == RV_POLICY_SELF || record.policy == RV_POLICY_JUDGE) {
        log_refusal(enforcement, &record);
        return 0;
    }
    if (!enforcement->rules || record.policy >= enforcement->rules->policy_count)
        return 0; /* of a set that is gone */
    count_refusal(enforcement, &record);
    log_refusal(enforcement, &record);
    if (record.verdict == RV_REFUSAL_DENIED &&
        enforcement->rules->policies[record.policy].response == RV_RESPOND_HOLD)
        hold_refused(enforcement, &record);
    what = what_of(&record);
    used = record.verdict == RV_REFUSAL_GRANTED ? rv_hold_use(&enforcement->holds, &what) : NULL;
    if (used)
        rv_enforcement_log(enforcement, "hold.used", rv_hold_to_json(used, now));
    return 0;
}

static void tell_error(struct rv_enforcement *enforcement)
{
    const struct rv_channel_enforcing *guard = &enforcement->guard;
    uint32_t policy = enforcement->rules && guard->error_rule < enforcement->rules->count
                          ? enforcement->rules->rules[guard->error_rule].policy
                          : UINT32_MAX;

    rv_enforcement_log(enforcement, "enforcement.error",
                       json_pack("{ss ss ss so}", "step", "rules", "mechanism",
                                 rv_mechanism_name((enum rv_mechanism)guard->error_mechanism),
                                 "error", strerror(-guard->error), "policy",
                                 rv_enforcement_policy_json(enforcement, policy)));
}

static bool same_slots(const struct rv_channel_scores *a, const struct rv_channel_scores *b)
{
    return a->model == b->model && a->shadow == b->shadow && a->live_why == b->live_why &&
           a->shadow_why == b->shadow_why && a->error == b->error;
}

static int on_enforcing(struct rv_enforcement *enforcement, struct rv_span payload)
{
    struct rv_channel_enforcing before = enforcement->guard, *now = &enforcement->guard;

    memcpy(now, payload.data, sizeof(*now));
    if (now->error != 0 && (now->error != before.error || now->error_rule != before.error_rule))
        tell_error(enforcement);
    if (now->stopped != before.stopped || now->boot_guarded != before.boot_guarded ||
        now->disarmed != before.disarmed || now->mechanisms != before.mechanisms ||
        now->rules != before.rules || now->lost != before.lost)
        rv_enforcement_log(
            enforcement, "enforcement",
            json_pack("{sb sb sI sI sI sI so}", "stopped", (int)now->stopped, "boot_guarded",
                      (int)now->boot_guarded, "mechanisms", (json_int_t)now->mechanisms, "disarmed",
                      (json_int_t)now->disarmed, "lost", (json_int_t)now->lost, "rules",
                      (json_int_t)now->rules, "set", rv_enforcement_digest_json(now->digest)));
    if (!same_slots(&now->scores, &before.scores))
        rv_enforcement_log(enforcement, "kernel.model", rv_enforcement_slots_json(&now->scores));
    if (enforcement->rules && now->offered != enforcement->offered)
        rv_enforcement_send_rules(enforcement); /* what did not work is another's to do */
    return 0;
}

static const char *outcome_name(uint32_t outcome)
{
    static const char *const names[] = { [RV_ACT_REFUSED] = "refused: the target is protected",
                                         [RV_ACT_OVER_BUDGET] = "over budget: alert and hold",
                                         [RV_ACT_GONE] = "gone",
                                         [RV_ACT_DRY] = "dry run",
                                         [RV_ACT_DONE] = "done" };

    return outcome < RV_COUNT(names) ? names[outcome] : "?";
}

/** From what happened to the answer to it; 0 when a person asked. */
static uint64_t latency_us(const struct rv_enforcement *enforcement,
                           const struct rv_pending_act *pending)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);

    return pending->event_boot_ns && now > pending->event_boot_ns
               ? (now - pending->event_boot_ns) / 1000
               : 0;
}

static int on_acted(struct rv_enforcement *enforcement, struct rv_span payload)
{
    struct rv_pending_act *pending = NULL;
    struct rv_channel_acted acted;
    struct rv_hold *hold;

    memcpy(&acted, payload.data, sizeof(acted));
    for (size_t i = 0; acted.request && i < RV_ACTS_MAX; i++) {
        if (enforcement->acts[i].request == acted.request)
            pending = &enforcement->acts[i];
    }
    if (!pending)
        return 0;
    hold = rv_hold_find(&enforcement->holds, pending->hold);
    if (hold && acted.error == 0)
        hold->standing = acted.number;
    rv_enforcement_log(
        enforcement, pending->act.action == RV_ACT_NONE ? "undo.result" : "action.result",
        json_pack("{so sI so ss sI ss}", "process",
                  rv_enforcement_process_json(pending->act.process.tgid,
                                              pending->act.process.start_boot_ns),
                  "latency_us", (json_int_t)latency_us(enforcement, pending), "how",
                  rv_enforcement_text(acted.how, strnlen(acted.how, sizeof(acted.how))), "outcome",
                  acted.error ? "failed" : outcome_name(acted.outcome), "number",
                  (json_int_t)acted.number, "error", acted.error ? strerror(-acted.error) : ""));
    pending->request = 0;
    return 0;
}

static int on_snapshot(struct rv_enforcement *enforcement, struct rv_span payload)
{
    struct rv_channel_snapshot head;
    json_t *snapshot = NULL;

    if (payload.len < sizeof(head))
        return -EBADMSG;
    memcpy(&head, payload.data, sizeof(head));
    if (head.request != enforcement->snapshot_request) {
        rv_buf_clear(&enforcement->snapshot);
        enforcement->snapshot.len_max = SNAPSHOT_MAX;
        enforcement->snapshot_request = head.request;
    }
    rv_buf_add(&enforcement->snapshot, payload.data + sizeof(head), payload.len - sizeof(head));
    if (!head.last)
        return 0;
    if (!enforcement->snapshot.failed &&
        rv_json_parse(rv_buf_span(&enforcement->snapshot), &snapshot, NULL) == 0)
        rv_enforcement_log(enforcement, "snapshot", json_pack("{so}", "process", snapshot));
    rv_buf_clear(&enforcement->snapshot);
    enforcement->snapshot_request = 0;
    return 0;
}

int rv_enforcement_packet(struct rv_enforcement *enforcement, enum rv_channel_type type,
                          struct rv_span payload)
{
    static const struct {
        int (*handle)(struct rv_enforcement *enforcement, struct rv_span payload);
        size_t len; /* 0: it looks itself */
    } packets[RV_CHANNEL_TYPE_COUNT_] = {
        [RV_CHANNEL_ENFORCING] = { on_enforcing, sizeof(struct rv_channel_enforcing) },
        [RV_CHANNEL_REFUSAL] = { on_refusal, sizeof(struct rv_refusal_record) },
        [RV_CHANNEL_ACTED] = { on_acted, sizeof(struct rv_channel_acted) },
        [RV_CHANNEL_SNAPSHOT] = { on_snapshot, 0 },
    };

    if (!packets[type].handle || (packets[type].len && payload.len != packets[type].len))
        return -EBADMSG;
    return packets[type].handle(enforcement, payload);
}
