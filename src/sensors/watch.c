/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "sensors/sensors.h"
#include "watch.h"

#define MARK_MASK  ((uint64_t)(FAN_OPEN | FAN_MODIFY))
#define PATH_LIMIT ((size_t)4096)

struct rv_watch {
    int fd;         /* fanotify */
    int changes_fd; /* inotify: names come and go in directories that patterns look into */
    int timer_fd;   /* runs when they did: look again a little later */
    int poll_fd;    /* epoll over the three */
    size_t marks;
    char **patterns; /* of our own root: expanded again after changes */
    size_t pattern_count;
    char path[PATH_LIMIT]; /* of the hit at hand */
};

static int poll_also(const struct rv_watch *watch, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    return epoll_ctl(watch->poll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/** `watch` with all its descriptors open. */
static int open_all(struct rv_watch *watch)
{
    const int *fds[] = { &watch->fd, &watch->changes_fd, &watch->timer_fd };

    watch->fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK,
                              O_RDONLY | O_CLOEXEC | O_LARGEFILE | O_NONBLOCK | O_NOATIME);
    if (watch->fd < 0)
        return -errno;
    watch->changes_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->changes_fd < 0)
        return -errno;
    watch->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (watch->timer_fd < 0)
        return -errno;
    watch->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (watch->poll_fd < 0)
        return -errno;
    for (size_t i = 0; i < RV_COUNT(fds); i++) {
        int r = poll_also(watch, *fds[i]);

        if (r < 0)
            return r;
    }
    return 0;
}

int rv_watch_open(struct rv_watch **ret_watch)
{
    RV_AUTO(rv_watch_free) struct rv_watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    watch->fd = watch->changes_fd = watch->timer_fd = watch->poll_fd = -1;
    r = open_all(watch);
    if (r < 0)
        return r;
    *ret_watch = RV_TAKE(watch);
    return 0;
}

void rv_watch_free(struct rv_watch **watch)
{
    struct rv_watch *w = watch ? *watch : NULL;

    if (!w)
        return;
    rv_closep(&w->poll_fd);
    rv_closep(&w->timer_fd);
    rv_closep(&w->changes_fd);
    rv_closep(&w->fd);
    for (size_t i = 0; i < w->pattern_count; i++)
        free(w->patterns[i]);
    free(w->patterns);
    free(w);
    *watch = NULL;
}

int rv_watch_fd(const struct rv_watch *watch)
{
    return watch->poll_fd;
}

/* ---- Marks ---- */

/** Open inside `root_fd`: links and ".." cannot lead out of it. */
static int open_in_root(int root_fd, const char *path, uint64_t flags)
{
    struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
    long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/** Mark one object that exists. Anything but files and, with a slash, directories is left alone. */
static int mark(struct rv_watch *watch, int root_fd, const char *path, bool directory)
{
    RV_AUTO(rv_closep) int fd = open_in_root(root_fd, path, O_PATH);
    uint64_t mask = MARK_MASK | (directory ? FAN_EVENT_ON_CHILD : 0);
    struct stat status;
    char link[40];

    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (directory ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode))
        return 0;
    if (watch->marks >= RV_SENSORS_WATCH_MAX)
        return -ENOSPC;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fanotify_mark(watch->fd, FAN_MARK_ADD, mask, AT_FDCWD, link) < 0)
        return -errno;
    watch->marks++;
    return 1;
}

/** A pattern being expanded: `done` is plain, `rest` may hold wildcards. */
struct expansion {
    struct rv_watch *watch;
    int root_fd;
    bool directory; /* the pattern ends in a slash */
    bool own_root;  /* then names that come later count too */
    size_t marked;
};

