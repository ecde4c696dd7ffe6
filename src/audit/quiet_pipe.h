/* SPDX-License-Identifier: Apache-2.0 */
/** @file quiet_pipe.h  A peer that hangs up is an error code here, not a signal: libevent writes to
 *  sockets without MSG_NOSIGNAL. Thread-local; the caller's disposition of SIGPIPE stays. */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <time.h>

struct quiet_pipe {
    sigset_t before;
};

static inline void quiet_pipe_begin(struct quiet_pipe *quiet)
{
    sigset_t pipe_only;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &quiet->before);
}

static inline void quiet_pipe_end(struct quiet_pipe *quiet)
{
    const struct timespec at_once = { 0 };
    sigset_t pipe_only;

    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    if (!sigismember(&quiet->before, SIGPIPE))
        (void)sigtimedwait(&pipe_only, NULL, &at_once); /* takes one that came meanwhile */
    (void)pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}
