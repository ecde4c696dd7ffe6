/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder of enforcement: try, take down, say. */
#include "enforce/probe.h"

#include "enforce/cgate.h"
#include "enforce/fan.h"
#include "enforce/lsm.h"

#include "base/fd.h"
#include "isolate.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *words(int r)
{
    switch (-r) {
    case EOPNOTSUPP:
        return "bpf is not in the kernel's list of security modules: boot with lsm=...,bpf";
    case EPERM:
    case EACCES:
        return "the kernel takes no such programs from us (lockdown, or not root)";
    case ENOENT:
        return "no cgroup v2 folder can be made here";
    default:
        return "the kernel refuses it";
    }
}

static int try_lsm(const char *cgroup)
{
    RV_AUTO(rv_lsm_close) struct rv_lsm *lsm = NULL;

    (void)cgroup;
    return rv_lsm_open(&lsm);
}

static int try_cgroup(const char *cgroup)
{
    RV_AUTO(rv_isolation_end) struct rv_isolation *isolation = NULL;
    RV_AUTO(rv_cgate_close) struct rv_cgate *cgate = NULL;
    int r = cgroup[0] ? rv_cgate_open(&cgate, cgroup) : -ENOENT;

    return r < 0 ? r : rv_isolate(&isolation, cgroup);
}

static int try_fanotify(const char *cgroup)
{
    RV_AUTO(rv_fan_close) struct rv_fan *fan = NULL;

    (void)cgroup;
    return rv_fan_open(&fan, &(struct rv_fan_options){ 0 });
}

static int try_freeze(const char *cgroup)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/cgroup.freeze", cgroup);
    return access(path, W_OK) < 0 ? -errno : 0;
}

static int try_pidfd(const char *cgroup)
{
    RV_AUTO(rv_closep) int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    (void)cgroup;
    if (fd < 0)
        return -errno;
    return syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0 ? -errno : 0;
}

/** An empty cgroup of our own; an empty name when there is none to be had. */
static void make_cgroup(char cgroup[64])
{
    static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    char path[128];

    for (size_t i = 0; i < RV_COUNT(roots); i++) {
        (void)snprintf(path, sizeof(path), "%s/cgroup.controllers", roots[i]);
        (void)snprintf(cgroup, 64, "%s/reeve-probe-%d", roots[i], getpid());
        if (access(path, R_OK) == 0 && mkdir(cgroup, 0700) == 0)
            return;
    }
    cgroup[0] = '\0';
}

void rv_enforce_probe(void (*put)(void *context, const struct rv_enforce_probe *probe),
                      void *context)
{
    static const struct {
        const char *mechanism, *stops;
        int (*try)(const char *cgroup);
    } ladder[] = {
        { "bpf-lsm", "exec, files, sockets, kernel, signals: before the fact", try_lsm },
        { "cgroup-bpf", "connect and bind before the fact; a workload's network", try_cgroup },
        { "fanotify", "opens and program starts, asked before the fact", try_fanotify },
        { "freezer", "a workload, within milliseconds", try_freeze },
        { "pidfd", "a process and its descendants, within milliseconds", try_pidfd },
    };
    libbpf_print_fn_t print = libbpf_set_print(NULL);
    char cgroup[64];

    make_cgroup(cgroup);
    for (size_t i = 0; i < RV_COUNT(ladder); i++) {
        int r = ladder[i].try(cgroup);

        put(context, &(struct rv_enforce_probe){ ladder[i].mechanism, ladder[i].stops, r == 0,
                                                 r == 0 ? "" : words(r) });
    }
    if (cgroup[0])
        (void)rmdir(cgroup);
    (void)libbpf_set_print(print);
}
