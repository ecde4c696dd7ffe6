/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN 160
#define OPS_MAX  4096
#define NODES    4096

enum kind { WRITE, TRUNCATE, SYNC, CREATE, MKDIR, RENAME, UNLINK };

struct op {
    enum kind kind;
    int node;
    size_t offset, len;
    uint8_t *data;
    char path[PATH_LEN], to[PATH_LEN]; /* `to`: the new name of a rename */
};

struct name {
    char path[PATH_LEN];
    int node;
    bool directory;
};

struct names {
    struct name items[512];
    size_t count;
};

struct content {
    uint8_t *data;
    size_t len;
};

static struct {
    bool watching;
    char root[PATH_LEN];
    struct op ops[OPS_MAX];
    size_t op_count;
    struct names first, live; /* names when watching began, and now */
    struct content first_content[NODES];
    int node_count;
    size_t fail_at;
    int fail_error;
} disk;

/* ---- Names ---- */

static struct name *find_name(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].path, path) == 0)
            return &names->items[i];
    }
    return NULL;
}

static void put_name(struct names *names, const char *path, int node, bool directory)
{
    struct name *name = find_name(names, path);

    if (!name) {
        if (names->count == RV_COUNT(names->items))
            abort();
        name = &names->items[names->count++];
    }
    (void)snprintf(name->path, sizeof(name->path), "%s", path);
    name->node = node;
    name->directory = directory;
}

static void drop_name(struct names *names, const char *path)
{
    struct name *name = find_name(names, path);

    if (name)
        *name = names->items[--names->count];
}

