/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deciding: ns per decision with 10, 100, 1,000 and 10,000 policies of which 3 are relevant,
 * against cedar-go and the Rust crate (policies and entities read beforehand, in process) when
 * their toolchains are here; same policies, entities and request. One JSON line; a peer that cannot
 * run is null.
 *
 * usage: bench_policy [FOLDER]: FOLDER holds the peers' sources (bench/policy-peers).
 */
#include "policy/policy.h"
#include "policy/read.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const unsigned counts[] = { 10, 100, 1000, 10000 };

static const char entities_text[] =
    "[{\"uid\":{\"type\":\"User\",\"id\":\"ann\"},\"attrs\":{\"name\":\"ann\",\"level\":3},"
    "\"parents\":[{\"type\":\"Group\",\"id\":\"staff\"}]},"
    "{\"uid\":{\"type\":\"Group\",\"id\":\"staff\"},\"attrs\":{},"
    "\"parents\":[{\"type\":\"Group\",\"id\":\"all\"}]},"
    "{\"uid\":{\"type\":\"Group\",\"id\":\"all\"},\"attrs\":{},\"parents\":[]},"
    "{\"uid\":{\"type\":\"Action\",\"id\":\"view\"},\"attrs\":{},\"parents\":[]},"
    "{\"uid\":{\"type\":\"Doc\",\"id\":\"plan\"},\"attrs\":{\"owner\":\"ann\",\"level\":2},"
    "\"parents\":[{\"type\":\"Folder\",\"id\":\"home\"}]},"
    "{\"uid\":{\"type\":\"Folder\",\"id\":\"home\"},\"attrs\":{},\"parents\":[]}]";

/** Three that the request reaches; the others differ in whom or what they are about. */
static void add_policies(struct rv_buf *buf, unsigned count)
{
    rv_buf_add_str(buf, "permit (principal in Group::\"all\", action == Action::\"view\", "
                        "resource in Folder::\"home\") when { principal.level >= resource.level && "
                        "context.risk < 500 };\n"
                        "permit (principal == User::\"ann\", action, resource) "
                        "when { resource.owner == principal.name };\n"
                        "forbid (principal, action, resource == Doc::\"plan\") "
                        "when { context.risk >= 500 || context.host like \"*.evil\" };\n");
    for (unsigned i = 3; i < count; i++) {
        if (i % 2)
            rv_buf_addf(buf,
                        "permit (principal in Group::\"g%u\", action == Action::\"view\", "
                        "resource in Folder::\"f%u\") when { principal.level >= resource.level && "
                        "context.risk < 500 };\n",
                        i, i);
        else
            rv_buf_addf(buf,
                        "forbid (principal, action == Action::\"view\", resource == Doc::\"d%u\") "
                        "when { context.risk >= 500 };\n",
                        i);
    }
}

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static struct rv_entities *make_entities(void)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    struct rv_entities *entities = NULL;
    const struct rv_uid *loop = NULL;
    json_t *json = json_loads(entities_text, 0, NULL);

    if (rv_entities_builder_new(&builder) < 0 ||
        rv_entities_read_json(builder, json, NULL, NULL) < 0 ||
        rv_entities_builder_finish(builder, &entities, &loop) < 0)
        abort();
    json_decref(json);
    return entities;
}

static double measure(const struct rv_entities *entities, struct rv_span text)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_program_free) struct rv_program *program = NULL;
    RV_AUTO(rv_evaluator_free) struct rv_evaluator *evaluator = NULL;
    struct rv_uid principal = rv_uid(rv_text_str("User"), rv_text_str("ann"));
    struct rv_uid action = rv_uid(rv_text_str("Action"), rv_text_str("view"));
    struct rv_uid resource = rv_uid(rv_text_str("Doc"), rv_text_str("plan"));
    struct rv_field fields[] = {
        { rv_text_str("host"), rv_value_string("h1.example", 10) },
        { rv_text_str("risk"), rv_value_long(120) },
    };
    struct rv_policy_request request = { &principal, &action, &resource, { fields, 2 }, NULL, 0 };
    struct rv_policy_decision decision;
    const unsigned rounds = 200000;
    uint64_t start;

    if (rv_policy_read(&set, "bench", text, NULL) < 0 ||
        rv_program_compile(&set, &program, NULL) < 0 || rv_evaluator_new(&evaluator, program) < 0)
        abort();
    start = now_ns();
    for (unsigned i = 0; i < rounds; i++)
        rv_evaluate(evaluator, entities, &request, &decision);
    if (decision.effect != RV_EFFECT_ALLOW || decision.reason_count != 2)
        abort();
    return (double)(now_ns() - start) / rounds;
}

/** Run a peer that prints "N ns true" lines. @return false when it cannot run here. */
static bool run_peer(const char *folder, const char *command, const char *data, double ns[4])
{
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };
    char answer[64];
    unsigned count, seen = 0;
    FILE *pipe;

    rv_buf_addf(&line, "cd '%s' && %s '%s' 10 100 1000 10000 2>/dev/null", folder, command, data);
    pipe = line.failed ? NULL : popen(line.data, "r");
    if (!pipe)
        return false;
    for (; seen < RV_COUNT(counts) && fscanf(pipe, "%u %lf %63s", &count, &ns[seen], answer) == 3 &&
           rv_streq(answer, "true");
         seen++)
        continue;
    return pclose(pipe) == 0 && seen == RV_COUNT(counts);
}

static void write_input(const char *folder, const char *name, struct rv_span text)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || rv_write_file_atomic(fd, name, text.data, text.len, 0644) < 0)
        abort();
    close(fd);
}

static void print_row(const char *name, const double ns[4], bool there)
{
    printf(", \"%s_ns\": ", name);
    if (!there)
        printf("null");
    for (size_t i = 0; there && i < RV_COUNT(counts); i++)
        printf("%s%.0f%s", i ? ", " : "[", ns[i], i + 1 == RV_COUNT(counts) ? "]" : "");
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : RV_BENCH_PEERS;
    RV_AUTO(rv_entities_free) struct rv_entities *entities = make_entities();
    char data[] = "/tmp/reeve-bench-policy-XXXXXX";
    double own[4], go[4] = { 0 }, rust[4] = { 0 };
    bool go_there, rust_there;
    RV_AUTO(rv_buf_done) struct rv_buf tidy = { 0 };

    if (!mkdtemp(data))
        return 1;
    write_input(data, "entities.json", rv_span_str(entities_text));
    for (size_t i = 0; i < RV_COUNT(counts); i++) {
        RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
        char name[40];

        add_policies(&text, counts[i]);
        (void)snprintf(name, sizeof(name), "policies-%u.cedar", counts[i]);
        write_input(data, name, rv_buf_span(&text));
        own[i] = measure(entities, rv_buf_span(&text));
    }
    go_there = run_peer(folder, "cd go && go run .", data, go);
    rust_there = run_peer(
        folder,
        "cd rust && CARGO_TARGET_DIR=\"${XDG_CACHE_HOME:-$HOME/.cache}/reeve-bench\" cargo run -q --release --",
        data, rust);
    printf("{\"bench\": \"policy\", \"policies\": [10, 100, 1000, 10000]");
    print_row("reeve", own, true);
    print_row("cedar_go", go, go_there);
    print_row("cedar_rust", rust, rust_there);
    printf(", \"decisions_per_s_at_100\": %.0f}\n", 1e9 / own[1]);
    rv_buf_addf(&tidy, "rm -rf '%s'", data);
    return system(tidy.data) == 0 ? 0 : 1;
}
