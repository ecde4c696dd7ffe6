/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file nondet.h  One harness, three engines. A harness is `void harness(void)`: it takes what it
 * does not know from nondet_choice(), throws away what cannot be with ASSUME(), and states what
 * must hold with PROVE(). Engines: enumerate_main.c tries every combination of choices; libFuzzer
 * draws them; CBMC, where a machine has it, reasons about all of them (cbmc --function harness).
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** One of 0..count-1, unknown. */
unsigned nondet_choice(unsigned count);

void harness(void);

#ifdef __CPROVER__
#define ASSUME(condition) __CPROVER_assume(condition)
#define PROVE(condition)  __CPROVER_assert(condition, #condition)
#else
/** Give up this combination: it cannot be. */
_Noreturn void nondet_give_up(void);
#define ASSUME(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            nondet_give_up();                                                                      \
    } while (0)
#define PROVE(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#endif
