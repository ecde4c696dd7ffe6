/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fanotify provider on real files: in a mount namespace and a tmpfs of its own, so that nobody
 * else on this machine ever waits for it. Whatever is counted is counted, nothing is timed.
 */
#include "fan.h"

#include <inttypes.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#define SECRET  DIR "/secret"
#define TREE    DIR "/tree"
#define INNER   TREE "/a/b/inner"
#define PROGRAM DIR "/bin/evil"
#define GOOD    DIR "/bin/good"
#define BUSYBOX "/bin/busybox"

static struct stage stage;

static int reads(const char *path)
{
    return other_opens(&stage, path, O_RDONLY);
}

/** Does this program get to read the file? */
static int reads_by(const char *program, const char *path)
{
    return other_runs(&stage, program, "cat", path, NULL);
}

/* ---- Records ---- */

struct heard {
    size_t count;
    struct rv_refusal_record last;
    size_t by[RV_REFUSALS_];
};

static int hear(void *context, const struct rv_refusal_record *record)
{
    struct heard *heard = context;

    heard->count++;
    heard->by[record->verdict] += 1 + record->repeats;
    heard->last = *record;
    return 0;
}

static struct heard drain(void)
{
    struct heard heard = { 0 };

    assert_true(rv_fan_drain(stage.fan, hear, &heard) >= 0);
    return heard;
}

/* ---- Rules ---- */

static void a_rule_refuses_what_it_names_and_nothing_else(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ | RV_DO_WRITE, RV_TERM_FILE, SECRET);
    struct heard heard;
    struct stat st;

    put_rule(&stage, &rule);
    (void)drain();
    assert_int_equal(reads(SECRET), EPERM);
    assert_int_equal(reads(DIR "/plain"), 0);
    heard = drain();
    assert_int_equal(stat(SECRET, &st), 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.last.verdict, RV_REFUSAL_DENIED);
    assert_int_equal(heard.last.mechanism, RV_BY_FANOTIFY);
    assert_int_equal(heard.last.inode, st.st_ino);
    assert_int_equal(heard.last.policy, 7);
    assert_int_equal(heard.last.rules, 1);
    assert_int_equal(heard.last.uid, getuid());
    assert_string_equal(heard.last.name, "secret");
    assert_string_not_equal(heard.last.comm, "");
    assert_true(heard.last.start_boot_ns > 0);
}

static void only_the_program_that_is_named(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);

    add_text(&rule, RV_TERM_PROGRAM, PROGRAM);
    put_rule(&stage, &rule);
    assert_int_equal(reads_by(PROGRAM, SECRET), 1);
    assert_int_equal(reads_by(GOOD, SECRET), 0);
    rule.terms[1].negated = 1; /* all but this one */
    put_rule(&stage, &rule);
    assert_int_equal(reads_by(PROGRAM, SECRET), 0);
    assert_int_equal(reads_by(GOOD, SECRET), 1);
}

static int opens_by_openat2(int flags)
{
    pid_t pid = fork_other(&stage);

    if (pid == 0) {
        struct open_how how = { .flags = (uint64_t)flags };

        _exit(syscall(SYS_openat2, AT_FDCWD, SECRET, &how, sizeof(how)) < 0 ? errno : 0);
    }
    return exit_of(pid);
}

static void reading_and_writing_are_told_apart_where_the_call_says(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);

    put_rule(&stage, &rule);
    for (int round = 0; round < 2; round++) { /* the second out of the cache */
        let_settle();
        assert_int_equal(other_opens(&stage, SECRET, O_RDONLY), EPERM);
        assert_int_equal(other_opens(&stage, SECRET, O_RDWR), EPERM);
        assert_int_equal(other_opens(&stage, SECRET, O_WRONLY), 0);
        assert_int_equal(opens_by_openat2(O_WRONLY), EPERM); /* it does not say */
    }
    rule.actions = RV_DO_WRITE;
    put_rule(&stage, &rule);
    for (int round = 0; round < 2; round++) {
        let_settle();
        assert_int_equal(other_opens(&stage, SECRET, O_RDONLY), 0);
        assert_int_equal(other_opens(&stage, SECRET, O_WRONLY), EPERM);
        assert_int_equal(other_opens(&stage, SECRET, O_RDWR), EPERM);
    }
    assert_true(counts_of(&stage).hits > 0);
}

static void starting_is_not_reading(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, PROGRAM);

    put_rule(&stage, &rule);
    assert_int_equal(other_runs(&stage, PROGRAM, "true", NULL, NULL), 0);
    assert_int_equal(reads(PROGRAM), EPERM);
    rule.actions = RV_DO_EXEC;
    put_rule(&stage, &rule);
    assert_int_equal(other_runs(&stage, PROGRAM, "true", NULL, NULL), 126);
    assert_int_equal(other_runs(&stage, GOOD, "true", NULL, NULL), 0);
    assert_int_equal(reads(PROGRAM), 0);
}

static void interpreters_and_scripts(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_EXEC, RV_TERM_FILE, DIR "/script");

    write_file(DIR "/script", "#!" GOOD " sh\nexit 0\n");
    put_rule(&stage, &rule);
    assert_int_equal(other_runs(&stage, DIR "/script", "script", NULL, NULL), 126);
    assert_int_equal(other_runs(&stage, GOOD, "sh", DIR "/script", NULL), 0); /* it is read */
    rule.actions = RV_DO_EXEC | RV_DO_READ;
    put_rule(&stage, &rule);
    assert_int_not_equal(other_runs(&stage, GOOD, "sh", DIR "/script", NULL), 0);
    /* The interpreter named in a script is a program that is started. */
    rule = rule_on(RV_DO_EXEC, RV_TERM_FILE, GOOD);
    put_rule(&stage, &rule);
    assert_int_equal(other_runs(&stage, DIR "/script", "script", NULL, NULL), 126);
}

