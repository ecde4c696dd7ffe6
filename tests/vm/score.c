/* SPDX-License-Identifier: Apache-2.0 */
/* Risk inside the hook on a real kernel: the same features and scores as in user space, bit for
 * bit; risk alone denies; models come and go under load. */
#include "rules.h"
#include "stage.h"

#include "features/table.h"
#include "models/kernel_table.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t ns_without;

static void kernel_and_user_space_agree(void **state)
{
    agree();
}

/* ---- Risk ---- */

/* An order above 0 renames so many files, 0 reads the secret. */
static int rename_or_read(int order)
{
    return order > 0 ? rename_files(order) : read_secret(0);
}

/* An order above 0 renames so many files; below, the secret is read again and again while it is
 * scored each time. @return how often it could be. */
static int read_often(int order)
{
    int read = 0;

    if (order > 0)
        return rename_files(order) - order;
    for (int i = 0; i < 300; i++)
        read += read_secret(0) == 0;
    return read;
}

static uint32_t kernel_risk(int pidfd)
{
    struct rv_score_risk risk = { 0 };

    (void)bpf_map_lookup_elem(bpf_map__fd(score->bpf->maps.risks), &pidfd, &risk);
    return risk.risk;
}

static struct rv_score_reading reading_of(const struct actor *actor)
{
    struct rv_score_reading reading;

    rv_assert_ok(rv_score_read(score, actor->pidfd, &reading));
    return reading;
}

static int rename_or_fork(int order)
{
    return order > 0 ? rename_files(order) : fork_sleeper();
}

static void risk_follows_what_a_process_does(void **state)
{
    struct actor bad, good;
    int child, pidfd;

    promote(11, 0);
    bad = start(rename_or_fork);
    good = start(rename_or_fork);
    assert_int_equal(tell(&bad, 200), 200);
    assert_int_equal(tell(&good, 20), 20);
    assert_int_equal(reading_of(&bad).risk, 900);
    assert_int_equal(reading_of(&bad).model, 11);
    assert_true(reading_of(&bad).margin_q16 >= 0);
    assert_int_equal(kernel_risk(bad.pidfd), 900);
    assert_true(reading_of(&good).risk < ALARM);
    assert_true(kernel_risk(good.pidfd) < ALARM);

    /* A child begins with it, though it did nothing itself. */
    child = tell(&bad, 0);
    assert_true(child > 0);
    pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    assert_in_range(kernel_risk(pidfd), 800, 900);
    (void)kill(child, SIGKILL);
    close(pidfd);
    stop(&bad);
    stop(&good);
}

static struct rv_rule for_the_risky(uint32_t actions)
{
    struct rv_rule rule = rule_about(actions);

    rule.risk_min = ALARM;
    return rule;
}

/* Nothing but the score: no name, no user, no word of the judge. A decision sees its own event. */
static void risk_alone_denies(void **state)
{
    RV_AUTO(candidate_done) struct candidate model;
    struct rv_rule rule = for_the_risky(RV_DO_RENAME | RV_DO_READ);
    struct actor bad, good;

    make_threshold(&model, 15, 201);
    rv_assert_ok(rv_score_promote(score, &model.it, NULL));
    put_rule(&rule);
    bad = start(rename_or_read);
    good = start(rename_or_read);
    assert_int_equal(tell(&good, 100), 100);
    assert_int_equal(tell(&bad, 250), 200); /* the next one is refused */
    assert_int_equal(reading_of(&bad).state.core.counts[RV_ACTION_RENAME], 201);
    assert_int_equal(tell(&bad, 0), -EPERM);
    assert_int_equal(tell(&good, 0), 0);
    assert_int_equal(tell(&good, 50), 50);
    assert_true(count_of(0, RV_REFUSAL_DENIED) >= 2);

    /* The judge can say worse, not better. */
    rv_assert_ok(rv_lsm_set_risk(lsm, bad.pidfd, 0));
    assert_int_equal(tell(&bad, 0), -EPERM);
    rv_assert_ok(rv_lsm_set_risk(lsm, good.pidfd, ALARM));
    assert_int_equal(tell(&good, 0), -EPERM);
    put_nothing();
    stop(&bad);
    stop(&good);
}

