/* SPDX-License-Identifier: Apache-2.0 */
/* Every subject of a rule, affirmed and negated; and rules at random against rv_rule_matches(). */
#include "rules.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR       "/tmp/terms"
#define SECRET    DIR "/box/secret"
#define PROGRAM   DIR "/box/program"
#define SELF      "/suites/vm_lsm"
#define OUTER     "/sys/fs/cgroup/outer"
#define UID_OTHER 1000
#define GID_OTHER 7
#define PORT      4447
#define RANDOM    250 /* rules */

enum { KIND_SELF = 7, KIND_BUSYBOX = 5, KIND_PROGRAM = 6, KIND_NONE = 9 };

/* ---- Attempts, made by a process with uid 0, euid 1000, gid 7 in the cgroup outer/inner ---- */

static int become(void)
{
    if (setresgid(GID_OTHER, GID_OTHER, GID_OTHER) < 0 || setresuid(0, UID_OTHER, 0) < 0)
        return -ENOTSUP;
    return 0;
}

static int do_read(void)
{
    int r = become(), fd = open(SECRET, O_RDONLY | O_CLOEXEC);

    return r < 0 ? r : fd < 0 ? -errno : 0;
}

static int do_exec(void)
{
    char *const argv[] = { (char *)"busybox", (char *)"true", NULL };

    if (become() < 0)
        return -ENOTSUP;
    execv(PROGRAM, argv);
    return -errno;
}

