/* SPDX-License-Identifier: Apache-2.0 */
/* The gate before every action (protected set, budget, dry run), the actions, and their undo. */
#include "enforce/act.h"

#include "base/fd.h"

#include "isolate.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STANDING_MAX  256
#define PROTECTED_MAX 64
#define TREE_MAX      4096
#define TREE_ROUNDS   16
#define NS_PER_HOUR   (3600 * RV_NS_PER_S)

struct standing {
    enum rv_action action;
    struct rv_process_key process;
    char *cgroup;
    struct rv_isolation *isolation;
    uint32_t number; /* 0: free */
};

struct program_id {
    dev_t dev;
    ino_t inode;
};

struct rv_actor {
    struct rv_act_options options;
    struct standing standing[STANDING_MAX];
    struct program_id protected[PROTECTED_MAX];
    size_t protected_count;
    uint32_t last_number;
    uint64_t window_boot_ns;
    uint32_t used;
};

/* ---- Processes ---- */

/** Parent and start time out of /proc/PID/stat. @return 0; -ESRCH. */
static int read_stat(pid_t pid, pid_t *ret_parent, uint64_t *ret_start_ticks)
{
    RV_AUTO(rv_freep) char *text = NULL;
    char path[32];
    unsigned long long start;
    char *after;
    size_t len;
    int parent;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (rv_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
        return -ESRCH;
    after = strrchr(text, ')'); /* the name may hold anything, even ')' */
    if (!after || sscanf(after + 1,
                         " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                         "%*d %llu",
                         &parent, &start) != 2)
        return -ESRCH;
    *ret_parent = parent;
    *ret_start_ticks = start;
    return 0;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
    return ticks * (RV_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

int rv_process_key_of(pid_t pid, struct rv_process_key *ret_key)
{
    uint64_t ticks;
    pid_t parent;
    int r = read_stat(pid, &parent, &ticks);

    if (r == 0)
        *ret_key = (struct rv_process_key){ ticks_to_ns(ticks), (uint32_t)pid };
    return r;
}

int rv_process_parent_of(pid_t pid, pid_t *ret_parent)
{
    uint64_t ticks;

    return read_stat(pid, ret_parent, &ticks);
}

/**
 * A pidfd of exactly this process. The start time is compared after the pidfd was opened, so the
 * pid cannot become another's in between. /proc counts in ticks: the key is cut to them.
 */
static int open_process(struct rv_process_key key)
{
    RV_AUTO(rv_closep) int fd = (int)syscall(SYS_pidfd_open, (pid_t)key.tgid, 0);
    const uint64_t tick_ns = ticks_to_ns(1);
    struct rv_process_key now;

    if (fd < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    if (rv_process_key_of((pid_t)key.tgid, &now) < 0 ||
        now.start_boot_ns / tick_ns != key.start_boot_ns / tick_ns)
        return -ESRCH;
    return rv_take_fd(&fd);
}

static int signal_process(struct rv_process_key key, int number)
{
    RV_AUTO(rv_closep) int fd = open_process(key);

    if (fd < 0)
        return fd;
    return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0 ? -errno : 0;
}

/* ---- The protected set ---- */

static bool is_ancestor_of_ours(pid_t pid)
{
    uint64_t start;
    pid_t at = getpid();

    for (int depth = 0; depth < 64 && at > 0; depth++) {
        if (at == pid)
            return true;
        if (read_stat(at, &at, &start) < 0)
            return false;
    }
    return false;
}

static bool is_protected(const struct rv_actor *actor, pid_t pid)
{
    char path[32];
    struct stat st;

    if (pid <= 1 || is_ancestor_of_ours(pid))
        return true;
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    if (stat(path, &st) < 0)
        return false; /* no program, or gone: the action itself will say */
    for (size_t i = 0; i < actor->protected_count; i++)
        if (actor->protected[i].dev == st.st_dev && actor->protected[i].inode == st.st_ino)
            return true;
    return false;
}

int rv_actor_protect(struct rv_actor *actor, const char *program)
{
    struct stat st;

    if (actor->protected_count == PROTECTED_MAX)
        return -ENOSPC;
    if (stat(program, &st) < 0)
        return -errno;
    actor->protected[actor->protected_count++] = (struct program_id){ st.st_dev, st.st_ino };
    return 0;
}

/** Does a cgroup, or one below it, hold a protected process? Errors count as yes. */
static bool holds_protected(const struct rv_actor *actor, const char *cgroup, int depth)
{
    RV_AUTO(rv_freep) char *path = NULL;
    struct dirent *entry;
    bool found = false;
    DIR *dir;
    FILE *procs;
    int pid;

    if (depth > 32 || asprintf(&path, "%s/cgroup.procs", cgroup) < 0)
        return true;
    procs = fopen(path, "re");
    if (!procs)
        return true;
    while (!found && fscanf(procs, "%d", &pid) == 1)
        found = is_protected(actor, pid);
    (void)fclose(procs);
    dir = found ? NULL : opendir(cgroup);
    while (dir && !found && (entry = readdir(dir))) {
        RV_AUTO(rv_freep) char *below = NULL;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        if (asprintf(&below, "%s/%s", cgroup, entry->d_name) < 0) {
            below = NULL;
            found = true;
        } else {
            found = holds_protected(actor, below, depth + 1);
        }
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

/* ---- Actions ---- */

static int write_freezer(const char *cgroup, const char *value)
{
    RV_AUTO(rv_freep) char *path = NULL;
    RV_AUTO(rv_closep) int fd = -1;

    if (asprintf(&path, "%s/cgroup.freeze", cgroup) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : rv_write_all(fd, value, 1);
}

/** The children of the processes in `keys`, that are not in it yet, appended. */
static int add_children(struct rv_process_key *keys, size_t *count)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    if (!proc)
        return -errno;
    while ((entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), parent;
        bool is_child = false, known = false;
        uint64_t ticks;

        if (pid <= 0 || read_stat(pid, &parent, &ticks) < 0)
            continue;
        for (size_t i = 0; i < *count; i++) {
            is_child |= (pid_t)keys[i].tgid == parent;
            known |= (pid_t)keys[i].tgid == pid;
        }
        if (is_child && !known && *count < TREE_MAX)
            keys[(*count)++] = (struct rv_process_key){ ticks_to_ns(ticks), (uint32_t)pid };
    }
    (void)closedir(proc);
    return 0;
}

/** Stop everybody, look again until nobody new is found, then kill: a stopped process forks not. */
static int kill_tree(const struct rv_actor *actor, struct rv_process_key root)
{
    RV_AUTO(rv_freep) struct rv_process_key *keys = calloc(TREE_MAX, sizeof(*keys));
    size_t count = 1, stopped = 0;
    int r;

    if (!keys)
        return -ENOMEM;
    keys[0] = root;
    for (int round = 0; round < TREE_ROUNDS && stopped < count; round++) {
        for (; stopped < count; stopped++)
            if (!is_protected(actor, (pid_t)keys[stopped].tgid))
                (void)signal_process(keys[stopped], SIGSTOP);
        r = add_children(keys, &count);
        if (r < 0)
            return r;
    }
    for (size_t i = count; i-- > 1;)
        if (!is_protected(actor, (pid_t)keys[i].tgid))
            (void)signal_process(keys[i], SIGKILL); /* gone already is as good */
    return signal_process(root, SIGKILL);
}

static int carry_out(struct rv_actor *actor, const struct rv_act_request *request,
                     struct rv_isolation **ret_isolation)
{
    switch (request->action) {
    case RV_ACT_FREEZE:
        return request->cgroup ? write_freezer(request->cgroup, "1")
                               : signal_process(request->process, SIGSTOP);
    case RV_ACT_KILL:
        return signal_process(request->process, SIGKILL);
    case RV_ACT_KILL_TREE:
        return kill_tree(actor, request->process);
    case RV_ACT_ISOLATE:
        return rv_isolate(ret_isolation, request->cgroup);
    case RV_ACT_NONE:
    case RV_ACT_COUNT_:
        break;
    }
    return -EINVAL;
}

/* ---- The gate ---- */

static bool on_cgroup(const struct rv_act_request *request)
{
    return request->action == RV_ACT_ISOLATE ||
           (request->action == RV_ACT_FREEZE && request->cgroup);
}

static bool within_budget(struct rv_actor *actor)
{
    uint64_t now = actor->options.clock.boot_ns(actor->options.clock.context);

    if (!actor->window_boot_ns || now - actor->window_boot_ns >= NS_PER_HOUR) {
        actor->window_boot_ns = now;
        actor->used = 0;
    }
    return actor->used < actor->options.budget_per_hour;
}

static struct standing *free_place(struct rv_actor *actor)
{
    for (size_t i = 0; i < STANDING_MAX; i++)
        if (!actor->standing[i].number)
            return &actor->standing[i];
    return NULL;
}

/** A refusal, or RV_ACT_DONE: nothing stands against it. */
static enum rv_act_outcome may_act(struct rv_actor *actor, const struct rv_act_request *request)
{
    if (on_cgroup(request) ? holds_protected(actor, request->cgroup, 0)
                           : is_protected(actor, (pid_t)request->process.tgid))
        return RV_ACT_REFUSED;
    if (!within_budget(actor))
        return RV_ACT_OVER_BUDGET;
    return actor->options.dry_run ? RV_ACT_DRY : RV_ACT_DONE;
}

int rv_act(struct rv_actor *actor, const struct rv_act_request *request,
           enum rv_act_outcome *ret_outcome, uint32_t *ret_number)
{
    RV_AUTO(rv_freep) char *cgroup = NULL;
    struct standing *place = free_place(actor);
    struct rv_isolation *isolation = NULL;
    enum rv_act_outcome outcome;
    int r;

    if (request->action <= RV_ACT_NONE || request->action >= RV_ACT_COUNT_ ||
        (request->action == RV_ACT_ISOLATE && !request->cgroup))
        return -EINVAL;
    if (!place)
        return -ENOSPC;
    if (request->cgroup && !(cgroup = strdup(request->cgroup)))
        return -ENOMEM;
    outcome = may_act(actor, request);
    if (outcome == RV_ACT_DONE) {
        r = carry_out(actor, request, &isolation);
        if (r == -ESRCH)
            outcome = RV_ACT_GONE;
        else if (r < 0)
            return r;
    }
    *ret_number = 0;
    if (outcome == RV_ACT_DONE) {
        actor->used++;
        *ret_number = ++actor->last_number;
        if (request->action == RV_ACT_FREEZE || request->action == RV_ACT_ISOLATE)
            *place = (struct standing){ request->action, request->process, RV_TAKE(cgroup),
                                        isolation, *ret_number };
    }
    *ret_outcome = outcome;
    return 0;
}

/* ---- Undo ---- */

static int undo(struct standing *place)
{
    int r = 0;

    if (place->action == RV_ACT_ISOLATE)
        rv_isolation_end(&place->isolation);
    else if (place->cgroup)
        r = write_freezer(place->cgroup, "0");
    else
        r = signal_process(place->process, SIGCONT);
    if (r < 0 && r != -ESRCH && r != -ENOENT)
        return r; /* still standing: may be tried again */
    free(place->cgroup);
    *place = (struct standing){ 0 };
    return 0;
}

int rv_act_undo(struct rv_actor *actor, uint32_t number)
{
    for (size_t i = 0; number && i < STANDING_MAX; i++)
        if (actor->standing[i].number == number)
            return undo(&actor->standing[i]);
    return -ENOENT;
}

int rv_act_undo_all(struct rv_actor *actor)
{
    int undone = 0, first = 0;

    for (uint32_t number = actor->last_number; number > 0; number--) {
        int r = rv_act_undo(actor, number);

        undone += r == 0;
        if (r < 0 && r != -ENOENT && first == 0)
            first = r;
    }
    return first < 0 ? first : undone;
}

uint32_t rv_actor_standing(const struct rv_actor *actor)
{
    uint32_t count = 0;

    for (size_t i = 0; i < STANDING_MAX; i++)
        count += actor->standing[i].number != 0;
    return count;
}

/* ---- Life ---- */

int rv_actor_new(struct rv_actor **ret_actor, const struct rv_act_options *options)
{
    struct rv_actor *actor = calloc(1, sizeof(*actor));

    if (!actor)
        return -ENOMEM;
    actor->options = *options;
    *ret_actor = actor;
    return 0;
}

void rv_actor_free(struct rv_actor **actor)
{
    if (!*actor)
        return;
    for (size_t i = 0; i < STANDING_MAX; i++) {
        rv_isolation_end(&(*actor)->standing[i].isolation);
        free((*actor)->standing[i].cgroup);
    }
    free(*actor);
    *actor = NULL;
}