/* Models change all the time and all of them alarm: not one refusal is missing. */
static void promoting_under_load_loses_no_decision(void **state)
{
    RV_AUTO(candidate_done) struct candidate one, other;
    struct rv_rule rule = for_the_risky(RV_DO_READ);
    struct actor actor = start(read_often);

    make_threshold(&one, 16, 20);
    make_threshold(&other, 17, 30);
    rv_assert_ok(rv_score_promote(score, &one.it, NULL));
    put_rule(&rule);
    assert_int_equal(tell(&actor, 40), 0);
    for (int i = 0; i < 10; i++) {
        int order = -1;

        assert_int_equal(write(actor.to, &order, sizeof(order)), sizeof(order));
        rv_assert_ok(i % 4 == 3 ? rv_score_rollback(score)
                                : rv_score_promote(score, i % 2 ? &one.it : &other.it, NULL));
        assert_int_equal(read(actor.from, &order, sizeof(order)), sizeof(order));
        assert_int_equal(order, 0); /* opens that were let through */
    }
    put_nothing();
    stop(&actor);
}

/* ---- Models ---- */

static void what_is_wrong_with_a_model_is_said_and_nothing_changes(void **state)
{
    RV_AUTO(candidate_done) struct candidate candidate;
    struct rv_forest_node node = { RV_FEATURE_HOUR_OF_WEEK, 5, 1, 2, 2 };
    struct rv_forest_node nodes[3] = { node,
                                       { RV_FOREST_LEAF, 1, 0, 0, 1 },
                                       { RV_FOREST_LEAF, 2, 0, 0, 1 } };
    const uint32_t size = 3;
    struct rv_forest_spec spec = { RV_FEATURE_COUNT, 0, &size, 1, nodes, 3 };
    struct rv_forest *judges = NULL;
    struct actor actor;

    promote(21, 0);
    make_candidate(&candidate, 22, 0);
    candidate.golden.data[candidate.golden.len - 1] ^= 1; /* a score that it does not get */
    assert_int_equal(rv_score_promote(score, &candidate.it, NULL), -EBADMSG);
    candidate.golden.data[candidate.golden.len - 1] ^= 1;
    candidate.it.golden.len--;
    assert_int_equal(rv_score_promote(score, &candidate.it, NULL), -EINVAL);
    candidate.it.golden.len++;
    candidate.thresholds.steps[3][4].margin_q16 = -1;
    assert_int_equal(rv_score_promote(score, &candidate.it, NULL), -EINVAL);
    candidate.thresholds.steps[3][4].margin_q16 = INT64_MAX;
    candidate.thresholds.steps[3][15].risk = 1001;
    assert_int_equal(rv_score_promote(score, &candidate.it, NULL), -EINVAL);
    candidate.thresholds.steps[3][15].risk = 900;
    rv_assert_ok(rv_forest_make(&spec, &judges, NULL));
    candidate.it.model.heads[RV_KERNEL_MONOTONE] = judges;
    assert_int_equal(rv_score_promote(score, &candidate.it, NULL), -EOPNOTSUPP);
    assert_int_equal(rv_score_shadow(score, &candidate.it), -EOPNOTSUPP);
    rv_forest_free(&judges);

    actor = start(rename_files);
    assert_int_equal(tell(&actor, 200), 200);
    assert_int_equal(reading_of(&actor).model, 21);
    stop(&actor);
}

static uint64_t model_now(void)
{
    struct actor actor = start(rename_files);
    uint64_t model;

    (void)tell(&actor, 200);
    model = reading_of(&actor).model;
    stop(&actor);
    return model;
}

static void a_promotion_can_be_taken_back_once(void **state)
{
    promote(31, 0);
    promote(32, 0);
    assert_int_equal(model_now(), 32);
    rv_assert_ok(rv_score_rollback(score));
    assert_int_equal(model_now(), 31);
    assert_int_equal(rv_score_rollback(score), -ENOENT);
    promote(33, 0);
    assert_int_equal(model_now(), 33);
    rv_assert_ok(rv_score_rollback(score));
    assert_int_equal(model_now(), 31);
}

static struct rv_score_counts counts_now(void)
{
    struct rv_score_counts counts;

    rv_assert_ok(rv_score_count(score, &counts));
    return counts;
}

