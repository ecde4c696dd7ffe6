/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as an OCSF 1.3 object (schema.ocsf.io): class and activity by type from one table, the
 * acting process the same way for all, what was acted on by class.
 */
#include "event/event.h"

#include "base/json.h"

#include <arpa/inet.h>
#include <inttypes.h>

enum ocsf_class {
    OCSF_BASE = 0,
    OCSF_FILE = 1001,
    OCSF_KERNEL_EXTENSION = 1002,
    OCSF_KERNEL = 1003,
    OCSF_MEMORY = 1004,
    OCSF_PROCESS = 1007,
    OCSF_NETWORK = 4001,
};

enum { OCSF_OTHER = 99 };

struct ocsf_row {
    enum ocsf_class class_uid;
    unsigned activity_id;
    const char *activity_name;
};

static const struct ocsf_row rows[RV_EVENT_TYPE_END_] = {
    [RV_EVENT_PROCESS_FORK] = { OCSF_PROCESS, OCSF_OTHER, "Fork" },
    [RV_EVENT_PROCESS_EXEC] = { OCSF_PROCESS, 1, "Launch" },
    [RV_EVENT_PROCESS_EXIT] = { OCSF_PROCESS, 2, "Terminate" },
    [RV_EVENT_PROCESS_CRED] = { OCSF_PROCESS, 5, "Set User ID" },
    [RV_EVENT_PROCESS_PTRACE] = { OCSF_PROCESS, 4, "Inject" },
    [RV_EVENT_PROCESS_SIGNAL] = { OCSF_PROCESS, OCSF_OTHER, "Signal" },
    [RV_EVENT_MEMORY_EXEC] = { OCSF_MEMORY, 2, "Modify Page" },
    [RV_EVENT_PROCESS_RACE] = { OCSF_PROCESS, OCSF_OTHER, "Race" },
    [RV_EVENT_FILE_OPEN] = { OCSF_FILE, 14, "Open" },
    [RV_EVENT_FILE_RENAME] = { OCSF_FILE, 5, "Rename" },
    [RV_EVENT_FILE_UNLINK] = { OCSF_FILE, 4, "Delete" },
    [RV_EVENT_FILE_LINK] = { OCSF_FILE, OCSF_OTHER, "Link" },
    [RV_EVENT_FILE_ATTR] = { OCSF_FILE, 6, "Set Attributes" },
    [RV_EVENT_FILE_TRUNCATE] = { OCSF_FILE, 3, "Update" },
    [RV_EVENT_NET_CONNECT] = { OCSF_NETWORK, 1, "Open" },
    [RV_EVENT_NET_ACCEPT] = { OCSF_NETWORK, 1, "Open" },
    [RV_EVENT_NET_BIND] = { OCSF_NETWORK, OCSF_OTHER, "Bind" },
    [RV_EVENT_NET_LISTEN] = { OCSF_NETWORK, 7, "Listen" },
    [RV_EVENT_KERNEL_MODULE] = { OCSF_KERNEL_EXTENSION, 1, "Load" },
    [RV_EVENT_KERNEL_BPF] = { OCSF_KERNEL, 1, "Create" },
    [RV_EVENT_KERNEL_KEXEC] = { OCSF_KERNEL, 4, "Invoke" },
    [RV_EVENT_MOUNT] = { OCSF_KERNEL, 4, "Invoke" },
    [RV_EVENT_NAMESPACE] = { OCSF_KERNEL, 4, "Invoke" },
    [RV_EVENT_SYSCALLS] = { OCSF_BASE, OCSF_OTHER, "System Calls" },
    [RV_EVENT_LOSS] = { OCSF_BASE, OCSF_OTHER, "Loss" },
    [RV_EVENT_TAMPER] = { OCSF_BASE, OCSF_OTHER, "Tamper" },
};

static void add_str(struct rv_buf *buf, const char *key, const struct rv_event *event,
                    const struct rv_event_str *str)
{
    rv_buf_addf(buf, "\"%s\":", key);
    rv_json_add_string(buf, rv_event_str(event, str));
}

