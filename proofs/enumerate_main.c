/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries every combination of choices of a harness: after each run the last choice that has another
 * value takes it, and the rest begins anew. Prints TAP; fails if a harness needs more runs than it
 * is given, since then nothing was enumerated.
 */
#include "nondet.h"

#include <setjmp.h>

#define CHOICES_MAX 64

static struct {
    unsigned taken[CHOICES_MAX], of[CHOICES_MAX];
    size_t depth, known;
    jmp_buf given_up;
} run;

unsigned nondet_choice(unsigned count)
{
    if (run.depth == CHOICES_MAX || count == 0)
        abort();
    if (run.depth == run.known) {
        run.taken[run.known] = 0;
        run.of[run.known++] = count;
    }
    return run.taken[run.depth++];
}

void nondet_give_up(void)
{
    longjmp(run.given_up, 1);
}

/* The next combination. @return 0 when all were tried. */
static int advance(void)
{
    run.known = run.depth;
    while (run.known > 0) {
        if (++run.taken[run.known - 1] < run.of[run.known - 1])
            return 1;
        run.known--;
    }
    return 0;
}

static void run_once(void)
{
    run.depth = 0;
    if (setjmp(run.given_up) == 0)
        harness();
}

int main(int argc, char **argv)
{
    unsigned long long runs = 0, runs_max = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000000;

    do {
        run_once();
        if (++runs > runs_max) {
            printf("not ok 1 - more than %llu combinations\n1..1\n", runs_max);
            return 1;
        }
    } while (advance());
    printf("# %llu combinations\nok 1 - every combination\n1..1\n", runs);
    return 0;
}
