/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "audit/entry.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>

#define CHECKPOINT_MAX ((size_t)64 * 1024)

int decisions_open_log(const char *path, struct rv_tiles **ret_tiles,
                       struct rv_checkpoint *ret_checkpoint)
{
    const char *dir = path ? path : DECISIONS_LOG_DIR;
    RV_AUTO(rv_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_source source;
    enum rv_note_finding finding;
    size_t len = 0;
    int r = fd < 0 ? -errno : rv_read_file(fd, RV_CHECKPOINT_PATH, CHECKPOINT_MAX, &text, &len);

    if (r < 0) {
        fprintf(stderr,
                r == -EACCES ? "you may not read the log in %s; use sudo\n"
                             : "there is no log in %s yet; has the agent run?\n",
                dir);
        return r;
    }
    r = rv_checkpoint_open(ret_checkpoint, &finding, rv_span(text, len), NULL, 0);
    if (r < 0) {
        fprintf(stderr, "the checkpoint in %s is damaged; 'reeve audit verify' says more\n", dir);
        return r;
    }
    r = rv_source_dir(&source, fd);
    return r < 0 ? r : rv_tiles_new(ret_tiles, &source, ret_checkpoint->head.size);
}

json_t *decisions_read(struct rv_tiles *tiles, uint64_t index, const char *type)
{
    json_t *object = NULL;
    struct rv_span entry;

    if (rv_tiles_entry(tiles, index, &entry) < 0 ||
        rv_entry_read(entry, index, &object) != RV_ENTRY_GOOD)
        return NULL;
    if (!rv_streq(rv_entry_type(object), type)) {
        json_decref(object);
        return NULL;
    }
    return object;
}
