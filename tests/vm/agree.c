/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once, taken in by the hooks and then again in user space: the same bits. */
#include "stage.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void *busy_thread(void *count)
{
    for (int i = 0; i < *(int *)count; i++) {
        (void)make_file(1000 + i);
        (void)chmod(DIR, 0755);
    }
    return NULL;
}

static void talk(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, peer, on = 1;

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* we come back */
    (void)bind(listener, (struct sockaddr *)&address, sizeof(address));
    (void)listen(listener, 4);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)connect(fd, (struct sockaddr *)&address, sizeof(address));
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(peer);
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address));
    close(fd);
    close(listener);
}

static void spawn(void)
{
    char *const argv[] = { (char *)"busybox", (char *)"true", NULL };
    pid_t pid = fork();

    if (pid == 0) {
        execv("/bin/busybox", argv);
        _exit(1);
    }
    (void)waitpid(pid, NULL, 0);
}

static void touch_memory(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)mprotect(at, 4096, PROT_READ | PROT_WRITE);
    (void)mprotect(at, 4096, PROT_READ | PROT_EXEC);
    munmap(at, 4096);
}

/* @return how many of the calls failed. */
static int use_file(int i)
{
    char path[64], other[64];
    int fd, failed = 0;

    path_of(path, "f", i);
    path_of(other, "l", i);
    failed += make_file(i) < 0;
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    failed += ftruncate(fd, 10) < 0;
    close(fd);
    failed += truncate(path, 3) < 0;
    failed += link(path, other) < 0;
    failed += chmod(path, 0640) < 0;
    failed += chown(path, 0, 0) < 0;
    failed += unlink(path) < 0;
    failed += rename(other, path) < 0;
    return failed + (read_secret(0) < 0);
}

static int change_users(void)
{
    return (setresgid(0, 0, 7) < 0) + (setresuid(0, 0, 7) < 0) + (setresuid(0, 0, 0) < 0) +
           (setresuid(-1, 1, -1) < 0) + (setresuid(-1, 0, -1) < 0);
}

static int act_in_every_way(int order)
{
    pthread_t thread;
    int failed = 0;

    for (int i = 0; i < order; i++)
        failed += use_file(i);
    failed += pthread_create(&thread, NULL, busy_thread, &order) != 0;
    (void)busy_thread(&order);
    (void)pthread_join(thread, NULL);
    talk((uint16_t)(4000 + order));
    talk((uint16_t)(4100 + order));
    spawn();
    touch_memory();
    failed += kill(getppid(), SIGURG) < 0;
    failed += change_users();
    failed += mount("none", DIR "/mnt", "tmpfs", 0, NULL) < 0;
    return failed + (umount(DIR "/mnt") < 0);
}

struct replay {
    uint32_t tgid, children[8];
    struct rv_score_record *records;
    size_t count, room;
};

static int keep(void *context, const struct rv_score_record *record)
{
    struct replay *replay = context;

    if (replay->count == replay->room) {
        replay->room = replay->room ? replay->room * 2 : 1024;
        replay->records = realloc(replay->records, replay->room * sizeof(*record));
        assert_non_null(replay->records);
    }
    replay->records[replay->count++] = *record;
    return 0;
}