static void a_folder_rule_reaches_down_and_follows_new_folders(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FOLDER, TREE);
    struct pollfd changes = { .fd = rv_fan_changes_fd(stage.fan), .events = POLLIN };

    put_rule(&stage, &rule);
    assert_int_equal(reads(INNER), EPERM);
    assert_int_equal(reads(SECRET), 0);
    assert_int_equal(mkdir(TREE "/new", 0755), 0);
    assert_int_equal(mkdir(TREE "/new/deep", 0755), 0);
    write_file(TREE "/new/deep/file", "x");
    assert_int_equal(poll(&changes, 1, 10000), 1);
    rv_assert_ok(rv_fan_follow(stage.fan));
    assert_int_equal(reads(TREE "/new/deep/file"), EPERM);
    /* Out of the tree it is no longer below it; back in, it is. */
    assert_int_equal(rename(TREE "/new/deep/file", DIR "/moved"), 0);
    assert_int_equal(reads(DIR "/moved"), 0);
    assert_int_equal(rename(DIR "/moved", TREE "/a/moved"), 0);
    assert_int_equal(reads(TREE "/a/moved"), EPERM);
}

static void names_made_later_change_nothing(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);

    put_rule(&stage, &rule);
    assert_int_equal(link(SECRET, DIR "/second"), 0);
    assert_int_equal(reads(DIR "/second"), EPERM);
    assert_int_equal(rename(SECRET, DIR "/third"), 0);
    assert_int_equal(reads(DIR "/third"), EPERM);
    /* The name is another file's now: it is asked about as soon as it has been marked. */
    write_file(SECRET, "new");
    assert_int_equal(rv_fan_follow(stage.fan), 1);
    assert_int_equal(reads(SECRET), EPERM);
    assert_int_equal(reads(DIR "/third"), EPERM);
    write_file(DIR "/other-name", "newer");
    assert_int_equal(rename(DIR "/other-name", SECRET), 0);
    assert_int_equal(rv_fan_follow(stage.fan), 1);
    assert_int_equal(reads(SECRET), EPERM);
    assert_int_equal(unlink(DIR "/second"), 0);
    assert_int_equal(rename(DIR "/third", SECRET), 0);
}

static void mounts_hide_no_folder(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FOLDER, TREE);
    pid_t pid;

    put_rule(&stage, &rule);
    assert_int_equal(mkdir(DIR "/elsewhere", 0755), 0);
    assert_int_equal(mount(TREE "/a/b", DIR "/elsewhere", NULL, MS_BIND, NULL), 0);
    assert_int_equal(reads(DIR "/elsewhere/inner"), EPERM);
    assert_int_equal(umount2(DIR "/elsewhere", MNT_DETACH), 0); /* the event may hold it still */
    /* In a mount namespace of the opener's own, where its path means nothing to us. */
    pid = fork_other(&stage);
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 ||
            mount(TREE "/a/b", DIR "/elsewhere", NULL, MS_BIND, NULL) < 0)
            _exit(99);
        _exit(open(DIR "/elsewhere/inner", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
    }
    assert_int_equal(exit_of(pid), EPERM);
}

static void a_removed_file_counts_as_inside(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FOLDER, TREE);
    char path[64];
    int fd;

    write_file(TREE "/gone", "x");
    fd = open(TREE "/gone", O_RDONLY | O_CLOEXEC);
    put_rule(&stage, &rule);
    assert_int_equal(unlink(TREE "/gone"), 0);
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
    assert_int_equal(reads(path), EPERM);
    (void)close(fd);
}

