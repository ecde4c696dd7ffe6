/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcement_private.h"

#include "base/fd.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define STAGES_MAX ((size_t)256 * 1024)

/* ---- Words ---- */

const char *rv_enforcement_policy_name(const struct rv_enforcement *enforcement, uint32_t policy)
{
    if (policy == RV_POLICY_SELF)
        return "self-protection";
    if (policy == RV_POLICY_JUDGE)
        return "asked";
    return enforcement->rules && policy < enforcement->rules->policy_count
               ? enforcement->rules->policies[policy].name
               : "?";
}

/** Bytes that people wrote, as a JSON string; what is not UTF-8 becomes question marks. */
json_t *rv_enforcement_text(const char *data, size_t len)
{
    json_t *string = json_stringn(data, len);
    RV_AUTO(rv_freep) char *copy = string ? NULL : malloc(len + 1);

    if (string || !copy)
        return string;
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)data[i] < 0x80 ? data[i] : '?';
    return json_stringn(copy, len);
}

json_t *rv_enforcement_policy_json(const struct rv_enforcement *enforcement, uint32_t policy)
{
    const char *name = rv_enforcement_policy_name(enforcement, policy);

    return rv_enforcement_text(name, strlen(name));
}

json_t *rv_enforcement_comm_json(const char comm[16])
{
    return rv_enforcement_text(comm, strnlen(comm, 16));
}

json_t *rv_enforcement_process_json(uint32_t tgid, uint64_t start_boot_ns)
{
    return json_sprintf("%" PRIu32 ".%" PRIu64, tgid, start_boot_ns);
}

json_t *rv_enforcement_digest_json(uint64_t digest)
{
    const uint8_t *bytes = (const uint8_t *)&digest;
    char hex[17];

    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return json_string(hex);
}

/** Watchers see the same as the log. Changes `members`, which is in the log already. */
void rv_enforcement_show(struct rv_enforcement *enforcement, const char *type, json_t *members)
{
    if (members && json_object_set_new(members, "enforced", json_string(type)) == 0)
        enforcement->options.show(enforcement->options.context, members);
}

int rv_enforcement_append(struct rv_enforcement *enforcement, const char *type, json_t *members,
                          rv_audit_done_fn *durable, void *context)
{
    struct rv_audit *audit = enforcement->options.audit;

    if (!audit)
        return -ENOSPC;
    return members ? rv_audit_append_json(audit, type, members, durable, context, NULL) : -ENOMEM;
}

void rv_enforcement_log(struct rv_enforcement *enforcement, const char *type, json_t *members)
{
    int r = rv_enforcement_append(enforcement, type, members, NULL, NULL);

    if (r < 0)
        rv_debug("an entry %s did not get into the log: %s", type, strerror(-r));
    rv_enforcement_show(enforcement, type, members);
    json_decref(members);
}

void rv_enforcement_tell(struct rv_enforcement *enforcement, enum rv_channel_type type,
                         const void *data, size_t len)
{
    if (enforcement->options.tell(enforcement->options.context, type, rv_span(data, len)) < 0)
        rv_debug("the guard could not be told");
}

struct rv_process_key rv_enforcement_key(const struct rv_enforcement *enforcement,
                                         struct rv_process_key process)
{
    const struct rv_features *features = rv_pipeline_features(enforcement->options.pipeline);
    const struct rv_process *live = rv_features_live(features, process.tgid);
    const uint64_t tick_ns = RV_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

    return live && live->key.start_boot_ns / tick_ns == process.start_boot_ns / tick_ns ? live->key
                                                                                        : process;
}

void rv_enforcement_copy(char *to, size_t room, const char *data, size_t len)
{
    size_t n = rv_min_u64(len, room - 1);

    memcpy(to, data, n);
    to[n] = '\0';
}

/* ---- Stages on disk ---- */

static int load_stages(struct rv_enforcement *enforcement)
{
    RV_AUTO(rv_freep) char *text = NULL;
    RV_AUTO(rv_json_freep) json_t *list = NULL;
    size_t len;
    int r = rv_read_file(enforcement->options.state_fd, RV_STAGES_NAME, STAGES_MAX, &text, &len);

    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = rv_json_parse(rv_span(text, len), &list, NULL);
    if (r == 0)
        r = rv_stages_from_json(&enforcement->stages, list);
    return r == -EINVAL || r == -E2BIG ? -EBADMSG : r;
}

/* ---- Time ---- */

static void expire_holds(struct rv_enforcement *enforcement)
{
    uint64_t now = enforcement->options.clock.boot_ns(enforcement->options.clock.context);
    struct rv_hold *hold;

    while ((hold = rv_hold_expire(&enforcement->holds, now)) ||
           (hold = rv_hold_outdate(&enforcement->holds, enforcement->digest)))
        rv_enforcement_log(enforcement, "hold.expired", rv_hold_to_json(hold, now));
}

void rv_enforcement_tick(struct rv_enforcement *enforcement, bool log_good)
{
    bool changed = log_good != enforcement->log_good;

    enforcement->log_good = log_good;
    /* A log that takes nothing is as a judge that says nothing, but for the scopes that say so. */
    if (log_good)
        rv_enforcement_tell(enforcement, RV_CHANNEL_HEALTH, NULL, 0);
    if (changed)
        rv_enforcement_send_rules(enforcement);
    rv_enforcement_follow_workloads(enforcement);
    expire_holds(enforcement);
    if (enforcement->unlogged > 0)
        rv_enforcement_log(enforcement, "refusal.more",
                           json_pack("{sI}", "count", (json_int_t)enforcement->unlogged));
    enforcement->unlogged = 0;
    enforcement->logged_this_second = 0;
}

