/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fan.h  A place for permission events to be tried in: a mount namespace and a tmpfs of the
 * test's own, a provider with its thread, a judge on a socket, and others who open and start.
 */
#pragma once

#include "test.h"

#include "base/clock.h"
#include "base/fd.h"
#include "enforce/act.h"
#include "enforce/fan.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DIR "/tmp/reeve-fan"

/** The provider under test, its thread, and the judge's. */
struct stage {
    struct rv_fan *fan;
    pthread_t loop, judge;
    int ask_fd, judge_fd; /* SOCK_SEQPACKET */
    bool judging;

    /* How the judge answers. */
    _Atomic int verdict; /* enum rv_fan_verdict; -1: it takes the question and says nothing */
    _Atomic unsigned flags;
    _Atomic uint64_t questions, last_id;
    struct rv_fan_question last; /* read it only when no question is open */
};

static inline int stage_ask(void *context, const struct rv_fan_question *question)
{
    struct stage *stage = context;

    return send(stage->ask_fd, question, sizeof(*question), MSG_DONTWAIT | MSG_NOSIGNAL) < 0
               ? -errno
               : 0;
}

static inline void *stage_loop(void *argument)
{
    struct stage *stage = argument;

    if (rv_fan_run(stage->fan) < 0)
        abort();
    return NULL;
}

static inline void *stage_judge(void *argument)
{
    struct stage *stage = argument;
    struct rv_fan_question question;

    while (recv(stage->judge_fd, &question, sizeof(question), 0) == sizeof(question)) {
        stage->last = question;
        atomic_store(&stage->last_id, question.id);
        atomic_fetch_add(&stage->questions, 1);
        if (atomic_load(&stage->verdict) >= 0)
            (void)!rv_fan_answer(stage->fan, question.id,
                                 (enum rv_fan_verdict)atomic_load(&stage->verdict),
                                 atomic_load(&stage->flags));
    }
    return NULL;
}

static inline void stage_open_layer(struct stage *stage, enum rv_fan_layer layer, bool judged)
{
    const struct rv_fan_options options = { .layer = layer, .ask = stage_ask, .context = stage };
    int pair[2];

    memset(stage, 0, sizeof(*stage));
    stage->verdict = RV_FAN_ALLOW;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    stage->ask_fd = pair[0];
    stage->judge_fd = pair[1];
    stage->judging = judged;
    rv_assert_ok(rv_fan_open(&stage->fan, &options));
    assert_int_equal(pthread_create(&stage->loop, NULL, stage_loop, stage), 0);
    if (judged)
        assert_int_equal(pthread_create(&stage->judge, NULL, stage_judge, stage), 0);
    rv_fan_renew(stage->fan, 3600 * 1000);
}

static inline void stage_open(struct stage *stage, bool judged)
{
    stage_open_layer(stage, RV_FAN_PLAIN, judged);
}

static inline void stage_end_judge(struct stage *stage)
{
    if (!stage->judging)
        return;
    (void)shutdown(stage->judge_fd, SHUT_RDWR);
    (void)pthread_join(stage->judge, NULL);
    rv_closep(&stage->judge_fd);
    stage->judging = false;
}

static inline void stage_close(struct stage *stage)
{
    rv_fan_stop(stage->fan);
    (void)pthread_join(stage->loop, NULL);
    stage_end_judge(stage);
    rv_fan_close(&stage->fan);
    rv_closep(&stage->judge_fd);
    rv_closep(&stage->ask_fd);
}

/* ---- Rules in one line ---- */

static inline struct rv_rule rule_of(uint32_t actions)
{
    return (struct rv_rule){
        .policy = 7, .actions = actions, .risk_max = 1000, .mode = RV_RULE_ENFORCE
    };
}

static inline void add_text(struct rv_rule *rule, uint8_t subject, const char *text)
{
    struct rv_rule_term *term = &rule->terms[rule->term_count++];

    term->subject = subject;
    (void)snprintf(term->text, sizeof(term->text), "%s", text);
}

