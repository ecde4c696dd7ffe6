/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include "features/table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- Names, hashed once ---- */

#define ENTITY_TYPES(T)                                                                            \
    T(Action)                                                                                      \
    T(Process)                                                                                     \
    T(Program)                                                                                     \
    T(ProgramKind)                                                                                 \
    T(User) T(Workload) T(File) T(Directory) T(Endpoint) T(Memory) T(Module) T(BpfObject)          \
        T(Kernel) T(Namespace) T(Component)

enum entity_type {
#define CONSTANT(name) TYPE_##name,
    ENTITY_TYPES(CONSTANT)
#undef CONSTANT
        TYPE_COUNT_
};

/* Every attribute and context key, each once. */
#define KEYS(K)                                                                                    \
    K(anonymous)                                                                                   \
    K(argc)                                                                                        \
    K(argv)                                                                                        \
    K(at_entry) K(attested) K(caps_gained) K(command) K(comm) K(container) K(cut) K(cwd) K(egid)   \
        K(euid) K(family) K(features) K(fileless) K(from) K(fstype) K(gained_root) K(gid)          \
            K(inline) K(interpreter) K(ip) K(kind) K(length) K(mode) K(model) K(name) K(new_euid)  \
                K(new_mode) K(new_owner) K(new_uid) K(novel) K(old_euid) K(old_mode) K(old_owner)  \
                    K(old_uid) K(owner) K(path_class) K(port) K(preload) K(program) K(protocol)    \
                        K(remote_session) K(request) K(risk) K(script) K(seen) K(serves_network)   \
                            K(setid) K(setid_added) K(signal) K(source) K(tainted) K(taken) K(tty) \
                                K(uid) K(writable) K(written)

enum key {
#define CONSTANT(name) KEY_##name,
    KEYS(CONSTANT)
#undef CONSTANT
        KEY_COUNT_
};

struct rv_host_names {
    struct rv_text types[TYPE_COUNT_];
    struct rv_text keys[KEY_COUNT_];
    struct rv_text kinds[RV_KIND_COUNT_];
    struct rv_text features[RV_FEATURE_COUNT]; /* in order of name */
    uint16_t feature_numbers[RV_FEATURE_COUNT];
    struct rv_text actions[RV_EVENT_TYPE_END_ + 2];
};

/* file.open is four actions, one of them that of file.truncate; the two beyond the first stand
 * after the event types. */
enum { ACTION_FILE_WRITE = RV_EVENT_TYPE_END_, ACTION_FILE_CREATE, ACTION_COUNT_ };

static const char *const action_names[ACTION_COUNT_] = {
    [RV_EVENT_PROCESS_EXEC] = "process.exec",
    [RV_EVENT_PROCESS_CRED] = "process.cred",
    [RV_EVENT_PROCESS_PTRACE] = "process.ptrace",
    [RV_EVENT_PROCESS_SIGNAL] = "process.signal",
    [RV_EVENT_MEMORY_EXEC] = "memory.exec",
    [RV_EVENT_PROCESS_RACE] = "process.race",
    [RV_EVENT_FILE_OPEN] = "file.read",
    [RV_EVENT_FILE_RENAME] = "file.rename",
    [RV_EVENT_FILE_UNLINK] = "file.unlink",
    [RV_EVENT_FILE_LINK] = "file.link",
    [RV_EVENT_FILE_ATTR] = "file.attr",
    [RV_EVENT_FILE_TRUNCATE] = "file.truncate",
    [RV_EVENT_NET_CONNECT] = "net.connect",
    [RV_EVENT_NET_ACCEPT] = "net.accept",
    [RV_EVENT_NET_BIND] = "net.bind",
    [RV_EVENT_NET_LISTEN] = "net.listen",
    [RV_EVENT_KERNEL_MODULE] = "kernel.module",
    [RV_EVENT_KERNEL_BPF] = "kernel.bpf",
    [RV_EVENT_KERNEL_KEXEC] = "kernel.kexec",
    [RV_EVENT_MOUNT] = "mount",
    [RV_EVENT_NAMESPACE] = "namespace",
    [RV_EVENT_TAMPER] = "tamper",
    [ACTION_FILE_WRITE] = "file.write",
    [ACTION_FILE_CREATE] = "file.create",
};

static int compare_features(const void *a, const void *b, void *context)
{
    const struct rv_text *names = context;

    return rv_text_compare(names[*(const uint16_t *)a], names[*(const uint16_t *)b]);
}