static void a_shadow_is_counted_and_decides_nothing(void **state)
{
    RV_AUTO(candidate_done) struct candidate candidate;
    struct rv_score_counts before, after;
    struct actor actor;

    promote(41, 0);
    make_candidate(&candidate, 42, 1000 * 65536); /* never alarms */
    rv_assert_ok(rv_score_alarm_at(score, ALARM));
    rv_assert_ok(rv_score_shadow(score, &candidate.it));
    before = counts_now();
    actor = start(rename_files);
    assert_int_equal(tell(&actor, 200), 200);
    after = counts_now();
    assert_int_equal(reading_of(&actor).model, 41);
    assert_int_equal(reading_of(&actor).risk, 900);
    assert_true(after.shadowed > before.shadowed);
    assert_true(after.only_live > before.only_live);
    assert_true(after.shadow_lower > before.shadow_lower);
    assert_int_equal(after.only_shadow, before.only_shadow);
    rv_assert_ok(rv_score_shadow(score, NULL));
    before = counts_now();
    (void)tell(&actor, 10);
    assert_int_equal(counts_now().shadowed, before.shadowed);
    stop(&actor);
}

/* Renames one file for ever. */
static pid_t renamer(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            (void)rename_files(1);
    return pid;
}

/* Whatever comes and goes, a risk is of the model that scored, and none is missing. */
static void swapping_under_load_loses_no_score(void **state)
{
    RV_AUTO(candidate_done) struct candidate low, high;
    struct rv_score_counts before, after;
    struct rv_score_reading reading;
    uint64_t seen[2] = { 0 };
    pid_t pid;
    int pidfd;

    make_constant(&low, 51, -70000, 100);
    make_constant(&high, 52, 70000, 800);
    rv_assert_ok(rv_score_promote(score, &low.it, NULL));
    before = counts_now();
    pid = renamer();
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    usleep(100000);
    for (int i = 0; i < 24; i++) {
        rv_assert_ok(i % 4 == 3 ? rv_score_rollback(score)
                                : rv_score_promote(score, i % 2 ? &low.it : &high.it, NULL));
        usleep(20000);
        rv_assert_ok(rv_score_read(score, pidfd, &reading));
        assert_true(reading.model == 51 || reading.model == 52);
        assert_int_equal(reading.margin_q16, reading.model == 51 ? -70000 : 70000);
        assert_int_equal(reading.risk, reading.model == 51 ? 100 : 800);
        seen[reading.model - 51]++;
    }
    after = counts_now();
    assert_true(seen[0] > 0 && seen[1] > 0);
    assert_true(after.scored > before.scored + 100);
    assert_int_equal(after.unanswered, before.unanswered);
    assert_int_equal(after.no_storage, before.no_storage);
    printf("# %llu scores over 24 changes of model, %llu crowded\n",
           (unsigned long long)(after.scored - before.scored),
           (unsigned long long)(after.crowded - before.crowded));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    close(pidfd);
}

/* ---- As tables ---- */

/* As models/kernel_table.h walks, over any bytes. */
static int64_t walk(const struct rv_table_head *head, const int32_t *row)
{
    uint32_t trees = head->trees > RV_TABLE_TREES ? RV_TABLE_TREES : head->trees;
    int64_t sum = head->base_q16;

    for (uint32_t tree = 0; tree < trees; tree++) {
        uint32_t first = tree * RV_TABLE_SLOTS, at = 1;

        for (int level = 0; level < RV_TABLE_DEPTH; level++) {
            const struct rv_table_split *split = &head->splits[(first + at) & 4095];

            at = 2 * at + ((int64_t)row[split->feature & (RV_KERNEL_ROW - 1)] < split->value);
        }
        sum += head->leaves[first + (at & (RV_TABLE_SLOTS - 1))];
    }
    return sum;
}

