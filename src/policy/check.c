/* SPDX-License-Identifier: Apache-2.0 */
/* What a checker keeps besides types: messages given, numbers of capabilities. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>

void checker_done(struct checker *checker)
{
    check_cap_table_done(&checker->caps);
    free(checker->seen);
    checker->seen = NULL;
}

/** Remember a message. @return false when it was given before. */
static bool is_new(struct checker *checker, uint64_t hash)
{
    for (size_t i = 0; i < checker->seen_count; i++) {
        if (checker->seen[i] == hash)
            return false;
    }
    if (checker->seen_count == checker->seen_room) {
        size_t room = checker->seen_room ? checker->seen_room * 2 : 16;
        uint64_t *seen = realloc(checker->seen, room * sizeof(*seen));

        if (!seen) {
            checker->failed = true;
            return true;
        }
        checker->seen = seen;
        checker->seen_room = room;
    }
    checker->seen[checker->seen_count++] = hash;
    return true;
}

void check_report(struct checker *checker, const char *code, struct rv_loc loc, const char *help,
                  const char *format, ...)
{
    char message[500];
    uint64_t hash;
    va_list args;

    checker->errors++;
    if (checker->seen_count >= RV_DIAG_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    hash = rv_mix64(rv_hash64(rv_span_str(message)) ^ ((uint64_t)loc.start << 32 | loc.end));
    if (is_new(checker, hash))
        rv_diag_add(checker->diags, RV_DIAG_ERROR, code,
                    (struct rv_diag_at){ .policy = checker->policy, .loc = loc }, help, "%s",
                    message);
}
