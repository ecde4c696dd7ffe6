/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files on overlays, and on overlays upon overlays, all of them marked at once: taking in an event
 * of one opens the file below it, which must never be a question to the thread that takes it in.
 */
#include "fan.h"

#include "stack.h"

#include <sys/syscall.h>

#define PLAIN  DIR "/plain"
#define MIDDLE DIR "/middle"
#define TOP    DIR "/top"

#define OPENERS     12
#define PATIENCE_MS 20000

static struct stage stages[RV_FAN_LAYERS_];

/* ---- The place ---- */

static int overlay_upon(const char *lower, const char *name)
{
    char options[400], upper[100], work[100], at[100];

    (void)snprintf(upper, sizeof(upper), DIR "/upper-%s", name);
    (void)snprintf(work, sizeof(work), DIR "/work-%s", name);
    (void)snprintf(at, sizeof(at), DIR "/%s", name);
    (void)snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper,
                   work);
    if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0 || mkdir(at, 0755) < 0 ||
        mount("overlay", at, "overlay", 0, options) < 0)
        return -errno;
    return 0;
}

static int make_overlays(void)
{
    int fd, r;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    (void)mkdir(DIR, 0755);
    if (mount("tmpfs", DIR, "tmpfs", 0, "mode=0755") < 0 || mkdir(PLAIN, 0755) < 0)
        return -errno;
    fd = open(PLAIN "/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    close(fd);
    r = overlay_upon(PLAIN, "middle");
    return r == 0 ? overlay_upon(MIDDLE, "top") : r;
}

static int open_stages(void **state)
{
    for (unsigned i = 0; i < RV_FAN_LAYERS_; i++)
        stage_open_layer(&stages[i], (enum rv_fan_layer)i, false);
    return 0;
}

static int close_stages(void **state)
{
    for (unsigned i = 0; i < RV_FAN_LAYERS_; i++)
        stage_close(&stages[i]);
    return 0;
}

/** As the guard does: the same set for all. @return marks of each. */
static void put_in_all(const struct rv_rule *rule, size_t ret_marks[RV_FAN_LAYERS_])
{
    const struct rv_fan_set set = { .rules = rule, .rule_count = 1 };

    for (unsigned i = 0; i < RV_FAN_LAYERS_; i++) {
        struct rv_fan_taken taken;

        rv_assert_ok(rv_fan_swap(stages[i].fan, &set, &taken));
        assert_int_equal(taken.carried, 1);
        ret_marks[i] = taken.marks;
    }
}

/** The file, by its name at each depth. */
static struct rv_rule about_all(void)
{
    struct rv_rule rule = rule_of(RV_DO_READ);

    add_text(&rule, RV_TERM_FILE, PLAIN "/file");
    add_text(&rule, RV_TERM_FILE, MIDDLE "/file");
    add_text(&rule, RV_TERM_FILE, TOP "/file");
    return rule;
}

/* ---- Openers ---- */

static pid_t start_opener(const char *path, unsigned times)
{
    pid_t pid = fork();

    if (pid == 0) {
        int error = 0;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (unsigned i = 0; i < RV_FAN_LAYERS_; i++)
            rv_fan_disown(stages[i].fan);
        for (unsigned i = 0; i < times; i++) {
            int fd = open(path, O_RDONLY | O_CLOEXEC);

            error = fd < 0 ? errno : 0;
            if (fd >= 0)
                close(fd);
        }
        _exit(error);
    }
    return pid;
}

/** @return the errno of its last open; -1: it hung, and was killed. */
static int wait_for_opener(pid_t pid)
{
    RV_AUTO(rv_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = { pidfd, POLLIN, 0 };
    int status = 0, in_time = poll(&ended, 1, PATIENCE_MS);

    if (in_time != 1)
        (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return in_time == 1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void each_depth_has_its_own_layer(void **state)
{
    static const char *const paths[] = { PLAIN "/file", MIDDLE "/file", TOP "/file",
                                         PLAIN,         MIDDLE,         TOP };
    struct fan_stack stack = { 0 };

    for (unsigned i = 0; i < RV_COUNT(paths); i++) {
        RV_AUTO(rv_closep) int fd = open(paths[i], O_PATH | O_CLOEXEC);

        assert_int_equal(rv_fan_layer_of(&stack, fd, paths[i]), i % 3);
    }
}

/** A file that is a mount by itself shows no folder to ask about. */
static void what_cannot_be_told_is_not_marked(void **state)
{
    RV_AUTO(rv_closep) int fd = open(DIR "/alone", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct fan_stack stack = { 0 };
    struct rv_rule rule = rule_of(RV_DO_READ);
    const struct rv_fan_set set = { .rules = &rule, .rule_count = 1 };
    struct rv_fan_taken taken;
    RV_AUTO(rv_closep) int path = -1;

    assert_int_equal(mount(TOP "/file", DIR "/alone", NULL, MS_BIND, NULL), 0);
    path = open(DIR "/alone", O_PATH | O_CLOEXEC);
    assert_int_equal(rv_fan_layer_of(&stack, path, DIR "/alone"), -EOPNOTSUPP);
    add_text(&rule, RV_TERM_FILE, DIR "/alone");
    rv_assert_ok(rv_fan_swap(stages[RV_FAN_NESTED].fan, &set, &taken));
    assert_int_equal(taken.carried, 0);
    assert_int_equal(taken.marks, 0);
    rv_closep(&path);
    path = -1;
    assert_int_equal(umount(DIR "/alone"), 0);
}

/** A process with an overlay of its own making, in namespaces of its own. @return its pid; -1. */
static pid_t start_user(bool own_user_namespace)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (unshare(CLONE_NEWNS | (own_user_namespace ? CLONE_NEWUSER : 0)) < 0 ||
            mount("overlay", DIR "/his", "overlay", 0,
                  "userxattr,lowerdir=" PLAIN ":" DIR "/none") < 0)
            _exit(1);
        (void)!write(ready[1], "", 1);
        for (;;)
            pause();
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        (void)waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(ready[0]);
    return pid;
}

/** The layer of a file on it, as the guard reaches it. */
static int layer_of_his(bool own_user_namespace)
{
    pid_t pid = start_user(own_user_namespace);
    struct fan_stack stack = { 0 };
    RV_AUTO(rv_closep) int fd = -1;
    char path[80];
    int layer;

    if (pid < 0)
        return -ENOSYS;
    (void)snprintf(path, sizeof(path), "/proc/%d/root" DIR "/his/file", pid);
    fd = open(path, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    layer = rv_fan_layer_of(&stack, fd, path);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return layer;
}

/* He might have put a file system below that never answers. */
static void overlays_of_ordinary_users_are_not_marked(void **state)
{
    int layer;

    assert_int_equal(mkdir(DIR "/his", 0755), 0);
    assert_int_equal(mkdir(DIR "/none", 0755), 0);
    assert_int_equal(layer_of_his(false), RV_FAN_STACKED);
    layer = layer_of_his(true);
    if (layer == -ENOSYS)
        rv_skip_because("no overlay can be mounted in a user namespace here");
    assert_int_equal(layer, -EOPNOTSUPP);
}

static void a_rule_holds_at_every_depth(void **state)
{
    struct rv_rule rule = about_all();
    size_t marks[RV_FAN_LAYERS_];

    put_in_all(&rule, marks);
    for (unsigned i = 0; i < RV_FAN_LAYERS_; i++)
        assert_int_equal(marks[i], 1);
    assert_int_equal(wait_for_opener(start_opener(PLAIN "/file", 1)), EPERM);
    assert_int_equal(wait_for_opener(start_opener(MIDDLE "/file", 1)), EPERM);
    assert_int_equal(wait_for_opener(start_opener(TOP "/file", 1)), EPERM);
}

/* Nobody is refused: each open goes all the way down, past every mark. */
static void many_openers_at_once_wedge_nothing(void **state)
{
    struct rv_rule rule = about_all();
    size_t marks[RV_FAN_LAYERS_];
    pid_t openers[OPENERS];

    add_number(&rule, RV_TERM_UID, 4711);
    put_in_all(&rule, marks);
    for (unsigned i = 0; i < OPENERS; i++)
        openers[i] = start_opener(i % 3 == 0 ? MIDDLE "/file" : TOP "/file", 200);
    for (unsigned i = 0; i < OPENERS; i++)
        assert_int_equal(wait_for_opener(openers[i]), 0);
    for (unsigned i = RV_FAN_STACKED; i < RV_FAN_LAYERS_; i++) {
        struct rv_fan_counts counts;

        rv_fan_counts(stages[i].fan, &counts);
        printf("# depth %u: asked %llu times, %llu of them by ourselves\n", i,
               (unsigned long long)counts.events, (unsigned long long)counts.own);
        assert_true(counts.events > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_depth_has_its_own_layer),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_is_not_marked, open_stages,
                                        close_stages),
        cmocka_unit_test(overlays_of_ordinary_users_are_not_marked),
        cmocka_unit_test_setup_teardown(a_rule_holds_at_every_depth, open_stages, close_stages),
        cmocka_unit_test_setup_teardown(many_openers_at_once_wedge_nothing, open_stages,
                                        close_stages),
    };
    int r;

    if (getenv("REEVE_VM")) /* there it is a module */
        (void)syscall(SYS_finit_module, open("/modules/overlay.ko", O_RDONLY | O_CLOEXEC), "", 0);
    r = geteuid() == 0 ? make_overlays() : -EPERM;
    if (r < 0) {
        printf("1..0 # SKIP no overlay can be mounted: %s\n# skip: no overlay can be mounted: %s\n",
               strerror(-r), strerror(-r));
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