static void add_file(struct rv_buf *buf, const char *key, const struct rv_event *event,
                     const struct rv_event_str *path)
{
    struct rv_span text = rv_event_str(event, path);
    const uint8_t *slash = text.len ? memrchr(text.data, '/', text.len) : NULL;
    size_t skip = slash ? (size_t)(slash - text.data) + 1 : 0;

    rv_buf_addf(buf, ",\"%s\":{\"type_id\":1,\"name\":", key);
    rv_json_add_string(buf, rv_span(text.data + skip, text.len - skip));
    rv_buf_add_char(buf, ',');
    add_str(buf, "path", event, path);
    rv_buf_add_char(buf, '}');
}

static void add_actor(struct rv_buf *buf, const struct rv_event *event, int64_t unix_offset_ns)
{
    int64_t created_ms = ((int64_t)event->start_boot_ns + unix_offset_ns) / 1000000;

    rv_buf_addf(
        buf, ",\"actor\":{\"process\":{\"pid\":%" PRIu32 ",\"created_time\":%" PRId64 ",\"name\":",
        event->tgid, created_ms);
    rv_json_add_string(buf, rv_span(event->comm, strnlen(event->comm, sizeof(event->comm))));
    rv_buf_addf(buf, ",\"user\":{\"uid\":\"%" PRIu32 "\"}}}", event->uid);
}

static void add_exec(struct rv_buf *buf, const struct rv_event *event)
{
    const struct rv_event_process_exec *exec = (const void *)event;
    struct rv_span argv = rv_event_str(event, &exec->argv);
    struct rv_buf line = { 0 };

    for (size_t i = 0; i < argv.len; i++)
        rv_buf_add_char(&line, argv.data[i] ? (char)argv.data[i] : i + 1 < argv.len ? ' ' : '\0');
    rv_buf_addf(buf, ",\"process\":{\"pid\":%" PRIu32 ",\"parent_process\":{\"pid\":%" PRIu32 "},",
                event->tgid, exec->parent_tgid);
    rv_buf_add_str(buf, "\"cmd_line\":");
    rv_json_add_string(
        buf, rv_span(line.data, line.len && !line.data[line.len - 1] ? line.len - 1 : line.len));
    rv_buf_add_str(buf, ",\"file\":{\"type_id\":1,");
    add_str(buf, "path", event, &exec->path);
    rv_buf_add_str(buf, "}}");
    rv_buf_done(&line);
}

static void add_endpoint(struct rv_buf *buf, const char *key, uint32_t family,
                         const struct rv_event_addr *addr, uint32_t port)
{
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop((int)family, addr->bytes, text, sizeof(text));
    rv_buf_addf(buf, ",\"%s\":{\"ip\":\"%s\",\"port\":%" PRIu32 "}", key, text, port);
}

static void add_network(struct rv_buf *buf, const struct rv_event *event)
{
    const struct rv_event_net_socket *socket = (const void *)event;
    bool outgoing = event->type == RV_EVENT_NET_CONNECT;

    if (socket->family == AF_INET || socket->family == AF_INET6) {
        add_endpoint(buf, outgoing ? "dst_endpoint" : "src_endpoint", socket->family, &socket->addr,
                     socket->port);
        add_endpoint(buf, outgoing ? "src_endpoint" : "dst_endpoint", socket->family,
                     &socket->local_addr, socket->local_port);
    } else {
        rv_buf_add_str(buf, ",\"dst_endpoint\":{");
        add_str(buf, "name", event, &socket->path);
        rv_buf_add_char(buf, '}');
    }
    rv_buf_addf(buf, ",\"connection_info\":{\"direction_id\":%d,\"protocol_num\":%" PRIu32 "}",
                outgoing ? 2 : 1, socket->protocol);
}

