/* SPDX-License-Identifier: Apache-2.0 */
/* The table as data, and the check and construction of events. */
#include "event/event.h"

_Static_assert(sizeof(struct rv_event) == 88, "the header is part of the format on disk");

/* Field offsets need the struct's name beside the field's, so each list is expanded within one. */
#define FIELDS_OF(struct_name, ...)                                                                \
    static const struct rv_event_field fields_##struct_name[] = { __VA_ARGS__ };
#define FIELD(kind, name, meaning) { #name, meaning, RV_FIELD_##kind, offsetof(THIS, name) },

#define THIS struct rv_event_process_fork
FIELDS_OF(process_fork, RV_FIELDS_process_fork(FIELD))
#undef THIS
#define THIS struct rv_event_process_exec
FIELDS_OF(process_exec, RV_FIELDS_process_exec(FIELD))
#undef THIS
#define THIS struct rv_event_process_exit
FIELDS_OF(process_exit, RV_FIELDS_process_exit(FIELD))
#undef THIS
#define THIS struct rv_event_process_cred
FIELDS_OF(process_cred, RV_FIELDS_process_cred(FIELD))
#undef THIS
#define THIS struct rv_event_process_ptrace
FIELDS_OF(process_ptrace, RV_FIELDS_process_ptrace(FIELD))
#undef THIS
#define THIS struct rv_event_process_signal
FIELDS_OF(process_signal, RV_FIELDS_process_signal(FIELD))
#undef THIS
#define THIS struct rv_event_memory_exec
FIELDS_OF(memory_exec, RV_FIELDS_memory_exec(FIELD))
#undef THIS
#define THIS struct rv_event_process_race
FIELDS_OF(process_race, RV_FIELDS_process_race(FIELD))
#undef THIS
#define THIS struct rv_event_file_open
FIELDS_OF(file_open, RV_FIELDS_file_open(FIELD))
#undef THIS
#define THIS struct rv_event_file_rename
FIELDS_OF(file_rename, RV_FIELDS_file_rename(FIELD))
#undef THIS
#define THIS struct rv_event_file_unlink
FIELDS_OF(file_unlink, RV_FIELDS_file_unlink(FIELD))
#undef THIS
#define THIS struct rv_event_file_link
FIELDS_OF(file_link, RV_FIELDS_file_link(FIELD))
#undef THIS
#define THIS struct rv_event_file_attr
FIELDS_OF(file_attr, RV_FIELDS_file_attr(FIELD))
#undef THIS
#define THIS struct rv_event_file_truncate
FIELDS_OF(file_truncate, RV_FIELDS_file_truncate(FIELD))
#undef THIS
#define THIS struct rv_event_net_socket
FIELDS_OF(net_socket, RV_FIELDS_net_socket(FIELD))
#undef THIS
#define THIS struct rv_event_kernel_load
FIELDS_OF(kernel_load, RV_FIELDS_kernel_load(FIELD))
#undef THIS
#define THIS struct rv_event_mount
FIELDS_OF(mount, RV_FIELDS_mount(FIELD))
#undef THIS
#define THIS struct rv_event_namespace
FIELDS_OF(namespace, RV_FIELDS_namespace(FIELD))
#undef THIS
#define THIS struct rv_event_syscalls
FIELDS_OF(syscalls, RV_FIELDS_syscalls(FIELD))
#undef THIS
#define THIS struct rv_event_loss
FIELDS_OF(loss, RV_FIELDS_loss(FIELD))
#undef THIS
#define THIS struct rv_event_tamper
FIELDS_OF(tamper, RV_FIELDS_tamper(FIELD))
#undef THIS