int rv_host_names_new(struct rv_host_names **ret_names)
{
    static const char *const types[] = {
#define NAME(name) #name,
        ENTITY_TYPES(NAME)
    };
    static const char *const keys[] = { KEYS(NAME) };
#undef NAME
    struct rv_host_names *names = calloc(1, sizeof(*names));
    struct rv_text unsorted[RV_FEATURE_COUNT];

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < TYPE_COUNT_; i++)
        names->types[i] = rv_text_str(types[i]);
    for (size_t i = 0; i < KEY_COUNT_; i++)
        names->keys[i] = rv_text_str(keys[i]);
    for (size_t i = 0; i < RV_KIND_COUNT_; i++)
        names->kinds[i] = rv_text_str(rv_program_kind_name((enum rv_program_kind)i));
    for (size_t i = 0; i < ACTION_COUNT_; i++)
        names->actions[i] = rv_text_str(action_names[i] ? action_names[i] : "");
    for (uint16_t i = 0; i < RV_FEATURE_COUNT; i++) {
        unsorted[i] = rv_text_str(rv_feature_info(i)->name);
        names->feature_numbers[i] = i;
    }
    qsort_r(names->feature_numbers, RV_FEATURE_COUNT, sizeof(uint16_t), compare_features, unsorted);
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        names->features[i] = unsorted[names->feature_numbers[i]];
    *ret_names = names;
    return 0;
}

void rv_host_names_free(struct rv_host_names **names)
{
    free(*names);
    *names = NULL;
}

static unsigned action_number(const struct rv_event *event)
{
    uint32_t access;

    if (event->type != RV_EVENT_FILE_OPEN)
        return event->type;
    access = ((const struct rv_event_file_open *)(const void *)event)->access;
    if (access & RV_ACCESS_CREATE)
        return ACTION_FILE_CREATE;
    if (access & RV_ACCESS_TRUNC)
        return RV_EVENT_FILE_TRUNCATE;
    if (access & RV_ACCESS_WRITE)
        return ACTION_FILE_WRITE;
    return RV_EVENT_FILE_OPEN;
}

const char *rv_host_action(const struct rv_event *event)
{
    if (event->flags & RV_EVENT_F_SNAPSHOT)
        return NULL; /* it happened before we looked */
    return action_names[action_number(event)];
}

/* ---- Small builders ---- */

struct fields {
    const struct rv_host_names *names;
    struct rv_field *items;
    uint32_t count;
};

static void put(struct fields *fields, enum key key, struct rv_value value)
{
    assert(fields->count < RV_HOST_FIELDS_MAX);
    fields->items[fields->count++] = (struct rv_field){ fields->names->keys[key], value };
}

static void put_long(struct fields *fields, enum key key, int64_t number)
{
    put(fields, key, rv_value_long(number));
}

static void put_bool(struct fields *fields, enum key key, bool truth)
{
    put(fields, key, rv_value_bool(truth));
}

static void put_text(struct fields *fields, enum key key, struct rv_span text)
{
    put(fields, key, rv_value_string((const char *)text.data, text.len));
}

static struct rv_fields finish(struct fields *fields)
{
    (void)rv_fields_sort(fields->items, fields->count);
    return (struct rv_fields){ fields->items, fields->count };
}

static void add_parent(struct rv_host_entity *host, struct rv_text type, struct rv_text id)
{
    uint32_t i = host->entity.parent_count;

    if (i == RV_HOST_PARENTS_MAX)
        return; /* deeper than any path or tree that a policy names */
    host->uids[i] = rv_uid(type, id);
    host->parents[i] = (struct rv_parent){ .uid = &host->uids[i] };
    host->entity.parent_count++;
}

static void entity_begin(struct rv_host_entity *host, struct rv_text type, struct rv_text id)
{
    host->entity =
        (struct rv_entity){ .uid = rv_uid(type, id), .parents = host->parents, .closed = true };
    host->id_count = 0;
}

static size_t put_decimal(char *to, uint64_t value)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < count; i++)
        to[i] = digits[count - 1 - i];
    return count;
}

/** "<tgid>.<start>" in the entity's own memory. */
static struct rv_text process_id(struct rv_host_entity *host, struct rv_process_key key)
{
    char *id = host->ids[host->id_count++];
    size_t len = put_decimal(id, key.tgid);

