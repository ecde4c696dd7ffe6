/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file world.h  One action of a host told twice: as a Cedar request, the way agent/host.c builds
 * it, and as the plain facts of enforce/rule.h. Random, from a small stock of names, so that
 * policies drawn from the same stock often hold.
 */
#pragma once

#include "event/event.h"
#include "features/features.h"
#include "features/program.h"
#include "features/table.h"
#include "policy/policy.h"
#include "vocabulary.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const char *const stock_programs[] = {
    "/usr/sbin/nginx", "/usr/bin/bash",    "/usr/bin/dpkg", "/usr/bin/cat",
    "/usr/sbin/sshd",  "/usr/bin/python3", "/opt/app/bash", "/usr/local/bin/tool",
};
static const char *const stock_files[] = {
    "/etc/shadow", "/etc/passwd",        "/etc/cron.d/x",    "/etc/cron.d/y/z", "/var/log/syslog",
    "/shadow",     "/var/log/app/a.log", "/srv/data/shadow", "/etc/crontab",    "/",
};
static const char *const stock_addresses[] = {
    "10.0.0.5", "10.1.2.3", "127.0.0.1", "8.8.8.8", "224.0.0.1", "::1", "fd00::1", "ff02::1",
};
static const char *const stock_workloads[] = { "web", "batch", "gone" };
static const uint32_t stock_numbers[] = { 0, 1, 22, 33, 80, 443, 1000 };

#define LINEAGE_MAX 4
#define FIELDS_MAX  32
#define PARENTS_MAX 40

struct random {
    uint64_t state;
};

static inline uint32_t draw(struct random *random, size_t below)
{
    random->state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(rv_mix64(random->state) % below);
}

#define PICK(random, stock) (stock)[draw(random, RV_COUNT(stock))]

/** The inode of a workload's cgroup; "gone" has none. */
static inline size_t world_cgroups(void *context, struct rv_text workload, uint64_t *ids,
                                   size_t max)
{
    for (size_t i = 0; i < 2 && max > 0; i++) {
        if (rv_text_is(workload, stock_workloads[i])) {
            ids[0] = 100 + i;
            return 1;
        }
    }
    return 0;
}

struct world_entity {
    struct rv_entity entity;
    struct rv_field attrs[FIELDS_MAX];
    struct rv_parent parents[PARENTS_MAX];
    struct rv_uid uids[PARENTS_MAX];
    uint32_t attr_count;
};

struct world {
    const struct rv_host_verb *verb;
    struct rv_rule_facts facts;
    const char *lineage[LINEAGE_MAX], *files[2];
    uint64_t cgroups[2];
    const char *workload, *address;
    char endpoint[64], uid[16], new_uid[16];
    bool user_namespace, told; /* told: the facts tell all of it */

    struct world_entity principal, resource;
    const struct rv_entity *overlay[2];
    struct rv_uid action;
    struct rv_ip ip;
    struct rv_field context[FIELDS_MAX], features[RV_FEATURE_COUNT];
    uint32_t context_count;
    struct rv_policy_request request;
};

/* ---- Facts ---- */

static inline void world_draw_process(struct world *world, struct random *random)
{
    struct rv_rule_facts *facts = &world->facts;
    size_t workload = draw(random, RV_COUNT(stock_workloads));

    facts->lineage_count = 1 + draw(random, LINEAGE_MAX);
    for (size_t i = 0; i < facts->lineage_count; i++) {
        world->lineage[i] = PICK(random, stock_programs);
        facts->lineage_kinds |= 1U << rv_program_kind(rv_span_str(world->lineage[i]));
    }
    facts->lineage = world->lineage;
    facts->program = world->lineage[0];
    facts->kind = rv_program_kind(rv_span_str(facts->program));
    facts->uid = PICK(random, stock_numbers);
    facts->euid = PICK(random, stock_numbers);
    facts->gid = PICK(random, stock_numbers);
    facts->risk = draw(random, 11) * 100;
    world->workload = workload < 2 ? stock_workloads[workload] : "some other";
    world->cgroups[0] = workload < 2 ? 100 + workload : 7;
    world->cgroups[1] = 1;
    facts->cgroups = world->cgroups;
    facts->cgroup_count = 2;
}

