/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way around a rule about files and programs against the fanotify provider: stopped, or named
 * in docs/THREATS.md with the reason. In a mount namespace and a tmpfs of its own.
 *   test_bypass_fan THREATS.md
 * Rules that depend on lineage or risk are the judge's: for those the question is whether it was
 * asked. What only other mechanisms see (signals, sockets, BPF, memory) is not tried here.
 */
#include "test.h"

#include "attempts.h"
#include "base/fd.h"
#include "enforce/fan.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define SECTION        "## Ways around the fanotify rules"
#define POSSIBLE_LEAST 50 /* of the ways; fewer and the scorecard says nothing */

static struct rv_fan *fan;
static const char *threats_path;
static _Atomic bool ending;

/** Ways that start thousands of processes: not on a machine that others work on. */
static bool takes_thousands(const struct rv_way *way)
{
    static const char *const words[] = { "10,000", "1000 generations", "a pid used before" };

    for (size_t i = 0; i < RV_COUNT(words); i++) {
        if (strstr(way->name, words[i]))
            return true;
    }
    return false;
}

/* ---- Rules ---- */

static void add(struct rv_rule *rule, uint8_t subject, const char *text, bool negated)
{
    struct rv_rule_term *term = &rule->terms[rule->term_count++];

    term->subject = subject;
    term->negated = negated;
    (void)snprintf(term->text, sizeof(term->text), "%s", text);
}

/** The rule that an aim means, as all providers are given it. @return false: nothing of it is ours.
 */
static bool rule_of(enum rv_aim aim, struct rv_rule *rule)
{
    static const struct {
        uint32_t actions;
        uint8_t subject;
        const char *path;
    } aims[RV_AIMS_] = {
        [RV_AIM_READ] = { RV_DO_READ, RV_TERM_FILE, SECRET },
        [RV_AIM_LINEAGE] = { RV_DO_READ, RV_TERM_FILE, SECRET },
        [RV_AIM_RISK] = { RV_DO_READ, RV_TERM_FILE, SECRET },
        [RV_AIM_READ_BELOW] = { RV_DO_READ | RV_DO_LINK | RV_DO_RENAME, RV_TERM_FOLDER, BOX },
        [RV_AIM_CHANGE] = { RV_DO_WRITE | RV_DO_TRUNCATE | RV_DO_RENAME | RV_DO_UNLINK |
                                RV_DO_LINK | RV_DO_SETATTR,
                            RV_TERM_FILE, SECRET },
        [RV_AIM_EXEC] = { RV_DO_EXEC | RV_DO_MMAP_EXEC, RV_TERM_FILE, PROGRAM },
        [RV_AIM_SHELL] = { RV_DO_EXEC | RV_DO_MMAP_EXEC, RV_TERM_FILE, SHELL },
        [RV_AIM_SCRIPT] = { RV_DO_EXEC | RV_DO_READ, RV_TERM_FILE, SCRIPT },
        [RV_AIM_ONLY_SYSTEM] = { RV_DO_EXEC | RV_DO_MMAP_EXEC, 0, NULL },
    };
    static const char *const system[] = { "/bin", "/lib", "/lib64", "/usr", "/suites" };

    if (!aims[aim].actions)
        return false;
    *rule = (struct rv_rule){ .actions = aims[aim].actions,
                              .risk_min = aim == RV_AIM_RISK ? 500 : 0,
                              .risk_max = 1000,
                              .mode = RV_RULE_ENFORCE };
    if (aims[aim].path)
        add(rule, aims[aim].subject, aims[aim].path, false);
    for (size_t i = 0; aim == RV_AIM_ONLY_SYSTEM && i < RV_COUNT(system); i++)
        add(rule, RV_TERM_FOLDER, system[i], true);
    if (aim == RV_AIM_LINEAGE)
        add(rule, RV_TERM_LINEAGE, MARKER, false);
    return true;
}

/* ---- The provider, its judge, and who follows new names ---- */

static int ask(void *context, const struct rv_fan_question *question)
{
    (void)context;
    return rv_fan_answer(fan, question->id, RV_FAN_DENY, 0);
}

static void *loop(void *argument)
{
    (void)argument;
    if (rv_fan_run(fan) < 0)
        abort();
    return NULL;
}

static void *follow(void *argument)
{
    struct pollfd changes = { .fd = rv_fan_changes_fd(fan), .events = POLLIN };

    (void)argument;
    while (!atomic_load(&ending)) {
        if (poll(&changes, 1, 50) > 0 && rv_fan_follow(fan) < 0)
            abort();
    }
    return NULL;
}

static const char *try_under_rule(const struct rv_way *way, const struct rv_rule *rule)
{
    /* A rule that names no file holds where somebody says so. */
    const struct rv_fan_scope ground = { .path = GROUND,
                                         .kind = RV_FAN_MOUNT,
                                         .actions = RV_DO_EXEC };
    const struct rv_fan_set set = { .rules = rule,
                                    .rule_count = 1,
                                    .scopes = &ground,
                                    .scope_count = way->aim == RV_AIM_ONLY_SYSTEM,
                                    .deadline_ns = 20 * 1000000000ULL };
    struct rv_fan_counts before, after;
    int r;

    rv_assert_ok(rv_fan_swap(fan, &set, NULL));
    rv_fan_counts(fan, &before);
    r = rv_way_try(way, NULL);
    rv_fan_counts(fan, &after);
    rv_assert_ok(rv_fan_swap(fan, &(struct rv_fan_set){ 0 }, NULL));
    if (r == 0)
        return "PASSED";
    return after.judged > before.judged ? "asked" : "stopped";
}