static void users_and_workloads(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    pid_t pid;

    add_number(&rule, RV_TERM_EUID, 4711);
    put_rule(&stage, &rule);
    assert_int_equal(reads(SECRET), 0);
    pid = fork_other(&stage);
    if (pid == 0) { /* not dumpable: /proc gives most of its files to root */
        (void)prctl(PR_SET_DUMPABLE, 0);
        if (setresuid((uid_t)-1, 4711, (uid_t)-1) < 0)
            _exit(99);
        (void)prctl(PR_SET_DUMPABLE, 0);
        _exit(open(SECRET, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
    }
    assert_int_equal(exit_of(pid), EPERM);
    rule.terms[1].subject = RV_TERM_UID;
    rule.terms[1].number = getuid();
    put_rule(&stage, &rule);
    let_settle();
    assert_int_equal(reads(SECRET), EPERM);
    assert_int_equal(reads(SECRET), EPERM);
    rule.terms[1].number = 4711;
    put_rule(&stage, &rule);
    assert_int_equal(reads(SECRET), 0);
}

static void *open_in_thread(void *path)
{
    (void)usleep(20000); /* the first thread has ended by then */
    _exit(open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
}

static void a_process_whose_first_thread_has_ended_is_known(void **state)
{
    static char path[] = SECRET;
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    pid_t pid;

    add_text(&rule, RV_TERM_PROGRAM, "/proc/self/exe");
    put_rule(&stage, &rule);
    pid = fork_other(&stage);
    if (pid == 0) {
        pthread_t thread;

        (void)pthread_create(&thread, NULL, open_in_thread, path);
        (void)syscall(SYS_exit, 0);
    }
    assert_int_equal(exit_of(pid), EPERM);
}

static void the_shadow_only_reports(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct rv_rule_counts counts;
    struct heard heard;

    rule.mode = RV_RULE_SHADOW;
    put_rule(&stage, &rule);
    (void)drain();
    assert_int_equal(reads(SECRET), 0);
    heard = drain();
    assert_int_equal(heard.by[RV_REFUSAL_WOULD_DENY], 1);
    rv_assert_ok(rv_fan_rule_counts(stage.fan, 0, &counts));
    assert_int_equal(counts.by[RV_REFUSAL_WOULD_DENY], 1);
}

static void a_bad_set_leaves_the_old_one_standing(void **state)
{
    struct rv_rule rules[2] = { rule_on(RV_DO_READ, RV_TERM_FILE, SECRET), { 0 } };
    const struct rv_fan_scope scope = { .path = "relative",
                                        .kind = RV_FAN_FILE,
                                        .actions = RV_DO_READ };
    struct rv_fan_taken taken;

    put_rule(&stage, rules);
    assert_int_equal(
        rv_fan_swap(stage.fan, &(struct rv_fan_set){ .rules = rules, .rule_count = 2 }, &taken),
        -EINVAL);
    assert_int_equal(taken.failed_rule, 1);
    assert_int_equal(
        rv_fan_swap(stage.fan, &(struct rv_fan_set){ .scopes = &scope, .scope_count = 1 }, &taken),
        -EINVAL);
    assert_int_equal(reads(SECRET), EPERM);
}

static void a_scope_that_is_not_there_is_waited_for(void **state)
{
    const struct rv_fan_scope scope = {
        .path = DIR "/later", .kind = RV_FAN_TREE, .actions = RV_DO_READ, .ask = true
    };
    const struct rv_fan_set set = { .scopes = &scope,
                                    .scope_count = 1,
                                    .deadline_ns = 20 * RV_NS_PER_S };
    struct rv_fan_taken taken;

    rv_assert_ok(rv_fan_swap(stage.fan, &set, &taken));
    assert_int_equal(taken.missing_scopes, 1);
    assert_int_equal(mkdir(DIR "/later", 0755), 0);
    write_file(DIR "/later/file", "x");
    assert_int_equal(rv_fan_follow(stage.fan), 1);
    stage.verdict = RV_FAN_DENY;
    stage.flags = 0;
    assert_int_equal(reads(DIR "/later/file"), EPERM);
    stage.verdict = RV_FAN_ALLOW;
}

static void a_set_says_what_becomes_of_its_rules(void **state)
{
    struct rv_rule rules[4] = {
        rule_on(RV_DO_READ, RV_TERM_FILE, SECRET),
        rule_on(RV_DO_CONNECT, RV_TERM_PROGRAM, PROGRAM),
        rule_on(RV_DO_EXEC, RV_TERM_LINEAGE, PROGRAM),
        rule_on(RV_DO_READ, RV_TERM_FILE, DIR "/not-there"),
    };
    struct rv_fan_taken taken;

    rv_assert_ok(
        rv_fan_swap(stage.fan, &(struct rv_fan_set){ .rules = rules, .rule_count = 4 }, &taken));
    assert_int_equal(taken.carried, 1U << 0 | 1U << 3);
    assert_int_equal(taken.scoped, 1U << 2);
    assert_int_equal(taken.asks, 1U << 2);
    assert_int_equal(taken.unresolved, 1U << 3);
    assert_int_equal(taken.marks, 1);
    write_file(DIR "/not-there", "x");
    assert_int_equal(rv_fan_follow(stage.fan), 1);
    assert_int_equal(reads(DIR "/not-there"), EPERM);
    assert_int_equal(unlink(DIR "/not-there"), 0);
}

/* ---- The judge ---- */

static void put_asking(enum rv_rule_lapse lapse, uint64_t deadline_ms)
{
    const struct rv_fan_scope scope = { .path = TREE,
                                        .kind = RV_FAN_TREE,
                                        .actions = RV_DO_EXEC | RV_DO_READ,
                                        .lapse = lapse,
                                        .ask = true };

    put(&stage, &(struct rv_fan_set){ .scopes = &scope,
                                      .scope_count = 1,
                                      .deadline_ns = deadline_ms * RV_NS_PER_MS });
}

static void the_judge_is_asked_and_its_answer_kept(void **state)
{
    struct rv_fan_counts before = counts_of(&stage), after;
    struct stat st;

    let_settle();
    put_asking(RV_LAPSE_OPEN, 20000);
    stage.verdict = RV_FAN_DENY;
    stage.flags = RV_FAN_CACHE;
    assert_int_equal(reads(INNER), EPERM);
    assert_int_equal(stat(INNER, &st), 0);
    assert_string_equal(stage.last.path, INNER);
    assert_int_equal(stage.last.inode, st.st_ino);
    assert_int_equal(stage.last.action, RV_DO_READ | RV_DO_WRITE);
    assert_true(stage.last.program[0] == '/');
    assert_int_equal(reads(INNER), EPERM);
    after = counts_of(&stage);
    assert_int_equal(after.asked - before.asked, 1);
    assert_int_equal(after.judged - before.judged, 1);
    assert_int_equal(after.hits - before.hits, 1);
    /* Modified, it is another file. */
    write_file(INNER, "other");
    stage.verdict = RV_FAN_ALLOW;
    assert_int_equal(reads(INNER), 0);
    assert_int_equal(counts_of(&stage).asked - before.asked, 2);
    /* Times fresh as these may hide one more change: not kept. */
    write_file(INNER, "again");
    assert_int_equal(reads(INNER), 0);
    assert_int_equal(reads(INNER), 0);
    assert_int_equal(counts_of(&stage).pending, 0);
}

static void without_leave_to_cache_each_is_asked(void **state)
{
    struct rv_fan_counts before = counts_of(&stage);

    let_settle();
    put_asking(RV_LAPSE_OPEN, 20000);
    stage.verdict = RV_FAN_ALLOW;
    stage.flags = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(reads(INNER), 0);
    assert_int_equal(counts_of(&stage).asked - before.asked, 3);
}

static void what_is_settled_is_not_asked_until_it_is_modified(void **state)
{
    struct rv_fan_counts before, after;

    let_settle();
    put_asking(RV_LAPSE_OPEN, 20000);
    stage.verdict = RV_FAN_ALLOW;
    stage.flags = RV_FAN_SETTLE;
    before = counts_of(&stage);
    assert_int_equal(reads(INNER), 0);
    after = counts_of(&stage);
    assert_int_equal(after.settled - before.settled, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(reads(INNER), 0);
    assert_int_equal(counts_of(&stage).events, after.events);
    write_file(INNER, "modified"); /* by this process: not asked about, but noticed */
    stage.verdict = RV_FAN_DENY;
    assert_int_equal(reads(INNER), EPERM);
    /* A new set voids what was settled. */
    let_settle();
    stage.verdict = RV_FAN_ALLOW;
    assert_int_equal(reads(INNER), 0);
    put_asking(RV_LAPSE_OPEN, 20000);
    stage.verdict = RV_FAN_DENY;
    assert_int_equal(reads(INNER), EPERM);
}

static void a_late_judge_is_answered_for(void **state)
{
    struct rv_fan_counts before = counts_of(&stage), after;
    struct heard heard;

    (void)drain();
    stage.verdict = -1;
    put_asking(RV_LAPSE_OPEN, 10);
    assert_int_equal(reads(INNER), 0);
    put_asking(RV_LAPSE_CLOSED, 10);
    assert_int_equal(reads(INNER), EPERM);
    after = counts_of(&stage);
    assert_int_equal(after.late - before.late, 2);
    assert_int_equal(after.opened - before.opened, 1);
    assert_int_equal(after.closed - before.closed, 1);
    assert_int_equal(rv_fan_answer(stage.fan, stage.last_id, RV_FAN_ALLOW, 0), -ENOENT);
    heard = drain();
    assert_int_equal(heard.by[RV_REFUSAL_LAPSED], 1);
    assert_int_equal(heard.by[RV_REFUSAL_DENIED], 1);
}

static void a_dead_judge_is_answered_for_at_once(void **state)
{
    struct stage dead;
    const struct rv_fan_scope scope = { .path = TREE,
                                        .kind = RV_FAN_TREE,
                                        .actions = RV_DO_READ,
                                        .lapse = RV_LAPSE_CLOSED,
                                        .ask = true };

    put(&stage, &(struct rv_fan_set){ 0 });
    stage_open(&dead, true);
    stage_end_judge(&dead);
    /* A deadline that would be noticed: it is not what ends this. */
    put(&dead, &(struct rv_fan_set){
                   .scopes = &scope, .scope_count = 1, .deadline_ns = 3600 * RV_NS_PER_S });
    assert_int_equal(other_opens(&dead, INNER, O_RDONLY), EPERM);
    assert_int_equal(counts_of(&dead).unsent, 1);
    stage_close(&dead);
}

static void more_questions_than_places(void **state)
{
    const struct rv_fan_scope scope = {
        .path = TREE, .kind = RV_FAN_TREE, .actions = RV_DO_READ, .ask = true
    };
    struct rlimit limit, few;
    struct rv_fan_counts counts;
    struct stage narrow;
    pid_t pids[136];

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    few = (struct rlimit){ 256 * RV_FAN_LAYERS_, limit.rlim_max };
    put(&stage, &(struct rv_fan_set){ 0 });
    (void)setrlimit(RLIMIT_NOFILE, &few);
    stage_open(&narrow, true);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    narrow.verdict = -1;
    put(&narrow, &(struct rv_fan_set){
                     .scopes = &scope, .scope_count = 1, .deadline_ns = 3600 * RV_NS_PER_S });
    for (size_t i = 0; i < RV_COUNT(pids); i++)
        pids[i] = start_open(&narrow, INNER, O_RDONLY);
    wait_until(counts_of(&narrow).full == 8);
    counts = counts_of(&narrow);
    assert_int_equal(counts.pending, 128);
    assert_int_equal(counts.events, RV_COUNT(pids));
    assert_int_equal(counts.opened, 8);
    rv_assert_ok(rv_fan_observe(narrow.fan, true)); /* and lets the others go */
    for (size_t i = 0; i < RV_COUNT(pids); i++)
        assert_int_equal(exit_of(pids[i]), 0);
    stage_close(&narrow);
}

static void rules_that_need_the_judge_ask_it(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct rv_fan_counts before = counts_of(&stage);

    rule.risk_min = 700;
    put(&stage,
        &(struct rv_fan_set){ .rules = &rule, .rule_count = 1, .deadline_ns = 20 * RV_NS_PER_S });
    let_settle();
    stage.flags = 0;
    stage.verdict = RV_FAN_DENY;
    assert_int_equal(reads(SECRET), EPERM);
    assert_int_equal(stage.last.rules, 1);
    stage.verdict = RV_FAN_ALLOW;
    assert_int_equal(reads(SECRET), 0);
    assert_int_equal(reads(DIR "/plain"), 0);
    assert_int_equal(counts_of(&stage).asked - before.asked, 2);
}

/* ---- Safety ---- */

static void refusals_end_with_the_lease_unless_closed(void **state)
{
    struct rv_rule rules[2] = { rule_on(RV_DO_READ, RV_TERM_FILE, SECRET),
                                rule_on(RV_DO_READ, RV_TERM_FILE, INNER) };
    const struct rv_fan_set set = { .rules = rules, .rule_count = 2 };
    struct heard heard;

    rules[1].lapse = RV_LAPSE_CLOSED;
    put(&stage, &set);
    let_settle();
    assert_int_equal(reads(SECRET), EPERM); /* in the cache now */
    rv_fan_renew(stage.fan, 0);
    (void)drain();
    assert_int_equal(reads(SECRET), 0);
    assert_int_equal(reads(INNER), EPERM);
    heard = drain();
    assert_int_equal(heard.by[RV_REFUSAL_LAPSED], 1);
    rv_fan_renew(stage.fan, 3600 * 1000);
    assert_int_equal(reads(SECRET), EPERM);
}

static void the_stop_lets_everything_go_and_can_be_taken_back(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct rv_fan_counts before;
    pid_t waiting;

    stage.verdict = -1;
    put_asking(RV_LAPSE_CLOSED, 3600 * 1000);
    before = counts_of(&stage);
    waiting = start_open(&stage, INNER, O_RDONLY);
    wait_until(counts_of(&stage).pending == 1);
    rv_assert_ok(rv_fan_observe(stage.fan, true));
    assert_int_equal(exit_of(waiting), 0);
    put_rule(&stage, &rule); /* kept for later */
    assert_int_equal(reads(SECRET), 0);
    assert_int_equal(counts_of(&stage).events - before.events, 1);
    rv_assert_ok(rv_fan_observe(stage.fan, false));
    assert_int_equal(reads(SECRET), EPERM);
    stage.verdict = RV_FAN_ALLOW;
}

static void protected_programs_and_processes_are_never_refused(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct rv_process_key key;
    int gate[2], byte = 0;
    struct stage own;
    pid_t pid;

    put(&stage, &(struct rv_fan_set){ 0 });
    stage_open(&own, true);
    put_rule(&own, &rule);
    rv_assert_ok(rv_fan_protect(own.fan, GOOD));
    assert_int_equal(other_runs(&own, GOOD, "cat", SECRET, NULL), 0);
    assert_int_equal(other_runs(&own, PROGRAM, "cat", SECRET, NULL), 1);
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    pid = fork_other(&own);
    if (pid == 0)
        _exit(read(gate[0], &byte, 1) == 1 && open(SECRET, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
    rv_assert_ok(rv_process_key_of(pid, &key));
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), EPERM);
    rv_assert_ok(rv_fan_protect_process(own.fan, key.tgid, key.start_boot_ns));
    assert_int_equal(write(gate[1], &byte, 1), 1);
    assert_int_equal(exit_of(pid), 0);
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), EPERM);
    (void)close(gate[0]);
    (void)close(gate[1]);
    stage_close(&own);
}

static struct rv_grant grant_of(const struct rv_refusal_record *record)
{
    return (struct rv_grant){ .program_inode = record->program_inode,
                              .program_dev = record->program_dev,
                              .file_inode = record->inode,
                              .file_dev = record->dev,
                              .uid = record->uid,
                              .action = record->action,
                              .expires_boot_ns = UINT64_MAX };
}

static void an_approval_lets_exactly_that_pass_once(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct rv_grant grant;
    struct heard heard;

    rule.held = 1;
    put_rule(&stage, &rule);
    let_settle();
    (void)drain();
    assert_int_equal(reads_by(PROGRAM, SECRET), 1);
    heard = drain();
    grant = grant_of(&heard.last);
    rv_assert_ok(rv_fan_grant(stage.fan, &grant));
    assert_int_equal(reads_by(GOOD, SECRET), 1); /* not who was meant */
    assert_int_equal(reads_by(PROGRAM, SECRET), 0);
    assert_int_equal(reads_by(PROGRAM, SECRET), 1); /* used up */
    assert_int_equal(drain().by[RV_REFUSAL_GRANTED], 1);
    grant.expires_boot_ns = 1;
    rv_assert_ok(rv_fan_grant(stage.fan, &grant));
    assert_int_equal(reads_by(PROGRAM, SECRET), 1);
}

static void a_held_open_waits_for_its_approval(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct rv_fan_set set = { .rules = &rule, .rule_count = 1, .hold_ns = 3600 * RV_NS_PER_S };
    struct rv_grant grant;
    struct heard heard;
    uint64_t questions;
    pid_t pid;

    rule.held = 1;
    set.hold_ns = 20 * RV_NS_PER_MS;
    put(&stage, &set);
    (void)drain();
    assert_int_equal(reads(SECRET), EPERM); /* nobody approved in time */
    heard = drain();
    assert_int_equal(heard.by[RV_REFUSAL_DENIED], 1);
    grant = grant_of(&heard.last);
    set.hold_ns = 3600 * RV_NS_PER_S;
    put(&stage, &set);
    questions = stage.questions;
    pid = start_open(&stage, SECRET, O_RDONLY);
    wait_until(stage.questions > questions);
    assert_int_equal(stage.last.held, 1);
    assert_int_equal(rv_fan_answer(stage.fan, stage.last_id, RV_FAN_ALLOW, 0), -ENOENT);
    rv_assert_ok(rv_fan_grant(stage.fan, &grant));
    assert_int_equal(exit_of(pid), 0);
    pid = start_open(&stage, SECRET, O_RDONLY);
    wait_until(stage.questions > questions + 1);
    rv_assert_ok(rv_fan_answer(stage.fan, stage.last_id, RV_FAN_DENY, 0));
    assert_int_equal(exit_of(pid), EPERM);
}

static void the_budget_limits_only_budgeted_rules(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    const struct rv_fan_set set = { .rules = &rule, .rule_count = 1, .settings = { .budget = 2 } };
    struct stage own;

    put(&stage, &(struct rv_fan_set){ 0 });
    stage_open(&own, true);
    put(&own, &set);
    for (int i = 0; i < 4; i++)
        assert_int_equal(other_opens(&own, SECRET, O_RDONLY), EPERM);
    rule.budgeted = 1;
    put(&own, &set);
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), EPERM);
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), EPERM);
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), 0);
    stage_close(&own);
}