    id[len++] = '.';
    len += put_decimal(id + len, key.start_boot_ns);
    return rv_text(id, len);
}

/** Every folder above an absolute path, nearest first, "/" last. */
static void add_directories(struct rv_host_entity *host, const struct rv_host_names *names,
                            struct rv_span path)
{
    if (path.len < 2 || path.data[0] != '/')
        return;
    for (size_t end = path.len - 1; end > 0; end--) {
        if (path.data[end] == '/')
            add_parent(host, names->types[TYPE_Directory], rv_text((const char *)path.data, end));
    }
    add_parent(host, names->types[TYPE_Directory], rv_text_str("/"));
}

/* ---- Processes ---- */

static void add_ancestry(struct rv_host_entity *host, const struct rv_host_names *names,
                         const struct rv_process *process)
{
    const struct rv_process *up = process;
    uint32_t kinds = 0;

    for (int depth = 0; up && depth < RV_HOST_ANCESTORS_MAX; depth++, up = up->parent) {
        kinds |= 1U << up->program->kind;
        add_parent(host, names->types[TYPE_Program],
                   rv_text(up->program->path, up->program->path_len));
        if (up->script)
            add_parent(host, names->types[TYPE_Program],
                       rv_text(up->script->path, up->script->path_len));
        if (depth > 0)
            add_parent(host, names->types[TYPE_Process], process_id(host, up->key));
    }
    for (uint32_t kind = 0; kind < RV_KIND_COUNT_; kind++) {
        if (kinds & 1U << kind)
            add_parent(host, names->types[TYPE_ProgramKind], names->kinds[kind]);
    }
}

static void add_user(struct rv_host_entity *host, const struct rv_host_names *names, uint32_t uid)
{
    char *id = host->ids[host->id_count++];

    add_parent(host, names->types[TYPE_User], rv_text(id, put_decimal(id, uid)));
}

static void put_process(struct fields *fields, const struct rv_process *process)
{
    const struct rv_executable *program = process->program;

    put_text(fields, KEY_program, rv_span(program->path, program->path_len));
    put_text(fields, KEY_kind, rv_span_str(rv_program_kind_name(program->kind)));
    put_text(fields, KEY_path_class, rv_span_str(rv_path_class_name(program->path_class)));
    put_text(fields, KEY_comm,
             rv_span(process->comm, strnlen(process->comm, sizeof(process->comm))));
    put_long(fields, KEY_uid, process->uid);
    put_long(fields, KEY_gid, process->gid);
    put_long(fields, KEY_euid, process->euid);
    put_bool(fields, KEY_tty, process->tty != 0);
    put_bool(fields, KEY_remote_session, process->remote_session);
    put_bool(fields, KEY_serves_network, process->serves_network);
    put_bool(fields, KEY_container, process->workload->container);
    put_bool(fields, KEY_fileless, process->exec_flags & (RV_EXEC_F_MEMFD | RV_EXEC_F_DELETED));
    put_bool(fields, KEY_preload, process->exec_flags & RV_EXEC_F_PRELOAD);
    put_bool(fields, KEY_setid, process->exec_flags & RV_EXEC_F_SETID);
    put_bool(fields, KEY_script, process->exec_flags & RV_EXEC_F_SCRIPT);
    put_bool(fields, KEY_tainted, process->tainted);
}

static void build_process(struct rv_host_entity *host, const struct rv_host_names *names,
                          const struct rv_process *process)
{
    struct fields fields = { names, host->attrs, 0 };
    const struct rv_workload *workload = process->workload;

    entity_begin(host, names->types[TYPE_Process], rv_text_str(""));
    host->entity.uid = rv_uid(names->types[TYPE_Process], process_id(host, process->key));
    put_process(&fields, process);
    add_ancestry(host, names, process);
    add_user(host, names, process->uid);
    add_parent(host, names->types[TYPE_Workload], rv_text_str(workload->name));
    host->entity.attrs = finish(&fields);
}

/** A process of which nothing but the event's header is known. */
static void build_unknown_process(struct rv_host_entity *host, const struct rv_host_names *names,
                                  struct rv_process_key key, uint32_t uid)
{
    static const struct rv_executable no_program = { .path = "" };
    static const struct rv_workload no_workload = { .path = "", .name = "" };
    struct rv_process process = {
        .key = key, .program = &no_program, .workload = &no_workload, .uid = uid, .euid = uid
    };

