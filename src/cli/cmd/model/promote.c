/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model promote: let a model speak from now on, recorded. */
#include "alias.h"
#include "package.h"

#include "base/fd.h"
#include "base/options.h"
#include "command.h"

#include <fcntl.h>

/** The folder keeps what it promotes: the agent finds it there by its digest. */
static int keep_package(int dir_fd, const char *path, const struct rv_sha256 *digest)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, path, RV_PACKAGE_BYTES_MAX, &bytes, &len);

    rv_alias_package_name(digest, name);
    if (r == 0)
        r = rv_write_file_atomic(dir_fd, name, bytes, len, 0644);
    if (r < 0)
        fprintf(stderr, "reeve: nothing was changed: %s cannot be kept: %s\n", path, strerror(-r));
    return r;
}

static int run(const char *folder, const char *model, const struct rv_alias_note *note, bool json)
{
    RV_AUTO(alias_close) struct alias_place place = { NULL, -1 };
    RV_AUTO(rv_package_free) struct rv_package *package = model_open_package(model);
    struct rv_sha256 digest;
    int r;

    if (!package || alias_open(folder, &place) < 0)
        return RV_EXIT_ERROR;
    digest = rv_package_digest(package);
    if (keep_package(place.dir_fd, model, &digest) < 0)
        return RV_EXIT_ERROR;
    r = rv_alias_promote(place.alias, &digest, note);
    if (r == -EPERM) {
        fprintf(stderr,
                "reeve: %s is quarantined: train another one, it will have another digest\n",
                model);
        return RV_EXIT_NO;
    }
    if (r < 0) {
        fprintf(stderr, "reeve: nothing was changed: %s\n", strerror(-r));
        return RV_EXIT_ERROR;
    }
    alias_print(&digest, json);
    return RV_EXIT_YES;
}

int cmd_model_promote(int argc, char **argv)
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
    struct rv_alias_note note;
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 2 || !why) {
        fprintf(help ? stdout : stderr,
                "usage: reeve model promote FOLDER MODEL --why TEXT [--who NAME] [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    note = (struct rv_alias_note){ alias_who(who), why, alias_now_s() };
    return run(argv[1], argv[2], &note, json);
}
