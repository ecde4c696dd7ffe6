/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the kernel ask when an overlay opens the file below it? Since Linux 6.5 it does. Before that
 * whoever may mount an overlay over a file has it without a question.
 */
#include "enforce/probe.h"

#include "base/fd.h"
#include "enforce/fan.h"
#include "probe/attempts.h"
#include "probe/sandbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define BELOW    "/tmp/box/" RV_ATTEMPT_FILE
#define OVER     "/tmp/over"
#define LEASE_MS 60000

enum answer { ASKED = 0, NOT_ASKED, CANNOT_TRY };

/** To try it must not load a module that nobody asked for. */
static bool overlays_are_known(void)
{
    RV_AUTO(rv_freep) char *list = NULL;
    size_t len = 0;

    return rv_read_file(AT_FDCWD, "/proc/filesystems", 65536, &list, &len) == 0 &&
           strstr(list, "\toverlay\n");
}

static bool is_before_6_5(void)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    return uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2 || major < 6 ||
           (major == 6 && minor < 5);
}

static int read_through(void)
{
    int fd = open(OVER "/" RV_ATTEMPT_FILE, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? errno : 0;
}

static int read_below(void)
{
    int fd = open(BELOW, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? errno : 0;
}

static void *run_fan(void *fan)
{
    (void)!rv_fan_run(fan);
    return NULL;
}

static enum answer read_both(const struct rv_sandbox *sandbox)
{
    if (rv_sandbox_run(sandbox, read_below) != EPERM)
        return CANNOT_TRY; /* nobody is asked at all */
    return rv_sandbox_run(sandbox, read_through) == EPERM ? ASKED : NOT_ASKED;
}

/** In a child: a rule about the file, then the file through an overlay. */
static enum answer try_it(void)
{
    static const struct rv_rule rule = {
        .actions = RV_DO_READ,
        .risk_max = 1000,
        .mode = RV_RULE_ENFORCE,
        .term_count = 1,
        .terms = { { .subject = RV_TERM_FILE, .text = BELOW } },
    };
    const struct rv_fan_set set = { .rules = &rule, .rule_count = 1 };
    struct rv_sandbox sandbox;
    struct rv_fan *fan = NULL;
    pthread_t thread;
    enum answer answer = CANNOT_TRY;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (rv_sandbox_enter(&sandbox) < 0)
        return CANNOT_TRY;
    rv_sandbox_remove(sandbox.cgroup);
    sandbox.cgroup[0] = '\0'; /* it is about a file that nobody else has */
    if (mkdir(OVER, 0755) < 0 || mkdir("/tmp/none", 0755) < 0 ||
        mount("overlay", OVER, "overlay", 0, "lowerdir=/tmp/none:/tmp/box") < 0 ||
        rv_fan_open(&fan, &(struct rv_fan_options){ 0 }) < 0)
        return CANNOT_TRY;
    rv_fan_renew(fan, LEASE_MS);
    if (pthread_create(&thread, NULL, run_fan, fan) != 0)
        return CANNOT_TRY; /* the child ends, and with it all that is open */
    if (rv_fan_swap(fan, &set, NULL) == 0)
        answer = read_both(&sandbox);
    rv_fan_stop(fan);
    (void)pthread_join(thread, NULL);
    rv_fan_close(&fan);
    return answer;
}

bool rv_enforce_overlay_passes(void)
{
    int status = 0;
    pid_t child = overlays_are_known() ? fork() : -1;

    if (child == 0)
        _exit(try_it());
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) == CANNOT_TRY)
        return is_before_6_5();
    return WEXITSTATUS(status) == NOT_ASKED;
}