    build_process(host, names, &process);
}

void rv_host_principal(struct rv_host_request *host, const struct rv_host_names *names,
                       const struct rv_process *process, const struct rv_event *event)
{
    if (process)
        build_process(&host->principal, names, process);
    else
        build_unknown_process(&host->principal, names, rv_event_process(event), event->uid);
    host->overlay[0] = &host->principal.entity;
}

/* ---- Resources, one function a family of events; each adds its own context ---- */

struct build {
    struct rv_host_request *host;
    const struct rv_event *event;
    const struct rv_host_context *known;
    struct fields context;
};

static const struct rv_host_names *names_of(const struct build *build)
{
    return build->known->names;
}

static void begin(struct build *build, enum entity_type type, struct rv_span id)
{
    entity_begin(&build->host->resource, names_of(build)->types[type],
                 rv_text((const char *)id.data, id.len));
}

/** Remember that a string was cut, and give what there is. */
static struct rv_span str(struct build *build, const struct rv_event_str *field, bool *cut)
{
    *cut |= rv_event_str_cut(field);
    return rv_event_str(build->event, field);
}

/** The arguments as one line; borrowed from the request. */
static struct rv_span joined_arguments(struct build *build, struct rv_span argv)
{
    char *to = build->host->text;
    size_t len = rv_min_u64(argv.len, sizeof(build->host->text));

    while (len > 0 && argv.data[len - 1] == '\0')
        len--;
    for (size_t i = 0; i < len; i++)
        to[i] = argv.data[i] ? (char)argv.data[i] : ' ';
    return rv_span(to, len);
}

static bool build_exec(struct build *build)
{
    const struct rv_event_process_exec *exec = (const void *)build->event;
    struct rv_host_entity *resource = &build->host->resource;
    struct fields attrs = { names_of(build), resource->attrs, 0 };
    bool cut = false;
    struct rv_span path = str(build, &exec->path, &cut);
    enum rv_program_kind kind = rv_program_kind(path);

    begin(build, TYPE_Program, path);
    add_directories(resource, names_of(build), path);
    add_parent(resource, names_of(build)->types[TYPE_ProgramKind], names_of(build)->kinds[kind]);
    put_text(&attrs, KEY_kind, rv_span_str(rv_program_kind_name(kind)));
    put_text(&attrs, KEY_path_class, rv_span_str(rv_path_class_name(rv_path_class(path))));
    put_long(&attrs, KEY_owner, exec->file_uid);
    put_long(&attrs, KEY_mode, exec->file_mode);
    put_bool(&attrs, KEY_fileless, exec->exec_flags & (RV_EXEC_F_MEMFD | RV_EXEC_F_DELETED));
    put_bool(&attrs, KEY_setid, exec->exec_flags & RV_EXEC_F_SETID);
    put_bool(&attrs, KEY_script, exec->exec_flags & RV_EXEC_F_SCRIPT);
    put_bool(&attrs, KEY_preload, exec->exec_flags & RV_EXEC_F_PRELOAD);
    resource->entity.attrs = finish(&attrs);

    put_text(&build->context, KEY_argv, joined_arguments(build, str(build, &exec->argv, &cut)));
    put_long(&build->context, KEY_argc, exec->argc);
    put_text(&build->context, KEY_cwd, str(build, &exec->cwd, &cut));
    put_text(&build->context, KEY_interpreter, str(build, &exec->interpreter, &cut));
    return cut;
}

static void build_file(struct build *build, struct rv_span path, int64_t owner, int64_t mode)
{
    struct rv_host_entity *resource = &build->host->resource;
    struct fields attrs = { names_of(build), resource->attrs, 0 };
    const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
    size_t skip = slash ? (size_t)(slash - path.data) + 1 : 0;

    begin(build, TYPE_File, path);
    add_directories(resource, names_of(build), path);
    put_text(&attrs, KEY_name, rv_span(path.data + skip, path.len - skip));
    put_long(&attrs, KEY_owner, owner);
    put_long(&attrs, KEY_mode, mode);
    resource->entity.attrs = finish(&attrs);
}