void rv_enforcement_start(struct rv_enforcement *enforcement)
{
    rv_enforcement_send_rules(enforcement);
    if (enforcement->log_good)
        rv_enforcement_tell(enforcement, RV_CHANNEL_HEALTH, NULL, 0);
}

/* ---- Status, life ---- */

const char *rv_enforcement_mode(const struct rv_enforcement *enforcement)
{
    return rv_stage_name(rv_stage_of(&enforcement->stages, NULL, NULL));
}

/** As packages' digests begin. */
static json_t *model_json(uint64_t digest)
{
    return digest ? json_sprintf("%016llx", (unsigned long long)digest) : json_null();
}

static const char *why_words(uint64_t model, uint32_t why)
{
    static const char *const words[RV_SLOT_WHY_COUNT_] = {
        [RV_SLOT_NO_MODEL] = "no package speaks",
        [RV_SLOT_PINNED] = "pinned by the configuration",
        [RV_SLOT_FOLLOWS] = "follows the package",
        [RV_SLOT_NO_HEAD] = "the package carries none for the kernel",
        [RV_SLOT_REFUSED] = "refused",
    };

    if (!model && (why == RV_SLOT_PINNED || why == RV_SLOT_FOLLOWS))
        return "waits for rules that BPF LSM refuses by";
    return why < RV_SLOT_WHY_COUNT_ ? words[why] : "?";
}

json_t *rv_enforcement_slots_json(const struct rv_channel_scores *scores)
{
    return json_pack("{so ss so ss ss*}", "model", model_json(scores->model), "model_why",
                     why_words(scores->model, scores->live_why), "shadow",
                     model_json(scores->shadow), "shadow_why",
                     why_words(scores->shadow, scores->shadow_why), "error",
                     scores->error ? strerror(-scores->error) : NULL);
}

/** What the kernel's slots hold and did. */
static json_t *scores_json(const struct rv_channel_scores *scores)
{
    json_t *kernel = rv_enforcement_slots_json(scores);

    if (kernel && scores->model)
        (void)json_object_update_new(
            kernel, json_pack("{sI sI sI sI sI}", "scored", (json_int_t)scores->scored, "missed",
                              (json_int_t)scores->missed, "shadowed", (json_int_t)scores->shadowed,
                              "live_only", (json_int_t)scores->only_live, "shadow_only",
                              (json_int_t)scores->only_shadow));
    return kernel;
}

json_t *rv_enforcement_status(const struct rv_enforcement *enforcement)
{
    const struct rv_channel_enforcing *guard = &enforcement->guard;
    struct rv_policy_counts sum = { 0 };
    json_t *by = json_array();
    uint32_t waiting = 0;

    for (uint32_t i = 0; enforcement->rules && i < enforcement->rules->policy_count; i++) {
        sum.denied += enforcement->counts[i].denied;
        sum.would_deny += enforcement->counts[i].would_deny;
        sum.passed += enforcement->counts[i].passed;
        sum.granted += enforcement->counts[i].granted;
        sum.acted += enforcement->counts[i].acted;
    }
    for (unsigned m = RV_BY_LSM; m < RV_MECHANISMS_; m++) {
        if (guard->mechanisms & 1U << m)
            json_array_append_new(by, json_string(rv_mechanism_name((enum rv_mechanism)m)));
    }
    for (size_t i = 0; i < RV_HOLDS_MAX; i++)
        waiting +=
            enforcement->holds.items[i].id && enforcement->holds.items[i].state == RV_HOLD_PENDING;
    return json_pack(
        "{ss so sb sI sI sI sI sI sI sI sI sb sb sI so*}", "mode", rv_enforcement_mode(enforcement),
        "mechanisms", by, "opening", (int)guard->opening, "rules", (json_int_t)guard->rules,
        "denied", (json_int_t)sum.denied, "would_deny", (json_int_t)sum.would_deny, "passed",
        (json_int_t)sum.passed, "granted", (json_int_t)sum.granted, "acted", (json_int_t)sum.acted,
        "held", (json_int_t)waiting, "standing", (json_int_t)guard->standing, "stopped",
        (int)guard->stopped, "boot_guarded", (int)guard->boot_guarded, "lost",
        (json_int_t)guard->lost, "kernel", scores_json(&guard->scores));
}

int rv_enforcement_new(struct rv_enforcement **ret_enforcement,
                       const struct rv_enforcement_options *options)
{
    struct rv_enforcement *enforcement = calloc(1, sizeof(*enforcement));
    int r;

    if (!enforcement)
        return -ENOMEM;
    enforcement->options = *options;
    enforcement->log_good = options->audit != NULL;
    enforcement->stages.ceiling = RV_STAGE_ENFORCE;
    enforcement->stages.fallback = (enum rv_stage)options->config->mode;
    enforcement->risks = calloc(RV_RISKS_MAX, sizeof(*enforcement->risks));
    r = enforcement->risks ? load_stages(enforcement) : -ENOMEM;
    if (r < 0) {
        rv_enforcement_free(&enforcement);
        return r;
    }
    *ret_enforcement = enforcement;
    return 0;
}

void rv_enforcement_free(struct rv_enforcement **enforcement)
{
    if (!*enforcement)
        return;
    rv_rules_free(&(*enforcement)->rules);
    rv_buf_done(&(*enforcement)->snapshot);
    free((*enforcement)->risks);
    free((*enforcement)->counts);
    free((*enforcement)->policy_of);
    free(*enforcement);
    *enforcement = NULL;
}