/** The part of the document that is about this provider. */
static char *read_section(void)
{
    char *all = NULL, *section, *end;
    size_t len;

    rv_assert_ok(rv_read_file(AT_FDCWD, threats_path, 1 << 20, &all, &len));
    section = strstr(all, "\n" SECTION "\n");
    assert_non_null(section);
    end = strstr(section + 4, "\n## ");
    section = strndup(section, end ? (size_t)(end - section) : strlen(section));
    assert_non_null(section);
    free(all);
    return section;
}

/** Is the way in a line of the section, and in one that is true of this kernel? A line may be about
 * those "before Linux 6.5". */
static bool is_named(const char *section, const char *way)
{
    unsigned int major, minor, here_major, here_minor;
    struct utsname name;
    const char *found;

    (void)uname(&name);
    if (sscanf(name.release, "%u.%u", &here_major, &here_minor) != 2)
        return false;
    for (found = strstr(section, way); found; found = strstr(found + 1, way)) {
        const char *line = found;
        char text[4096];

        while (line > section && line[-1] != '\n')
            line--;
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
        line = strstr(text, "before Linux ");
        if (!line || sscanf(line, "before Linux %u.%u", &major, &minor) != 2)
            return true;
        if (here_major < major || (here_major == major && here_minor < minor))
            return true;
    }
    return false;
}

static void each_way_is_stopped_or_named_in_the_threats(void **state)
{
    RV_AUTO(rv_freep) char *threats = read_section();
    size_t possible = 0, passed = 0, asked = 0, unnamed = 0;
    struct rv_rule *rule = calloc(1, sizeof(*rule));
    const struct rv_way *way;
    struct utsname name;

    for (size_t i = 0; (way = rv_way_at(i)); i++) {
        const char *verdict = "not possible here";
        int without;

        if (!rule_of(way->aim, rule))
            continue;
        if (takes_thousands(way) && !getenv("REEVE_VM")) {
            printf("# bypass: %-48s only in tests/vm\n", way->name);
            continue;
        }
        without = rv_way_try(way, NULL);
        if (without == 0) {
            verdict = try_under_rule(way, rule);
            possible++;
            passed += rv_streq(verdict, "PASSED");
            asked += rv_streq(verdict, "asked");
        }
        printf("# bypass: %-48s %s", way->name, verdict);
        printf(without != 0 ? " (%s)\n" : "\n", strerror(-without));
        if (rv_streq(verdict, "PASSED") && !is_named(threats, way->name)) {
            printf("# passes, and docs/THREATS.md does not say so: %s\n", way->name);
            unnamed++;
        }
    }
    (void)uname(&name);
    printf("# scorecard {\"provider\":\"fanotify\",\"kernel\":\"%s\",\"possible\":%zu,"
           "\"stopped\":%zu,\"asked\":%zu,\"passed\":%zu}\n",
           name.release, possible, possible - passed - asked, asked, passed);
    free(rule);
    assert_int_equal(unnamed, 0);
    assert_true(possible >= POSSIBLE_LEAST);
}

static int make_place(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    (void)mkdir(GROUND, 0755);
    if (mount("reeve-bypass", GROUND, "tmpfs", 0, "mode=755,size=128m") < 0)
        return -errno;
    return rv_ground_make("/bin/busybox", "/proc/self/exe");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_is_stopped_or_named_in_the_threats),
    };
    const struct rv_fan_options options = { .ask = ask };
    pthread_t looper, follower;
    int r;

    rv_way_main(argc, argv);
    if (getenv("REEVE_VM")) /* there it is a module */
        (void)syscall(SYS_finit_module, open("/modules/overlay.ko", O_RDONLY | O_CLOEXEC), "", 0);
    threats_path = argc > 1 ? argv[1] : "/etc/THREATS.md"; /* put there by run-vm */
    if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0) {
        printf("1..0 # SKIP needs root and busybox\n# skip: needs root and busybox\n");
        return 77;
    }
    r = make_place();
    if (r == 0)
        r = rv_fan_open(&fan, &options);
    if (r < 0) {
        printf("not ok 1 - make the ground: %s\n", strerror(-r));
        return 1;
    }
    rv_fan_renew(fan, 3600 * 1000);
    if (pthread_create(&looper, NULL, loop, NULL) != 0 ||
        pthread_create(&follower, NULL, follow, NULL) != 0)
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    atomic_store(&ending, true);
    (void)pthread_join(follower, NULL);
    rv_fan_stop(fan);
    (void)pthread_join(looper, NULL);
    rv_fan_close(&fan);
    rv_ground_leave();
    (void)umount2(GROUND, MNT_DETACH);
    (void)rmdir(GROUND);
    return r;
}