static int by_sequence(const void *a, const void *b)
{
    const struct rv_score_record *x = a, *y = b;

    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

struct engine {
    struct rv_core core;
    struct {
        uint32_t tid;
        struct rv_thread thread;
    } threads[16];
};

static struct rv_thread *thread_of(struct engine *engine, uint32_t tid)
{
    for (size_t i = 0; i < RV_COUNT(engine->threads); i++) {
        if (engine->threads[i].tid == 0)
            engine->threads[i].tid = tid;
        if (engine->threads[i].tid == tid)
            return &engine->threads[i].thread;
    }
    fail_msg("too many threads");
    return NULL;
}

/* What the actor did, and the programs that others started for it. */
static void replay_until(const struct replay *replay, struct engine *engine, uint64_t events,
                         const struct rv_bloom *bloom, uint32_t kinds)
{
    for (size_t i = 0; i < replay->count; i++) {
        const struct rv_score_record *record = &replay->records[i];
        struct rv_core_normal normal = { record->class, kinds >> record->class & 1 };

        if (record->tgid == replay->tgid && record->sequence < events)
            (void)rv_core_update(&engine->core, thread_of(engine, record->tid), bloom, &normal,
                                 &record->input);
        else if (record->tgid != replay->tgid && record->input.action == RV_ACTION_EXEC)
            rv_distinct_add(&engine->core.programs, record->input.object);
    }
}

static void compare(const struct replay *replay, const struct rv_score_reading *reading,
                    const struct candidate *model, const struct rv_bloom *bloom, uint32_t kinds)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    struct rv_vector row = { 0 };
    __s64 heads[RV_KERNEL_HEADS];

    assert_non_null(engine);
    replay_until(replay, engine, reading->state.scored_events, bloom, kinds);
    rv_core_fill(&engine->core, reading->state.scored_ns, row.value);
    for (size_t i = 0; i < RV_KERNEL_HEADS; i++) {
        heads[i] = rv_forest_score_plain(model->heads[i], row.value);
        assert_int_equal(heads[i], reading->state.score_q16[i]);
    }
    assert_int_equal(reading->margin_q16, rv_score_margin(heads, 3));
    assert_int_equal(reading->risk,
                     rv_score_risk_of(model->thresholds.steps[0], rv_score_margin(heads, 3)));

    memset(engine, 0, sizeof(*engine));
    replay_until(replay, engine, UINT64_MAX, bloom, kinds);
    assert_memory_equal(&engine->core, &reading->state.core, sizeof(engine->core));
    free(engine);
}

/* Half of the triples are normal, so that misses are counted too. */
static struct rv_bloom *half_known(void)
{
    struct rv_bloom *bloom = calloc(1, sizeof(*bloom));
    uint64_t x = 3;

    assert_non_null(bloom);
    for (size_t i = 0; i < RV_BLOOM_WORDS; i++)
        bloom->words[i] = x = rv_mix64(x + i);
    return bloom;
}

void agree(void)
{
    RV_AUTO(candidate_done) struct candidate model;
    struct replay replay = { 0 };
    struct rv_bloom *bloom = half_known();
    struct rv_score_reading reading;
    struct rv_score_thread thread;
    struct engine *engine = calloc(1, sizeof(*engine));
    struct actor actor;

    make_candidate(&model, 5, 0);
    rv_assert_ok(rv_score_promote(score, &model.it, NULL));
    rv_assert_ok(rv_score_normal(score, bloom, 1));
    rv_assert_ok(rv_score_watch(score, DIR "/secret"));
    (void)rv_score_drain(score, keep, &replay);
    replay.count = 0;
    actor = start(act_in_every_way);
    replay.tgid = (uint32_t)actor.pid;
    for (int order = 1; order < 30; order += 9)
        assert_int_equal(tell(&actor, order), 0);
    rv_assert_ok(rv_score_read(score, actor.pidfd, &reading));
    rv_assert_ok(bpf_map_lookup_elem(bpf_map__fd(score->bpf->maps.threads), &actor.pidfd, &thread));
    assert_true(rv_score_drain(score, keep, &replay) > 0);
    qsort(replay.records, replay.count, sizeof(*replay.records), by_sequence);
    assert_true(reading.state.events > 500);
    assert_int_equal(reading.model, 5);
    compare(&replay, &reading, &model, bloom, 1);
    replay_until(&replay, engine, UINT64_MAX, bloom, 1);
    assert_memory_equal(thread_of(engine, replay.tgid), &thread.thread, sizeof(thread.thread));
    for (enum rv_action action = 0; action < RV_ACTION_COUNT_; action++)
        if (action != RV_ACTION_PTRACE && action != RV_ACTION_KERNEL_LOAD &&
            action != RV_ACTION_EXEC && !engine->core.counts[action])
            fail_msg("no hook counted action %d", (int)action);
    assert_int_equal(rv_distinct_count(&engine->core.programs), 1);
    assert_true(engine->core.ngram_misses > 0);
    printf("# %llu inputs of %d kinds, scored after %llu: margin %lld, risk %u\n",
           (unsigned long long)reading.state.events, (int)rv_core_popcount(engine->core.kinds),
           (unsigned long long)reading.state.scored_events, (long long)reading.margin_q16,
           reading.risk);
    stop(&actor);
    free(engine);
    free(bloom);
    free(replay.records);
}
