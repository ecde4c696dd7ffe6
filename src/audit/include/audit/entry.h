/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/entry.h  The rules every JSON entry follows, whoever writes it: one canonical object
 * (base/json.h) of at most RV_AUDIT_ENTRY_MAX bytes with at least
 *   "type"  text, such as "decision" ("audit." is the log's own),
 *   "time"  integer, microseconds since 1970 by the wall clock of the host,
 *   "seq"   integer, the entry's own index in the log.
 * Integers lie within +-(2^53 - 1), so that every reader of JSON sees the same number. Entries of
 * other forms are allowed in a log (`reeve audit append`); they have no type. Pure.
 */
#pragma once

#include "base/json.h"

#define RV_ENTRY_INTEGER_MAX ((int64_t)((1LL << 53) - 1))

/**
 * Append the canonical entry made of `members` (NULL: none) and the three required ones.
 * @return 0; -EINVAL if `members` is no object or holds one of the three, or `type` is not 1..63
 *         printable ASCII characters; -EDOM for a real number or an integer out of range;
 *         -EMSGSIZE above the buffer's limit.
 */
RV_MUST_CHECK int rv_entry_format(struct rv_buf *buf, const char *type, uint64_t time_us,
                                  uint64_t seq, const json_t *members);

enum rv_entry_finding {
    RV_ENTRY_OTHER = 0, /* not a JSON object with type, time and seq: bytes of another form */
    RV_ENTRY_MISPLACED, /* its seq is not its index */
    RV_ENTRY_GOOD,
};

/**
 * Read an entry by the rules. @param ret_object a new reference for MISPLACED and GOOD, else NULL;
 * may be NULL when not wanted. The canonical form is checked too: what differs is OTHER.
 */
enum rv_entry_finding rv_entry_read(struct rv_span entry, uint64_t index, json_t **ret_object);
/** The "type" of what rv_entry_read() returned; the "time" likewise. */
const char *rv_entry_type(const json_t *object);
uint64_t rv_entry_time_us(const json_t *object);
