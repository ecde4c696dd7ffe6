/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/value.h  Cedar values, entity ids and entities.
 * A value is 16 bytes that borrow what they point to. Sets are sorted by rv_value_compare() and hold
 * no element twice; records are sorted by key. Whoever builds one keeps to that (the functions below
 * help), so that equality and order are one walk. Everything here is immutable once built.
 */
#pragma once

#include "policy/text.h"

enum rv_value_kind {
    RV_VALUE_NONE = 0, /* no value: never inside a set, a record or an entity */
    RV_VALUE_BOOL,
    RV_VALUE_LONG,
    RV_VALUE_STRING,
    RV_VALUE_ENTITY,
    RV_VALUE_SET,
    RV_VALUE_RECORD,
    RV_VALUE_IP,
    RV_VALUE_DECIMAL,  /* number: units of 1/10000 */
    RV_VALUE_DATETIME, /* number: milliseconds since 1970-01-01T00:00:00Z */
    RV_VALUE_DURATION, /* number: milliseconds */
};

struct rv_uid;
struct rv_field;

/** An address or a range: `bits` is the prefix length, 32 or 128 for a single address. */
struct rv_ip {
    uint8_t bytes[16]; /* network order; IPv4 uses the first 4 */
    uint8_t bits;
    bool v6;
};

struct rv_value {
    uint8_t kind;   /* enum rv_value_kind */
    uint32_t count; /* bytes of a string, elements of a set, fields of a record */
    union {
        bool truth;
        int64_t number;
        const char *text;
        const struct rv_uid *uid;
        const struct rv_value *items;
        const struct rv_field *fields;
        const struct rv_ip *ip;
    };
};

/** `Namespace::Type::"id"`. Make it with rv_uid(), which fills the hash. */
struct rv_uid {
    struct rv_text type; /* qualified, such as Reeve::Process */
    struct rv_text id;   /* bytes as they are, not escaped */
    uint64_t hash;
};

struct rv_field {
    struct rv_text key;
    struct rv_value value;
};

/** Fields of a record, sorted by key (rv_fields_sort()). */
struct rv_fields {
    const struct rv_field *items;
    uint32_t count;
};

struct rv_entity;

/** One step up. `entity` may be NULL: it is then looked up by `uid` (and need not exist). */
struct rv_parent {
    const struct rv_uid *uid;
    const struct rv_entity *entity;
};

/** An entity. All-zero except `uid` is valid: no attributes, no tags, no parents. */
struct rv_entity {
    struct rv_uid uid;
    struct rv_fields attrs, tags;
    const struct rv_parent *parents;
    uint32_t parent_count;
    bool closed; /* `parents` already holds every ancestor: nothing above them is looked up */
};

static inline uint64_t rv_uid_hash(struct rv_text type, struct rv_text id)
{
    return rv_mix64(((uint64_t)type.hash << 32 | id.hash) + 0x9e3779b97f4a7c15ULL);
}

static inline struct rv_uid rv_uid(struct rv_text type, struct rv_text id)
{
    return (struct rv_uid){ type, id, rv_uid_hash(type, id) };
}

static inline bool rv_uid_eq(const struct rv_uid *a, const struct rv_uid *b)
{
    return a == b || (a->hash == b->hash && rv_text_eq(a->type, b->type) && rv_text_eq(a->id, b->id));
}

/* ---- Making values ---- */
static inline struct rv_value rv_value_bool(bool truth)
{
    return (struct rv_value){ .kind = RV_VALUE_BOOL, .truth = truth };
}

static inline struct rv_value rv_value_long(int64_t number)
{
    return (struct rv_value){ .kind = RV_VALUE_LONG, .number = number };
}

static inline struct rv_value rv_value_string(const char *data, size_t len)
{
    return (struct rv_value){ .kind = RV_VALUE_STRING, .count = (uint32_t)len, .text = data };
}

static inline struct rv_value rv_value_entity(const struct rv_uid *uid)
{
    return (struct rv_value){ .kind = RV_VALUE_ENTITY, .uid = uid };
}

static inline struct rv_value rv_value_ip(const struct rv_ip *ip)
{
    return (struct rv_value){ .kind = RV_VALUE_IP, .ip = ip };
}

static inline struct rv_value rv_value_number(enum rv_value_kind kind, int64_t number)
{
    return (struct rv_value){ .kind = (uint8_t)kind, .number = number };
}

static inline struct rv_value rv_value_record(struct rv_fields fields)
{
    return (struct rv_value){
        .kind = RV_VALUE_RECORD, .count = fields.count, .fields = fields.items
    };
}

/** Sort `items` and drop doubles in place. @return the set; it borrows `items`. No allocation. */
struct rv_value rv_value_set(struct rv_value *items, size_t count);

/** Sort by key in place. No allocation. @return false if a key is there twice. */
bool rv_fields_sort(struct rv_field *items, size_t count);

/* ---- Looking at values ---- */
/** The order of everything: by kind, then by content. Total; 0 means equal. */
int rv_value_compare(const struct rv_value *a, const struct rv_value *b);
bool rv_value_eq(const struct rv_value *a, const struct rv_value *b);
bool rv_set_contains(const struct rv_value *set, const struct rv_value *item);
/** The field's value, or NULL. */
const struct rv_value *rv_fields_get(struct rv_fields fields, struct rv_text key);

static inline struct rv_fields rv_record_fields(const struct rv_value *record)
{
    return (struct rv_fields){ record->fields, record->count };
}

/** The kind as a policy author calls it: "Long", "String", "ipaddr", ... Static. */
const char *rv_value_kind_name(enum rv_value_kind kind);

/** Append as a Cedar expression: `User::"a"`, `[1, 2]`, `{"k": ip("::1")}`. */
void rv_value_print(struct rv_buf *buf, const struct rv_value *value);
/** Append `Type::"id"`, the id escaped. */
void rv_uid_print(struct rv_buf *buf, const struct rv_uid *uid);
/** Append a Cedar string literal, quotes included. */
void rv_text_print_quoted(struct rv_buf *buf, struct rv_text text);
/** Append an attribute name: bare when it is an identifier, quoted otherwise. */
void rv_key_print(struct rv_buf *buf, struct rv_text key);

/* ---- Extension values from text: ip("..."), decimal("..."), datetime("..."), duration("...") ---- */
/** @return 0; -EINVAL for text that the Cedar function refuses. `ret` untouched on failure. */
RV_MUST_CHECK int rv_ip_parse(struct rv_text text, struct rv_ip *ret);
RV_MUST_CHECK int rv_decimal_parse(struct rv_text text, int64_t *ret);
RV_MUST_CHECK int rv_datetime_parse(struct rv_text text, int64_t *ret);
RV_MUST_CHECK int rv_duration_parse(struct rv_text text, int64_t *ret);