static inline void world_draw_resource(struct world *world, struct random *random)
{
    struct rv_rule_facts *facts = &world->facts;
    const char *type = world->verb->resource;

    facts->files = world->files;
    if (rv_streq(type, "Program")) {
        world->files[0] = PICK(random, stock_programs);
        facts->file_count = 1;
        facts->file_kind = rv_program_kind(rv_span_str(world->files[0]));
    } else if (rv_streq(type, "File")) {
        world->files[0] = PICK(random, stock_files);
        world->files[1] = PICK(random, stock_files);
        facts->file_count = 1;
        if (facts->action & (RV_DO_RENAME | RV_DO_LINK))
            facts->file_count = 2;
    } else if (rv_streq(type, "Endpoint")) {
        static const uint32_t families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
        static const uint32_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

        world->address = PICK(random, stock_addresses);
        facts->family = draw(random, 3) ? strchr(world->address, ':') ? AF_INET6 : AF_INET
                                        : families[2 + draw(random, 2)];
        facts->protocol = PICK(random, protocols);
        facts->has_address = facts->family == AF_INET || facts->family == AF_INET6;
        facts->port = facts->has_address ? PICK(random, stock_numbers) : 0;
        facts->address[10] = facts->address[11] = 0xff;
        if (facts->family == AF_INET)
            (void)inet_pton(AF_INET, world->address, facts->address + 12);
        else if (facts->family == AF_INET6)
            (void)inet_pton(AF_INET6, world->address, facts->address);
    }
}

/* ---- The request ---- */

static inline void world_put(struct rv_field *fields, uint32_t *count, const char *name,
                             struct rv_value value)
{
    assert(*count < FIELDS_MAX);
    fields[(*count)++] = (struct rv_field){ rv_text_str(name), value };
}

static inline struct rv_value world_text(const char *text)
{
    return rv_value_string(text, strlen(text));
}

static inline void world_attr(struct world_entity *entity, const char *name, struct rv_value value)
{
    world_put(entity->attrs, &entity->attr_count, name, value);
}

static inline void world_parent(struct world_entity *entity, const char *type, const char *id,
                                size_t len)
{
    uint32_t i = entity->entity.parent_count++;

    assert(i < PARENTS_MAX);
    entity->uids[i] = rv_uid(rv_text_str(type), rv_text(id, len));
    entity->parents[i].uid = &entity->uids[i];
}

static inline void world_begin(struct world_entity *entity, const char *type, const char *id)
{
    entity->entity = (struct rv_entity){ .uid = rv_uid(rv_text_str(type), rv_text_str(id)),
                                         .parents = entity->parents,
                                         .closed = true };
}

static inline void world_end(struct world_entity *entity)
{
    (void)rv_fields_sort(entity->attrs, entity->attr_count);
    entity->entity.attrs = (struct rv_fields){ entity->attrs, entity->attr_count };
}

static inline void world_folders(struct world_entity *entity, const char *path)
{
    for (size_t end = strlen(path) - 1; end > 0; end--) {
        if (path[end] == '/')
            world_parent(entity, "Directory", path, end);
    }
    if (path[1])
        world_parent(entity, "Directory", "/", 1);
}

static inline void world_process(struct world *world, struct world_entity *entity, const char *id,
                                 struct random *random)
{
    static const char *const flags[] = { "tty",       "remote_session", "serves_network",
                                         "container", "fileless",       "preload",
                                         "setid",     "script",         "tainted" };
    const struct rv_rule_facts *facts = &world->facts;
    bool changed = facts->action == RV_DO_SETUID; /* the request tells what came of it */

    world_begin(entity, "Process", id);
    world_attr(entity, "program", world_text(facts->program));
    world_attr(entity, "kind", world_text(rv_program_kind_name((enum rv_program_kind)facts->kind)));
    world_attr(entity, "path_class",
               world_text(rv_path_class_name(rv_path_class(rv_span_str(facts->program)))));
    world_attr(entity, "comm", world_text("x"));
    world_attr(entity, "uid", rv_value_long(changed ? PICK(random, stock_numbers) : facts->uid));
    world_attr(entity, "gid", rv_value_long(changed ? PICK(random, stock_numbers) : facts->gid));
    world_attr(entity, "euid", rv_value_long(changed ? PICK(random, stock_numbers) : facts->euid));
    for (size_t i = 0; i < RV_COUNT(flags); i++)
        world_attr(entity, flags[i], rv_value_bool(draw(random, 2)));
    for (size_t i = 0; i < facts->lineage_count; i++)
        world_parent(entity, "Program", facts->lineage[i], strlen(facts->lineage[i]));
    for (uint32_t kind = 0; kind < RV_KIND_COUNT_; kind++) {
        const char *name = rv_program_kind_name((enum rv_program_kind)kind);

        if (facts->lineage_kinds & 1U << kind)
            world_parent(entity, "ProgramKind", name, strlen(name));
    }
    (void)snprintf(world->uid, sizeof(world->uid), "%u",
                   changed ? PICK(random, stock_numbers) : facts->uid);
    world_parent(entity, "User", world->uid, strlen(world->uid));
    world_parent(entity, "Workload", world->workload, strlen(world->workload));
    world_end(entity);
}

