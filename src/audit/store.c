/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void rv_store_done(struct rv_store *store)
{
    free(store->dirty);
    store->dirty = NULL;
    store->dirty_count = store->dirty_room = 0;
}

/** Remember the directory that holds `path`. */
static int mark_dirty(struct rv_store *store, const char *path)
{
    char parent[RV_TILE_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');

    if (slash)
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    for (size_t i = 0; i < store->dirty_count; i++) {
        if (rv_streq(store->dirty[i], parent))
            return 0;
    }
    if (store->dirty_count == store->dirty_room) {
        size_t room = store->dirty_room ? store->dirty_room * 2 : 16;
        void *grown = reallocarray(store->dirty, room, sizeof(*store->dirty));

        if (!grown)
            return -ENOMEM;
        store->dirty = grown;
        store->dirty_room = room;
    }
    memcpy(store->dirty[store->dirty_count++], parent, sizeof(parent));
    return 0;
}

static int make_parents(struct rv_store *store, const char *path)
{
    char parent[RV_TILE_PATH_MAX];

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        int r;

        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        if (mkdirat(store->dir_fd, parent, 0755) < 0) {
            if (errno == EEXIST)
                continue;
            return -errno;
        }
        r = mark_dirty(store, parent);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_temporary(struct rv_store *store, struct rv_span bytes)
{
    RV_AUTO(rv_closep)
    int fd = openat(store->state_fd, store->tmp_name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int r;

    if (fd < 0)
        return -errno;
    r = rv_write_all(fd, bytes.data, bytes.len);
    if (r < 0)
        return r;
    return fsync(fd) < 0 ? -errno : 0;
}

int rv_store_put(struct rv_store *store, const char *path, struct rv_span bytes)
{
    int r = write_temporary(store, bytes);

    if (r < 0)
        return r;
    if (renameat(store->state_fd, store->tmp_name, store->dir_fd, path) < 0) {
        if (errno != ENOENT)
            return -errno;
        r = make_parents(store, path);
        if (r < 0)
            return r;
        if (renameat(store->state_fd, store->tmp_name, store->dir_fd, path) < 0)
            return -errno;
    }
    return mark_dirty(store, path);
}

static int sync_directory(int dir_fd, const char *path)
{
    RV_AUTO(rv_closep) int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int rv_store_sync(struct rv_store *store)
{
    for (size_t i = 0; i < store->dirty_count; i++) {
        int r = sync_directory(store->dir_fd, store->dirty[i]);

        if (r < 0)
            return r;
    }
    store->dirty_count = 0;
    return 0;
}

void rv_store_prune_partials(struct rv_store *store, int level, uint64_t n)
{
    char path[RV_TILE_PATH_MAX];
    struct dirent *item;
    DIR *directory;
    int fd;

    rv_tile_path(path, level, n, 1);
    *strrchr(path, '/') = '\0';
    fd = openat(store->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        rv_closep(&fd);
        return;
    }
    while ((item = readdir(directory))) {
        if (item->d_name[0] != '.')
            (void)unlinkat(dirfd(directory), item->d_name, 0);
    }
    (void)closedir(directory);
    (void)unlinkat(store->dir_fd, path, AT_REMOVEDIR);
}