static void loop_opens(const char *path, int count)
{
    for (int i = 0; i < count; i++)
        (void)close(open(path, O_RDONLY | O_CLOEXEC));
}

static void one_that_is_too_slow_disarms_itself(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    const struct rv_fan_set set = { .rules = &rule,
                                    .rule_count = 1,
                                    .settings = { .latency_budget_ns = 1 } };
    struct stage own;
    pid_t pid;

    put(&stage, &(struct rv_fan_set){ 0 });
    stage_open(&own, true);
    put(&own, &set);
    pid = fork_other(&own);
    if (pid == 0) {
        loop_opens(SECRET, 5000);
        _exit(0);
    }
    assert_int_equal(exit_of(pid), 0);
    assert_true(rv_fan_disarmed(own.fan));
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), 0);
    rv_fan_rearm(own.fan);
    assert_int_equal(other_opens(&own, SECRET, O_RDONLY), EPERM);
    stage_close(&own);
}

/* ---- The host goes on ---- */

static void *open_all_the_time(void *argument)
{
    (void)argument;
    for (int i = 0; i < 200; i++) {
        (void)close(open(INNER, O_RDONLY | O_CLOEXEC));
        (void)close(open(SECRET, O_RDWR | O_CLOEXEC));
    }
    return NULL;
}

