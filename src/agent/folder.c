/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>

#define FILE_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct folder {
    struct rv_bundle_file *files;
    size_t count, room;
};

static void folder_done(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        free((char *)(uintptr_t)folder->files[i].name);
        free((void *)(uintptr_t)folder->files[i].text.data);
    }
    free(folder->files);
}

static int add_file(struct folder *folder, int dir_fd, const char *name)
{
    RV_AUTO(rv_freep) char *copy = strdup(name);
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;
    int r;

    if (folder->count == folder->room) {
        size_t room = folder->room ? folder->room * 2 : 16;
        struct rv_bundle_file *grown = reallocarray(folder->files, room, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        folder->files = grown;
        folder->room = room;
    }
    if (!copy)
        return -ENOMEM;
    r = rv_read_file(dir_fd, name, FILE_BYTES_MAX, &text, &len);
    if (r < 0)
        return r;
    folder->files[folder->count].name = RV_TAKE(copy);
    folder->files[folder->count++].text = rv_span(RV_TAKE(text), len);
    return 0;
}

static int read_folder(struct folder *folder, const char *path, struct rv_buf *reterr)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        r = -errno;
        rv_buf_addf(reterr, "cannot open the policy folder %s: %s", path, strerror(-r));
        return r;
    }
    while (r == 0 && (entry = readdir(dir))) {
        if (!rv_bundle_wants(entry->d_name))
            continue;
        r = add_file(folder, dirfd(dir), entry->d_name);
        if (r < 0)
            rv_buf_addf(reterr, "cannot read %s/%s: %s", path, entry->d_name, strerror(-r));
    }
    closedir(dir);
    return r;
}

static void explain(struct rv_buf *reterr, const struct rv_diags *diags, int r)
{
    for (size_t i = 0; i < diags->count; i++) {
        if (diags->items[i].level == RV_DIAG_ERROR)
            rv_diag_render(reterr, &diags->items[i]);
    }
    if (diags->errors == 0)
        rv_buf_add_str(reterr, strerror(-r));
    while (reterr->len > 0 && reterr->data[reterr->len - 1] == '\n')
        reterr->data[--reterr->len] = '\0';
}

int rv_bundle_open_folder(struct rv_bundle **ret_bundle, const char *path, struct rv_buf *reterr)
{
    RV_AUTO(folder_done) struct folder folder = { 0 };
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    int r;

    if (!path)
        path = getenv("REEVE_POLICY");
    if (!path)
        path = RV_POLICY_BASELINE;
    r = read_folder(&folder, path, reterr);
    if (r < 0)
        return r;
    r = rv_bundle_load(ret_bundle, folder.files, folder.count, &diags);
    if (r < 0)
        explain(reterr, &diags, r);
    return r;
}
