/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event/event.h  Events in user space: validate, read, build, print, pass on.
 * The schema is event/table.h. An event is immutable once made; functions here are pure and
 * thread-safe unless they say otherwise.
 */
#pragma once

#include "base/bytes.h"
#include "event/table.h"

/** Identity of a process for its whole life and after: never a bare pid. */
struct rv_process_key {
    uint64_t start_boot_ns;
    uint32_t tgid;
};

enum rv_field_kind {
    RV_FIELD_U8,
    RV_FIELD_U16,
    RV_FIELD_U32,
    RV_FIELD_U64,
    RV_FIELD_I32,
    RV_FIELD_I64,
    RV_FIELD_STR,
    RV_FIELD_ADDR,
};

struct rv_event_field {
    const char *name, *meaning;
    enum rv_field_kind kind;
    uint16_t offset; /* from the start of the event */
};

struct rv_event_info {
    const char *name, *meaning;
    const struct rv_event_field *fields;
    size_t field_count;
    size_t body_size; /* header and body of this version, without strings */
};

/** The table's row for a type, or NULL. Static. */
const struct rv_event_info *rv_event_info(uint16_t type);

/** The type by its name on the wire, or RV_EVENT_NONE. */
enum rv_event_type rv_event_type_by_name(const char *name);

/**
 * Check untrusted bytes: header, known type, every string inside the event, size exact.
 * @param ret_event points into `bytes`, which must be 8-byte aligned.
 * @param reterr    a sentence with the field's name; static; may be NULL.
 * @return 0; -EBADMSG for anything malformed; -EPROTONOSUPPORT for another schema version.
 */
RV_MUST_CHECK int rv_event_check(struct rv_span bytes, const struct rv_event **ret_event,
                                 const char **reterr);

/** The bytes of a string field of a checked event. Borrowed; no NUL. */
struct rv_span rv_event_str(const struct rv_event *event, const struct rv_event_str *str);

static inline bool rv_event_str_cut(const struct rv_event_str *str)
{
    return str->true_len > str->len;
}

static inline struct rv_process_key rv_event_process(const struct rv_event *event)
{
    return (struct rv_process_key){ event->start_boot_ns, event->tgid };
}

/** Append the event as one JSON object on one line, without the newline; fields in table order. */
void rv_event_json(struct rv_buf *buf, const struct rv_event *event);

/** Append the event as an OCSF 1.3 object on one line. `unix_offset_ns`: wall clock - boot clock.
 */
void rv_event_ocsf(struct rv_buf *buf, const struct rv_event *event, int64_t unix_offset_ns);

/** Append the schema as a Markdown page (docs/events.md is this output; a test compares). */
void rv_event_document(struct rv_buf *buf);

/* ---- Building (sensors in user space, importers, tests) ---- */

/** An event under construction: `bytes` aligned for any event. About 8 KiB. */
struct rv_event_builder {
    union {
        struct rv_event header;
        uint64_t align;
        uint8_t bytes[RV_EVENT_SIZE_MAX];
    };
    size_t used;
};

/** Start an event of `type`: zeroed body, version and type set, weight 1. Returns the header. */
struct rv_event *rv_event_begin(struct rv_event_builder *builder, enum rv_event_type type);

/**
 * Store a string field that belongs to the event under construction.
 * At most `len_max` bytes, and what fits, are kept; true_len says what there was.
 */
void rv_event_put_str(struct rv_event_builder *builder, struct rv_event_str *field,
                      struct rv_span text, size_t len_max);

/** Pad and set the size. The event stays in the builder. */
const struct rv_event *rv_event_end(struct rv_event_builder *builder);

/* ---- Passing on ---- */

/** Where events go. `put` must not keep the pointer. @return of put: 0 or -errno to stop. */
struct rv_event_sink {
    int (*put)(void *context, const struct rv_event *event);
    void *context;
};