static inline void add_number(struct rv_rule *rule, uint8_t subject, uint64_t number)
{
    struct rv_rule_term *term = &rule->terms[rule->term_count++];

    term->subject = subject;
    term->number = number;
}

static inline struct rv_rule rule_on(uint32_t actions, uint8_t subject, const char *path)
{
    struct rv_rule rule = rule_of(actions);

    add_text(&rule, subject, path);
    return rule;
}

static inline void put(struct stage *stage, const struct rv_fan_set *set)
{
    struct rv_fan_taken taken;
    int r = rv_fan_swap(stage->fan, set, &taken);

    if (r < 0)
        fail_msg("swap: %s (rule %zd)", strerror(-r), (ssize_t)taken.failed_rule);
}

static inline void put_rule(struct stage *stage, const struct rv_rule *rule)
{
    put(stage, &(struct rv_fan_set){ .rules = rule, .rule_count = 1 });
}

static inline struct rv_fan_counts counts_of(struct stage *stage)
{
    struct rv_fan_counts counts;

    rv_fan_counts(stage->fan, &counts);
    return counts;
}

/* ---- Others, who open and start ---- */

/** Fork without the provider's descriptors. @return 0 in the child. */
static inline pid_t fork_other(struct stage *stage)
{
    pid_t pid = fork();

    if (pid == 0) {
        rv_fan_disown(stage->fan);
        (void)close(stage->ask_fd);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    return pid;
}

static inline int exit_of(pid_t pid)
{
    int status = 0;

    assert_true(pid > 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline pid_t start_open(struct stage *stage, const char *path, int flags)
{
    pid_t pid = fork_other(stage);

    if (pid == 0)
        _exit(open(path, flags | O_CLOEXEC) < 0 ? errno : 0);
    return pid;
}

/** @return 0, or the errno with which another process could not open the file. */
static inline int other_opens(struct stage *stage, const char *path, int flags)
{
    return exit_of(start_open(stage, path, flags));
}

/** Start a copy of busybox as another of its programs. @return its status; 126: it may not. */
static inline int other_runs(struct stage *stage, const char *program, const char *applet,
                             const char *a, const char *b)
{
    pid_t pid = fork_other(stage);

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        execl(program, applet, a, b, (char *)NULL);
        _exit(errno == EPERM || errno == EACCES ? 126 : 127);
    }
    return exit_of(pid);
}

static inline void write_file(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);

    assert_true(fd >= 0);
    rv_assert_ok(rv_write_all(fd, text, strlen(text)));
    (void)close(fd);
}

static inline void copy_file(const char *from, const char *to)
{
    RV_AUTO(rv_freep) char *data = NULL;
    size_t len;
    int fd = open(to, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);

    assert_true(fd >= 0);
    rv_assert_ok(rv_read_file(AT_FDCWD, from, 16 << 20, &data, &len));
    rv_assert_ok(rv_write_all(fd, data, len));
    (void)close(fd);
}

/** Older than the grain of file times, so that verdicts about it are kept. */
static inline void let_settle(void)
{
    (void)usleep(40 * 1000);
}

/** Wait until a condition holds, half a minute at most: only a fault lets it end there. */
#define wait_until(condition)                                                                      \
    do {                                                                                           \
        for (int turns_ = 0; !(condition); turns_++) {                                             \
            if (turns_ == 30000)                                                                   \
                fail_msg("waited in vain for %s", #condition);                                     \
            (void)usleep(1000);                                                                    \
        }                                                                                          \
    } while (0)

/** A mount namespace and tmpfs at DIR. @return 0; -errno: not here. */
static inline int make_place(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    (void)mkdir(DIR, 0755);
    if (mount("reeve-fan", DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m") < 0)
        return -errno;
    return 0;
}