static bool build_file_event(struct build *build)
{
    const struct rv_event *event = build->event;
    bool cut = false;

    switch (event->type) {
    case RV_EVENT_FILE_OPEN: {
        const struct rv_event_file_open *open = (const void *)event;

        build_file(build, str(build, &open->path, &cut), open->file_uid, open->file_mode);
        break;
    }
    case RV_EVENT_FILE_RENAME: {
        const struct rv_event_file_rename *rename = (const void *)event;

        build_file(build, str(build, &rename->new_path, &cut), 0, 0);
        put_text(&build->context, KEY_from, str(build, &rename->path, &cut));
        break;
    }
    case RV_EVENT_FILE_LINK: {
        const struct rv_event_file_link *link = (const void *)event;

        build_file(build, str(build, &link->new_path, &cut), 0, 0);
        put_text(&build->context, KEY_from, str(build, &link->path, &cut));
        break;
    }
    case RV_EVENT_FILE_UNLINK: {
        const struct rv_event_file_unlink *unlink = (const void *)event;

        build_file(build, str(build, &unlink->path, &cut), 0, 0);
        break;
    }
    case RV_EVENT_FILE_TRUNCATE: {
        const struct rv_event_file_truncate *truncate = (const void *)event;

        build_file(build, str(build, &truncate->path, &cut), truncate->file_uid, 0);
        break;
    }
    case RV_EVENT_FILE_ATTR: {
        const struct rv_event_file_attr *attr = (const void *)event;

        build_file(build, str(build, &attr->path, &cut), attr->new_uid, attr->new_mode);
        put_long(&build->context, KEY_old_mode, attr->old_mode);
        put_long(&build->context, KEY_new_mode, attr->new_mode);
        put_long(&build->context, KEY_old_owner, attr->old_uid);
        put_long(&build->context, KEY_new_owner, attr->new_uid);
        put_bool(&build->context, KEY_setid_added,
                 (attr->new_mode & ~attr->old_mode & (S_ISUID | S_ISGID)) != 0);
        break;
    }
    default:
        break;
    }
    return cut;
}

static const char *protocol_name(uint32_t protocol)
{
    return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "other";
}

static bool is_internet(uint32_t family)
{
    return family == AF_INET || family == AF_INET6;
}

#define ENDPOINT_MAX (INET6_ADDRSTRLEN + sizeof("[]:65535"))