static const struct rv_event_info infos[RV_EVENT_TYPE_END_] = {
#define INFO(number, constant, struct_name, wire_name, meaning)                                    \
    [number] = { wire_name, meaning, fields_##struct_name, RV_COUNT(fields_##struct_name),         \
                 sizeof(struct rv_event_##struct_name) },
    RV_EVENT_TYPES(INFO)
#undef INFO
};

const struct rv_event_info *rv_event_info(uint16_t type)
{
    return type < RV_COUNT(infos) && infos[type].name ? &infos[type] : NULL;
}

enum rv_event_type rv_event_type_by_name(const char *name)
{
    for (uint16_t type = 0; type < RV_COUNT(infos); type++) {
        if (infos[type].name && rv_streq(infos[type].name, name))
            return (enum rv_event_type)type;
    }
    return RV_EVENT_NONE;
}

static int refuse(const char **reterr, const char *why, int code)
{
    if (reterr)
        *reterr = why;
    return code;
}

static bool str_inside(const struct rv_event *event, const struct rv_event_field *field,
                       size_t body_size)
{
    struct rv_event_str str;

    memcpy(&str, (const uint8_t *)event + field->offset, sizeof(str));
    if (str.len == 0)
        return true;
    return str.offset >= body_size && (size_t)str.offset + str.len <= event->size &&
           str.true_len >= str.len;
}

int rv_event_check(struct rv_span bytes, const struct rv_event **ret_event, const char **reterr)
{
    const struct rv_event *event = (const void *)bytes.data;
    const struct rv_event_info *info;

    if (bytes.len < sizeof(*event))
        return refuse(reterr, "shorter than an event header", -EBADMSG);
    if ((uintptr_t)bytes.data % 8 != 0)
        return refuse(reterr, "not aligned to 8 bytes", -EBADMSG);
    if (event->version != RV_EVENT_VERSION)
        return refuse(reterr, "made by another version of the event schema", -EPROTONOSUPPORT);
    if (event->size != bytes.len || event->size % 8 != 0 || event->size > RV_EVENT_SIZE_MAX)
        return refuse(reterr, "size in the header is not the size of the event", -EBADMSG);
    info = rv_event_info(event->type);
    if (!info)
        return refuse(reterr, "unknown event type", -EBADMSG);
    if (event->size < info->body_size)
        return refuse(reterr, "shorter than the body of its type", -EBADMSG);
    if (event->weight == 0)
        return refuse(reterr, "weight 0", -EBADMSG);

    for (size_t i = 0; i < info->field_count; i++) {
        if (info->fields[i].kind == RV_FIELD_STR &&
            !str_inside(event, &info->fields[i], info->body_size))
            return refuse(reterr, info->fields[i].name, -EBADMSG);
    }
    *ret_event = event;
    return 0;
}

struct rv_span rv_event_str(const struct rv_event *event, const struct rv_event_str *str)
{
    if (str->len == 0)
        return rv_span(NULL, 0);
    return rv_span((const uint8_t *)event + str->offset, str->len);
}

struct rv_event *rv_event_begin(struct rv_event_builder *builder, enum rv_event_type type)
{
    size_t body_size = infos[type].body_size;

    assert(body_size > 0);
    memset(builder->bytes, 0, body_size);
    builder->used = body_size;
    builder->header.version = RV_EVENT_VERSION;
    builder->header.type = (uint16_t)type;
    builder->header.weight = 1;
    return &builder->header;
}

void rv_event_put_str(struct rv_event_builder *builder, struct rv_event_str *field,
                      struct rv_span text, size_t len_max)
{
    /* Seven bytes stay free for the padding of rv_event_end(). */
    size_t room = sizeof(builder->bytes) - 7 - builder->used;
    size_t len = rv_min_u64(rv_min_u64(text.len, len_max), room);

    field->offset = (uint16_t)builder->used;
    field->len = (uint16_t)len;
    field->true_len = (uint32_t)rv_min_u64(text.len, UINT32_MAX);
    if (len > 0)
        memcpy(builder->bytes + builder->used, text.data, len);
    builder->used += len;
}

const struct rv_event *rv_event_end(struct rv_event_builder *builder)
{
    while (builder->used % 8 != 0)
        builder->bytes[builder->used++] = 0;
    builder->header.size = (uint32_t)builder->used;
    return &builder->header;
}
