/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define RESET "\033[0m"

struct rv_view rv_view_stdout(void)
{
    struct winsize size;
    struct rv_view view = { .to = stdout, .columns = 200 };

    if (!isatty(STDOUT_FILENO))
        return view;
    view.colours =
        !getenv("NO_COLOR") && !rv_streq(getenv("TERM") ? getenv("TERM") : "dumb", "dumb");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40)
        view.columns = size.ws_col;
    return view;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/** A number; large ones stand in receipts as text. */
static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10)
                                 : json_integer_value(value);
}

static const char *risk_colour(json_int_t risk)
{
    return risk >= 500   ? "\033[1;31m"
           : risk >= 400 ? "\033[31m"
           : risk >= 300 ? "\033[33m"
                         : "\033[2m";
}

static const char *decision_colour(const char *severity)
{
    if (rv_streq(severity, "critical"))
        return "\033[1;97;41m";
    return rv_streq(severity, "high") ? "\033[1;31m" : "\033[1;33m";
}

/** A text in a colour, filled up with blanks to a width. */
static void put(const struct rv_view *view, const char *colour, int width, const char *text)
{
    if (view->colours)
        fputs(colour, view->to);
    fprintf(view->to, "%-*s", width, text);
    if (view->colours)
        fputs(RESET, view->to);
}

/** The loudest policy of a decision, or NULL. */
static const json_t *loudest(const json_t *outcome)
{
    static const char *const ranks[] = { "critical", "high", "medium", "low" };
    const json_t *policies = json_object_get(outcome, "policies");

    for (size_t rank = 0; rank < RV_COUNT(ranks); rank++) {
        for (size_t i = 0; i < json_array_size(policies); i++) {
            const json_t *policy = json_array_get(policies, i);

            if (rv_streq(text_of(policy, "severity"), ranks[rank]))
                return policy;
        }
    }
    return json_array_get(policies, 0);
}

/** What was acted on: the resource without its type, or what the event itself says. */
static void format_object(char *to, size_t room, const json_t *outcome)
{
    const json_t *event = json_object_get(outcome, "event");
    const json_t *argv = json_object_get(event, "argv");
    const char *resource = text_of(outcome, "resource");
    size_t used = 0;

    to[0] = '\0';
    for (size_t i = 0; i < json_array_size(argv) && used < room; i++)
        used += (size_t)snprintf(to + used, room - used, "%s%s", i ? " " : "",
                                 json_string_value(json_array_get(argv, i)));
    if (used == 0)
        (void)snprintf(to, room, "%s", resource[0] ? resource : text_of(event, "path"));
    for (char *c = to; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?'; /* never a terminal escape out of somebody's argv */
    }
}

static void format_time(char *to, size_t room, json_int_t boot_ns, int64_t boot_to_unix_ns)
{
    time_t seconds;
    struct tm when;

    if (boot_to_unix_ns == 0) {
        (void)snprintf(to, room, "%10.3f", (double)boot_ns / 1e9);
        return;
    }
    seconds = (time_t)((boot_ns + boot_to_unix_ns) / 1000000000);
    (void)localtime_r(&seconds, &when);
    (void)snprintf(to, room, "%02d:%02d:%02d.%03d", when.tm_hour, when.tm_min, when.tm_sec,
                   (int)((boot_ns + boot_to_unix_ns) / 1000000 % 1000));
}

void rv_view_heading(const struct rv_view *view)
{
    put(view, "\033[1m", 0,
        "TIME         RISK DECISION  ACTION          PROGRAM[PID]                     WHAT\n");
}