/** @return bytes. */
static size_t print_endpoint(char text[ENDPOINT_MAX], uint32_t family,
                             const struct rv_event_addr *addr, uint32_t port)
{
    char address[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop((int)family, addr->bytes, address, sizeof(address));
    return (size_t)snprintf(text, ENDPOINT_MAX, family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
                            port & UINT16_MAX);
}

static bool build_socket(struct build *build)
{
    const struct rv_event_net_socket *socket = (const void *)build->event;
    struct rv_host_request *host = build->host;
    struct fields attrs = { names_of(build), host->resource.attrs, 0 };
    bool cut = false;

    if (is_internet(socket->family)) {
        bool v6 = socket->family == AF_INET6;

        host->text_len = print_endpoint(host->text, socket->family, &socket->addr, socket->port);
        host->ip = (struct rv_ip){ .bits = v6 ? 128 : 32, .v6 = v6 };
        memcpy(host->ip.bytes, socket->addr.bytes, v6 ? 16 : 4);
        put(&attrs, KEY_ip, rv_value_ip(&host->ip));
        put_text(&attrs, KEY_family, rv_span_str(v6 ? "inet6" : "inet"));
    } else {
        struct rv_span path = str(build, &socket->path, &cut);

        memcpy(host->text, "unix:", 5);
        if (path.len > 0)
            memcpy(host->text + 5, path.data, path.len);
        host->text_len = 5 + path.len;
        put_text(&attrs, KEY_family, rv_span_str("unix"));
    }
    begin(build, TYPE_Endpoint, rv_span(host->text, host->text_len));
    put_long(&attrs, KEY_port, socket->port);
    put_text(&attrs, KEY_protocol, rv_span_str(protocol_name(socket->protocol)));
    host->resource.entity.attrs = finish(&attrs);
    return cut;
}

static void build_target(struct build *build, uint32_t tgid, uint64_t start_boot_ns)
{
    struct rv_process_key key = { start_boot_ns, tgid };
    const struct rv_process *target = rv_features_process(build->known->features, key);

    if (!target && start_boot_ns == 0)
        target = rv_features_live(build->known->features, tgid);
    if (target)
        build_process(&build->host->resource, names_of(build), target);
    else
        build_unknown_process(&build->host->resource, names_of(build), key, 0);
}

static bool build_process_event(struct build *build)
{
    const struct rv_event *event = build->event;

    if (event->type == RV_EVENT_PROCESS_PTRACE) {
        const struct rv_event_process_ptrace *ptrace = (const void *)event;

        build_target(build, ptrace->target_tgid, ptrace->target_start_boot_ns);
        put_long(&build->context, KEY_request, ptrace->request);
    } else {
        const struct rv_event_process_signal *signal = (const void *)event;

        build_target(build, signal->target_tgid, signal->target_start_boot_ns);
        put_long(&build->context, KEY_signal, signal->signal);
    }
    return false;
}

static bool build_cred(struct build *build)
{
    const struct rv_event_process_cred *cred = (const void *)build->event;
    char *text = build->host->text;

    begin(build, TYPE_User, rv_span(text, put_decimal(text, cred->new_euid)));
    put_long(&build->context, KEY_old_uid, cred->old_uid);
    put_long(&build->context, KEY_new_uid, cred->new_uid);
    put_long(&build->context, KEY_old_euid, cred->old_euid);
    put_long(&build->context, KEY_new_euid, cred->new_euid);
    put_long(&build->context, KEY_caps_gained,
             __builtin_popcountll(cred->new_caps & ~cred->old_caps));
    put_bool(&build->context, KEY_gained_root, cred->new_euid == 0 && cred->old_euid != 0);
    return false;
}

static bool build_memory(struct build *build)
{
    const struct rv_event_memory_exec *memory = (const void *)build->event;
    bool cut = false, anonymous = memory->memory_flags & RV_MEMORY_F_ANON;
    struct rv_span path = str(build, &memory->path, &cut);

    begin(build, TYPE_Memory, anonymous ? rv_span_str("anonymous") : path);
    put_bool(&build->context, KEY_anonymous, anonymous);
    put_bool(&build->context, KEY_writable, memory->memory_flags & RV_MEMORY_F_WRITABLE);
    put_bool(&build->context, KEY_written, memory->memory_flags & RV_MEMORY_F_WRITTEN);
    put_long(&build->context, KEY_length, (int64_t)rv_min_u64(memory->length, INT64_MAX));
    return cut;
}

static bool build_race(struct build *build)
{
    static const char *const calls[] = { "other", "open", "exec", "connect" };
    const struct rv_event_process_race *race = (const void *)build->event;
    char *seen_text = build->host->text, *taken_text = seen_text + ENDPOINT_MAX;
    bool cut = false;
    struct rv_span seen = str(build, &race->seen, &cut), taken = str(build, &race->taken, &cut);

    begin(build, TYPE_Component, rv_span_str(calls[race->call < RV_COUNT(calls) ? race->call : 0]));
    if (is_internet(race->seen_family))
        seen = rv_span(seen_text, print_endpoint(seen_text, race->seen_family, &race->seen_addr,
                                                 race->seen_port));
    if (is_internet(race->taken_family))
        taken = rv_span(taken_text, print_endpoint(taken_text, race->taken_family,
                                                   &race->taken_addr, race->taken_port));
    put_text(&build->context, KEY_seen, seen);
    put_text(&build->context, KEY_taken, taken);
    put_bool(&build->context, KEY_at_entry, race->moment == RV_RACE_ENTRY);
    return cut;
}

static bool build_kernel(struct build *build)
{
    const struct rv_event_kernel_load *load = (const void *)build->event;
    bool cut = false;
    struct rv_span name = str(build, &load->name, &cut);

    if (build->event->type == RV_EVENT_KERNEL_MODULE) {
        begin(build, TYPE_Module, name);
    } else if (build->event->type == RV_EVENT_KERNEL_BPF) {
        begin(build, TYPE_BpfObject, name);
        put_long(&build->context, KEY_command, load->command);
    } else {
        begin(build, TYPE_Kernel, rv_span_str("kexec"));
    }
    return cut;
}

static bool build_mount(struct build *build)
{
    const struct rv_event_mount *mount = (const void *)build->event;
    bool cut = false;

    build_file(build, str(build, &mount->target, &cut), 0, 0);
    put_text(&build->context, KEY_source, str(build, &mount->source, &cut));
    put_text(&build->context, KEY_fstype, str(build, &mount->fstype, &cut));
    return cut;
}

static bool build_namespace(struct build *build)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } kinds[] = {
        { CLONE_NEWUSER, "user" }, { CLONE_NEWNS, "mount" },      { CLONE_NEWPID, "pid" },
        { CLONE_NEWNET, "net" },   { CLONE_NEWCGROUP, "cgroup" }, { CLONE_NEWIPC, "ipc" },
        { CLONE_NEWUTS, "uts" },
    };
    const struct rv_event_namespace *namespace = (const void *)build->event;
    const char *name = "other";

    for (size_t i = RV_COUNT(kinds); i > 0; i--) {
        if (namespace->namespaces & kinds[i - 1].bit)
            name = kinds[i - 1].name;
    }
    begin(build, TYPE_Namespace, rv_span_str(name));
    return false;
}

