/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model quarantine: take the model that speaks away, return to the last good one, recorded.
 */
#include "alias.h"

#include "base/options.h"
#include "command.h"

static int run(const char *folder, const char *who, const char *why, bool json)
{
    RV_AUTO(alias_close) struct alias_place place = { NULL, -1 };
    struct rv_alias_note note = { alias_who(who), why, alias_now_s() };
    struct rv_sha256 now;
    int r;

    if (alias_open(folder, &place) < 0)
        return RV_EXIT_ERROR;
    r = rv_alias_quarantine(place.alias, &note, &now);
    if (r == -ENOENT) {
        fprintf(stderr, "reeve: the built-in model speaks; it cannot be quarantined\n");
        return RV_EXIT_NO;
    }
    if (r < 0) {
        fprintf(stderr, "reeve: nothing was changed: %s\n", strerror(-r));
        return RV_EXIT_ERROR;
    }
    alias_print(&now, json);
    return RV_EXIT_YES;
}

int cmd_model_quarantine(int argc, char **argv)
{
    bool json = false, help = false;
    const char *who = NULL, *why = NULL;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 0, "why", "TEXT", "the reason, for the record", &why, 0, 0 },
        { RV_OPTION_STRING, 0, "who", "NAME", "who decided (default: the login name)", &who, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1 || !why) {
        fprintf(help ? stdout : stderr,
                "usage: reeve model quarantine FOLDER --why TEXT [--who NAME] [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return run(argv[1], who, why, json);
}
