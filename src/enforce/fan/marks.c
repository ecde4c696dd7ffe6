/* SPDX-License-Identifier: Apache-2.0 */
#include "marks.h"

#include "base/fd.h"
#include "base/hash.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAMED_MAX ((size_t)4096)

struct object {
    struct fan_id id;
    uint32_t scope; /* FAN_SCOPE_* */
    int32_t above;  /* index of the folder above, in a tree; -1: top */
};

struct named {
    int descriptor; /* of the folder, inotify */
    char name[256];
};

struct fan_marks {
    struct object *objects; /* marked files and folders */
    size_t count, room;
    int32_t *slots; /* hash of objects by id: index + 1, 0 free */
    size_t slot_count;
    uint32_t wide; /* FAN_SCOPE_* of marked mounts and file systems */
    bool is_wide;
    size_t wide_count;
    struct named *named;
    size_t named_count;
};

/** One thing to be marked. */
struct target {
    const char *path;
    enum rv_fan_scope_kind kind;
    uint32_t actions, scope;
};

/* ---- The table ---- */

static size_t slot_of(const struct fan_marks *marks, struct fan_id id)
{
    size_t at = rv_mix64(id.inode ^ (uint64_t)id.dev << 40) & (marks->slot_count - 1);

    while (marks->slots[at] && !fan_same(marks->objects[marks->slots[at] - 1].id, id))
        at = (at + 1) & (marks->slot_count - 1);
    return at;
}

static struct object *find(const struct fan_marks *marks, struct fan_id id)
{
    int32_t index = marks->slots[slot_of(marks, id)];

    return index ? &marks->objects[index - 1] : NULL;
}

/** Add, or join what is known of it. @return its index; -ENOSPC; -ENOMEM. */
static int add_object(struct fan_marks *marks, struct fan_id id, uint32_t scope, int32_t above)
{
    struct object *known = find(marks, id);

    if (known) {
        known->scope |= scope;
        known->above = known->above < 0 ? above : known->above;
        return (int)(known - marks->objects);
    }
    if (marks->count == RV_FAN_FOLDERS_MAX)
        return -ENOSPC;
    if (marks->count == marks->room) {
        size_t room = marks->room ? marks->room * 2 : 64;
        struct object *objects = reallocarray(marks->objects, room, sizeof(*objects));

        if (!objects)
            return -ENOMEM;
        marks->objects = objects;
        marks->room = room;
    }
    marks->objects[marks->count] = (struct object){ id, scope, above };
    marks->slots[slot_of(marks, id)] = (int32_t)++marks->count;
    return (int)marks->count - 1;
}

uint32_t rv_fan_marks_scope(const struct fan_marks *marks, struct fan_facts *facts)
{
    const struct object *file = find(marks, facts->file);
    uint32_t scope = (file ? file->scope : 0) | marks->wide;
    const struct object *folder = facts->folder_count > 0 ? find(marks, facts->folders[0]) : NULL;

    if (facts->place == FAN_PLACE_HIDDEN && !file && !marks->is_wide) {
        for (size_t i = 0; i < marks->count; i++) /* some marked folder, who knows which */
            scope |= marks->objects[i].scope;
        return scope;
    }
    if (!folder)
        return scope;
    scope |= folder->scope;
    for (size_t depth = 0; folder->above >= 0 && depth < RV_FAN_DEPTH; depth++) {
        bool known = false;

        folder = &marks->objects[folder->above];
        for (size_t i = 0; i < facts->folder_count && !known; i++)
            known = fan_same(facts->folders[i], folder->id);
        if (!known && facts->folder_count < RV_FAN_DEPTH)
            facts->folders[facts->folder_count++] = folder->id;
    }
    return scope;
}

/* ---- Names that come to stand for something else ---- */

bool rv_fan_marks_named(const struct fan_marks *marks, int descriptor, const char *name)
{
    for (size_t i = 0; i < marks->named_count; i++) {
        if (marks->named[i].descriptor == descriptor && rv_streq(marks->named[i].name, name))
            return true;
    }
    return false;
}