static int do_connect(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(PORT),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (become() < 0)
        return -ENOTSUP;
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int do_map(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? -errno : 0;
}

static const struct attempt {
    uint32_t action;
    int (*run)(void);
} attempts[] = {
    { RV_DO_READ, do_read },
    { RV_DO_EXEC, do_exec },
    { RV_DO_CONNECT, do_connect },
    { RV_DO_MMAP_EXEC, do_map },
};
enum { READ, EXEC, CONNECT, MAP };

static uint64_t outer_inode, other_inode;

/** What holds in the attempt (`yes`), and what does not. */
static const struct subject {
    enum rv_rule_subject subject;
    int attempt;
    const char *text_yes, *text_no;
    uint64_t yes, no;
} subjects[] = {
    { RV_TERM_PROGRAM, READ, SELF, "/bin/busybox", 0, 0 },
    { RV_TERM_PROGRAM_NAME, READ, "vm_lsm", "vm_ls", 0, 0 },
    { RV_TERM_KIND, READ, NULL, NULL, KIND_SELF, KIND_NONE },
    { RV_TERM_LINEAGE, READ, "/bin/busybox", PROGRAM, 0, 0 }, /* ran before the provider opened */
    { RV_TERM_LINEAGE, CONNECT, SELF, PROGRAM, 0, 0 },
    { RV_TERM_LINEAGE_KIND, READ, NULL, NULL, KIND_BUSYBOX, KIND_NONE },
    { RV_TERM_UID, READ, NULL, NULL, 0, UID_OTHER },
    { RV_TERM_EUID, READ, NULL, NULL, UID_OTHER, 0 },
    { RV_TERM_GID, READ, NULL, NULL, GID_OTHER, 0 },
    { RV_TERM_WORKLOAD, READ, NULL, NULL, 1, 2 }, /* 1: outer_inode, 2: other_inode */
    { RV_TERM_FILE, READ, SECRET, PROGRAM, 0, 0 },
    { RV_TERM_FOLDER, READ, DIR "/box", DIR "/other", 0, 0 },
    { RV_TERM_FILE_NAME, READ, "secret", "secret2", 0, 0 },
    { RV_TERM_FILE, EXEC, PROGRAM, SECRET, 0, 0 },
    { RV_TERM_FILE_KIND, EXEC, NULL, NULL, KIND_PROGRAM, KIND_NONE },
    { RV_TERM_ADDRESS, CONNECT, "127.0.0.0/8", "10.0.0.0/8", 0, 0 },
    { RV_TERM_ADDRESS, CONNECT, "127.0.0.1", "::/0", 0, 0 },
    { RV_TERM_PORT, CONNECT, NULL, NULL, PORT, PORT + 1 },
    { RV_TERM_FAMILY, CONNECT, NULL, NULL, AF_INET, AF_INET6 },
    { RV_TERM_PROTOCOL, CONNECT, NULL, NULL, IPPROTO_UDP, IPPROTO_TCP },
    { RV_TERM_FLAG, MAP, NULL, NULL, RV_FLAG_ANONYMOUS, RV_FLAG_WRITABLE },
};

static void add(struct rv_rule *rule, const struct subject *subject, bool holds, bool negated)
{
    uint64_t number = holds ? subject->yes : subject->no;

    if (subject->subject == RV_TERM_WORKLOAD)
        number = number == 1 ? outer_inode : other_inode;
    if (subject->text_yes)
        add_text(rule, subject->subject, holds ? subject->text_yes : subject->text_no, negated);
    else
        add_number(rule, subject->subject, number, negated);
}

/** About nobody but the child that makes the attempt: the test itself reads files, too. */
static struct rv_rule rule_for_the_child(int attempt, enum rv_rule_subject subject)
{
    struct rv_rule rule = rule_about(attempts[attempt].action);

    if (attempt == READ && subject == RV_TERM_EUID)
        add_text(&rule, RV_TERM_FILE, SECRET, false);
    else if (attempt == READ)
        add_number(&rule, RV_TERM_EUID, UID_OTHER, false);
    return rule;
}

static bool is_refused(const struct rv_rule *rule, int attempt)
{
    int r;

    put_rule(rule);
    r = in_child(attempts[attempt].run);
    put_nothing();
    if (r != 0 && r != -EPERM)
        fail_msg("the attempt came to %d", r);
    return r == -EPERM;
}

static void each_subject_affirmed_and_negated(void **state)
{
    for (size_t i = 0; i < RV_COUNT(subjects); i++) {
        const struct subject *subject = &subjects[i];

        for (int way = 0; way < 6; way++) {
            struct rv_rule rule = rule_for_the_child(subject->attempt, subject->subject);
            bool holds = way & 1, negated = way & 2, expected = holds != negated, refused;

            add(&rule, subject, holds, negated);
            if (way >= 4) /* one more: any of the affirmed will do, if they are of one group */
                add(&rule, subject, !holds, false);
            if (way >= 4)
                expected = subject->subject != RV_TERM_FLAG;
            refused = is_refused(&rule, subject->attempt);
            if (refused != expected)
                fail_msg("case %zu (subject %d), way %d: refused %d", i, (int)subject->subject, way,
                         (int)refused);
        }
    }
}

/* ---- Against the reference ---- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

static void set_own_risk(uint32_t risk)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    rv_assert_ok(rv_lsm_set_risk(lsm, pidfd, risk));
    close(pidfd);
}

static void rules_at_random_mean_what_the_reference_says(void **state)
{
    static const char *const lineage[] = { SELF, "/bin/busybox" };
    static const char *const files[] = { SECRET };
    const uint64_t cgroups[] = { outer_inode };
    struct rv_rule_facts facts = {
        .action = RV_DO_READ,
        .program = SELF,
        .lineage = lineage,
        .lineage_count = RV_COUNT(lineage),
        .files = files,
        .file_count = 1,
        .cgroups = cgroups,
        .cgroup_count = 1,
        .kind = KIND_SELF,
        .lineage_kinds = 1U << KIND_SELF | 1U << KIND_BUSYBOX,
        .uid = 0,
        .euid = UID_OTHER,
        .gid = GID_OTHER,
    };
    uint64_t seed = 1;
    size_t refusals = 0;

    for (int i = 0; i < RANDOM; i++) {
        struct rv_rule rule = rule_for_the_child(READ, RV_TERM_UID);
        size_t terms = 1 + next_random(&seed) % 5;
        bool refused;

        while (rule.term_count < terms) {
            const struct subject *subject = &subjects[next_random(&seed) % RV_COUNT(subjects)];

            if (subject->attempt == READ)
                add(&rule, subject, next_random(&seed) % 4 != 0, next_random(&seed) % 4 == 0);
        }
        rule.risk_min = (uint16_t)(next_random(&seed) % 400);
        rule.risk_max = (uint16_t)(rule.risk_min + next_random(&seed) % 600);
        facts.risk = (uint32_t)(next_random(&seed) % 700);
        set_own_risk(facts.risk);
        refused = is_refused(&rule, READ);
        refusals += refused;
        if (refused != rv_rule_matches(&rule, &facts))
            fail_msg("rule %d of %u terms, risk %u: refused %d", i, rule.term_count, facts.risk,
                     (int)refused);
    }
    set_own_risk(0);
    printf("# %zu of %d rules at random refused\n", refusals, RANDOM);
    assert_in_range(refusals, RANDOM / 10, RANDOM - RANDOM / 10);
}

static void a_risk_has_its_range_to_the_point(void **state)
{
    struct rv_rule rule = rule_about(RV_DO_READ);

    add_text(&rule, RV_TERM_FILE, SECRET, false);
    rule.risk_min = 250;
    rule.risk_max = 251;
    for (uint32_t risk = 249; risk <= 252; risk++) {
        set_own_risk(risk);
        assert_int_equal(is_refused(&rule, READ), risk == 250 || risk == 251);
    }
    set_own_risk(0);
}

static void a_narrow_address_keeps_the_rules_of_the_wide_one(void **state)
{
    struct rv_rule *rules = calloc(2, sizeof(*rules));

    rules[0] = rule_about(RV_DO_CONNECT);
    add_text(&rules[0], RV_TERM_ADDRESS, "127.0.0.0/8", false);
    rules[1] = rule_about(RV_DO_CONNECT);
    add_text(&rules[1], RV_TERM_ADDRESS, "127.0.0.1", false);
    rules[1].mode = RV_RULE_SHADOW;
    put_rules(rules, 2, NULL);
    assert_int_equal(in_child(do_connect), -EPERM);
    put_nothing();
    free(rules);
}

static int read_deep(void)
{
    if (chdir(DIR "/other") < 0)
        return -ENOTSUP;
    for (int i = 0; i < 100; i++)
        if ((mkdir("d", 0755) < 0 && errno != EEXIST) || chdir("d") < 0)
            return -ENOTSUP;
    return open("file", O_CREAT | O_RDONLY | O_CLOEXEC, 0600) < 0 ? -errno : 0;
}

static void what_is_too_deep_to_tell_is_inside_every_folder(void **state)
{
    struct rv_rule rule = rule_about(RV_DO_READ);

    add_text(&rule, RV_TERM_FOLDER, DIR "/box", false);
    put_rule(&rule);
    assert_int_equal(in_child(read_deep), -EPERM);
    put_nothing();
}

/* ---- Places: what a rule names is known before it exists, and after it was replaced ---- */

static void replace_secret(void)
{
    int fd = open(DIR "/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    close(fd);
    assert_int_equal(rename(DIR "/new", SECRET), 0);
}

static void a_file_that_was_replaced_is_still_named(void **state)
{
    struct rv_rule rule = rule_about(RV_DO_READ);

    add_text(&rule, RV_TERM_FILE, SECRET, false);
    put_rule(&rule);
    assert_false(rv_lsm_stale(lsm));
    assert_int_equal(in_child(do_read), -EPERM);
    replace_secret();
    assert_int_equal(in_child(do_read), -EPERM);
    assert_true(rv_lsm_stale(lsm)); /* a new hard link to it would not be known: swap again */
    put_rule(&rule);
    assert_false(rv_lsm_stale(lsm));
    put_nothing();
}

static void what_no_folder_can_hold_is_not_carried(void **state)
{
    static const struct rv_rule_settings settings;
    struct rv_rule rule = rule_about(RV_DO_READ);
    uint64_t carried = 0;
    size_t at = 0;

    add_text(&rule, RV_TERM_FILE, "/none/at/all", false);
    rv_assert_ok(rv_lsm_swap(lsm, &rule, 1, &settings, &carried, &at));
    assert_int_equal(carried, 0);
    rule = rule_about(RV_DO_ACCEPT);
    add_text(&rule, RV_TERM_ADDRESS, "10.0.0.1", false);
    rv_assert_ok(rv_lsm_swap(lsm, &rule, 1, &settings, &carried, &at));
    assert_int_equal(carried, 0);
    put_nothing();
}

static uint64_t inode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void enter(const char *cgroup)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "0", 1), 1);
    close(fd);
}