static inline void world_context(struct world *world, const char *name, struct rv_value value)
{
    world_put(world->context, &world->context_count, name, value);
}

static inline void world_flag(struct world *world, struct random *random, const char *name,
                              enum rv_rule_flag flag)
{
    bool set = draw(random, 2);

    world->facts.flags |= (uint32_t)set << flag;
    world_context(world, name, rv_value_bool(set));
}

static inline void world_exec(struct world *world, struct random *random)
{
    struct world_entity *resource = &world->resource;
    const char *path = world->files[0];
    const char *kind = rv_program_kind_name((enum rv_program_kind)world->facts.file_kind);
    bool fileless = draw(random, 2);

    world_begin(resource, "Program", path);
    world_folders(resource, path);
    world_parent(resource, "ProgramKind", kind, strlen(kind));
    world_attr(resource, "kind", world_text(kind));
    world_attr(resource, "path_class",
               world_text(rv_path_class_name(rv_path_class(rv_span_str(path)))));
    world_attr(resource, "owner", rv_value_long(PICK(random, stock_numbers)));
    world_attr(resource, "mode", rv_value_long(0755));
    world_attr(resource, "fileless", rv_value_bool(fileless));
    world->facts.flags |= (uint32_t)fileless << RV_FLAG_FILELESS;
    world_attr(resource, "setid", rv_value_bool(draw(random, 2)));
    world_attr(resource, "script", rv_value_bool(draw(random, 2)));
    world_attr(resource, "preload", rv_value_bool(draw(random, 2)));
    world_context(world, "argv", world_text("x -c id"));
    world_context(world, "argc", rv_value_long(3));
    world_context(world, "cwd", world_text("/"));
    world_context(world, "interpreter", world_text(""));
}

static inline void world_file(struct world *world, struct random *random, size_t which)
{
    struct world_entity *resource = &world->resource;
    const char *path = world->files[which];

    world_begin(resource, "File", path);
    world_folders(resource, path);
    world_attr(resource, "name", world_text(strrchr(path, '/') + 1));
    world_attr(resource, "owner", rv_value_long(PICK(random, stock_numbers)));
    world_attr(resource, "mode", rv_value_long(0644));
    if (world->facts.file_count == 2)
        world_context(world, "from", world_text(world->files[!which]));
    if (world->facts.action == RV_DO_SETATTR) {
        world_context(world, "old_mode", rv_value_long(0644));
        world_context(world, "new_mode", rv_value_long(0755));
        world_context(world, "old_owner", rv_value_long(0));
        world_context(world, "new_owner", rv_value_long(0));
        world_flag(world, random, "setid_added", RV_FLAG_SETID_ADDED);
    } else if (world->facts.action == RV_DO_MOUNT) {
        world_context(world, "source", world_text("none"));
        world_context(world, "fstype", world_text("tmpfs"));
        world->facts.file_count = 0;
    }
}

static inline void world_endpoint(struct world *world)
{
    struct world_entity *resource = &world->resource;
    const struct rv_rule_facts *facts = &world->facts;
    bool v6 = facts->family == AF_INET6;

    (void)snprintf(world->endpoint, sizeof(world->endpoint), v6 ? "[%s]:%u" : "%s:%u",
                   facts->has_address ? world->address : "unix", facts->port);
    world_begin(resource, "Endpoint", world->endpoint);
    if (facts->has_address) {
        rv_assert_ok(rv_ip_parse(rv_text_str(world->address), &world->ip));
        world_attr(resource, "ip", rv_value_ip(&world->ip));
    }
    world_attr(resource, "port", rv_value_long(facts->port));
    world_attr(resource, "family",
               world_text(!facts->has_address ? "unix"
                          : v6                ? "inet6"
                                              : "inet"));
    world_attr(resource, "protocol",
               world_text(facts->protocol == IPPROTO_TCP   ? "tcp"
                          : facts->protocol == IPPROTO_UDP ? "udp"
                                                           : "other"));
}

