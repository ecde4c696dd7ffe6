/* SPDX-License-Identifier: Apache-2.0 */
#include "act/process.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CGROUP_DEPTH_MAX 32

int rv_process_stat(pid_t pid, pid_t tid, pid_t *ret_parent, char *ret_state,
                    uint64_t *ret_start_ticks)
{
    RV_AUTO(rv_freep) char *text = NULL;
    char path[64], state;
    unsigned long long start;
    char *after;
    size_t len;
    int parent;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    if (rv_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
        return -ESRCH;
    after = strrchr(text, ')'); /* the name may hold anything, even ')' */
    if (!after || sscanf(after + 1,
                         " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                         "%*d %llu",
                         &state, &parent, &start) != 3)
        return -ESRCH;
    *ret_parent = parent;
    *ret_state = state;
    *ret_start_ticks = start;
    return 0;
}

uint64_t rv_ticks_to_ns(uint64_t ticks)
{
    return ticks * (RV_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

int rv_process_key_of(pid_t pid, struct rv_process_key *ret_key)
{
    uint64_t ticks;
    pid_t parent;
    char state;
    int r = rv_process_stat(pid, pid, &parent, &state, &ticks);

    if (r == 0)
        *ret_key = (struct rv_process_key){ rv_ticks_to_ns(ticks), (uint32_t)pid };
    return r;
}

int rv_process_parent_of(pid_t pid, pid_t *ret_parent)
{
    uint64_t ticks;
    char state;

    return rv_process_stat(pid, pid, ret_parent, &state, &ticks);
}

int rv_process_open(struct rv_process_key key)
{
    RV_AUTO(rv_closep) int fd = (int)syscall(SYS_pidfd_open, (pid_t)key.tgid, 0);
    const uint64_t tick_ns = rv_ticks_to_ns(1);
    struct rv_process_key now;

    if (fd < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    if (rv_process_key_of((pid_t)key.tgid, &now) < 0 ||
        now.start_boot_ns / tick_ns != key.start_boot_ns / tick_ns)
        return -ESRCH;
    return rv_take_fd(&fd);
}

int rv_process_signal(struct rv_process_key key, int number)
{
    RV_AUTO(rv_closep) int fd = rv_process_open(key);

    if (fd < 0)
        return fd;
    return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0 ? -errno : 0;
}

/* ---- Lists ---- */

void rv_processes_done(struct rv_processes *processes)
{
    free(processes->keys);
    *processes = (struct rv_processes){ 0 };
}

bool rv_processes_hold(const struct rv_processes *processes, uint32_t tgid)
{
    for (size_t i = 0; i < processes->count; i++)
        if (processes->keys[i].tgid == tgid)
            return true;
    return false;
}

int rv_processes_add(struct rv_processes *processes, struct rv_process_key key)
{
    if (processes->count == RV_PROCESSES_MAX) {
        processes->cut = true;
        return 0;
    }
    if (!processes->keys) {
        processes->keys = calloc(RV_PROCESSES_MAX, sizeof(*processes->keys));
        if (!processes->keys)
            return -ENOMEM;
    }
    processes->keys[processes->count++] = key;
    return 0;
}

int rv_processes_add_children(struct rv_processes *processes)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int r = 0;

    if (!proc)
        return -errno;
    while (r == 0 && (entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), parent;
        uint64_t ticks;
        char state;

        if (pid <= 0 || rv_process_stat(pid, pid, &parent, &state, &ticks) < 0)
            continue;
        if (rv_processes_hold(processes, (uint32_t)parent) &&
            !rv_processes_hold(processes, (uint32_t)pid))
            r = rv_processes_add(processes,
                                 (struct rv_process_key){ rv_ticks_to_ns(ticks), (uint32_t)pid });
    }
    (void)closedir(proc);
    return r;
}

static int add_folder(struct rv_processes *processes, const char *cgroup)
{
    RV_AUTO(rv_freep) char *path = NULL;
    struct rv_process_key key;
    FILE *procs;
    int pid, r = 0;

    if (asprintf(&path, "%s/cgroup.procs", cgroup) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    procs = fopen(path, "re");
    if (!procs)
        return -errno;
    while (r == 0 && fscanf(procs, "%d", &pid) == 1)
        if (pid > 0 && rv_process_key_of(pid, &key) == 0 && !rv_processes_hold(processes, key.tgid))
            r = rv_processes_add(processes, key);
    if (r == 0 && ferror(procs))
        r = -EOPNOTSUPP; /* a threaded folder lists threads alone */
    (void)fclose(procs);
    return r;
}

static int add_cgroup(struct rv_processes *processes, const char *cgroup, int depth)
{
    int r = depth > CGROUP_DEPTH_MAX ? -ELOOP : add_folder(processes, cgroup);
    DIR *dir = r == 0 ? opendir(cgroup) : NULL;
    struct dirent *entry;

    while (dir && r == 0 && (entry = readdir(dir))) {
        RV_AUTO(rv_freep) char *below = NULL;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        if (asprintf(&below, "%s/%s", cgroup, entry->d_name) < 0) {
            below = NULL;
            r = -ENOMEM;
            break;
        }
        r = add_cgroup(processes, below, depth + 1);
        if (r == -ENOENT)
            r = 0; /* it was removed meanwhile */
    }
    if (dir)
        (void)closedir(dir);
    return r;
}

int rv_processes_add_cgroup(struct rv_processes *processes, const char *cgroup)
{
    return add_cgroup(processes, cgroup, 0);
}
