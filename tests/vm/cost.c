/* SPDX-License-Identifier: Apache-2.0 */
/* What a hook costs, by the kernel's own count of its programs' time. Printed, never judged. */
#include "rules.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR   "/tmp/cost/a/b/c"
#define CALLS 20000

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(write(fd, text, strlen(text)) > 0);
    close(fd);
}

/** Time and number of runs of the program by this name, since it was loaded. */
static void read_stats(const char *name, uint64_t *ret_ns, uint64_t *ret_runs)
{
    uint32_t id = 0;

    *ret_ns = *ret_runs = 0;
    while (bpf_prog_get_next_id(id, &id) == 0) {
        struct bpf_prog_info info = { 0 };
        uint32_t len = sizeof(info);
        int fd = bpf_prog_get_fd_by_id(id);

        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && rv_streq(info.name, name)) {
            *ret_ns = info.run_time_ns;
            *ret_runs = info.run_cnt;
        }
        close(fd);
    }
}

static void measure(const char *what, const struct rv_rule *rules, size_t count)
{
    uint64_t ns, runs, ns_before, runs_before;

    put_rules(rules, count, NULL);
    read_stats("rv_open", &ns_before, &runs_before);
    for (int i = 0; i < CALLS; i++) {
        int fd = open(DIR "/file", O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        close(fd);
    }
    read_stats("rv_open", &ns, &runs);
    put_nothing();
    assert_true(runs - runs_before >= CALLS);
    printf("# cost {\"hook\":\"file_open\",\"rules\":\"%s\",\"ns\":%lu}\n", what,
           (unsigned long)((ns - ns_before) / (runs - runs_before)));
}

static void what_an_open_costs(void **state)
{
    /* Not /proc: the provider reads there itself. */
    static const char *const folders[] = {
        "/etc", "/bin", "/lib",     "/lib64",  "/sys",
        "/dev", "/mnt", "/modules", "/suites", "/tmp/cost/none"
    };
    struct rv_rule *rules = calloc(RV_COUNT(folders), sizeof(*rules));

    write_text("/proc/sys/kernel/bpf_stats_enabled", "1");
    measure("none", NULL, 0);
    for (size_t i = 0; i < RV_COUNT(folders); i++)
        rules[i] = rule_about(RV_DO_WRITE);
    measure("10 about another action", rules, RV_COUNT(folders));
    rules[0] = rule_about(RV_DO_READ);
    add_text(&rules[0], RV_TERM_PROGRAM, "/bin/busybox", false);
    measure("1 about another program", rules, 1);
    rules[0] = rule_about(RV_DO_READ);
    add_text(&rules[0], RV_TERM_FILE, "/etc/passwd", false);
    measure("1 about another file", rules, 1);
    for (size_t i = 0; i < RV_COUNT(folders); i++) {
        rules[i] = rule_about(RV_DO_READ);
        add_text(&rules[i], RV_TERM_FOLDER, folders[i], false);
    }
    measure("10 about other folders", rules, RV_COUNT(folders));
    rules[0] = rule_about(RV_DO_READ);
    add_text(&rules[0], RV_TERM_LINEAGE, "/tmp/cost", false);
    add_number(&rules[0], RV_TERM_LINEAGE_KIND, 200, false);
    measure("1 about another lineage", rules, 1);
    write_text("/proc/sys/kernel/bpf_stats_enabled", "0");
    free(rules);
}

static int set_up(void **state)
{
    static const char *const folders[] = { "/tmp/cost", "/tmp/cost/a", "/tmp/cost/a/b", DIR,
                                           "/tmp/cost/none" };
    int fd;

    for (size_t i = 0; i < RV_COUNT(folders); i++)
        assert_int_equal(mkdir(folders[i], 0755), 0);
    fd = open(DIR "/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    close(fd);
    return 0;
}

int cost_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_open_costs),
    };

    return cmocka_run_group_tests_name("cost", tests, set_up, NULL);
}