void rv_view_outcome(const struct rv_view *view, const json_t *outcome, int64_t boot_to_unix_ns)
{
    const json_t *event = json_object_get(outcome, "event");
    const json_t *policy = loudest(outcome);
    const char *action = text_of(outcome, "action");
    bool denied = rv_streq(text_of(outcome, "decision"), "deny");
    json_int_t risk = number_of(outcome, "risk");
    char when[32], risk_text[8], who[64], what[1024];
    int room = (int)view->columns - 72;

    format_time(when, sizeof(when), number_of(event, "time_boot_ns"), boot_to_unix_ns);
    (void)snprintf(risk_text, sizeof(risk_text), "%4d", (int)risk);
    (void)snprintf(who, sizeof(who), "%.40s[%d]", text_of(outcome, "program"),
                   (int)number_of(event, "tgid"));
    format_object(what, sizeof(what), outcome);

    fprintf(view->to, "%-12s ", when);
    put(view, risk_colour(risk), 5, risk_text);
    if (denied)
        put(view, decision_colour(text_of(policy, "severity")), 10, text_of(policy, "respond"));
    else
        fprintf(view->to, "%-9s ", action[0] ? "allow" : "");
    fprintf(view->to, "%-15s %-32s %.*s\n", action[0] ? action : text_of(event, "type"), who,
            room > 20 ? room : 20, what);
    if (denied) {
        fputs("             > ", view->to);
        put(view, "\033[1m", 0, text_of(policy, "id"));
        fprintf(view->to, " %s %s", text_of(policy, "severity"), text_of(policy, "technique"));
        if (text_of(outcome, "words")[0])
            fprintf(view->to, ": %s", text_of(outcome, "words"));
        fputc('\n', view->to);
    }
}

void rv_view_enforced(const struct rv_view *view, const json_t *line)
{
    const char *type = text_of(line, "enforced");

    fputs("             = ", view->to);
    if (rv_streq(type, "refusal"))
        fprintf(view->to, "%s by %s: %s of %s by %s, policy %s\n", text_of(line, "verdict"),
                text_of(line, "mechanism"), text_of(line, "action"),
                text_of(line, "name")[0] ? text_of(line, "name") : "it", text_of(line, "comm"),
                text_of(line, "policy"));
    else if (rv_streq(type, "action.result"))
        fprintf(view->to, "action %d: %s %s %s\n", (int)number_of(line, "number"),
                text_of(line, "outcome"), text_of(line, "error"), text_of(line, "how"));
    else if (rv_streq(type, "action"))
        fprintf(view->to, "%s process %s, policy %s\n", text_of(line, "action"),
                text_of(line, "process"), text_of(line, "policy"));
    else
        fprintf(view->to, "%s %s\n", type, text_of(line, "policy"));
}

static void explain_policies(const struct rv_view *view, const json_t *policies)
{
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const json_t *policy = json_array_get(policies, i);

        fprintf(view->to, "  policy     %s (severity %s, technique %s, response %s)\n",
                text_of(policy, "id"), text_of(policy, "severity"), text_of(policy, "technique"),
                text_of(policy, "respond"));
    }
}

static void explain_points(const struct rv_view *view, const json_t *receipt)
{
    const json_t *reasons = json_object_get(receipt, "reasons");
    const json_t *verdict = json_object_get(receipt, "verdict");

    fprintf(view->to, "  score      %.2f points, of which:\n",
            (double)number_of(verdict, "raw_q16") / 65536);
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *reason = json_array_get(reasons, i);

        fprintf(view->to, "    %+8.2f  %s = %d\n", (double)number_of(reason, "points_q16") / 65536,
                text_of(reason, "feature"), (int)number_of(reason, "value"));
    }
}

void rv_view_explain(const struct rv_view *view, const json_t *receipt)
{
    const json_t *verdict = json_object_get(receipt, "verdict");
    const json_t *p = json_object_get(verdict, "p");

    rv_view_outcome(view, receipt, 0);
    fprintf(view->to, "  principal  %s\n  action     %s\n  resource   %s\n",
            text_of(receipt, "principal"), text_of(receipt, "action"),
            text_of(receipt, "resource"));
    explain_policies(view, json_object_get(receipt, "policies"));
    if (verdict) {
        fprintf(view->to,
                "  risk       %d: %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
                " normal scores%s are as high\n",
                (int)number_of(receipt, "risk"), number_of(p, "above"), number_of(p, "of"),
                json_is_true(json_object_get(p, "inherited")) ? " (of all programs)" : "");
        explain_points(view, receipt);
        fprintf(view->to, "  model      %s\n", text_of(verdict, "model"));
    }
    if (text_of(receipt, "words")[0])
        fprintf(view->to, "  in words   %s\n", text_of(receipt, "words"));
    fprintf(view->to, "  bundle     %s\n", text_of(receipt, "policy"));
}