static void own_opens_do_not_wait_for_themselves(void **state)
{
    struct rv_fan_counts before;
    pthread_t threads[4];

    stage.verdict = -1;
    put_asking(RV_LAPSE_CLOSED, 3600 * 1000);
    before = counts_of(&stage);
    for (size_t i = 0; i < RV_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_all_the_time, NULL), 0);
    for (size_t i = 0; i < RV_COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counts_of(&stage).own - before.own, 800);
    assert_int_equal(counts_of(&stage).pending, 0);
    stage.verdict = RV_FAN_ALLOW;
}

/** A process that provides: its stage, then tells its pid's parent that it stands. */
static pid_t start_provider(int *ret_ready)
{
    int ready[2];
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork_other(&stage);
    if (pid == 0) {
        struct stage *own = calloc(1, sizeof(*own));
        const struct rv_fan_scope scope = { .path = TREE,
                                            .kind = RV_FAN_TREE,
                                            .actions = RV_DO_READ,
                                            .lapse = RV_LAPSE_CLOSED,
                                            .ask = true };
        char byte = 1;

        stage_open(own, true);
        own->verdict = -1;
        put(own, &(struct rv_fan_set){
                     .scopes = &scope, .scope_count = 1, .deadline_ns = 3600 * RV_NS_PER_S });
        (void)!write(ready[1], &byte, 1);
        wait_until(counts_of(own).pending == 1);
        (void)!write(ready[1], &byte, 1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    *ret_ready = ready[0];
    return pid;
}

static void when_the_provider_dies_openers_go_on(void **state)
{
    pid_t provider, opener;
    int ready, status;
    char byte;

    rv_assert_ok(rv_fan_observe(stage.fan, true)); /* the other provider alone */
    provider = start_provider(&ready);
    assert_int_equal(read(ready, &byte, 1), 1);
    opener = start_open(&stage, INNER, O_RDONLY);
    assert_int_equal(read(ready, &byte, 1), 1); /* the question is open */
    /* Stopped, it cannot answer: the opener waits, whatever the deadline. */
    assert_int_equal(kill(provider, SIGSTOP), 0);
    assert_int_equal(waitpid(provider, &status, WUNTRACED), provider);
    (void)usleep(100 * 1000);
    assert_int_equal(waitpid(opener, &status, WNOHANG), 0);
    /* So a watchdog outside has to end it; then all is let pass and no mark is left. */
    assert_int_equal(kill(provider, SIGKILL), 0);
    assert_int_equal(exit_of(opener), 0);
    assert_int_equal(exit_of(provider), 128 + SIGKILL);
    assert_int_equal(reads(INNER), 0);
    (void)close(ready);
    rv_assert_ok(rv_fan_observe(stage.fan, false));
}

static void an_opener_that_is_killed_leaves_nothing(void **state)
{
    pid_t pid;

    stage.verdict = -1;
    put_asking(RV_LAPSE_OPEN, 50);
    pid = start_open(&stage, INNER, O_RDONLY);
    wait_until(counts_of(&stage).pending == 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(exit_of(pid), 128 + SIGKILL);
    wait_until(counts_of(&stage).pending == 0);
    stage.verdict = RV_FAN_ALLOW;
    assert_int_equal(reads(INNER), 0);
}

static void a_swap_under_load_loses_no_decision(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    int report[2];
    size_t passed = 0;
    pid_t pid;

    put_rule(&stage, &rule);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid = fork_other(&stage);
    if (pid == 0) {
        for (;;) {
            int fd = open(SECRET, O_RDONLY | O_CLOEXEC);

            if (fd >= 0)
                passed++;
            (void)!write(report[1], &passed, sizeof(passed));
            if (fd >= 0)
                (void)close(fd);
        }
    }
    (void)close(report[1]);
    for (int i = 0; i < 100; i++) {
        add_number(&rule, RV_TERM_UID, (uint64_t)i);
        rule.term_count = 1;
        put_rule(&stage, &rule);
        for (int j = 0; j < 20; j++) {
            assert_int_equal(read(report[0], &passed, sizeof(passed)), sizeof(passed));
            assert_int_equal(passed, 0);
        }
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void)exit_of(pid);
    (void)close(report[0]);
}

static void a_flood_of_opens_does_not_keep_others_out(void **state)
{
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FOLDER, TREE);
    struct rv_fan_counts before, after;
    const int flood = getenv("REEVE_VM") ? 5000 : 100000, few = 200; /* emulated, it is slow */
    pid_t flooder, other;

    add_text(&rule, RV_TERM_PROGRAM, PROGRAM); /* asked about every time, and allowed */
    put_rule(&stage, &rule);
    let_settle();
    before = counts_of(&stage);
    flooder = fork_other(&stage);
    if (flooder == 0) {
        loop_opens(INNER, flood);
        _exit(0);
    }
    wait_until(counts_of(&stage).events - before.events > 100);
    other = fork_other(&stage);
    if (other == 0) {
        for (int i = 0; i < few; i++) {
            int fd = open(TREE "/a/other", O_RDONLY | O_CLOEXEC);

            if (fd < 0)
                _exit(1);
            (void)close(fd);
        }
        _exit(0);
    }
    assert_int_equal(exit_of(other), 0);
    after = counts_of(&stage);
    printf("# while another made %d opens, the flood made %" PRIu64 "\n", few,
           after.events - before.events - (uint64_t)few);
    assert_int_equal(exit_of(flooder), 0);
    after = counts_of(&stage);
    assert_int_equal(after.events - before.events, flood + few);
    assert_int_equal(after.overflows, before.overflows);
    assert_true(after.hits - before.hits > (uint64_t)flood * 99 / 100);
}

/** A cgroup of our own with at most so many processes. @return its folder; NULL: none to be had. */
static const char *pids_cgroup(int max)
{
    static const char *const folders[] = { "/sys/fs/cgroup/pids/reeve-fan",
                                           "/sys/fs/cgroup/reeve-fan" };
    char text[16];

    if (getenv("REEVE_VM")) /* on a host, this is for whoever runs it to decide */
        write_file("/sys/fs/cgroup/cgroup.subtree_control", "+pids");
    for (size_t i = 0; i < RV_COUNT(folders); i++) {
        RV_AUTO(rv_closep) int folder = -1;
        FILE *file;
        int fd;

        (void)mkdir(folders[i], 0755);
        folder = open(folders[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = folder < 0 ? -1 : openat(folder, "pids.max", O_WRONLY | O_CLOEXEC);
        file = fd < 0 ? NULL : fdopen(fd, "w");
        if (file) {
            (void)snprintf(text, sizeof(text), "%d", max);
            (void)fputs(text, file);
            if (fclose(file) == 0)
                return folders[i];
        }
        (void)rmdir(folders[i]);
    }
    return NULL;
}

static void fork_and_open_for_ever(void)
{
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork();

        if (pid == 0)
            i = 0;
        (void)close(open(INNER, O_RDONLY | O_CLOEXEC));
    }
    (void)pause();
}

static void a_fork_bomb_leaves_the_provider_standing(void **state)
{
    const char *cgroup = pids_cgroup(100);
    char path[128];
    struct rv_fan_counts before;
    pid_t bomb;
    FILE *procs;
    int pid;

    if (!cgroup)
        rv_skip_because("no cgroup that limits processes can be made");
    stage.flags = 0;
    put_asking(RV_LAPSE_OPEN, 20000);
    before = counts_of(&stage);
    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    bomb = fork_other(&stage);
    if (bomb == 0) {
        procs = fopen(path, "we");
        if (!procs || fprintf(procs, "%d", getpid()) < 0 || fclose(procs) != 0)
            _exit(1);
        fork_and_open_for_ever();
    }
    wait_until(counts_of(&stage).judged - before.judged > 300);
    assert_int_equal(reads(SECRET), 0);
    assert_int_equal(reads(INNER), 0);
    for (bool any = true; any;) { /* only who is in our cgroup */
        any = false;
        procs = fopen(path, "re");
        assert_non_null(procs);
        while (fscanf(procs, "%d", &pid) == 1)
            any = kill(pid, SIGKILL) == 0 || any;
        (void)fclose(procs);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    wait_until(rmdir(cgroup) == 0);
    wait_until(counts_of(&stage).pending == 0);
    assert_int_equal(reads(INNER), 0);
}

static void an_overflow_of_the_queue_is_said(void **state)
{
    static const char knob[] = "/proc/sys/fs/fanotify/max_queued_events";
    const struct rv_fan_options options = { 0 };
    struct rv_rule rule = rule_on(RV_DO_READ, RV_TERM_FILE, SECRET);
    struct stage own = { .ask_fd = -1, .judge_fd = -1 };
    size_t refused = 0;
    pid_t pids[12];

    if (!getenv("REEVE_VM"))
        rv_skip_because("the size of the queue is the whole machine's; tests/vm/run-vm tries it");
    write_file(knob, "4");
    put(&stage, &(struct rv_fan_set){ 0 });
    rv_assert_ok(rv_fan_open(&own.fan, &options));
    rv_fan_renew(own.fan, 3600 * 1000);
    put_rule(&own, &rule);
    for (size_t i = 0; i < RV_COUNT(pids); i++) /* nobody answers yet */
        pids[i] = start_open(&own, SECRET, O_RDONLY);
    for (size_t i = 0; i < 50; i++)
        (void)usleep(10000);
    assert_int_equal(pthread_create(&own.loop, NULL, stage_loop, &own), 0);
    for (size_t i = 0; i < RV_COUNT(pids); i++)
        refused += exit_of(pids[i]) == EPERM;
    assert_true(refused >= 1 && refused < RV_COUNT(pids));
    wait_until(counts_of(&own).overflows >= 1);
    rv_fan_stop(own.fan);
    (void)pthread_join(own.loop, NULL);
    rv_fan_close(&own.fan);
    write_file(knob, "16384");
}

static void a_mount_is_marked_only_when_asked_for(void **state)
{
    const struct rv_fan_scope scope = { .path = DIR,
                                        .kind = RV_FAN_MOUNT,
                                        .actions = RV_DO_EXEC | RV_DO_READ };
    struct rv_rule rule = rule_on(RV_DO_EXEC, RV_TERM_PROGRAM_NAME, "good");
    struct rv_fan_counts before;

    rv_assert_ok(rv_fan_know_program(stage.fan, PROGRAM, 9));
    add_number(&rule, RV_TERM_FILE_KIND, 9);
    let_settle();
    put(&stage, &(struct rv_fan_set){
                    .rules = &rule, .rule_count = 1, .scopes = &scope, .scope_count = 1 });
    before = counts_of(&stage);
    assert_int_equal(reads(DIR "/plain"), 0);
    assert_int_equal(counts_of(&stage).settled - before.settled, 1); /* no rule can ever match it */
    assert_int_equal(reads(DIR "/plain"), 0);
    assert_int_equal(counts_of(&stage).events - before.events, 1);
    assert_int_equal(other_runs(&stage, PROGRAM, "true", NULL, NULL), 0);
    assert_int_equal(other_runs(&stage, GOOD, "env", PROGRAM, NULL), 126);
}

static int set_up(void **state)
{
    int r = make_place();

    if (r < 0) {
        printf("# cannot make a mount namespace: %s\n", strerror(-r));
        return r;
    }
    assert_int_equal(mkdir(DIR "/bin", 0755), 0);
    assert_int_equal(mkdir(TREE, 0755), 0);
    assert_int_equal(mkdir(TREE "/a", 0755), 0);
    assert_int_equal(mkdir(TREE "/a/b", 0755), 0);
    write_file(SECRET, "secret");
    write_file(DIR "/plain", "plain");
    write_file(INNER, "inner");
    write_file(TREE "/a/other", "other");
    copy_file(BUSYBOX, PROGRAM);
    copy_file(BUSYBOX, GOOD);
    stage_open(&stage, true);
    return 0;
}

static int tear_down(void **state)
{
    stage_close(&stage);
    (void)umount2(DIR, MNT_DETACH);
    (void)rmdir(DIR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_refuses_what_it_names_and_nothing_else),
        cmocka_unit_test(only_the_program_that_is_named),
        cmocka_unit_test(reading_and_writing_are_told_apart_where_the_call_says),
        cmocka_unit_test(starting_is_not_reading),
        cmocka_unit_test(interpreters_and_scripts),
        cmocka_unit_test(a_folder_rule_reaches_down_and_follows_new_folders),
        cmocka_unit_test(names_made_later_change_nothing),
        cmocka_unit_test(mounts_hide_no_folder),
        cmocka_unit_test(a_removed_file_counts_as_inside),
        cmocka_unit_test(users_and_workloads),
        cmocka_unit_test(a_process_whose_first_thread_has_ended_is_known),
        cmocka_unit_test(the_shadow_only_reports),
        cmocka_unit_test(a_bad_set_leaves_the_old_one_standing),
        cmocka_unit_test(a_scope_that_is_not_there_is_waited_for),
        cmocka_unit_test(a_set_says_what_becomes_of_its_rules),
        cmocka_unit_test(the_judge_is_asked_and_its_answer_kept),
        cmocka_unit_test(without_leave_to_cache_each_is_asked),
        cmocka_unit_test(what_is_settled_is_not_asked_until_it_is_modified),
        cmocka_unit_test(a_late_judge_is_answered_for),
        cmocka_unit_test(a_dead_judge_is_answered_for_at_once),
        cmocka_unit_test(more_questions_than_places),
        cmocka_unit_test(rules_that_need_the_judge_ask_it),
        cmocka_unit_test(refusals_end_with_the_lease_unless_closed),
        cmocka_unit_test(the_stop_lets_everything_go_and_can_be_taken_back),
        cmocka_unit_test(protected_programs_and_processes_are_never_refused),
        cmocka_unit_test(an_approval_lets_exactly_that_pass_once),
        cmocka_unit_test(a_held_open_waits_for_its_approval),
        cmocka_unit_test(the_budget_limits_only_budgeted_rules),
        cmocka_unit_test(one_that_is_too_slow_disarms_itself),
        cmocka_unit_test(own_opens_do_not_wait_for_themselves),
        cmocka_unit_test(when_the_provider_dies_openers_go_on),
        cmocka_unit_test(an_opener_that_is_killed_leaves_nothing),
        cmocka_unit_test(a_swap_under_load_loses_no_decision),
        cmocka_unit_test(a_flood_of_opens_does_not_keep_others_out),
        cmocka_unit_test(a_fork_bomb_leaves_the_provider_standing),
        cmocka_unit_test(an_overflow_of_the_queue_is_said),
        cmocka_unit_test(a_mount_is_marked_only_when_asked_for),
    };

    if (geteuid() != 0 || access(BUSYBOX, X_OK) < 0) {
        printf("1..0 # SKIP needs root and busybox\n# skip: needs root and busybox\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