/** Learn of it when the path's last name is given to another file. */
static int watch_name(struct fan_marks *marks, const struct fan_marks_work *work, const char *path)
{
    RV_AUTO(rv_freep) char *folder = strdup(path);
    char *base = folder ? strrchr(folder, '/') : NULL;
    int descriptor;

    if (!folder)
        return -ENOMEM;
    if (!base || base[1] == '\0' || strlen(base + 1) > 255 || work->changes_fd < 0 ||
        marks->named_count == NAMED_MAX)
        return 0;
    *base = '\0';
    /* Past the user's limit of watches: then only what exists now is marked. */
    descriptor = inotify_add_watch(work->changes_fd, folder[0] ? folder : "/",
                                   IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    if (descriptor < 0)
        return 0;
    if (!marks->named) {
        marks->named = calloc(NAMED_MAX, sizeof(*marks->named));
        if (!marks->named)
            return -ENOMEM;
    }
    marks->named[marks->named_count].descriptor = descriptor;
    strcpy(marks->named[marks->named_count++].name, base + 1);
    return 0;
}

/* ---- Marking ---- */

static uint64_t mask_of(const struct target *target)
{
    return ((target->actions & RV_DO_EXEC) ? FAN_OPEN_EXEC_PERM : 0) |
           ((target->actions & FAN_OPENS) ? FAN_OPEN_PERM : 0) |
           (target->kind == RV_FAN_FOLDER || target->kind == RV_FAN_TREE ? FAN_EVENT_ON_CHILD : 0);
}

/**
 * File systems whose opens wait for another machine or program, or open a file below as anybody
 * would: this thread would wait too.
 */
static bool may_hang(int fd)
{
    static const unsigned long hanging[] = {
        FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC,    SMB_SUPER_MAGIC,      CIFS_SUPER_MAGIC,
        SMB2_SUPER_MAGIC, CEPH_SUPER_MAGIC,   V9FS_MAGIC,           AFS_FS_MAGIC,
        CODA_SUPER_MAGIC, AUTOFS_SUPER_MAGIC, ECRYPTFS_SUPER_MAGIC,
    };
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return true;
    for (size_t i = 0; i < RV_COUNT(hanging); i++) {
        if ((unsigned long)fs.f_type == hanging[i])
            return true;
    }
    return false;
}

static int mark_object(struct fan_marks *marks, const struct fan_marks_work *work, int fd,
                       const struct target *target, int32_t above)
{
    struct stat st;
    struct fan_id id;
    char link[40];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) < 0 ||
        fanotify_mark(work->fd, FAN_MARK_ADD, mask_of(target), AT_FDCWD, link) < 0)
        return -errno;
    id = (struct fan_id){ st.st_ino, (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev)) };
    return add_object(marks, id, target->scope, above);
}

static int mark_tree(struct fan_marks *marks, struct fan_marks_work *work, int fd,
                     const struct target *target, int32_t above);

/** One entry of a folder in a tree, if it is a folder on the same file system. */
static int mark_below(struct fan_marks *marks, struct fan_marks_work *work, DIR *dir,
                      const char *name, const struct target *target, int32_t above)
{
    int fd = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat here, st;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
    if (fstat(dirfd(dir), &here) < 0 || fstat(fd, &st) < 0 || st.st_dev != here.st_dev) {
        rv_closep(&fd); /* another mount: it wants a scope of its own */
        return 0;
    }
    return mark_tree(marks, work, fd, target, above);
}

/**
 * A folder of a tree, and those below it. Takes the descriptor. What goes beyond a bound is left
 * out and said: whoever may make folders there must not keep a new set from coming into force.
 */
static int mark_tree(struct fan_marks *marks, struct fan_marks_work *work, int fd,
                     const struct target *target, int32_t above)
{
    int index = -ENOSPC, r = 0;
    struct dirent *entry;
    char link[40];
    DIR *dir;

    if (work->depth < RV_FAN_DEPTH)
        index = mark_object(marks, work, fd, target, above);
    if (index == -ENOSPC || index == -ENOENT) { /* ENOENT: removed in between */
        work->incomplete = work->incomplete || index == -ENOSPC;
        rv_closep(&fd);
        return 0;
    }
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (work->changes_fd >= 0)
        (void)inotify_add_watch(work->changes_fd, link, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    dir = index < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        rv_closep(&fd);
        return index < 0 ? index : -ENOMEM;
    }
    work->depth++;
    while (r == 0 && (entry = readdir(dir))) {
        if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
            !rv_streq(entry->d_name, ".") && !rv_streq(entry->d_name, ".."))
            r = mark_below(marks, work, dir, entry->d_name, target, index);
    }
    work->depth--;
    (void)closedir(dir);
    return r;
}

