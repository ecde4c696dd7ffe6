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
    free(store->files.items);
    free(store->directories.items);
    store->files = store->directories = (struct rv_path_list){ 0 };
}

static int path_list_add(struct rv_path_list *list, const char *path)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        void *grown = reallocarray(list->items, room, sizeof(*list->items));

        if (!grown)
            return -ENOMEM;
        list->items = grown;
        list->room = room;
    }
    (void)snprintf(list->items[list->count++], RV_TILE_PATH_MAX, "%s", path);
    return 0;
}

/** Remember the directory that holds `path`. */
static int mark_dirty(struct rv_store *store, const char *path)
{
    char parent[RV_TILE_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');

    if (slash)
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    for (size_t i = 0; i < store->directories.count; i++) {
        if (rv_streq(store->directories.items[i], parent))
            return 0;
    }
    return path_list_add(&store->directories, parent);
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

enum when { SYNC_LATER, SYNC_NOW };

static int write_temporary(struct rv_store *store, struct rv_span bytes, enum when when)
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
    if (when == SYNC_NOW)
        return fsync(fd) < 0 ? -errno : 0;
    /* Let the disk begin; only a hint, so that the sync to come finds little left to do. */
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return 0;
}

static int put(struct rv_store *store, const char *path, struct rv_span bytes, enum when when)
{
    int r = write_temporary(store, bytes, when);

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

int rv_store_put(struct rv_store *store, const char *path, struct rv_span bytes)
{
    int r = put(store, path, bytes, SYNC_LATER);

    return r < 0 ? r : path_list_add(&store->files, path);
}

int rv_store_replace(struct rv_store *store, const char *path, struct rv_span bytes)
{
    return put(store, path, bytes, SYNC_NOW);
}

static int sync_all(int dir_fd, struct rv_path_list *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        RV_AUTO(rv_closep) int fd = openat(dir_fd, paths->items[i], O_RDONLY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
            return -errno;
    }
    paths->count = 0;
    return 0;
}

int rv_store_sync(struct rv_store *store)
{
    int r = sync_all(store->dir_fd, &store->files);

    return r < 0 ? r : sync_all(store->dir_fd, &store->directories);
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