static bool build_tamper(struct build *build)
{
    const struct rv_event_tamper *tamper = (const void *)build->event;
    bool cut = false;

    begin(build, TYPE_Component, str(build, &tamper->object, &cut));
    put_long(&build->context, KEY_command, tamper->command);
    return cut;
}

/** @return whether a string of the event was cut. */
static bool (*const builders[RV_EVENT_TYPE_END_])(struct build *build) = {
    [RV_EVENT_PROCESS_EXEC] = build_exec,
    [RV_EVENT_PROCESS_CRED] = build_cred,
    [RV_EVENT_PROCESS_PTRACE] = build_process_event,
    [RV_EVENT_PROCESS_SIGNAL] = build_process_event,
    [RV_EVENT_MEMORY_EXEC] = build_memory,
    [RV_EVENT_PROCESS_RACE] = build_race,
    [RV_EVENT_FILE_OPEN] = build_file_event,
    [RV_EVENT_FILE_RENAME] = build_file_event,
    [RV_EVENT_FILE_UNLINK] = build_file_event,
    [RV_EVENT_FILE_LINK] = build_file_event,
    [RV_EVENT_FILE_ATTR] = build_file_event,
    [RV_EVENT_FILE_TRUNCATE] = build_file_event,
    [RV_EVENT_NET_CONNECT] = build_socket,
    [RV_EVENT_NET_ACCEPT] = build_socket,
    [RV_EVENT_NET_BIND] = build_socket,
    [RV_EVENT_NET_LISTEN] = build_socket,
    [RV_EVENT_KERNEL_MODULE] = build_kernel,
    [RV_EVENT_KERNEL_BPF] = build_kernel,
    [RV_EVENT_KERNEL_KEXEC] = build_kernel,
    [RV_EVENT_MOUNT] = build_mount,
    [RV_EVENT_NAMESPACE] = build_namespace,
    [RV_EVENT_TAMPER] = build_tamper,
};

static void put_features(struct build *build)
{
    const struct rv_host_names *names = names_of(build);

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
        build->host->features[i] = (struct rv_field){
            names->features[i],
            rv_value_long(
                build->known->vector ? build->known->vector->value[names->feature_numbers[i]] : 0),
        };
    put(&build->context, KEY_features,
        rv_value_record((struct rv_fields){ build->host->features, RV_FEATURE_COUNT }));
}

void rv_host_build(struct rv_host_request *host, const struct rv_event *event,
                   const struct rv_host_context *known)
{
    struct build build = { host, event, known, { known->names, host->context, 0 } };
    unsigned action = action_number(event);
    bool cut;

    assert(builders[event->type] && action_names[action]);
    cut = builders[event->type](&build);
    put_features(&build);
    put_long(&build.context, KEY_risk, known->risk);
    put_bool(&build.context, KEY_novel, known->novel);
    put_bool(&build.context, KEY_cut, cut);
    put_bool(&build.context, KEY_attested, false);
    put_bool(&build.context, KEY_inline, event->flags & RV_EVENT_F_INLINE);
    put_text(&build.context, KEY_mode, rv_span_str(known->mode));
    put_text(&build.context, KEY_model, rv_text_span(known->model));

    host->action = rv_uid(known->names->types[TYPE_Action], known->names->actions[action]);
    host->action_name = action_names[action];
    host->overlay[1] = &host->resource.entity;
    host->request = (struct rv_policy_request){
        .principal = &host->principal.entity.uid,
        .action = &host->action,
        .resource = &host->resource.entity.uid,
        .context = finish(&build.context),
        .overlay = host->overlay,
        .overlay_count = 2,
    };
}
