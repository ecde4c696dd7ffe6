/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stage.h"

static bool names_any(const char *name)
{
    return !name || rv_streq(name, "*");
}

static bool covers(const char *said, const char *asked)
{
    return rv_streq(said, "*") || (asked && rv_streq(said, asked));
}

/** How much a setting names: a policy counts more than a workload. */
static int weight_of(const struct rv_stage_setting *setting)
{
    return 2 * !names_any(setting->policy) + !names_any(setting->workload);
}

enum rv_stage rv_stage_of(const struct rv_stages *stages, const char *policy, const char *workload)
{
    enum rv_stage stage = stages->fallback;
    int best = -1;

    for (size_t i = 0; i < stages->count; i++) {
        const struct rv_stage_setting *setting = &stages->settings[i];

        if (!covers(setting->policy, policy) || !covers(setting->workload, workload) ||
            weight_of(setting) <= best)
            continue;
        best = weight_of(setting);
        stage = setting->stage;
    }
    return stage < stages->ceiling ? stage : stages->ceiling;
}

static struct rv_stage_setting *find(struct rv_stages *stages, const char *policy,
                                     const char *workload)
{
    for (size_t i = 0; i < stages->count; i++) {
        if (rv_streq(stages->settings[i].policy, policy) &&
            rv_streq(stages->settings[i].workload, workload))
            return &stages->settings[i];
    }
    return NULL;
}

int rv_stage_set(struct rv_stages *stages, const struct rv_stage_setting *setting)
{
    struct rv_stage_setting *place;

    if (!memchr(setting->policy, '\0', RV_STAGE_NAME_MAX) ||
        !memchr(setting->workload, '\0', RV_STAGE_NAME_MAX))
        return -ENAMETOOLONG;
    place = find(stages, setting->policy, setting->workload);
    if (!place) {
        if (stages->count == RV_STAGE_SETTINGS_MAX)
            return -ENOSPC;
        place = &stages->settings[stages->count++];
    }
    *place = *setting;
    return 0;
}

int rv_stage_unset(struct rv_stages *stages, const char *policy, const char *workload)
{
    struct rv_stage_setting *place = find(stages, policy, workload);

    if (!place)
        return -ENOENT;
    *place = stages->settings[--stages->count];
    return 0;
}

json_t *rv_stages_to_json(const struct rv_stages *stages)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < stages->count; i++) {
        const struct rv_stage_setting *setting = &stages->settings[i];
        json_t *row = json_pack("{ss ss ss sI sI}", "policy", setting->policy, "workload",
                                setting->workload, "stage", rv_stage_name(setting->stage), "by_uid",
                                (json_int_t)setting->by_uid, "time", (json_int_t)setting->unix_us);

        if (json_array_append_new(list, row) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int read_setting(const json_t *row, struct rv_stage_setting *ret_setting)
{
    const char *policy = NULL, *workload = NULL, *stage = NULL;
    json_int_t by = 0, time = 0;

    if (json_unpack((json_t *)(uintptr_t)row, "{ss ss ss sI sI}", "policy", &policy, "workload",
                    &workload, "stage", &stage, "by_uid", &by, "time", &time) < 0 ||
        strlen(policy) >= RV_STAGE_NAME_MAX || strlen(workload) >= RV_STAGE_NAME_MAX ||
        rv_stage_parse(stage, &ret_setting->stage) < 0)
        return -EINVAL;
    memcpy(ret_setting->policy, policy, strlen(policy) + 1);
    memcpy(ret_setting->workload, workload, strlen(workload) + 1);
    ret_setting->by_uid = (uint32_t)by;
    ret_setting->unix_us = (uint64_t)time;
    return 0;
}

int rv_stages_from_json(struct rv_stages *stages, const json_t *settings)
{
    RV_AUTO(rv_freep) struct rv_stages *next = NULL;
    const json_t *row;
    size_t i;

    if (!json_is_array(settings))
        return -EINVAL;
    if (json_array_size(settings) > RV_STAGE_SETTINGS_MAX)
        return -E2BIG;
    next = calloc(1, sizeof(*next));
    if (!next)
        return -ENOMEM;
    json_array_foreach(settings, i, row)
    {
        struct rv_stage_setting setting = { 0 };
        int r = read_setting(row, &setting);

        if (r == 0)
            r = rv_stage_set(next, &setting);
        if (r < 0)
            return r;
    }
    next->fallback = stages->fallback;
    next->ceiling = stages->ceiling;
    *stages = *next;
    return 0;
}

static const char *const names[RV_STAGES_] = { "observe", "shadow", "enforce" };

const char *rv_stage_name(enum rv_stage stage)
{
    return stage < RV_STAGES_ ? names[stage] : names[RV_STAGE_OBSERVE];
}

int rv_stage_parse(const char *name, enum rv_stage *ret_stage)
{
    for (unsigned i = 0; i < RV_STAGES_; i++) {
        if (rv_streq(names[i], name)) {
            *ret_stage = (enum rv_stage)i;
            return 0;
        }
    }
    return -EINVAL;
}
