/* SPDX-License-Identifier: Apache-2.0 */
/* reeve doctor: what this host lets Reeve sense and stop, each thing tried and not guessed. */
#include "command.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/options.h"
#include "enforce/probe.h"
#include "sensors/sensors.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

static bool help, as_json;

static const struct rv_option options[] = {
    { RV_OPTION_FLAG, 'j', "json", NULL, "print everything as one JSON object", &as_json, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

/* ---- The system ---- */

static json_t *read_line(const char *path)
{
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;

    if (rv_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
        return json_string("not readable");
    text[strcspn(text, "\n")] = '\0';
    return json_string(text);
}

static json_t *system_facts(void)
{
    struct utsname name;

    if (uname(&name) < 0)
        memset(&name, 0, sizeof(name));
    return json_pack("{ss ss so so sb}", "kernel", name.release, "machine", name.machine, "lsm",
                     read_line("/sys/kernel/security/lsm"), "lockdown",
                     read_line("/sys/kernel/security/lockdown"), "btf",
                     access("/sys/kernel/btf/vmlinux", R_OK) == 0);
}

/* ---- Sensors ---- */

static void put_probe(void *context, const struct rv_sensors_probe *probe)
{
    const struct rv_sensor_info *info = rv_sensor_info(probe->sensor);

    json_array_append_new(context,
                          json_pack("{ss ss ss ss sb ss}", "sensor", info->name, "hook",
                                    probe->hook, "events", probe->events, "cost", probe->cost,
                                    "works", probe->works, "reason", probe->reason));
}

/* ---- Enforcement ---- */

/** What a mechanism that works does not see all the same. */
static const char *limit_of(const struct rv_enforce_probe *probe)
{
    return probe->works && rv_streq(probe->mechanism, rv_mechanism_name(RV_BY_FANOTIFY)) &&
                   rv_enforce_overlay_passes()
               ? RV_ENFORCE_OVERLAY_WORDS
               : NULL;
}

static void put_mechanism(void *context, const struct rv_enforce_probe *probe)
{
    json_array_append_new(context, json_pack("{ss ss sb ss ss*}", "mechanism", probe->mechanism,
                                             "stops", probe->stops, "works", probe->works, "reason",
                                             probe->reason, "limit", limit_of(probe)));
}

static void put_action(void *context, const struct rv_enforce_action *action)
{
    const bool works = action->mechanism != RV_BY_NONE;

    json_array_append_new(context, json_pack("{ss ss sb ss}", "action", action->action, "mechanism",
                                             rv_mechanism_name(action->mechanism), "works", works,
                                             "detail", action->detail));
}

/* ---- Print ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool print_sensors(const json_t *sensors)
{
    bool all = true;

    printf("\n%-9s %-36s %-34s %s\n", "SENSOR", "HOOK", "EVENTS", "WORKS");
    for (size_t i = 0; i < json_array_size(sensors); i++) {
        const json_t *row = json_array_get(sensors, i);
        bool works = json_is_true(json_object_get(row, "works"));

        all &= works;
        printf("%-9s %-36s %-34s %s%s\n", text_of(row, "sensor"), text_of(row, "hook"),
               text_of(row, "events"),
               works ? "yes: " : "no: ", text_of(row, works ? "cost" : "reason"));
    }
    return all;
}

static void print_enforcement(const json_t *mechanisms)
{
    printf("\n%-11s %-55s %s\n", "MECHANISM", "CAN STOP", "WORKS");
    for (size_t i = 0; i < json_array_size(mechanisms); i++) {
        const json_t *row = json_array_get(mechanisms, i);
        bool works = json_is_true(json_object_get(row, "works"));

        printf("%-11s %-55s %s%s\n", text_of(row, "mechanism"), text_of(row, "stops"),
               works ? "yes" : "no: ", text_of(row, "reason"));
        if (*text_of(row, "limit"))
            printf("%-11s but %s\n", "", text_of(row, "limit"));
    }
}

static void print_actions(const json_t *actions)
{
    printf("\n%-14s %-11s %s\n", "ACTION", "STOPPED BY", "");
    for (size_t i = 0; i < json_array_size(actions); i++) {
        const json_t *row = json_array_get(actions, i);

        printf("%-14s %-11s %s\n", text_of(row, "action"), text_of(row, "mechanism"),
               text_of(row, "detail"));
    }
}

static void print(const json_t *report)
{
    const json_t *host = json_object_get(report, "system");

    printf("kernel    %s %s\nlsm       %s\nlockdown  %s\nbtf       %s\n", text_of(host, "kernel"),
           text_of(host, "machine"), text_of(host, "lsm"), text_of(host, "lockdown"),
           json_is_true(json_object_get(host, "btf"))
               ? "yes"
               : "no: the kernel was built without CONFIG_DEBUG_INFO_BTF; sensors do not load");
    if (!print_sensors(json_object_get(report, "sensors")))
        printf("\nWhat does not work is left out; the rest is watched all the same.\n");
    print_enforcement(json_object_get(report, "enforcement"));
    print_actions(json_object_get(report, "actions"));
}

int cmd_doctor(int argc, char **argv)
{
    RV_AUTO(rv_json_freep) json_t *report = NULL;
    json_t *sensors = json_array(), *enforcement, *actions;
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        printf(
            "usage: reeve doctor [--json]\n\n"
            "Tries what this host lets Reeve sense and stop; says what works and what it costs,\n"
            "and for each action what is the strongest that really stops it here.\n\n");
        rv_options_help(options, stdout);
        return RV_EXIT_YES;
    }
    r = rv_sensors_probe(put_probe, sensors);
    if (r == -EPERM) {
        fprintf(stderr, "trying sensors needs root: run 'sudo reeve doctor'\n");
        return RV_EXIT_ERROR;
    }
    enforcement = json_array();
    rv_enforce_probe(put_mechanism, enforcement);
    actions = json_array();
    r = rv_enforce_probe_actions(put_action, actions);
    if (r < 0)
        fprintf(stderr, "actions could not be tried: %s\n", strerror(-r));
    report = json_pack("{so so so so}", "system", system_facts(), "sensors", sensors, "enforcement",
                       enforcement, "actions", actions);
    if (!report)
        return RV_EXIT_ERROR;
    if (as_json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print(report);
    }
    return RV_EXIT_YES;
}
