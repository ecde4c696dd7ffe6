/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/config.h  Configuration files from one table: parser, dump and manual.
 *
 * A file is lines of `key = value`; `#` starts a comment at the beginning of a line; a key of kind
 * list may stand many times, the first time replacing the default. An unknown key, a second value
 * for a single key or a value out of range is an error with its line. There are no sections: keys
 * have dots.
 */
#pragma once

#include "base/bytes.h"

enum rv_config_kind {
    RV_CONFIG_END = 0,
    RV_CONFIG_STRING, /* char *, never NULL after rv_config_init() */
    RV_CONFIG_U64,    /* uint64_t, decimal */
    RV_CONFIG_BOOL,   /* bool: yes or no */
    RV_CONFIG_CHOICE, /* unsigned: index into `choices` */
    RV_CONFIG_LIST,   /* struct rv_config_list */
};

struct rv_config_list {
    char **items;
    size_t count;
    bool given; /* by the file, so no longer the default */
};

struct rv_config_key {
    enum rv_config_kind kind;
    const char *name;
    size_t offset;              /* of the member in the configuration struct */
    const char *fallback;       /* default as text; a list: items separated by blanks */
    const char *help;           /* sentences */
    uint64_t min, max;          /* RV_CONFIG_U64 */
    const char *const *choices; /* RV_CONFIG_CHOICE, ends with NULL */
};

struct rv_config_error {
    unsigned line; /* from 1; 0: not about a line */
    char message[200];
};

/** Fill `config` (zeroed by the caller) with the defaults. @return 0 or -ENOMEM. */
RV_MUST_CHECK int rv_config_init(const struct rv_config_key *keys, void *config);

/** Read a whole text over what `config` holds. @return 0; -EINVAL with `reterr`; -ENOMEM. */
RV_MUST_CHECK int rv_config_parse(const struct rv_config_key *keys, void *config,
                                  struct rv_span text, struct rv_config_error *reterr);

/** Set one key as a line `key=value` of the file would. Same results as rv_config_parse(). */
RV_MUST_CHECK int rv_config_set(const struct rv_config_key *keys, void *config, const char *line,
                                struct rv_config_error *reterr);

/** Free what the members own; the struct itself is the caller's. */
void rv_config_done(const struct rv_config_key *keys, void *config);

/** Append every key with its value, ready to be read back. */
void rv_config_dump(const struct rv_config_key *keys, const void *config, struct rv_buf *buf);

/** Append the table as the body of an mdoc list: key, default, range, meaning. */
void rv_config_manual(const struct rv_config_key *keys, struct rv_buf *buf);
