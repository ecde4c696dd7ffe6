/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of openers that wait: what the policy says before the fact, and how long that is good
 * for. */
#include "enforcement_private.h"

#include <stdio.h>

static void put_text(struct rv_event_builder *builder, struct rv_event_str *field, const char *text,
                     size_t room)
{
    rv_event_put_str(builder, field, rv_span(text, strnlen(text, room)), RV_EVENT_PATH_MAX);
}

/** The question as the event that would follow. */
static const struct rv_event *to_event(struct rv_event_builder *builder,
                                       const struct rv_fan_question *question,
                                       struct rv_process_key process)
{
    struct rv_event *event;

    if (question->action == RV_DO_EXEC) {
        struct rv_event_process_exec *exec =
            (void *)(event = rv_event_begin(builder, RV_EVENT_PROCESS_EXEC));

        exec->inode = question->inode;
        exec->dev = question->dev;
        exec->ctime_ns = (uint64_t)question->ctime_ns;
        exec->euid = question->euid;
        put_text(builder, &exec->path, question->path, sizeof(question->path));
    } else {
        struct rv_event_file_open *open =
            (void *)(event = rv_event_begin(builder, RV_EVENT_FILE_OPEN));

        open->inode = question->inode;
        open->dev = question->dev;
        open->access = (question->action & RV_DO_READ ? RV_ACCESS_READ : 0) |
                       (question->action & RV_DO_WRITE ? RV_ACCESS_WRITE : 0);
        put_text(builder, &open->path, question->path, sizeof(question->path));
    }
    event->flags = RV_EVENT_F_INLINE;
    event->weight = 1;
    event->time_boot_ns = question->time_boot_ns;
    event->start_boot_ns = process.start_boot_ns;
    event->cgroup_id = question->cgroup_id;
    event->tgid = process.tgid;
    event->tid = question->tid;
    event->uid = question->uid;
    event->gid = question->gid;
    memcpy(event->comm, question->comm, sizeof(event->comm));
    return rv_event_end(builder);
}

/** Whether an enforced policy that refuses is among the reasons; shadows are counted. */
static bool refuses(struct rv_enforcement *enforcement, const struct rv_outcome *outcome,
                    uint32_t *ret_policy)
{
    const char *workload = outcome->process ? outcome->process->workload->name : NULL;
    bool refused = false;

    for (uint32_t i = 0; i < outcome->decision.reason_count; i++) {
        uint32_t policy = enforcement->policy_of[outcome->decision.reasons[i]];
        enum rv_stage stage;

        if (policy >= enforcement->rules->policy_count ||
            enforcement->rules->policies[policy].response == RV_RESPOND_ALERT)
            continue;
        stage =
            rv_stage_of(&enforcement->stages, enforcement->rules->policies[policy].name, workload);
        if (stage == RV_STAGE_ENFORCE)
            *ret_policy = policy;
        refused |= stage == RV_STAGE_ENFORCE;
        enforcement->counts[policy].denied += stage == RV_STAGE_ENFORCE;
        enforcement->counts[policy].would_deny += stage == RV_STAGE_SHADOW;
    }
    return refused;
}

static const char *const asked_actions[RV_ASKED_ACTIONS] = { "process.exec", "file.read",
                                                             "file.write" };

/** A stage that depends on the workload makes a decision depend on it too. */
static bool stages_by_workload(const struct rv_stages *stages)
{
    for (size_t i = 0; i < stages->count; i++) {
        if (!rv_streq(stages->settings[i].workload, "*"))
            return true;
    }
    return false;
}

void rv_enforcement_learn_stability(struct rv_enforcement *enforcement)
{
    const struct rv_bundle *bundle = enforcement->options.bundle;
    bool varies = stages_by_workload(&enforcement->stages);

    for (size_t i = 0; i < RV_ASKED_ACTIONS; i++)
        enforcement->stability[i] =
            varies ? RV_STABLE_NOT
                   : rv_rules_stability(&bundle->set, bundle->entities, asked_actions[i]);
}

static unsigned good_for(const struct rv_enforcement *enforcement, const char *action, bool refused)
{
    enum rv_stability stability = RV_STABLE_NOT;

    for (size_t i = 0; i < RV_ASKED_ACTIONS; i++) {
        if (rv_streq(asked_actions[i], action))
            stability = enforcement->stability[i];
    }
    switch (stability) {
    case RV_STABLE_BY_FILE:
        return refused ? RV_FAN_CACHE : RV_FAN_CACHE | RV_FAN_SETTLE;
    case RV_STABLE_BY_PROGRAM:
        return RV_FAN_CACHE;
    case RV_STABLE_NOT:
        break;
    }
    return 0;
}

/** The opener waits for a person, for as long as hold.inline_ms says. */
static void hold_opener(struct rv_enforcement *enforcement, const struct rv_fan_question *question,
                        uint32_t policy)
{
    struct rv_process_key process = rv_enforcement_key(
        enforcement, (struct rv_process_key){ question->start_boot_ns, question->tgid });
    struct rv_refusal_record record = {
        .start_boot_ns = process.start_boot_ns,
        .tgid = process.tgid,
        .uid = question->uid,
        .cgroup_id = question->cgroup_id,
        .inode = question->inode,
        .dev = question->dev,
        .program_inode = question->program_inode,
        .program_dev = question->program_dev,
        .digest = question->digest,
        .action = question->action,
        .policy = policy,
    };
    char path[sizeof(question->path) + 1];

    memcpy(record.comm, question->comm, sizeof(record.comm));
    (void)snprintf(path, sizeof(path), "%.*s", (int)sizeof(question->path), question->path);
    rv_enforcement_hold(enforcement, &record, path);
}

bool rv_enforcement_question(struct rv_enforcement *enforcement,
                             const struct rv_fan_question *question,
                             struct rv_channel_answer *ret_answer)
{
    RV_AUTO(rv_freep) struct rv_event_builder *builder = malloc(sizeof(*builder));
    struct rv_outcome outcome = { 0 };
    bool refused = true; /* without memory nothing can be told */
    uint32_t policy = RV_POLICY_JUDGE;
    struct rv_process_key process;
    unsigned rule = question->rules ? (unsigned)__builtin_ctzll(question->rules) : RV_RULES_MAX;

    if (question->held && enforcement->rules && rule < enforcement->rules->count) {
        hold_opener(enforcement, question, enforcement->rules->rules[rule].policy);
        return false;
    }

    if (builder && enforcement->rules) {
        process = rv_enforcement_key(
            enforcement, (struct rv_process_key){ question->start_boot_ns, question->tgid });
        rv_pipeline_ask(enforcement->options.pipeline, to_event(builder, question, process),
                        &outcome);
        refused = outcome.action && outcome.decision.effect == RV_EFFECT_DENY &&
                  refuses(enforcement, &outcome, &policy);
    }
    if (refused)
        rv_enforcement_log(enforcement, "answer",
                           json_pack("{ss ss ss sI sI}", "decision", "deny", "policy",
                                     rv_enforcement_policy_name(enforcement, policy), "action",
                                     outcome.action ? outcome.action : "?", "pid",
                                     (json_int_t)question->tgid, "uid", (json_int_t)question->uid));
    *ret_answer = (struct rv_channel_answer){
        .id = question->id,
        .verdict = refused ? RV_FAN_DENY : RV_FAN_ALLOW,
        .flags = outcome.action ? good_for(enforcement, outcome.action, refused) : 0,
    };
    return true;
}