/** Learn of names that come and go in a directory; one that is not there has none. */
static void watch_changes(const struct expansion *expansion, const char *path)
{
    int fd = open_in_root(expansion->root_fd, *path ? path : "/", O_PATH | O_DIRECTORY);
    char link[40];

    if (!expansion->own_root || fd < 0) {
        rv_closep(&fd);
        return;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    /* Past the user's limit of watches: then only what exists now is marked. */
    (void)inotify_add_watch(expansion->watch->changes_fd, link, IN_CREATE | IN_MOVED_TO);
    rv_closep(&fd);
}

static int expand(struct expansion *expansion, const char *done, const char *rest, unsigned depth);

/** Go on with each entry of `done` that the first component of `rest` matches. */
static int expand_wildcard(struct expansion *expansion, const char *done, const char *component,
                           const char *rest, unsigned depth)
{
    int fd = open_in_root(expansion->root_fd, *done ? done : "/", O_RDONLY | O_DIRECTORY);
    struct dirent *entry;
    DIR *dir;
    int r = 0;

    if (fd < 0)
        return 0; /* not there, or not a directory: nothing matches */
    dir = fdopendir(fd);
    if (!dir) {
        r = -errno;
        rv_closep(&fd);
        return r;
    }
    while (r == 0 && (entry = readdir(dir))) {
        RV_AUTO(rv_freep) char *path = NULL;

        if (rv_streq(entry->d_name, ".") || rv_streq(entry->d_name, "..") ||
            fnmatch(component, entry->d_name, FNM_NOESCAPE) != 0)
            continue;
        if (asprintf(&path, "%s/%s", done, entry->d_name) < 0)
            r = -ENOMEM;
        else
            r = expand(expansion, path, rest, depth + 1);
    }
    closedir(dir);
    return r;
}

static int expand(struct expansion *expansion, const char *done, const char *rest, unsigned depth)
{
    RV_AUTO(rv_freep) char *component = NULL, *path = NULL;
    size_t len;
    int r;

    rest += strspn(rest, "/");
    if (*rest != '\0')
        watch_changes(expansion, done);
    if (*rest == '\0' || depth > 64 || strlen(done) > PATH_LIMIT) {
        r = mark(expansion->watch, expansion->root_fd, *done ? done : "/", expansion->directory);
        if (r > 0)
            expansion->marked++;
        return r < 0 ? r : 0;
    }
    len = strcspn(rest, "/");
    component = strndup(rest, len);
    if (!component)
        return -ENOMEM;
    if (strpbrk(component, "*?["))
        return expand_wildcard(expansion, done, component, rest + len, depth);
    if (asprintf(&path, "%s/%s", done, component) < 0)
        return -ENOMEM;
    return expand(expansion, path, rest + len, depth + 1);
}

static int add_pattern(struct rv_watch *watch, int root_fd, const char *pattern, bool own_root,
                       size_t *marked)
{
    size_t len = strlen(pattern);
    struct expansion expansion = { .watch = watch,
                                   .root_fd = root_fd,
                                   .own_root = own_root,
                                   .directory = len > 1 && pattern[len - 1] == '/' };
    int r = pattern[0] == '/' ? expand(&expansion, "", pattern, 0) : -EINVAL;

    *marked += expansion.marked;
    return r;
}

static bool is_own_root(int root_fd)
{
    struct stat ours, theirs;

    return stat("/", &ours) == 0 && fstat(root_fd, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

/** Remember a pattern of our own root, once. */
static int keep_pattern(struct rv_watch *watch, const char *pattern)
{
    char **patterns;

    for (size_t i = 0; i < watch->pattern_count; i++) {
        if (rv_streq(watch->patterns[i], pattern))
            return 0;
    }
    patterns = reallocarray(watch->patterns, watch->pattern_count + 1, sizeof(*patterns));
    if (!patterns)
        return -ENOMEM;
    watch->patterns = patterns;
    patterns[watch->pattern_count] = strdup(pattern);
    if (!patterns[watch->pattern_count])
        return -ENOMEM;
    watch->pattern_count++;
    return 0;
}

int rv_watch_add(struct rv_watch *watch, int root_fd, const char *const *paths, size_t path_count,
                 size_t *ret_marked)
{
    bool own_root = is_own_root(root_fd);
    size_t marked = 0;
    int r = 0;

    watch->marks = 0; /* counted anew: marking again what is marked is free */
    for (size_t i = 0; i < path_count && r == 0; i++) {
        r = add_pattern(watch, root_fd, paths[i], own_root, &marked);
        if (r == 0 && own_root)
            r = keep_pattern(watch, paths[i]);
    }
    if (r == 0 && ret_marked)
        *ret_marked = marked;
    return r;
}

/** Mark what the patterns match by now: passwd(1) replaces /etc/shadow by another file. */
static int look_again(struct rv_watch *watch)
{
    RV_AUTO(rv_closep) int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    size_t marked = 0;
    int r = root_fd < 0 ? -errno : 0;

    watch->marks = 0;
    for (size_t i = 0; i < watch->pattern_count && r == 0; i++)
        r = add_pattern(watch, root_fd, watch->patterns[i], true, &marked);
    return r == -ENOSPC ? 0 : r;
}

/** Names changed somewhere: look again, but not more often than every 20 ms. */
static int follow_changes(struct rv_watch *watch)
{
    static const struct itimerspec soon = { .it_value.tv_nsec = 20 * 1000 * 1000 };
    _Alignas(struct inotify_event) char room[1024];
    uint64_t expirations;
    bool changed = false;

    while (read(watch->changes_fd, room, sizeof(room)) > 0)
        changed = true;
    if (changed && timerfd_settime(watch->timer_fd, 0, &soon, NULL) < 0)
        return -errno;
    if (read(watch->timer_fd, &expirations, sizeof(expirations)) > 0)
        return look_again(watch);
    return 0;
}

/* ---- Hits ---- */

/** The file's path as its namespace sees it, without what the kernel says of removed files. */
static struct rv_span path_of(int fd, const struct stat *status, char room[PATH_LIMIT])
{
    static const char deleted[] = " (deleted)";
    char link[40];
    ssize_t len;
    size_t cut;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, room, PATH_LIMIT);
    if (len <= 0)
        return rv_span("", 0);
    cut = sizeof(deleted) - 1;
    if (status->st_nlink == 0 && (size_t)len > cut &&
        memcmp(room + (size_t)len - cut, deleted, cut) == 0)
        len -= (ssize_t)cut;
    return rv_span(room, (size_t)len);
}

static int put_hit(struct rv_watch *watch, const struct fanotify_event_metadata *meta,
                   const struct rv_watch_sink *sink)
{
    RV_AUTO(rv_closep) int fd = meta->fd;
    struct stat status;
    struct rv_watch_hit hit;

    if (meta->mask & FAN_Q_OVERFLOW)
        return sink->lost(sink->context);
    if (fd < 0 || fstat(fd, &status) < 0)
        return 0;
    hit = (struct rv_watch_hit){
        .pid = (uint32_t)meta->pid,
        .mask = meta->mask,
        .inode = status.st_ino,
        .dev = (uint32_t)(major(status.st_dev) << 20 | minor(status.st_dev)),
        .uid = status.st_uid,
        .mode = status.st_mode,
        .path = path_of(fd, &status, watch->path),
    };
    return sink->hit(sink->context, &hit);
}

int rv_watch_read(struct rv_watch *watch, const struct rv_watch_sink *sink)
{
    _Alignas(struct fanotify_event_metadata) char room[4096];
    int hits = 0, r = follow_changes(watch);

    if (r < 0)
        return r;
    for (;;) {
        const struct fanotify_event_metadata *meta;
        ssize_t len = read(watch->fd, room, sizeof(room));

        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return len < 0 && errno != EAGAIN ? -errno : hits;
        for (meta = (const void *)room; FAN_EVENT_OK(meta, len); meta = FAN_EVENT_NEXT(meta, len)) {
            int hit = put_hit(watch, meta, sink); /* closes the descriptor in any case */

            if (hit < 0 && r == 0)
                r = hit;
            hits++;
        }
        if (r < 0)
            return r;
    }
}
