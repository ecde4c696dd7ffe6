/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/test.h  What every test file starts with: cmocka in the order it wants, and skips
 * that say why. A test program is `int main(void)` with one CMUnitTest table; it prints TAP.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#include <stdio.h>
#include <unistd.h>

/*
 * cmocka 1.1.5 prints a skipped test as "not ok 3 # SKIP name", which TAP (and so Meson) counts as
 * a failure. Standard output goes through here, line by line, and such a line loses its "not ".
 */
static inline ssize_t rv_tap_write(void *cookie, const char *text, size_t len)
{
    size_t at = 0;

    (void)cookie;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end ? (size_t)(end - text) - at + 1 : len - at;
        bool skipped = line > 7 && strncmp(text + at, "not ok ", 7) == 0 &&
                       memmem(text + at, line, " # SKIP ", 8);

        at += skipped ? 4 : 0;
        line -= skipped ? 4 : 0;
        while (line > 0) {
            ssize_t written = write(STDOUT_FILENO, text + at, line);

            if (written < 0)
                return 0;
            at += (size_t)written;
            line -= (size_t)written;
        }
    }
    return (ssize_t)len;
}

__attribute__((constructor)) static void rv_tap_start(void)
{
    FILE *filter = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = rv_tap_write });

    if (!filter)
        return;
    (void)setvbuf(filter, NULL, _IOLBF, BUFSIZ);
    stdout = filter;
}

/** Skip the running test, saying why; the reason is shown at the end of `make test`. */
#define rv_skip_because(...)                                                                       \
    do {                                                                                           \
        fprintf(stdout, "# skip: ");                                                               \
        fprintf(stdout, __VA_ARGS__);                                                              \
        fprintf(stdout, "\n");                                                                     \
        fflush(stdout);                                                                            \
        skip();                                                                                    \
    } while (0)

/** A call that must succeed: prints the code as words when it does not. */
#define rv_assert_ok(expression)                                                                   \
    do {                                                                                           \
        int rv_result_ = (expression);                                                             \
        if (rv_result_ < 0)                                                                        \
            fail_msg("%s: %s", #expression, strerror(-rv_result_));                                \
    } while (0)
