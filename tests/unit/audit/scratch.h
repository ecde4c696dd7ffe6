/* SPDX-License-Identifier: Apache-2.0 */
/** @file scratch.h  A directory, a clock and a key of a test's own. */
#pragma once

#include "test.h"

#include "audit/audit.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

struct scratch {
    char path[64];
    int fd;
};

static int scratch_remove(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void scratch_make(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(scratch->path, sizeof(scratch->path), "%.30s/reeve-audit-XXXXXX",
                   base ? base : "/tmp");
    assert_non_null(mkdtemp(scratch->path));
    scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scratch->fd >= 0);
}

static inline void scratch_done(struct scratch *scratch)
{
    (void)close(scratch->fd);
    (void)nftw(scratch->path, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/** A clock that moves only when told to. */
struct hand_clock {
    uint64_t boot_ns, unix_ns;
};

static uint64_t hand_boot_ns(void *context)
{
    return ((struct hand_clock *)context)->boot_ns;
}

static uint64_t hand_unix_ns(void *context)
{
    return ((struct hand_clock *)context)->unix_ns;
}

static inline struct rv_clock hand_clock(struct hand_clock *clock)
{
    *clock = (struct hand_clock){ 5 * RV_NS_PER_S, 1700000000 * RV_NS_PER_S };
    return (struct rv_clock){ hand_boot_ns, hand_unix_ns, clock };
}

/* Made once with golang.org/x/mod/sumdb/note.GenerateKey: a secret of no value. */
#define TEST_SKEY "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
#define TEST_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

static inline struct rv_signer *test_signer(void)
{
    struct rv_signer *signer = NULL;

    rv_assert_ok(rv_signer_parse(&signer, rv_span_str(TEST_SKEY)));
    return signer;
}
