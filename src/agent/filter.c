/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/filter.h"

#include <stdio.h>

enum { FILTER_ACTIONS_MAX = 64 };

struct rv_filter {
    char *actions[FILTER_ACTIONS_MAX];
    size_t action_count;
    char *program;
    size_t program_len;
    bool program_is_prefix;
    uint64_t risk_min;
    enum rv_filter_decisions decisions;
};

int rv_filter_new(struct rv_filter **ret_filter, const struct rv_filter_options *options)
{
    RV_AUTO(rv_filter_free) struct rv_filter *filter = calloc(1, sizeof(*filter));

    if (!filter)
        return -ENOMEM;
    if (options->action_count > FILTER_ACTIONS_MAX)
        return -EINVAL;
    filter->risk_min = options->risk_min;
    filter->decisions = options->decisions;
    for (size_t i = 0; i < options->action_count; i++) {
        filter->actions[i] = strdup(options->actions[i]);
        if (!filter->actions[i])
            return -ENOMEM;
        filter->action_count++;
    }
    if (options->program) {
        filter->program = strdup(options->program);
        if (!filter->program)
            return -ENOMEM;
        filter->program_len = strlen(filter->program);
        filter->program_is_prefix =
            filter->program_len > 0 && filter->program[filter->program_len - 1] == '*';
        filter->program_len -= filter->program_is_prefix;
    }
    *ret_filter = RV_TAKE(filter);
    return 0;
}

static int refuse(char *why, size_t why_len, const char *sentence)
{
    (void)snprintf(why, why_len, "%s", sentence);
    return -EINVAL;
}

int rv_filter_from_json(struct rv_filter **ret_filter, const json_t *request, char *why,
                        size_t why_len)
{
    const json_t *actions = json_object_get(request, "actions");
    const json_t *program = json_object_get(request, "program");
    const json_t *risk_min = json_object_get(request, "risk_min");
    const char *names[FILTER_ACTIONS_MAX];
    struct rv_filter_options options = {
        .actions = names,
        .action_count = json_array_size(actions),
        .program = json_string_value(program),
        .decisions = json_is_true(json_object_get(request, "denied")) ? RV_FILTER_DENIED_ONLY
                                                                      : RV_FILTER_ALL,
    };

    if ((actions && !json_is_array(actions)) || options.action_count > FILTER_ACTIONS_MAX)
        return refuse(why, why_len, "actions is an array of at most 64 names");
    for (size_t i = 0; i < options.action_count; i++) {
        names[i] = json_string_value(json_array_get(actions, i));
        if (!names[i])
            return refuse(why, why_len, "actions holds names such as \"process.exec\"");
    }
    if (program && !json_is_string(program))
        return refuse(why, why_len, "program is a path");
    if (risk_min && (!json_is_integer(risk_min) || json_integer_value(risk_min) < 0))
        return refuse(why, why_len, "risk_min is a whole number from 0 to 1000");
    options.risk_min = (uint64_t)json_integer_value(risk_min);
    return rv_filter_new(ret_filter, &options);
}

json_t *rv_filter_to_json(const struct rv_filter_options *options)
{
    json_t *actions = json_array();

    for (size_t i = 0; i < options->action_count; i++)
        json_array_append_new(actions, json_string(options->actions[i]));
    return json_pack("{ss so ss* sI sb}", "request", "watch", "actions", actions, "program",
                     options->program, "risk_min", (json_int_t)options->risk_min, "denied",
                     options->decisions == RV_FILTER_DENIED_ONLY);
}

void rv_filter_free(struct rv_filter **filter)
{
    if (!*filter)
        return;
    for (size_t i = 0; i < (*filter)->action_count; i++)
        free((*filter)->actions[i]);
    free((*filter)->program);
    free(*filter);
    *filter = NULL;
}

/** "file.read" is named by "file.read" and by its group "file". */
static bool action_named(const char *action, const char *name)
{
    size_t len = strlen(name);

    return strncmp(action, name, len) == 0 && (action[len] == '\0' || action[len] == '.');
}

static bool action_wanted(const struct rv_filter *filter, const struct rv_outcome *outcome)
{
    const char *name =
        outcome->action ? outcome->action : rv_event_info(outcome->event->type)->name;

    for (size_t i = 0; i < filter->action_count; i++) {
        if (action_named(name, filter->actions[i]))
            return true;
    }
    return filter->action_count == 0;
}

static bool program_wanted(const struct rv_filter *filter, struct rv_text program)
{
    if (!filter->program)
        return true;
    if (program.len < filter->program_len ||
        (!filter->program_is_prefix && program.len != filter->program_len))
        return false;
    return memcmp(program.data, filter->program, filter->program_len) == 0;
}

bool rv_filter_passes(const struct rv_filter *filter, const struct rv_outcome *outcome)
{
    if (outcome->verdict.risk < filter->risk_min)
        return false;
    if (filter->decisions == RV_FILTER_DENIED_ONLY &&
        (!outcome->action || outcome->decision.effect == RV_EFFECT_ALLOW))
        return false;
    return action_wanted(filter, outcome) && program_wanted(filter, outcome->program);
}
