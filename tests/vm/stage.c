/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "features/table.h"
#include "models/trainer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct rv_score *score;

/* ---- Models ---- */

void candidate_done(struct candidate *candidate)
{
    for (size_t i = 0; i < RV_KERNEL_HEADS; i++)
        rv_forest_free(&candidate->heads[i]);
    rv_buf_done(&candidate->golden);
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
    *state = rv_mix64(*state + 0x9e3779b97f4a7c15ULL);
    return (uint32_t)(*state % below);
}

/* A process that renames many files is bad, one that does a little of everything is not. */
static struct rv_forest *train(const int8_t *monotone, uint64_t seed)
{
    enum { ROWS = 600 };
    static int32_t values[ROWS][RV_FEATURE_COUNT];
    static float targets[ROWS];
    struct rv_rows rows = { RV_FEATURE_COUNT, ROWS, values[0], targets, NULL };
    struct rv_train_options options = rv_train_defaults();
    struct rv_forest *forest = NULL;
    uint64_t state = seed;

    memset(values, 0, sizeof(values));
    for (size_t i = 0; i < ROWS; i++) {
        bool bad = i % 2;

        targets[i] = bad;
        values[i][RV_FEATURE_RENAMES] = (int32_t)(bad ? 110 + draw(&state, 900) : draw(&state, 70));
        values[i][RV_FEATURE_CREATES] = (int32_t)draw(&state, 1000);
        values[i][RV_FEATURE_FORKS] = (int32_t)draw(&state, 50);
        values[i][RV_FEATURE_WRITES_FAST] = (int32_t)draw(&state, 500);
        values[i][RV_FEATURE_FILES] = (int32_t)draw(&state, 1000);
    }
    options.trees = 8;
    options.depth = 3;
    options.colsample = 1;
    options.monotone = monotone;
    options.seed = seed;
    rv_assert_ok(rv_train_forest(&rows, &options, &forest, NULL));
    return forest;
}

static void steps_at(struct rv_score_thresholds *thresholds, int64_t margin_q16)
{
    for (size_t class = 0; class < RV_SCORE_CLASSES; class ++) {
        for (size_t i = 0; i < RV_SCORE_STEPS; i++)
            thresholds->steps[class][i] = (struct rv_score_step){ INT64_MAX, 900, 0 };
        thresholds->steps[class][0] = (struct rv_score_step){ margin_q16 - 65536, 300, 0 };
        thresholds->steps[class][1] = (struct rv_score_step){ margin_q16, 900, 0 };
    }
}

void make_candidate(struct candidate *candidate, uint64_t digest, int64_t alarm_q16)
{
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    int8_t monotone[RV_FEATURE_COUNT] = { 0 };

    memset(candidate, 0, sizeof(*candidate));
    monotone[RV_FEATURE_RENAMES] = 1;
    candidate->heads[RV_KERNEL_WINDOW] = train(NULL, digest);
    candidate->heads[RV_KERNEL_MONOTONE] = train(monotone, digest + 100);
    rv_assert_ok(rv_row_set_at_boundaries(candidate->heads[0], 7, 50, &rows));
    rv_assert_ok(rv_golden_encode(candidate->heads[0], &rows, &candidate->golden));
    steps_at(&candidate->thresholds, alarm_q16);
    candidate->it = (struct rv_score_candidate){
        { { candidate->heads[0], candidate->heads[1] }, digest },
        rv_buf_span(&candidate->golden),
        &candidate->thresholds,
    };
}

void promote(uint64_t digest, int64_t alarm_q16)
{
    RV_AUTO(candidate_done) struct candidate candidate;
    struct rv_kernel_trial trial = { 0 };

    make_candidate(&candidate, digest, alarm_q16);
    rv_assert_ok(rv_score_promote(score, &candidate.it, &trial));
    assert_int_equal(trial.mismatches, 0);
    assert_true(trial.rows > 0);
}