static int set_up(void **state)
{
    static const char *const folders[] = { DIR,   DIR "/box",     DIR "/other",
                                           OUTER, OUTER "/inner", "/sys/fs/cgroup/other" };
    int fd;

    for (size_t i = 0; i < RV_COUNT(folders); i++)
        assert_int_equal(mkdir(folders[i], 0755), 0);
    outer_inode = inode_of(OUTER);
    other_inode = inode_of("/sys/fs/cgroup/other");
    enter(OUTER "/inner");
    fd = open(SECRET, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    close(fd);
    copy_file("/bin/busybox", PROGRAM);
    rv_assert_ok(rv_lsm_know_program(lsm, SELF, KIND_SELF));
    rv_assert_ok(rv_lsm_know_program(lsm, "/bin/busybox", KIND_BUSYBOX));
    rv_assert_ok(rv_lsm_know_program(lsm, PROGRAM, KIND_PROGRAM));
    return 0;
}

static int tear_down(void **state)
{
    enter("/sys/fs/cgroup");
    return 0;
}

int terms_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subject_affirmed_and_negated),
        cmocka_unit_test(rules_at_random_mean_what_the_reference_says),
        cmocka_unit_test(a_risk_has_its_range_to_the_point),
        cmocka_unit_test(a_narrow_address_keeps_the_rules_of_the_wide_one),
        cmocka_unit_test(what_is_too_deep_to_tell_is_inside_every_folder),
        cmocka_unit_test(a_file_that_was_replaced_is_still_named),
        cmocka_unit_test(what_no_folder_can_hold_is_not_carried),
    };

    return cmocka_run_group_tests_name("terms", tests, set_up, tear_down);
}
