/* SPDX-License-Identifier: Apache-2.0 */
#include "opening.h"

#include "base/fd.h"
#include "base/log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct rv_opening {
    struct rv_provider_options options;
    pthread_t thread;
    bool threaded;
    int done_fd; /* an eventfd */
    size_t count;
    struct rv_opened opened[]; /* the thread's until it is done */
};

static void *open_all(void *context)
{
    static const uint64_t one = 1;
    struct rv_opening *opening = context;

    for (size_t i = 0; i < opening->count; i++) {
        struct rv_opened *opened = &opening->opened[i];

        opened->error = opened->does->open(&opened->handle, &opening->options);
        if (opened->error < 0)
            opened->handle = NULL;
    }
    if (write(opening->done_fd, &one, sizeof(one)) < 0)
        rv_error("that mechanisms are open could not be said: %s", strerror(errno));
    return NULL;
}

int rv_opening_begin(struct rv_opening **ret_opening, const struct rv_provider *const *providers,
                     size_t count, const struct rv_provider_options *options)
{
    struct rv_opening *opening = calloc(1, sizeof(*opening) + count * sizeof(opening->opened[0]));
    sigset_t all, before;

    if (!opening)
        return -ENOMEM;
    opening->options = *options;
    opening->count = count;
    for (size_t i = 0; i < count; i++)
        opening->opened[i].does = providers[i];
    opening->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (opening->done_fd < 0) {
        free(opening);
        return -ENOMEM;
    }
    sigfillset(&all); /* signals are the guard's loop's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    opening->threaded = pthread_create(&opening->thread, NULL, open_all, opening) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!opening->threaded)
        (void)open_all(opening);
    *ret_opening = opening;
    return 0;
}

int rv_opening_fd(const struct rv_opening *opening)
{
    return opening ? opening->done_fd : -1;
}

bool rv_opening_is_done(const struct rv_opening *opening)
{
    struct pollfd done = { opening->done_fd, POLLIN, 0 };

    return poll(&done, 1, 0) == 1;
}

void rv_opening_end(struct rv_opening **opening, struct rv_opened *opened)
{
    if ((*opening)->threaded)
        (void)pthread_join((*opening)->thread, NULL);
    memcpy(opened, (*opening)->opened, (*opening)->count * sizeof(*opened));
    rv_closep(&(*opening)->done_fd);
    free(*opening);
    *opening = NULL;
}