static inline void world_cred(struct world *world, struct random *random)
{
    (void)snprintf(world->new_uid, sizeof(world->new_uid), "%u", PICK(random, stock_numbers));
    world_begin(&world->resource, "User", world->new_uid);
    world_context(world, "old_uid", rv_value_long(world->facts.uid));
    world_context(world, "old_euid", rv_value_long(world->facts.euid));
    world_context(world, "new_uid", rv_value_long(PICK(random, stock_numbers)));
    world_context(world, "new_euid", rv_value_long(PICK(random, stock_numbers)));
    world_context(world, "caps_gained", rv_value_long(draw(random, 3)));
    world_flag(world, random, "gained_root", RV_FLAG_GAINED_ROOT);
}

static inline void world_other(struct world *world, struct random *random)
{
    static const char *const namespaces[] = { "user", "mount", "net" };
    const char *type = world->verb->resource, *id = "x";

    if (world->facts.action == RV_DO_USERNS) {
        id = PICK(random, namespaces);
        world->told = rv_streq(id, "user");
    }
    if (rv_streq(type, "Memory")) {
        world_flag(world, random, "anonymous", RV_FLAG_ANONYMOUS);
        world_flag(world, random, "writable", RV_FLAG_WRITABLE);
        world_context(world, "written", rv_value_bool(draw(random, 2)));
        world_context(world, "length", rv_value_long(4096));
    } else if (rv_streq(type, "BpfObject")) {
        world_context(world, "command", rv_value_long(5));
    }
    world_begin(&world->resource, type, id);
}

static inline void world_finish(struct world *world, struct random *random)
{
    world_end(&world->resource);
    for (uint32_t i = 0; i < RV_FEATURE_COUNT; i++)
        world->features[i] = (struct rv_field){ rv_text_str(rv_feature_info(i)->name),
                                                rv_value_long(draw(random, 3)) };
    (void)rv_fields_sort(world->features, RV_FEATURE_COUNT);
    world_context(world, "features",
                  rv_value_record((struct rv_fields){ world->features, RV_FEATURE_COUNT }));
    world_context(world, "risk", rv_value_long(world->facts.risk));
    world_context(world, "novel", rv_value_bool(draw(random, 2)));
    world_context(world, "cut", rv_value_bool(false));
    world_context(world, "attested", rv_value_bool(false));
    world_context(world, "inline", rv_value_bool(true));
    world_context(world, "mode", world_text("enforce"));
    world_context(world, "model", world_text("00"));
    (void)rv_fields_sort(world->context, world->context_count);
    world->action = rv_uid(rv_text_str("Action"), rv_text_str(world->verb->name));
    world->overlay[0] = &world->principal.entity;
    world->overlay[1] = &world->resource.entity;
    world->request = (struct rv_policy_request){
        .principal = &world->principal.entity.uid,
        .action = &world->action,
        .resource = &world->resource.entity.uid,
        .context = { world->context, world->context_count },
        .overlay = world->overlay,
        .overlay_count = 2,
    };
}

/** Draw an action. `which` of two names (rename, link) is the resource. */
static inline void world_draw(struct world *world, const struct rv_host_verb *verb,
                              struct random random, size_t which)
{
    struct random *at = &random;

    memset(world, 0, sizeof(*world));
    world->verb = verb;
    world->told = true;
    world->facts.action = verb->actions & -verb->actions; /* the lowest */
    world_draw_process(world, at);
    world_draw_resource(world, at);
    world_process(world, &world->principal, "9.1", at);
    if (rv_streq(verb->resource, "Program"))
        world_exec(world, at);
    else if (rv_streq(verb->resource, "File"))
        world_file(world, at, which);
    else if (rv_streq(verb->resource, "Endpoint"))
        world_endpoint(world);
    else if (rv_streq(verb->resource, "User"))
        world_cred(world, at);
    else if (rv_streq(verb->resource, "Process"))
        world_process(world, &world->resource, "8.1", at);
    else
        world_other(world, at);
    if (verb->actions == RV_DO_PTRACE)
        world_context(world, "request", rv_value_long(16));
    if (verb->actions == RV_DO_SIGNAL)
        world_context(world, "signal", rv_value_long(9));
    world_finish(world, at);
}
