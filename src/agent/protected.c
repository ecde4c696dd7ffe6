/* SPDX-License-Identifier: Apache-2.0 */
#include "protected.h"

#include "base/log.h"
#include "enforce/act.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const char *const protected_programs[] = {
    "/usr/sbin/sshd",
    "/usr/lib/systemd/systemd",
    "/usr/bin/dbus-daemon",
    "/usr/bin/containerd",
    "/usr/bin/dockerd",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/bin/podman",
    "/usr/bin/conmon",
    "/usr/lib/systemd/systemd-logind",
    "/usr/lib/systemd/systemd-journald",
};

void rv_protect(const struct rv_provider *does, void *handle, struct rv_process_key key,
                bool guarded)
{
    int r = does->protect ? does->protect(handle, key, guarded) : 0;

    if (r < 0 && r != -ESRCH && guarded)
        rv_warning("our process %" PRIu32 " could not be protected from %s: %s", key.tgid,
                   rv_mechanism_name(does->mechanism), strerror(-r));
    else if (r < 0)
        rv_debug("process %" PRIu32 " could not be protected: %s", key.tgid, strerror(-r));
}

/** pid 1 and those above us, the session that started us included: never refused anything. */
static void protect_above(const struct rv_provider *does, void *handle)
{
    struct rv_process_key key;
    pid_t pid = getppid();

    if (rv_process_key_of(1, &key) == 0)
        rv_protect(does, handle, key, false);
    for (int depth = 0; pid > 1 && depth < 64; depth++) {
        if (rv_process_key_of(pid, &key) < 0 || rv_process_parent_of(pid, &pid) < 0)
            return;
        rv_protect(does, handle, key, false);
    }
}

static bool is_protected_program(const char *path)
{
    for (size_t i = 0; i < RV_COUNT(protected_programs); i++) {
        if (rv_streq(protected_programs[i], path))
            return true;
    }
    return false;
}

/** Processes that run a program which a host needs to be reached and mended. */
static void protect_running(const struct rv_provider *does, void *handle)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc && (entry = readdir(proc))) {
        char link[64], path[PATH_MAX];
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct rv_process_key key;
        ssize_t len;

        if (pid <= 1)
            continue;
        (void)snprintf(link, sizeof(link), "/proc/%d/exe", pid);
        len = readlink(link, path, sizeof(path) - 1);
        if (len <= 0)
            continue;
        path[len] = '\0';
        if (is_protected_program(path) && rv_process_key_of(pid, &key) == 0)
            rv_protect(does, handle, key, false);
    }
    if (proc)
        (void)closedir(proc);
}

void rv_protect_host(const struct rv_provider *does, void *handle)
{
    protect_above(does, handle);
    protect_running(does, handle);
}
