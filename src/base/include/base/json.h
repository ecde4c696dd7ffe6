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

/**
 * Parse one document, duplicate keys and depth above jansson's 2048 refused.
 * @param ret_value a new reference.
 * @param reterr    filled on -EINVAL; may be NULL.
 * @return 0; -EINVAL for what is not JSON; -ENOMEM.
 */
RV_MUST_CHECK int rv_json_parse(struct rv_span text, json_t **ret_value,
                                struct rv_json_error *reterr);

/** Append the canonical form. @return 0; -EDOM if it holds a real number; -ENOMEM. */
RV_MUST_CHECK int rv_json_canonical(struct rv_buf *buf, const json_t *value);

/** Append `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD. */
void rv_json_add_string(struct rv_buf *buf, struct rv_span text);
