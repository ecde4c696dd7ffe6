/* SPDX-License-Identifier: Apache-2.0 */
/* An event as one line of JSON: header, then the fields in table order, zeroes included. */
#include "event/event.h"

#include "base/json.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

static void add_key(struct rv_buf *buf, const char *key)
{
    rv_buf_addf(buf, ",\"%s\":", key);
}

static void add_flags(struct rv_buf *buf, uint32_t flags)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        { RV_EVENT_F_SNAPSHOT, "snapshot" },
        { RV_EVENT_F_INLINE, "inline" },
        { RV_EVENT_F_DENIED, "denied" },
        { RV_EVENT_F_KTHREAD, "kthread" },
        { RV_EVENT_F_USER_MEMORY, "user_memory" },
    };
    const char *comma = "";

    add_key(buf, "flags");
    rv_buf_add_char(buf, '[');
    for (size_t i = 0; i < RV_COUNT(names); i++) {
        if (flags & names[i].bit) {
            rv_buf_addf(buf, "%s\"%s\"", comma, names[i].name);
            comma = ",";
        }
    }
    rv_buf_add_char(buf, ']');
}

static void add_addr(struct rv_buf *buf, const struct rv_event *event, const void *bytes)
{
    char text[INET6_ADDRSTRLEN] = "";
    uint32_t family = ((const struct rv_event_net_socket *)(const void *)event)->family;

    if (family == AF_INET || family == AF_INET6)
        (void)inet_ntop((int)family, bytes, text, sizeof(text));
    rv_buf_addf(buf, "\"%s\"", text);
}

/** argv as an array of words; a last word that was cut is kept as it is. */
static void add_argv(struct rv_buf *buf, struct rv_span argv)
{
    size_t start = 0;

    rv_buf_add_char(buf, '[');
    while (start < argv.len) {
        const uint8_t *end = memchr(argv.data + start, 0, argv.len - start);
        size_t len = end ? (size_t)(end - argv.data) - start : argv.len - start;

        if (start > 0)
            rv_buf_add_char(buf, ',');
        rv_json_add_string(buf, rv_span(argv.data + start, len));
        start += len + 1;
    }
    rv_buf_add_char(buf, ']');
}

static void add_calls(struct rv_buf *buf, struct rv_span calls)
{
    rv_buf_add_char(buf, '[');
    for (size_t i = 0; i + 1 < calls.len; i += 2)
        rv_buf_addf(buf, "%s%u", i ? "," : "", calls.data[i] | (unsigned)calls.data[i + 1] << 8);
    rv_buf_add_char(buf, ']');
}

static void add_str(struct rv_buf *buf, const struct rv_event *event,
                    const struct rv_event_field *field, const void *at)
{
    struct rv_event_str str;
    struct rv_span text;

    memcpy(&str, at, sizeof(str));
    text = rv_event_str(event, &str);
    if (event->type == RV_EVENT_PROCESS_EXEC && rv_streq(field->name, "argv"))
        add_argv(buf, text);
    else if (event->type == RV_EVENT_SYSCALLS)
        add_calls(buf, text);
    else
        rv_json_add_string(buf, text);
    if (rv_event_str_cut(&str))
        rv_buf_addf(buf, ",\"%s_true_len\":%" PRIu32, field->name, str.true_len);
}

static void add_field(struct rv_buf *buf, const struct rv_event *event,
                      const struct rv_event_field *field)
{
    const uint8_t *at = (const uint8_t *)event + field->offset;
    uint64_t wide = 0;
    uint32_t word = 0;
    uint16_t half = 0;
    int64_t signed_wide = 0;
    int32_t signed_word = 0;

    add_key(buf, field->name);
    switch (field->kind) {
    case RV_FIELD_U8:
        rv_buf_addf(buf, "%u", *at);
        break;
    case RV_FIELD_U16:
        memcpy(&half, at, sizeof(half));
        rv_buf_addf(buf, "%u", half);
        break;
    case RV_FIELD_U32:
        memcpy(&word, at, sizeof(word));
        rv_buf_addf(buf, "%" PRIu32, word);
        break;
    case RV_FIELD_U64:
        memcpy(&wide, at, sizeof(wide));
        /* What no signed 64-bit reader can hold is text. */
        rv_buf_addf(buf, wide > INT64_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, wide);
        break;
    case RV_FIELD_I32:
        memcpy(&signed_word, at, sizeof(signed_word));
        rv_buf_addf(buf, "%" PRId32, signed_word);
        break;
    case RV_FIELD_I64:
        memcpy(&signed_wide, at, sizeof(signed_wide));
        rv_buf_addf(buf, "%" PRId64, signed_wide);
        break;
    case RV_FIELD_STR:
        add_str(buf, event, field, at);
        break;
    case RV_FIELD_ADDR:
        add_addr(buf, event, at);
        break;
    }
}

void rv_event_json(struct rv_buf *buf, const struct rv_event *event)
{
    const struct rv_event_info *info = rv_event_info(event->type);

    rv_buf_addf(buf,
                "{\"type\":\"%s\",\"time_boot_ns\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"cpu\":%" PRIu32
                ",\"weight\":%" PRIu32,
                info->name, (uint64_t)event->time_boot_ns, (uint64_t)event->seq, event->cpu,
                event->weight);
    add_flags(buf, event->flags);
    rv_buf_addf(buf,
                ",\"tgid\":%" PRIu32 ",\"start_boot_ns\":%" PRIu64 ",\"tid\":%" PRIu32
                ",\"uid\":%" PRIu32 ",\"gid\":%" PRIu32 ",\"cgroup_id\":%" PRIu64
                ",\"pid_ns\":%" PRIu32 ",\"comm\":",
                event->tgid, (uint64_t)event->start_boot_ns, event->tid, event->uid, event->gid,
                (uint64_t)event->cgroup_id, event->pid_ns);
    rv_json_add_string(buf, rv_span(event->comm, strnlen(event->comm, sizeof(event->comm))));
    for (size_t i = 0; i < info->field_count; i++)
        add_field(buf, event, &info->fields[i]);
    rv_buf_add_char(buf, '}');
}
