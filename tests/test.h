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