void make_threshold(struct candidate *candidate, uint64_t digest, int32_t renames)
{
    const struct rv_forest_node nodes[] = { { RV_FEATURE_RENAMES, renames, 1, 2, 2 },
                                            { RV_FOREST_LEAF, -65536, 0, 0, 1 },
                                            { RV_FOREST_LEAF, 65536, 0, 0, 1 } };
    const uint32_t size = RV_COUNT(nodes);
    struct rv_forest_spec spec = { RV_FEATURE_COUNT, 0, &size, 1, nodes, size };
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };

    memset(candidate, 0, sizeof(*candidate));
    rv_assert_ok(rv_forest_make(&spec, &candidate->heads[RV_KERNEL_MONOTONE], NULL));
    rv_assert_ok(rv_row_set_at_boundaries(candidate->heads[RV_KERNEL_MONOTONE], 7, 9, &rows));
    rv_assert_ok(rv_golden_encode(candidate->heads[RV_KERNEL_MONOTONE], &rows, &candidate->golden));
    steps_at(&candidate->thresholds, 65536);
    candidate->it = (struct rv_score_candidate){
        { { NULL, candidate->heads[RV_KERNEL_MONOTONE] }, digest },
        rv_buf_span(&candidate->golden),
        &candidate->thresholds,
    };
}

/* A leaf and nothing else: always the same margin. */
static struct rv_forest *constant(int32_t margin_q16)
{
    const struct rv_forest_node node = { RV_FOREST_LEAF, margin_q16, 0, 0, 1 };
    const uint32_t size = 1;
    struct rv_forest_spec spec = { RV_FEATURE_COUNT, 0, &size, 1, &node, 1 };
    struct rv_forest *forest = NULL;

    rv_assert_ok(rv_forest_make(&spec, &forest, NULL));
    return forest;
}

void make_constant(struct candidate *candidate, uint64_t digest, int32_t margin_q16, uint32_t risk)
{
    int32_t row[RV_FEATURE_COUNT] = { 0 };
    struct rv_row_set rows = { RV_FEATURE_COUNT, 1, row };

    memset(candidate, 0, sizeof(*candidate));
    candidate->heads[RV_KERNEL_WINDOW] = constant(margin_q16);
    rv_assert_ok(rv_golden_encode(candidate->heads[0], &rows, &candidate->golden));
    for (size_t i = 0; i < RV_SCORE_CLASSES * RV_SCORE_STEPS; i++)
        candidate->thresholds.steps[i / RV_SCORE_STEPS][i % RV_SCORE_STEPS] =
            (struct rv_score_step){ margin_q16, risk, 0 };
    candidate->it = (struct rv_score_candidate){ { { candidate->heads[0] }, digest },
                                                 rv_buf_span(&candidate->golden),
                                                 &candidate->thresholds };
}

/* ---- Processes that do things when told ---- */

struct actor start(int (*act)(int order))
{
    struct actor actor;
    int to[2], from[2];

    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    actor.pid = fork();
    if (actor.pid == 0) {
        int order, answer;

        close(to[1]);
        while (read(to[0], &order, sizeof(order)) == sizeof(order)) {
            answer = act(order);
            if (write(from[1], &answer, sizeof(answer)) != sizeof(answer))
                break;
        }
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    actor.to = to[1];
    actor.from = from[0];
    actor.pidfd = (int)syscall(SYS_pidfd_open, actor.pid, 0);
    assert_true(actor.pidfd >= 0);
    return actor;
}

int tell(const struct actor *actor, int order)
{
    int answer = -EPIPE;

    assert_int_equal(write(actor->to, &order, sizeof(order)), sizeof(order));
    assert_int_equal(read(actor->from, &answer, sizeof(answer)), sizeof(answer));
    return answer;
}

void stop(struct actor *actor)
{
    close(actor->to);
    close(actor->from);
    (void)kill(actor->pid, SIGKILL); /* actors begun later hold the pipe too */
    (void)waitpid(actor->pid, NULL, 0);
    close(actor->pidfd);
}

void path_of(char path[64], const char *what, int i)
{
    (void)snprintf(path, 64, DIR "/%s-%d-%d", what, (int)getpid(), i);
}

int make_file(int i)
{
    char path[64];
    int fd;

    path_of(path, "f", i);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

int rename_files(int count)
{
    char from[64], to[64];

    for (int i = 0; i < count; i++) {
        path_of(from, "f", i);
        path_of(to, "g", i);
        (void)make_file(i);
        if (rename(from, to) < 0)
            return i;
    }
    return count;
}

int fork_sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

int read_secret(int order)
{
    int fd = open(DIR "/secret", O_RDONLY | O_CLOEXEC);

    (void)order;
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}
