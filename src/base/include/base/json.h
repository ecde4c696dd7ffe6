/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/json.h  JSON at the edges, over jansson: bounded parsing, canonical writing.
 * Canonical means RFC 8785 restricted to integers: members sorted by bytes of their UTF-8 key,
 * no blanks, no real numbers. That form is what gets logged and signed.
 */
#pragma once

#include "base/bytes.h"

#include <jansson.h>

/** Where and why a text was refused; `line` and `column` count from 1. */
struct rv_json_error {
    unsigned line, column;
    char message[160];
};

/** Cleanup for a json_t owner: `RV_AUTO(rv_json_freep) json_t *object = NULL;`. */
void rv_json_freep(json_t **value);

#define RV_JSON_DEPTH_MAX 2048

/** Told of every value with the bytes [start, end) of its text, parts before the whole. Values
 * `true`, `false` and `null` are one and the same wherever they stand. */
struct rv_json_places {
    void (*note)(void *context, const json_t *value, size_t start, size_t end);
    void *context;
};

/**
 * Parse one document; duplicate keys, depth above RV_JSON_DEPTH_MAX and integers past 64 bits are
 * refused. A NUL byte (`\u0000`) may stand in strings and keys: take their length from jansson.
 * @param ret_value a new reference.
 * @param reterr    filled on -EINVAL; may be NULL.
 * @return 0; -EINVAL for what is not JSON; -ENOMEM.
 */
RV_MUST_CHECK int rv_json_parse(struct rv_span text, json_t **ret_value,
                                struct rv_json_error *reterr);

/** The same; `places` may be NULL. */
RV_MUST_CHECK int rv_json_parse_placed(struct rv_span text, const struct rv_json_places *places,
                                       json_t **ret_value, struct rv_json_error *reterr);

/** Append the canonical form. @return 0; -EDOM if it holds a real number; -ENOMEM. */
RV_MUST_CHECK int rv_json_canonical(struct rv_buf *buf, const json_t *value);

/** Append `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void rv_json_add_string(struct rv_buf *buf, struct rv_span text);
