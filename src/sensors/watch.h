/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file watch.h  Opens of named files, by fanotify notification (never permission).
 * Marks sit on single inodes, or on a directory for the files directly in it; never on a mount or
 * a file system. So the cost is with those who open these files, and nobody else.
 */
#pragma once

#include "event/event.h"

struct rv_watch;

/** One open (or change) of a marked file. */
struct rv_watch_hit {
    uint32_t pid;  /* in the caller's pid namespace */
    uint64_t mask; /* FAN_* */
    uint64_t inode;
    uint32_t dev, uid, mode;
    struct rv_span path;
};

/** What fired. `lost`: the kernel's queue overflowed. */
struct rv_watch_sink {
    int (*hit)(void *context, const struct rv_watch_hit *hit);
    int (*lost)(void *context);
    void *context;
};

/** @return 0; -EPERM without CAP_SYS_ADMIN; -ENOSYS without fanotify. */
RV_MUST_CHECK int rv_watch_open(struct rv_watch **ret_watch);
void rv_watch_free(struct rv_watch **watch);
int rv_watch_fd(const struct rv_watch *watch);

/** See rv_sensors_watch(). */
RV_MUST_CHECK int rv_watch_add(struct rv_watch *watch, int root_fd, const char *const *paths,
                               size_t path_count, size_t *ret_marked);

/** Hand over what fired. @return number of hits; the sink's negative answer; -errno. */
RV_MUST_CHECK int rv_watch_read(struct rv_watch *watch, const struct rv_watch_sink *sink);
