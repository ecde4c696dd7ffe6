/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include "base/fd.h"
#include "enforce/act.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Attributes as they are cached: a file of somebody's FUSE must not make this thread wait. */
#define STATX_FLAGS (AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT)
#define CACHED      (RESOLVE_CACHED | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)

void rv_fan_source_init(struct fan_source *source)
{
    *source = (struct fan_source){ .proc_fd = -1, .fds_fd = -1, .root_fd = -1, .cgroup_fd = -1 };
    for (size_t i = 0; i < FAN_THREADS; i++)
        source->threads[i].fd = -1;
}

int rv_fan_source_open(struct fan_source *source)
{
    static const char *const cgroups[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    struct statfs fs;

    rv_fan_source_init(source);
    source->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    source->fds_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    source->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (source->proc_fd < 0 || source->fds_fd < 0 || source->root_fd < 0)
        return -errno;
    for (size_t i = 0; i < RV_COUNT(cgroups) && source->cgroup_fd < 0; i++) {
        if (statfs(cgroups[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
            source->cgroup_fd = open(cgroups[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return 0;
}

void rv_fan_source_close(struct fan_source *source)
{
    rv_closep(&source->proc_fd);
    rv_closep(&source->fds_fd);
    rv_closep(&source->root_fd);
    rv_closep(&source->cgroup_fd);
    for (size_t i = 0; i < FAN_THREADS; i++)
        rv_closep(&source->threads[i].fd);
}

static struct fan_id id_of(const struct statx *st)
{
    return (struct fan_id){ st->stx_ino, st->stx_dev_major << 20 | st->stx_dev_minor };
}

static int64_t ns_of(const struct statx_timestamp *time)
{
    return time->tv_sec * (int64_t)1000000000 + time->tv_nsec;
}

int rv_fan_identify(const char *path, struct fan_id *ret_id)
{
    struct statx st;

    if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_INO, &st) < 0)
        return -errno;
    *ret_id = id_of(&st);
    return 0;
}

static bool find_program(struct fan_facts *facts)
{
    struct statx st;

    if (facts->thread_fd < 0 ||
        statx(facts->thread_fd, "exe", STATX_FLAGS, STATX_INO | STATX_CTIME, &st) < 0)
        return false;
    facts->program = id_of(&st);
    facts->program_ctime_ns = ns_of(&st.stx_ctime);
    return true;
}

/** The thread's folder, and its program. */
static void find_thread(struct fan_source *source, struct fan_facts *facts)
{
    struct fan_thread *thread = &source->threads[facts->tid % FAN_THREADS];
    char name[16];

    facts->thread_fd = thread->tid == facts->tid ? thread->fd : -1;
    if (!find_program(facts)) { /* not the thread that had this number before */
        rv_closep(&thread->fd);
        (void)snprintf(name, sizeof(name), "%u", facts->tid);
        thread->fd = openat(source->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        thread->tid = facts->tid;
        facts->thread_fd = thread->fd;
        (void)find_program(facts);
        /* Signal 0 to a thread of this process: is there such a one? */
        thread->own = syscall(SYS_tgkill, getpid(), (pid_t)facts->tid, 0) == 0;
        thread->start_boot_ns = 0;
    }
    facts->own = thread->own;
}

void rv_fan_facts_user(struct fan_facts *facts)
{
    struct stat st;

    if (facts->user_known)
        return;
    facts->user_known = true;
    /* The owner of this folder is the effective user, whatever the process says of being dumped. */
    facts->euid =
        facts->thread_fd >= 0 && fstat(facts->thread_fd, &st) == 0 ? st.st_uid : UINT32_MAX;
}

int rv_fan_facts_quick(struct fan_source *source, int fd, uint32_t tid, struct fan_facts *facts)
{
    struct stat st;

    facts->tid = tid;
    facts->process_known = true;
    /* Not statx(): a call without a path spares the kernel a page, which is half its cost. */
    if (fstat(fd, &st) < 0)
        return -errno;
    facts->file =
        (struct fan_id){ st.st_ino, (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev)) };
    facts->ctime_ns = st.st_ctim.tv_sec * (int64_t)1000000000 + st.st_ctim.tv_nsec;
    facts->mtime_ns = st.st_mtim.tv_sec * (int64_t)1000000000 + st.st_mtim.tv_nsec;
    facts->size = (uint64_t)st.st_size;
    facts->link_count = (uint32_t)st.st_nlink;
    find_thread(source, facts);
    return 0;
}

/** Read a small file of the thread's folder whole, with a NUL. @return its length, or 0. */
static size_t read_proc(const struct fan_facts *facts, const char *name, char *text, size_t size)
{
    RV_AUTO(rv_closep) int fd = -1;
    size_t len = 0;

    if (facts->thread_fd >= 0)
        fd = openat(facts->thread_fd, name, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len < size - 1) {
        ssize_t more = read(fd, text + len, size - 1 - len);

        if (more <= 0)
            break;
        len += (size_t)more;
    }
    text[len] = '\0';
    return len;
}

/* ---- Who ---- */

static bool parse_number(const char *text, const char *name, uint32_t *value)
{
    const char *line = strstr(text, name);

    return line && sscanf(line + strlen(name), "%" SCNu32, value) == 1;
}

bool rv_fan_parse_status(const char *text, struct fan_facts *facts)
{
    size_t len;

    if (strncmp(text, "Name:\t", 6) != 0)
        return false;
    /* Newlines in the name are escaped by the kernel, so the fields below cannot be feigned. */
    len = rv_min_u64(strcspn(text + 6, "\n"), sizeof(facts->comm) - 1);
    memcpy(facts->comm, text + 6, len);
    facts->comm[len] = '\0';
    return parse_number(text, "\nTgid:\t", &facts->tgid) &&
           parse_number(text, "\nUid:\t", &facts->uid) &&
           parse_number(text, "\nGid:\t", &facts->gid);
}

void rv_fan_facts_status(struct fan_facts *facts)
{
    char text[4096];

    if (facts->status_known)
        return;
    facts->status_known =
        read_proc(facts, "status", text, sizeof(text)) > 0 && rv_fan_parse_status(text, facts);
    if (!facts->status_known)
        facts->uid = facts->gid = UINT32_MAX;
    facts->status_known = true;
}

void rv_fan_facts_start(struct fan_source *source, struct fan_facts *facts)
{
    struct fan_thread *thread = &source->threads[facts->tid % FAN_THREADS];
    struct rv_process_key key;

    if (thread->start_boot_ns == 0 && rv_process_key_of((pid_t)facts->tgid, &key) == 0)
        thread->start_boot_ns = key.start_boot_ns;
    facts->start_boot_ns = thread->start_boot_ns;
}

void rv_fan_facts_workloads(const struct fan_source *source, struct fan_facts *facts)
{
    char text[4096], *path, *end;
    struct statx st;

    if (facts->workloads_known)
        return;
    facts->workloads_known = true;
    if (source->cgroup_fd < 0 || read_proc(facts, "cgroup", text, sizeof(text)) == 0)
        return;
    path = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
    if (!path)
        return;
    path = strchr(path, '/');
    path[strcspn(path, "\n")] = '\0';
    while (facts->workload_count < RV_FAN_DEPTH) {
        const char *relative = path[1] ? path + 1 : ".";

        if (statx(source->cgroup_fd, relative, STATX_FLAGS, STATX_INO, &st) == 0)
            facts->workloads[facts->workload_count++] = st.stx_ino;
        end = strrchr(path, '/');
        if (path[1] == '\0')
            break;
        end[end == path ? 1 : 0] = '\0';
    }
}

void rv_fan_facts_program_path(struct fan_facts *facts)
{
    ssize_t len = readlinkat(facts->thread_fd, "exe", facts->program_path, FAN_PATH_ROOM - 1);

    facts->program_path[len > 0 ? len : 0] = '\0';
}

/* ---- Where ---- */

void rv_fan_facts_path(const struct fan_source *source, int fd, struct fan_facts *facts)
{
    static const char deleted[] = " (deleted)";
    const size_t cut = sizeof(deleted) - 1;
    char name[16];
    ssize_t len;

    if (facts->path_known)
        return;
    facts->path_known = true;
    (void)snprintf(name, sizeof(name), "%d", fd);
    len = readlinkat(source->fds_fd, name, facts->path, FAN_PATH_ROOM - 1);
    if (len < 0)
        len = 0;
    if (facts->link_count == 0 && (size_t)len > cut &&
        memcmp(facts->path + (size_t)len - cut, deleted, cut) == 0)
        len -= (ssize_t)cut;
    facts->path[len] = '\0';
}

/** Open by path through the cache alone; a rename elsewhere may disturb it, so try again. */
static int open_cached(int dir_fd, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = CACHED | resolve };
    long fd = -1;

    for (int i = 0; i < 3 && fd < 0; i++) {
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        if (fd < 0 && errno != EAGAIN)
            break;
    }
    return fd < 0 ? -errno : (int)fd;
}

/** The folder that the path names below this root, if the file is really in it, by this mount. */
static int open_folder(const struct fan_facts *facts, int root_fd)
{
    RV_AUTO(rv_closep) int folder = -1;
    RV_AUTO(rv_closep) int file = -1;
    char path[FAN_PATH_ROOM];
    const char *base;
    struct statx st;
    size_t len;

    base = strrchr(facts->path, '/');
    if (!base || base[1] == '\0')
        return -ENOENT;
    len = (size_t)(base - facts->path);
    memcpy(path, facts->path, len);
    path[len] = '\0';
    folder = open_cached(root_fd, len ? path : "/", O_DIRECTORY, RESOLVE_IN_ROOT);
    if (folder < 0)
        return folder;
    file = open_cached(folder, base + 1, O_NOFOLLOW, 0);
    if (file < 0)
        return file;
    if (statx(file, "", AT_EMPTY_PATH | STATX_FLAGS, STATX_INO | STATX_MNT_ID, &st) < 0)
        return -errno;
    if (!fan_same(id_of(&st), facts->file) || st.stx_mnt_id != facts->mount_id)
        return -ESTALE;
    /* A file that is mounted by itself has a name there, but no folder. */
    if (statx(folder, "", AT_EMPTY_PATH | STATX_FLAGS, STATX_MNT_ID, &st) < 0)
        return -errno;
    return st.stx_mnt_id == facts->mount_id ? rv_take_fd(&folder) : -ESTALE;
}

void rv_fan_facts_place(const struct fan_source *source, int fd, struct fan_facts *facts)
{
    RV_AUTO(rv_closep) int at = -1;
    RV_AUTO(rv_closep) int their_root = -1;
    struct statx st;

    facts->place = FAN_PLACE_HIDDEN;
    facts->folder_count = 0;
    if (statx(fd, "", AT_EMPTY_PATH | STATX_FLAGS, STATX_MNT_ID, &st) < 0)
        return;
    facts->mount_id = st.stx_mnt_id;
    at = open_folder(facts, source->root_fd);
    if (at < 0) { /* a mount of the opener's own namespace: seen from there */
        their_root = openat(facts->thread_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        at = their_root < 0 ? -1 : open_folder(facts, their_root);
    }
    while (at >= 0 && facts->folder_count < RV_FAN_DEPTH) {
        int above;

        if (statx(at, "", AT_EMPTY_PATH | STATX_FLAGS, STATX_INO | STATX_MNT_ID, &st) < 0)
            return;
        if (st.stx_mnt_id != facts->mount_id) { /* whoever mounts may choose what is above */
            facts->place = FAN_PLACE_FOUND;
            return;
        }
        if (facts->folder_count > 0 &&
            fan_same(facts->folders[facts->folder_count - 1], id_of(&st))) {
            facts->place = FAN_PLACE_FOUND; /* the top: its own parent */
            return;
        }
        facts->folders[facts->folder_count++] = id_of(&st);
        above = open_cached(at, "..", O_DIRECTORY, 0);
        rv_closep(&at);
        at = above;
    }
}

/* ---- How ---- */

static uint32_t mode_of(uint64_t flags)
{
    uint64_t access = flags & O_ACCMODE;

    if (access == O_RDONLY && !(flags & O_TRUNC))
        return RV_DO_READ;
    return access == O_WRONLY ? RV_DO_WRITE : RV_DO_READ | RV_DO_WRITE;
}

uint32_t rv_fan_open_mode(const char *line)
{
    unsigned long long args[6];
    int number;

    if (sscanf(line, "%d %llx %llx %llx %llx %llx %llx", &number, &args[0], &args[1], &args[2],
               &args[3], &args[4], &args[5]) != 7)
        return RV_DO_READ | RV_DO_WRITE;
        /*
         * Flags handed over in a register, which nobody can change while the thread is inside. The
         * numbers mean other calls to 32-bit programs, none of which opens: those stay untold, like
         * openat2 (flags in memory that can be changed) and io_uring.
         */
#ifdef SYS_open
    if (number == SYS_open)
        return mode_of(args[1]);
#endif
#ifdef SYS_creat
    if (number == SYS_creat)
        return RV_DO_WRITE;
#endif
    if (number == SYS_openat || number == SYS_open_by_handle_at)
        return mode_of(args[2]);
    if (number == SYS_execve || number == SYS_execveat)
        return RV_DO_EXEC;
    return RV_DO_READ | RV_DO_WRITE;
}

void rv_fan_facts_mode(struct fan_facts *facts)
{
    char line[256];

    if (facts->action == RV_DO_EXEC)
        return;
    /* "running": it has asked, but has not gone to sleep yet. */
    for (unsigned i = 0; i < 20; i++) {
        if (read_proc(facts, "syscall", line, sizeof(line)) == 0 || line[0] != 'r')
            break;
        (void)(i < 3 ? sched_yield() : usleep(100));
    }
    facts->action = rv_fan_open_mode(line);
}