static int mark_wide(struct fan_marks *marks, const struct fan_marks_work *work, int fd,
                     const struct target *target)
{
    unsigned kind = target->kind == RV_FAN_MOUNT ? FAN_MARK_MOUNT : FAN_MARK_FILESYSTEM;
    char link[40];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fanotify_mark(work->fd, FAN_MARK_ADD | kind, mask_of(target), AT_FDCWD, link) < 0)
        return -errno;
    marks->wide |= target->scope;
    marks->is_wide = true;
    marks->wide_count++;
    return 0;
}

static int mark_target(struct fan_marks *marks, struct fan_marks_work *work,
                       const struct target *target)
{
    bool folder = target->kind == RV_FAN_FOLDER || target->kind == RV_FAN_TREE;
    RV_AUTO(rv_closep) int fd = open(target->path, O_PATH | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
    int r;

    if (fd < 0)
        return -errno;
    if (may_hang(fd))
        return -EOPNOTSUPP;
    r = rv_fan_layer_of(&work->stack, fd, target->path);
    if (r < 0)
        return r;
    if (r != (int)work->layer)
        return 0; /* another one's */
    if (target->kind == RV_FAN_MOUNT || target->kind == RV_FAN_FILESYSTEM)
        return mark_wide(marks, work, fd, target);
    r = watch_name(marks, work, target->path);
    if (r < 0)
        return r;
    if (target->kind == RV_FAN_TREE) {
        int tree = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return tree < 0 ? -errno : mark_tree(marks, work, tree, target, -1);
    }
    r = mark_object(marks, work, fd, target, -1);
    return r < 0 ? r : 0;
}

/** The files and folders that a rule is about. One that is not there is waited for by name. */
static int mark_rule(struct fan_marks *marks, struct fan_marks_work *work, size_t index)
{
    const struct rv_rule *rule = &work->rules->rules[index];
    int r = 0;

    if (!(rule->actions & FAN_ACTIONS))
        return 0;
    for (uint32_t i = 0; i < rule->term_count && r >= 0; i++) {
        const struct rv_rule_term *term = &rule->terms[i];
        const struct target target = {
            .path = term->text,
            .kind = term->subject == RV_TERM_FILE ? RV_FAN_FILE : RV_FAN_TREE,
            .actions = rule->actions & FAN_ACTIONS,
        };

        if (term->negated || (term->subject != RV_TERM_FILE && term->subject != RV_TERM_FOLDER))
            continue;
        r = mark_target(marks, work, &target);
        if (r == -EOPNOTSUPP) {
            work->hanging |= 1ULL << index;
            r = 0;
        }
        if (r == -ENOENT || r == -ENOTDIR)
            r = watch_name(marks, work, term->text);
    }
    return r < 0 ? r : 0;
}

static void marks_freep(struct fan_marks **marks)
{
    rv_fan_marks_free(marks);
}

int rv_fan_marks_new(struct fan_marks **ret_marks, struct fan_marks_work *work)
{
    RV_AUTO(marks_freep) struct fan_marks *marks = calloc(1, sizeof(*marks));
    int r;

    work->failed_rule = SIZE_MAX;
    if (!marks)
        return -ENOMEM;
    marks->slot_count = 2 * RV_FAN_FOLDERS_MAX;
    marks->slots = calloc(marks->slot_count, sizeof(*marks->slots));
    if (!marks->slots)
        return -ENOMEM;
    for (size_t i = 0; i < work->rules->scope_count; i++) {
        const struct rv_fan_scope *scope = &work->rules->scopes[i];
        const struct target target = {
            .path = scope->path,
            .kind = scope->kind,
            .actions = scope->actions,
            .scope = (scope->ask ? FAN_SCOPE_ASK : 0) |
                     (scope->lapse == RV_LAPSE_CLOSED ? FAN_SCOPE_CLOSED : 0),
        };

        r = mark_target(marks, work, &target);
        if (r == -ENOENT || r == -ENOTDIR) { /* who may remove it must not hold up a new set */
            work->missing++;
            r = watch_name(marks, work, scope->path);
        }
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < work->rules->count; i++) {
        r = mark_rule(marks, work, i);
        if (r < 0) {
            work->failed_rule = i;
            return r;
        }
    }
    *ret_marks = RV_TAKE(marks);
    return 0;
}

void rv_fan_marks_free(struct fan_marks **marks)
{
    struct fan_marks *m = *marks;

    if (!m)
        return;
    free(m->objects);
    free(m->slots);
    free(m->named);
    free(m);
    *marks = NULL;
}

size_t rv_fan_marks_count(const struct fan_marks *marks)
{
    return marks->count + marks->wide_count;
}
