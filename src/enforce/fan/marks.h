/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fan/marks.h  Which files and folders the kernel asks about, and which default they have.
 * Built by one thread; looked up in under the provider's lock. Built again to follow new folders.
 */
#pragma once

#include "rules.h"
#include "stack.h"

#define RV_FAN_FOLDERS_MAX ((size_t)16384)

enum { FAN_SCOPE_ASK = 1U << 0, FAN_SCOPE_CLOSED = 1U << 1 };

struct fan_marks;

struct fan_marks_work {
    int fd;         /* fanotify */
    int changes_fd; /* inotify; -1: none */
    const struct fan_rules *rules;
    enum rv_fan_layer layer;
    struct fan_stack stack; /* zero */
    unsigned depth;         /* zero */
    size_t failed_rule;     /* out */
    uint64_t hanging;       /* out: rules that name files on a file system whose opens may hang */
    size_t missing;         /* out: scopes that are not there */
    bool incomplete;        /* out: more folders, or deeper, than are marked */
};

/** Mark all that the set names, and what is declared. Marking again what is marked is free. */
RV_MUST_CHECK int rv_fan_marks_new(struct fan_marks **ret_marks, struct fan_marks_work *work);
void rv_fan_marks_free(struct fan_marks **marks);
size_t rv_fan_marks_count(const struct fan_marks *marks);

/**
 * Complete `folders` by what lies above a marked folder (a bind mount hides it from a walk).
 * @return FAN_SCOPE_* of the scopes that the file may be in.
 */
uint32_t rv_fan_marks_scope(const struct fan_marks *marks, struct fan_facts *facts);

/** Is `name` in the folder of the inotify descriptor one that a rule or scope gives? */
bool rv_fan_marks_named(const struct fan_marks *marks, int descriptor, const char *name);
