/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log.h  What the audit commands share: the log that an operand names, the keys that options
 * name, how an entry is printed. Functions say on standard error what is wrong and what to do.
 */
#pragma once

#include "audit/audit.h"
#include "audit/checkpoint.h"
#include "audit/tile.h"
#include "audit/witness.h"
#include "base/options.h"
#include "command.h"

#define AUDIT_DEFAULT_LOG "/var/lib/reeve/log"
#define AUDIT_KEYS_MAX    ((size_t)16)

struct audit_keys {
    struct rv_note_key keys[AUDIT_KEYS_MAX];
    size_t count;
};

/** Print "usage: reeve audit VERB OPERANDS", the summary and the options. */
void audit_help(const char *verb, const char *operands, const char *summary,
                const struct rv_option *options);

/** Load public keys (files of one or more vkeys). @return 0 or -errno, said. */
RV_MUST_CHECK int audit_load_keys(struct audit_keys *ret_keys, const struct rv_option_list *paths);

/** Load a C2SP tlog-policy. @return 0 or -errno, said. */
RV_MUST_CHECK int audit_load_policy(struct rv_log_policy **ret_policy, const char *path);

/** A directory or an http(s) URL. @return 0 or -errno, said. */
RV_MUST_CHECK int audit_open_source(struct rv_source *ret_source, const char *where);

/** A log opened for reading at its present checkpoint. */
struct audit_log {
    struct rv_source source;
    struct rv_buf note; /* the signed checkpoint */
    struct rv_checkpoint checkpoint;
    struct rv_tiles *tiles;
};

/**
 * Open for reading. With keys the checkpoint's signature is checked; without (`keys->count` 0) it
 * is taken as it stands, for commands that prove nothing.
 * @return 0 or -errno, said.
 */
RV_MUST_CHECK int audit_log_open(struct audit_log *ret_log, const char *where,
                                 const struct audit_keys *keys);
void audit_log_done(struct audit_log *log);

/** The operand that is a number, moved out of the others. @return 0; -EINVAL, said. */
RV_MUST_CHECK int audit_take_index(int *operands, char **argv, uint64_t *ret_index);

enum audit_style { AUDIT_PLAIN = 0, AUDIT_JSON };
void audit_print_entry(uint64_t index, struct rv_span entry, enum audit_style style);

/** "2026-11-22T04:00:00Z" into `text`. */
void audit_format_time(char text[32], uint64_t unix_us);
/** RFC 3339 in UTC, a date, or seconds since 1970. @return 0; -EINVAL, said. */
RV_MUST_CHECK int audit_parse_time(uint64_t *ret_unix_us, const char *text);
