/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protected set. Programs are known by inode and device, and by the user that they run as:
 * anybody may start sshd or dbus-daemon as himself and is not protected by it. A program that a
 * package replaced while it ran has a deleted file; then its path counts, if it is root's and the
 * process is in our own mount namespace, where only root can have put it there.
 */
#include "act/protect.h"

#include "base/fd.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANCESTORS_MAX 64

static const struct {
    const char *path, *user;
} built_in[] = {
    { "/usr/sbin/sshd", "root" },
    { "/usr/lib/openssh/sshd-session", "root" },
    { "/usr/lib/openssh/sshd-auth", "root" },
    { "/usr/sbin/dropbear", "root" },
    { "/usr/bin/login", "root" },
    { "/sbin/agetty", "root" },
    { "/usr/lib/systemd/systemd", "root" },
    { "/usr/lib/systemd/systemd-logind", "root" },
    { "/usr/lib/systemd/systemd-journald", "root" },
    { "/usr/lib/systemd/systemd-udevd", "root" },
    { "/usr/bin/dbus-daemon", "messagebus" },
    { "/usr/bin/dbus-broker", "messagebus" },
    { "/usr/bin/dbus-broker-launch", "messagebus" },
    { "/usr/bin/containerd", "root" },
    { "/usr/bin/containerd-shim", "root" },
    { "/usr/bin/containerd-shim-runc-v2", "root" },
    { "/usr/bin/dockerd", "root" },
    { "/usr/sbin/dockerd", "root" },
    { "/usr/bin/docker-proxy", "root" },
    { "/usr/bin/runc", "root" },
    { "/usr/sbin/runc", "root" },
    { "/usr/bin/crun", "root" },
    { "/usr/bin/podman", "root" },
    { "/usr/bin/conmon", "root" },
    { "/usr/bin/crio", "root" },
    { "/usr/bin/kubelet", "root" },
    { "/usr/bin/lxc-start", "root" },
};

/** From the file alone: no name service, which could ask the network. */
static bool user_id(const char *name, uid_t *ret_uid)
{
    FILE *users = fopen("/etc/passwd", "re");
    const struct passwd *user;
    bool found = false;

    if (!users)
        return false;
    while (!found && (user = fgetpwent(users)))
        if (rv_streq(user->pw_name, name)) {
            *ret_uid = user->pw_uid;
            found = true;
        }
    (void)fclose(users);
    return found;
}

int rv_protected_add(struct rv_protected *set, const char *program, uid_t uid)
{
    struct rv_protected_program *place = &set->programs[set->count];
    char real[sizeof(place->path)] = "";
    char *resolved;
    struct stat st;

    if (set->count == RV_PROTECTED_MAX)
        return -ENOSPC;
    if (stat(program, &st) < 0)
        return -errno;
    resolved = realpath(program, NULL); /* as /proc/PID/exe will show it */
    if (resolved && strlen(resolved) < sizeof(real))
        (void)snprintf(real, sizeof(real), "%s", resolved);
    free(resolved);
    *place = (struct rv_protected_program){ .dev = st.st_dev, .inode = st.st_ino, .uid = uid };
    memcpy(place->path, real, sizeof(real));
    set->count++;
    return 0;
}

void rv_protected_init(struct rv_protected *set)
{
    *set = (struct rv_protected){ 0 };
    for (size_t i = 0; i < RV_COUNT(built_in); i++) {
        uid_t uid = 0;

        if (!rv_streq(built_in[i].user, "root") && !user_id(built_in[i].user, &uid))
            continue;
        if (rv_protected_add(set, built_in[i].path, uid) < 0)
            continue; /* not installed */
    }
}

static bool is_ancestor_of_ours(pid_t pid)
{
    pid_t at = getpid();

    for (int depth = 0; depth < ANCESTORS_MAX && at > 0; depth++) {
        if (at == pid)
            return true;
        if (rv_process_parent_of(at, &at) < 0)
            return false;
    }
    return false;
}

static bool is_protected_process(const struct rv_protected *set, pid_t pid)
{
    struct rv_process_key now;

    for (size_t i = 0; i < RV_COUNT(set->processes); i++)
        if (set->processes[i].tgid == (uint32_t)pid && rv_process_key_of(pid, &now) == 0 &&
            now.start_boot_ns == set->processes[i].start_boot_ns)
            return true;
    return false;
}

static bool same_mounts(pid_t pid)
{
    char path[32];
    struct stat ours, theirs;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
    return stat("/proc/self/ns/mnt", &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/** The path of a program whose file was replaced under it; empty when there is no trusting it. */
static void deleted_path(pid_t pid, const struct stat *exe, char ret_path[64])
{
    static const char mark[] = " (deleted)";
    char link[32], path[64 + sizeof(mark)];
    ssize_t len;

    ret_path[0] = '\0';
    if (exe->st_nlink != 0 || exe->st_uid != 0 || !same_mounts(pid))
        return;
    (void)snprintf(link, sizeof(link), "/proc/%d/exe", pid);
    len = readlink(link, path, sizeof(path));
    if (len <= (ssize_t)strlen(mark) || (size_t)len >= sizeof(path))
        return;
    len -= (ssize_t)strlen(mark);
    if (len < 64 && memcmp(path + len, mark, strlen(mark)) == 0) {
        memcpy(ret_path, path, (size_t)len);
        ret_path[len] = '\0';
    }
}

static bool runs_protected_program(const struct rv_protected *set, pid_t pid)
{
    char path[64], folder[32];
    struct stat exe, process;

    (void)snprintf(folder, sizeof(folder), "/proc/%d", pid);
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    if (stat(path, &exe) < 0 || stat(folder, &process) < 0)
        return false; /* no program, or gone: the action itself will say */
    deleted_path(pid, &exe, path);
    for (size_t i = 0; i < set->count; i++) {
        const struct rv_protected_program *program = &set->programs[i];
        bool same = program->dev == exe.st_dev && program->inode == exe.st_ino;

        if (program->uid != RV_ANYBODY && program->uid != process.st_uid)
            continue;
        if (same || (path[0] && rv_streq(path, program->path)))
            return true;
    }
    return false;
}

const char *rv_protected_why(const struct rv_protected *set, pid_t pid)
{
    if (pid <= 1)
        return "it is process 1";
    if (is_ancestor_of_ours(pid))
        return "it is the agent, or the session that started it";
    if (is_protected_process(set, pid))
        return "it belongs to the agent";
    return runs_protected_program(set, pid) ? "it runs a protected program" : NULL;
}

const char *rv_protected_why_cgroup(const struct rv_protected *set, const char *cgroup)
{
    RV_AUTO(rv_processes_done) struct rv_processes processes = { 0 };
    const char *why = NULL;
    int r = rv_processes_add_cgroup(&processes, cgroup);

    if (r < 0)
        return r == -ENOENT ? NULL
                            : "its processes cannot be listed"; /* gone: the action says so */
    if (processes.cut)
        return "it holds more processes than can be looked at";
    for (size_t i = 0; !why && i < processes.count; i++)
        why = rv_protected_why(set, (pid_t)processes.keys[i].tgid);
    return why;
}
