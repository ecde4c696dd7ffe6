/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard tells the kernel's half: kinds of programs, risk and marks of processes, grants.
 */
#include "provider.h"

#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int rv_lsm_know_program(struct rv_lsm *lsm, const char *path, uint32_t kind)
{
    struct rv_lsm_mounts mounts = { 0 };
    struct rv_lsm_program program = { 0 };
    struct rv_lsm_key key;
    int r;

    if (kind > 255)
        return -EINVAL;
    r = rv_lsm_mounts_read(&mounts);
    if (r == 0)
        r = rv_lsm_identify(&mounts, lsm->seed, path, &program);
    rv_lsm_mounts_free(&mounts);
    if (r < 0)
        return r;
    if (!program.inode)
        return -ENOENT;
    key = (struct rv_lsm_key){ .id = program.inode, .dev = program.dev };
    if (bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.kinds), &key, &kind, BPF_ANY) < 0)
        return errno == E2BIG ? -ENOSPC : -errno;
    return 0;
}

/* ---- Processes ---- */

static int read_said(struct rv_lsm *lsm, int pidfd, struct rv_lsm_said *ret_said)
{
    if (bpf_map_lookup_elem(bpf_map__fd(lsm->bpf->maps.said), &pidfd, ret_said) < 0 &&
        errno != ENOENT)
        return -errno;
    return 0;
}

static int write_said(struct rv_lsm *lsm, int pidfd, const struct rv_lsm_said *said)
{
    return bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.said), &pidfd, said, BPF_ANY) < 0 ? -errno
                                                                                            : 0;
}

int rv_lsm_set_risk(struct rv_lsm *lsm, int pidfd, uint32_t risk)
{
    struct rv_lsm_said said = { 0 };
    int r = risk > 1000 ? -EINVAL : read_said(lsm, pidfd, &said);

    if (r < 0)
        return r;
    said.risk = risk;
    return write_said(lsm, pidfd, &said);
}

int rv_lsm_risks_fd(const struct rv_lsm *lsm)
{
    return bpf_map__fd(lsm->bpf->maps.risks);
}

int rv_lsm_guard(struct rv_lsm *lsm, int pidfd)
{
    struct rv_lsm_said said = { 0 };
    int r = read_said(lsm, pidfd, &said);

    if (r < 0)
        return r;
    said.marks |= RV_LSM_GUARDED;
    return write_said(lsm, pidfd, &said);
}

static int pid_of(int pidfd, pid_t *ret_pid)
{
    RV_AUTO(rv_freep) char *text = NULL;
    char path[64];
    const char *line;
    size_t len;
    int r;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    r = rv_read_file(AT_FDCWD, path, 4096, &text, &len);
    if (r < 0)
        return r;
    line = strstr(text, "\nPid:");
    *ret_pid = line ? (pid_t)strtol(line + 5, NULL, 10) : 0;
    return *ret_pid > 0 ? 0 : -ESRCH;
}

/** What a process runs; the place only while its file is still there by that name. */
static int program_of(struct rv_lsm *lsm, int pidfd, struct rv_lsm_program *ret_program)
{
    struct rv_lsm_mounts mounts = { 0 };
    struct rv_lsm_program named = { 0 };
    char link[64], path[PATH_MAX];
    ssize_t len;
    pid_t pid;
    int r = pid_of(pidfd, &pid);

    if (r == 0)
        r = rv_lsm_mounts_read(&mounts);
    if (r < 0)
        return r;
    (void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    r = rv_lsm_identify_link(&mounts, link, ret_program);
    len = readlink(link, path, sizeof(path) - 1);
    if (r == 0 && len > 0) {
        path[len] = '\0';
        if (rv_lsm_identify(&mounts, lsm->seed, path, &named) == 0 &&
            named.inode == ret_program->inode && named.dev == ret_program->dev)
            ret_program->place = named.place;
    }
    rv_lsm_mounts_free(&mounts);
    return r;
}

int rv_lsm_protect(struct rv_lsm *lsm, int pidfd)
{
    struct rv_lsm_said said = { 0 };
    int r = read_said(lsm, pidfd, &said);

    if (r == 0)
        r = program_of(lsm, pidfd, &said.program);
    if (r < 0)
        return r;
    said.marks |= RV_LSM_PROTECTED;
    return write_said(lsm, pidfd, &said);
}

/* ---- Grants ---- */

int rv_lsm_grant(struct rv_lsm *lsm, const struct rv_grant *grant)
{
    struct rv_lsm_grant_key key = {
        .program_inode = grant->program_inode,
        .file_inode = grant->file_inode,
        .program_dev = grant->program_dev,
        .file_dev = grant->file_dev,
        .uid = grant->uid,
        .action = grant->action,
        .port = grant->port,
    };

    memcpy(key.addr, grant->addr, sizeof(key.addr));
    if (bpf_map_update_elem(bpf_map__fd(lsm->bpf->maps.grants), &key, &grant->expires_boot_ns,
                            BPF_ANY) < 0)
        return errno == E2BIG ? -ENOSPC : -errno;
    return 0;
}
