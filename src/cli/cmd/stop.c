/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reeve stop, reeve resume: the emergency stop. It is a file that the guard watches, not a request,
 * so that it works when the judge is dead and says nothing.
 */
#include "command.h"

#include "base/fd.h"
#include "base/options.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static bool help;
static const char *runtime_dir = "/run/reeve";

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 'r', "runtime-dir", "DIR", "the agent's runtime folder (/run/reeve)",
      &runtime_dir, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static int refuse(const char *path)
{
    if (errno == ENOENT)
        fprintf(stderr, "there is no folder for %s; does the agent run?\n", path);
    else if (errno == EACCES || errno == EPERM)
        fprintf(stderr, "only root may make or remove %s\n", path);
    else
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return RV_EXIT_ERROR;
}

/** Parse the options and name the file. @return RV_EXIT_YES to go on; `ret_done` when that is all.
 */
static int prepare(int argc, char **argv, const char *usage, char *path, bool *ret_done)
{
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    *ret_done = help;
    if (help || operands != 0) {
        fprintf(help ? stdout : stderr, "%s\n\n", usage);
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    if (snprintf(path, PATH_MAX, "%s/stop", runtime_dir) >= PATH_MAX) {
        fprintf(stderr, "the path is too long\n");
        return RV_EXIT_ERROR;
    }
    return RV_EXIT_YES;
}

int cmd_stop(int argc, char **argv)
{
    RV_AUTO(rv_closep) int fd = -1;
    char path[PATH_MAX];
    bool done = false;
    int r = prepare(argc, argv,
                    "usage: reeve stop [OPTION...]\n\n"
                    "Nothing is refused any more and what stands is undone, until 'reeve resume'.\n"
                    "Without this program: touch /run/reeve/stop, or kill -USR1 the guard.",
                    path, &done);

    if (r != RV_EXIT_YES || done)
        return r;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return refuse(path);
    printf("stopped: nothing is refused until 'reeve resume'\n");
    return RV_EXIT_YES;
}

int cmd_resume(int argc, char **argv)
{
    char path[PATH_MAX];
    bool done = false;
    int r = prepare(argc, argv,
                    "usage: reeve resume [OPTION...]\n\nEnds the emergency stop: rules hold again.",
                    path, &done);

    if (r != RV_EXIT_YES || done)
        return r;
    if (unlink(path) < 0 && errno != ENOENT)
        return refuse(path);
    printf("resumed: rules hold again\n");
    return RV_EXIT_YES;
}