/* Any bytes as a table: the walk stays inside, and ends with what they say. */
static void a_hostile_table_cannot_lead_the_walker_astray(void)
{
    struct rv_kernel_table *table = calloc(1, sizeof(*table));
    uint32_t entry = score->control.bank * (RV_KERNEL_SHADOW + 1);
    int tables_fd = bpf_map__fd(score->bpf->maps.tables);
    struct rv_score_reading reading;
    int32_t row[RV_KERNEL_ROW];
    uint64_t x = 77;

    assert_non_null(table);
    for (int round = 0; round < 20; round++) {
        struct actor actor = start(rename_files);
        uint32_t *words = (uint32_t *)(void *)table;

        for (size_t i = 0; i < sizeof(*table) / sizeof(*words); i++)
            words[i] = (uint32_t)(x = rv_mix64(x + i));
        table->model = 61;
        table->heads[0].trees = round % 2 ? UINT32_MAX : 64;
        rv_assert_ok(rv_kernel_table_promote(tables_fd, entry, table));
        assert_int_equal(tell(&actor, 200), 200);
        reading = reading_of(&actor);
        memset(row, 0, sizeof(row));
        rv_core_fill(&reading.state.core, reading.state.scored_ns, row);
        if (reading.state.scored_events == reading.state.events) /* the row is still the same */
            for (size_t i = 0; i < RV_KERNEL_HEADS; i++)
                assert_int_equal(reading.state.score_q16[i], walk(&table->heads[i], row));
        assert_true(reading.risk <= 1000);
        stop(&actor);
    }
    free(table);
}

static void tables_do_the_same(void **state)
{
    RV_AUTO(candidate_done) struct candidate candidate;

    rv_score_close(&score);
    rv_assert_ok(rv_score_open(&score, &(struct rv_score_options){ -1, RV_SCORE_TABLES, true }));
    agree();
    make_constant(&candidate, 61, 0, 500);
    rv_assert_ok(rv_score_promote(score, &candidate.it, NULL));
    a_hostile_table_cannot_lead_the_walker_astray();
}

/* ---- What it costs; under emulation the ratio means something, the figure little ---- */

/* The least of some rounds: others use this machine too. */
static uint64_t ns_of_renames(void)
{
    struct actor actor = start(rename_files);
    uint64_t least = UINT64_MAX;

    (void)tell(&actor, 100);
    for (int round = 0; round < 8; round++) {
        struct timespec from, to;

        clock_gettime(CLOCK_MONOTONIC, &from);
        (void)tell(&actor, 200);
        clock_gettime(CLOCK_MONOTONIC, &to);
        least = rv_min_u64(least, ((uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 +
                                   (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec) /
                                      200);
    }
    stop(&actor);
    return least;
}

static void costs_are_shown(void **state)
{
    uint64_t counting = ns_of_renames(), scoring;

    promote(1, 0);
    scoring = ns_of_renames();
    printf("# a file made, closed and renamed: %llu ns without, %llu counted, %llu scored\n",
           (unsigned long long)ns_without, (unsigned long long)counting,
           (unsigned long long)scoring);
    assert_true(counting < 10 * ns_without);
}

static int set_up(void **state)
{
    int r;

    assert_true(mkdir(DIR, 0755) == 0 || errno == EEXIST); /* another suite may have been here */
    assert_int_equal(mkdir(DIR "/mnt", 0755), 0);
    close(open(DIR "/secret", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    rv_assert_ok(rv_lsm_open(&lsm));
    ns_without = ns_of_renames();
    r = rv_score_open(&score,
                      &(struct rv_score_options){ rv_lsm_risks_fd(lsm), RV_SCORE_EMITTED, true });
    if (r < 0)
        printf("# cannot open: %s\n", strerror(-r));
    return r;
}

static int tear_down(void **state)
{
    rv_score_close(&score);
    rv_lsm_close(&lsm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_shown), /* first: before there is a model */
        cmocka_unit_test(kernel_and_user_space_agree),
        cmocka_unit_test(risk_follows_what_a_process_does),
        cmocka_unit_test(risk_alone_denies),
        cmocka_unit_test(promoting_under_load_loses_no_decision),
        cmocka_unit_test(what_is_wrong_with_a_model_is_said_and_nothing_changes),
        cmocka_unit_test(a_promotion_can_be_taken_back_once),
        cmocka_unit_test(a_shadow_is_counted_and_decides_nothing),
        cmocka_unit_test(swapping_under_load_loses_no_score),
        cmocka_unit_test(tables_do_the_same),
    };

    if (!getenv("REEVE_VM")) {
        printf("1..0 # SKIP only inside tests/vm/run-vm\n# skip: only inside tests/vm/run-vm\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