static bool parent_exists(struct names *names, const char *path)
{
    char parent[PATH_LEN];
    const char *slash = strrchr(path, '/');

    if (!slash)
        return true;
    (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    return find_name(names, parent) != NULL;
}

/** `path` of what `dir_fd` and `name` say, relative to the root; false: not below it. */
static bool relative(int dir_fd, const char *name, char path[PATH_LEN])
{
    char link[32], real[512];
    size_t root_len = strlen(disk.root);
    ssize_t len;

    if (!disk.watching)
        return false;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
    len = readlink(link, real, sizeof(real) - 1);
    if (len < 0)
        return false;
    real[len] = '\0';
    if (strncmp(real, disk.root, root_len) != 0 || (real[root_len] && real[root_len] != '/'))
        return false;
    if (name && strcmp(name, ".") != 0)
        (void)snprintf(path, PATH_LEN, "%s%s%.100s", real[root_len] ? real + root_len + 1 : "",
                       real[root_len] ? "/" : "", name);
    else
        (void)snprintf(path, PATH_LEN, "%s", real[root_len] ? real + root_len + 1 : "");
    return true;
}

/* ---- Watching ---- */

static void read_content(const char *path, struct content *content)
{
    FILE *file = fopen(path, "re");

    content->data = malloc(1 << 20);
    content->len = fread(content->data, 1, 1 << 20, file);
    (void)fclose(file);
}

static int take_stock(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    const char *below = path + strlen(disk.root);
    int node = disk.node_count;

    (void)walk;
    if (!*below)
        return 0;
    disk.node_count++;
    put_name(&disk.first, below + 1, node, kind == FTW_D);
    if (S_ISREG(status->st_mode))
        read_content(path, &disk.first_content[node]);
    return 0;
}

void disk_watch(const char *root)
{
    disk_unwatch();
    (void)snprintf(disk.root, sizeof(disk.root), "%s", root);
    disk.fail_at = SIZE_MAX;
    (void)nftw(root, take_stock, 16, FTW_PHYS);
    disk.live = disk.first;
    disk.watching = true;
}

void disk_unwatch(void)
{
    for (size_t i = 0; i < disk.op_count; i++)
        free(disk.ops[i].data);
    for (int i = 0; i < disk.node_count; i++)
        free(disk.first_content[i].data);
    memset(&disk, 0, sizeof(disk));
    disk.fail_at = SIZE_MAX;
}

void disk_fail_at(size_t index, int error)
{
    disk.fail_at = index;
    disk.fail_error = error;
}

size_t disk_op_count(void)
{
    return disk.op_count;
}

const char *disk_op_name(size_t index)
{
    static const char *const names[] = { "write", "truncate", "sync",  "create",
                                         "mkdir", "rename",   "unlink" };
    static char text[2 * PATH_LEN + 32];

    (void)snprintf(text, sizeof(text), "%zu %s %s %s", index, names[disk.ops[index].kind],
                   disk.ops[index].path, disk.ops[index].to);
    return text;
}

static struct op *new_op(enum kind kind, const char *path, int node)
{
    struct op *op = &disk.ops[disk.op_count];

    if (disk.op_count == OPS_MAX || disk.node_count == NODES)
        abort();
    disk.op_count++;
    *op = (struct op){ .kind = kind, .node = node };
    (void)snprintf(op->path, sizeof(op->path), "%s", path);
    return op;
}

/** Is it this operation's turn to fail? It still counts as one. */
static bool fails(enum kind kind, const char *path)
{
    if (disk.op_count != disk.fail_at)
        return false;
    (void)new_op(kind, path, -1);
    errno = disk.fail_error;
    return true;
}

/* ---- Between the log and libc ---- */

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __real_pwrite64(int fd, const void *data, size_t len, off_t offset);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_openat64(int dir_fd, const char *path, int flags, ...);
int __real_mkdirat(int dir_fd, const char *path, mode_t mode);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_unlinkat(int dir_fd, const char *path, int flags);
int __real_posix_fallocate64(int fd, off_t offset, off_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t offset);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_openat64(int dir_fd, const char *path, int flags, ...);
int __wrap_mkdirat(int dir_fd, const char *path, mode_t mode);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __wrap_posix_fallocate64(int fd, off_t offset, off_t len);

static void note_write(const char *path, size_t offset, const void *data, size_t len)
{
    struct name *name = find_name(&disk.live, path);
    struct op *op = new_op(WRITE, path, name ? name->node : -1);

    op->offset = offset;
    op->len = len;
    op->data = malloc(len);
    memcpy(op->data, data, len);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    char path[PATH_LEN];
    off_t offset;

    if (!relative(fd, NULL, path))
        return __real_write(fd, data, len);
    if (fails(WRITE, path)) {
        (void)__real_write(fd, data, len / 2);
        errno = disk.fail_error;
        return -1;
    }
    offset = lseek(fd, 0, SEEK_CUR);
    note_write(path, (size_t)offset, data, len);
    return __real_write(fd, data, len);
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    char path[PATH_LEN];

    if (!relative(fd, NULL, path))
        return __real_pwrite64(fd, data, len, offset);
    if (fails(WRITE, path)) {
        (void)__real_pwrite64(fd, data, len / 2, offset);
        errno = disk.fail_error;
        return -1;
    }
    note_write(path, (size_t)offset, data, len);
    return __real_pwrite64(fd, data, len, offset);
}

static int sync_fd(int fd, int (*real)(int fd))
{
    struct name *name;
    char path[PATH_LEN];

    if (!relative(fd, NULL, path))
        return real(fd);
    if (fails(SYNC, path))
        return -1;
    name = find_name(&disk.live, path);
    (void)new_op(SYNC, path, name && !name->directory ? name->node : -1);
    return 0; /* the model remembers; the real disk need not */
}

int __wrap_fsync(int fd)
{
    return sync_fd(fd, __real_fsync);
}

int __wrap_fdatasync(int fd)
{
    return sync_fd(fd, __real_fdatasync);
}

int __wrap_openat64(int dir_fd, const char *name, int flags, ...)
{
    char path[PATH_LEN];
    struct name *known;
    mode_t mode = 0;
    va_list args;

    if (flags & O_CREAT) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    if (!(flags & O_CREAT) || !relative(dir_fd, name, path))
        return __real_openat64(dir_fd, name, flags, mode);
    known = find_name(&disk.live, path);
    if (known && !(flags & O_TRUNC))
        return __real_openat64(dir_fd, name, flags, mode);
    if (fails(known ? TRUNCATE : CREATE, path))
        return -1;
    if (known) {
        (void)new_op(TRUNCATE, path, known->node);
    } else {
        (void)new_op(CREATE, path, disk.node_count);
        put_name(&disk.live, path, disk.node_count++, false);
    }
    return __real_openat64(dir_fd, name, flags, mode);
}

int __wrap_mkdirat(int dir_fd, const char *name, mode_t mode)
{
    char path[PATH_LEN];

    if (!relative(dir_fd, name, path) || find_name(&disk.live, path))
        return __real_mkdirat(dir_fd, name, mode);
    if (fails(MKDIR, path))
        return -1;
    (void)new_op(MKDIR, path, disk.node_count);
    put_name(&disk.live, path, disk.node_count++, true);
    return __real_mkdirat(dir_fd, name, mode);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char path[PATH_LEN], target[PATH_LEN];
    struct name *name;
    int r;

    if (!relative(from_fd, from, path) || !relative(to_fd, to, target))
        return __real_renameat(from_fd, from, to_fd, to);
    name = find_name(&disk.live, path);
    if (!name || !parent_exists(&disk.live, target)) /* it will say ENOENT by itself */
        return __real_renameat(from_fd, from, to_fd, to);
    if (fails(RENAME, path))
        return -1;
    r = __real_renameat(from_fd, from, to_fd, to);
    if (r == 0) {
        int node = name->node;

        (void)snprintf(new_op(RENAME, path, node)->to, PATH_LEN, "%s", target);
        drop_name(&disk.live, path);
        put_name(&disk.live, target, node, false);
    }
    return r;
}

int __wrap_unlinkat(int dir_fd, const char *name, int flags)
{
    char path[PATH_LEN];

    if (!relative(dir_fd, name, path) || !find_name(&disk.live, path))
        return __real_unlinkat(dir_fd, name, flags);
    if (fails(UNLINK, path))
        return -1;
    (void)new_op(UNLINK, path, -1);
    drop_name(&disk.live, path);
    return __real_unlinkat(dir_fd, name, flags);
}

int __wrap_posix_fallocate64(int fd, off_t offset, off_t len)
{
    char path[PATH_LEN];

    if (relative(fd, NULL, path) && fails(TRUNCATE, path))
        return disk.fail_error;
    return __real_posix_fallocate64(fd, offset, len); /* zeros are written over it anyway */
}

/* ---- What a crash leaves ---- */

struct state {
    struct names names;
    struct content *content; /* by node */
    size_t pending[OPS_MAX]; /* operations not yet synced */
    size_t pending_count;
};

static void write_content(struct content *content, size_t offset, const uint8_t *data, size_t len)
{
    if (offset + len > content->len) {
        content->data = realloc(content->data, offset + len);
        memset(content->data + content->len, 0, offset + len - content->len);
        content->len = offset + len;
    }
    if (len > 0)
        memcpy(content->data + offset, data, len);
}

/** A name may be durable before the directory that holds it: then it is out of reach. */
static void apply(struct state *state, const struct op *op)
{
    switch (op->kind) {
    case WRITE:
        write_content(&state->content[op->node], op->offset, op->data, op->len);
        break;
    case TRUNCATE:
        state->content[op->node].len = 0;
        break;
    case CREATE:
    case MKDIR:
        put_name(&state->names, op->path, op->node, op->kind == MKDIR);
        break;
    case RENAME:
        drop_name(&state->names, op->path);
        put_name(&state->names, op->to, op->node, false);
        break;
    case UNLINK:
        drop_name(&state->names, op->path);
        break;
    case SYNC:
        break;
    }
}

/** Does syncing `sync` make `op` durable? */
static bool settles(const struct op *sync, const struct op *op)
{
    const char *path = op->kind == RENAME ? op->to : op->path, *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    if (op->kind == WRITE || op->kind == TRUNCATE)
        return op->node == sync->node;
    return sync->node < 0 && strlen(sync->path) == len && strncmp(sync->path, path, len) == 0;
}

static void settle(struct state *state, const struct op *sync)
{
    size_t kept = 0;

    for (size_t i = 0; i < state->pending_count; i++) {
        if (settles(sync, &disk.ops[state->pending[i]]))
            apply(state, &disk.ops[state->pending[i]]);
        else
            state->pending[kept++] = state->pending[i];
    }
    state->pending_count = kept;
}

/** What is durable after `ops` operations, and what is pending. */
static struct state *state_after(size_t ops)
{
    struct state *state = calloc(1, sizeof(*state));

    state->names = disk.first;
    state->content = calloc(NODES, sizeof(*state->content));
    for (int i = 0; i < disk.node_count; i++) {
        if (disk.first_content[i].data)
            write_content(&state->content[i], 0, disk.first_content[i].data,
                          disk.first_content[i].len);
    }
    for (size_t i = 0; i < ops; i++) {
        if (disk.ops[i].kind == SYNC)
            settle(state, &disk.ops[i]);
        else if (disk.ops[i].node >= 0 || disk.ops[i].kind == UNLINK)
            state->pending[state->pending_count++] = i;
    }
    return state;
}

static void free_state(struct state *state)
{
    for (int i = 0; i < NODES; i++)
        free(state->content[i].data);
    free(state->content);
    free(state);
}

size_t disk_variants(size_t ops, enum disk_loss loss)
{
    struct state *state = state_after(ops);
    size_t count = state->pending_count, writes = 0;

    for (size_t i = 0; i < count; i++)
        writes += disk.ops[state->pending[i]].kind == WRITE ? 1 : 0;
    free_state(state);
    switch (loss) {
    case DISK_KILLED:
    case DISK_POWER:
        return 1;
    case DISK_ONE_LOST:
    case DISK_ONE_KEPT:
        return count > 1 ? count : 0; /* with one they are the two above */
    case DISK_TORN_HEAD:
    case DISK_TORN_TAIL:
        return writes;
    case DISK_LOSS_COUNT_:
        break;
    }
    return 0;
}

/** Half of a write, cut at a sector where it has several. */
static void apply_torn(struct state *state, const struct op *op, enum disk_loss loss)
{
    size_t half = op->len > 1024 ? op->len / 2 / 512 * 512 : op->len / 2;

    if (loss == DISK_TORN_HEAD)
        write_content(&state->content[op->node], op->offset, op->data, half);
    else
        write_content(&state->content[op->node], op->offset + half, op->data + half,
                      op->len - half);
}

static void lose(struct state *state, enum disk_loss loss, size_t variant)
{
    size_t writes = 0;

    for (size_t i = 0; i < state->pending_count; i++) {
        const struct op *op = &disk.ops[state->pending[i]];
        bool torn = op->kind == WRITE && (loss == DISK_TORN_HEAD || loss == DISK_TORN_TAIL) &&
                    writes++ == variant;

        if (torn)
            apply_torn(state, op, loss);
        else if (loss == DISK_POWER || (loss == DISK_ONE_LOST && i == variant) ||
                 (loss == DISK_ONE_KEPT && i != variant))
            continue;
        else
            apply(state, op);
    }
}

static int remove_item(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    return walk->level == 0 ? 0 : remove(path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

void disk_lay_out(size_t ops, enum disk_loss loss, size_t variant, const char *to)
{
    struct state *state = state_after(ops);

    lose(state, loss, variant);
    (void)nftw(to, remove_item, 16, FTW_DEPTH | FTW_PHYS);
    qsort(state->names.items, state->names.count, sizeof(state->names.items[0]), compare_names);
    for (size_t i = 0; i < state->names.count; i++) { /* a directory sorts before what it holds */
        const struct name *name = &state->names.items[i];
        char path[2 * PATH_LEN];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", to, name->path);
        if (name->directory) {
            (void)mkdir(path, 0755);
            continue;
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0) /* its directory is lost */
            continue;
        if (state->content[name->node].len > 0 &&
            __real_write(fd, state->content[name->node].data, state->content[name->node].len) < 0)
            abort();
        (void)close(fd);
    }
    free_state(state);
}