/** What was acted on. Everything of the event that has no OCSF place stands under `unmapped`. */
static void add_object(struct rv_buf *buf, const struct rv_event *event)
{
    switch (event->type) {
    case RV_EVENT_PROCESS_EXEC:
        add_exec(buf, event);
        break;
    case RV_EVENT_PROCESS_FORK:
        rv_buf_addf(buf, ",\"process\":{\"pid\":%" PRIu32 "}",
                    ((const struct rv_event_process_fork *)(const void *)event)->child_tgid);
        break;
    case RV_EVENT_PROCESS_EXIT:
    case RV_EVENT_PROCESS_CRED:
        rv_buf_addf(buf, ",\"process\":{\"pid\":%" PRIu32 "}", event->tgid);
        break;
    case RV_EVENT_PROCESS_PTRACE:
        rv_buf_addf(buf, ",\"process\":{\"pid\":%" PRIu32 "}",
                    ((const struct rv_event_process_ptrace *)(const void *)event)->target_tgid);
        break;
    case RV_EVENT_PROCESS_SIGNAL:
        rv_buf_addf(buf, ",\"process\":{\"pid\":%" PRIu32 "}",
                    ((const struct rv_event_process_signal *)(const void *)event)->target_tgid);
        break;
    case RV_EVENT_FILE_OPEN:
        add_file(buf, "file", event,
                 &((const struct rv_event_file_open *)(const void *)event)->path);
        break;
    case RV_EVENT_FILE_RENAME:
        add_file(buf, "file", event,
                 &((const struct rv_event_file_rename *)(const void *)event)->path);
        add_file(buf, "file_result", event,
                 &((const struct rv_event_file_rename *)(const void *)event)->new_path);
        break;
    case RV_EVENT_FILE_UNLINK:
        add_file(buf, "file", event,
                 &((const struct rv_event_file_unlink *)(const void *)event)->path);
        break;
    case RV_EVENT_FILE_LINK:
        add_file(buf, "file", event,
                 &((const struct rv_event_file_link *)(const void *)event)->new_path);
        break;
    case RV_EVENT_FILE_ATTR:
        add_file(buf, "file", event,
                 &((const struct rv_event_file_attr *)(const void *)event)->path);
        break;
    case RV_EVENT_FILE_TRUNCATE:
        add_file(buf, "file", event,
                 &((const struct rv_event_file_truncate *)(const void *)event)->path);
        break;
    case RV_EVENT_NET_CONNECT:
    case RV_EVENT_NET_ACCEPT:
    case RV_EVENT_NET_BIND:
    case RV_EVENT_NET_LISTEN:
        add_network(buf, event);
        break;
    case RV_EVENT_KERNEL_MODULE:
        rv_buf_add_str(buf, ",\"driver\":{");
        add_str(buf, "name", event,
                &((const struct rv_event_kernel_load *)(const void *)event)->name);
        rv_buf_add_char(buf, '}');
        break;
    default:
        break;
    }
}

void rv_event_ocsf(struct rv_buf *buf, const struct rv_event *event, int64_t unix_offset_ns)
{
    const struct ocsf_row *row = &rows[event->type];
    unsigned class_uid = (unsigned)row->class_uid;
    int64_t time_ms = ((int64_t)event->time_boot_ns + unix_offset_ns) / 1000000;

    rv_buf_addf(buf,
                "{\"metadata\":{\"version\":\"1.3.0\",\"product\":{\"name\":\"Reeve\",\"version\":"
                "\"" RV_VERSION "\"}},\"category_uid\":%u,\"class_uid\":%u,\"activity_id\":%u,"
                "\"activity_name\":\"%s\",\"type_uid\":%u,\"severity_id\":1,\"time\":%" PRId64,
                class_uid / 1000, class_uid, row->activity_id, row->activity_name,
                class_uid * 100 + row->activity_id, time_ms);
    add_actor(buf, event, unix_offset_ns);
    add_object(buf, event);
    rv_buf_add_str(buf, ",\"unmapped\":{\"reeve\":");
    rv_event_json(buf, event);
    rv_buf_add_str(buf, "}}");
}
