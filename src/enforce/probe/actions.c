/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By what each action is stopped here: a child goes into a sandbox, puts a rule about the sandbox's
 * own workload into one provider after the other, strongest first, and sees whether the attempt is
 * refused. Rows come back through a pipe, so that whatever happens there, nothing happens here.
 */
#include "enforce/probe.h"

#include "base/clock.h"
#include "base/fd.h"
#include "enforce/act.h"
#include "enforce/cgate.h"
#include "enforce/fan.h"
#include "enforce/lsm.h"
#include "probe/attempts.h"
#include "probe/sandbox.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEASE_MS  60000
#define SETTLE_US 20000

/** What is open in the prober. */
struct prober {
    struct rv_sandbox sandbox;
    struct rv_lsm *lsm;
    struct rv_cgate *cgate;
    struct rv_fan *fan;
    pthread_t fan_thread;
    bool fan_runs;
    int why_not[RV_MECHANISMS_]; /* -errno of opening */
    int out;
};

/* ---- Providers ---- */

static void *run_fan(void *fan)
{
    (void)!rv_fan_run(fan);
    return NULL;
}

static void open_providers(struct prober *prober)
{
    const char *cgroup = prober->sandbox.cgroup;

    prober->why_not[RV_BY_LSM] = cgroup[0] ? rv_lsm_open(&prober->lsm) : -ENOENT;
    prober->why_not[RV_BY_CGROUP] = cgroup[0] ? rv_cgate_open(&prober->cgate, cgroup) : -ENOENT;
    prober->why_not[RV_BY_FANOTIFY] =
        rv_fan_open(&prober->fan, &(struct rv_fan_options){ .unlimited_queue = true });
    if (prober->fan)
        prober->fan_runs = pthread_create(&prober->fan_thread, NULL, run_fan, prober->fan) == 0;
}

static void close_providers(struct prober *prober)
{
    if (prober->fan_runs) {
        rv_fan_stop(prober->fan);
        (void)pthread_join(prober->fan_thread, NULL);
    }
    rv_fan_close(&prober->fan);
    rv_cgate_close(&prober->cgate);
    rv_lsm_close(&prober->lsm);
}

static void add_term(struct rv_rule *rule, uint8_t subject, uint64_t number, const char *text)
{
    struct rv_rule_term *term = &rule->terms[rule->term_count++];

    *term = (struct rv_rule_term){ .subject = subject, .number = number };
    (void)snprintf(term->text, sizeof(term->text), "%s", text);
}

static const struct rv_rule_settings no_limits;

static int put_lsm(struct prober *prober, const struct rv_rule *rule, size_t count)
{
    uint64_t carried;
    size_t at;
    int r = rv_lsm_swap(prober->lsm, rule, count, &no_limits, &carried, &at);

    return r < 0 ? r : rv_lsm_renew(prober->lsm, LEASE_MS);
}

static int put_cgate(struct prober *prober, const struct rv_rule *rule, size_t count)
{
    uint64_t carried;
    size_t at;

    rv_cgate_renew(prober->cgate, LEASE_MS);
    return rv_cgate_swap(prober->cgate, rule, count, &no_limits, &carried, &at);
}

static int put_fan(struct prober *prober, const struct rv_rule *rule, size_t count)
{
    const struct rv_fan_set set = { .rules = rule, .rule_count = count };

    rv_fan_renew(prober->fan, LEASE_MS);
    return rv_fan_swap(prober->fan, &set, NULL);
}

/** Strongest first. Each puts `count` rules, none or one, in place. */
static const struct {
    enum rv_mechanism mechanism;
    int (*put)(struct prober *prober, const struct rv_rule *rule, size_t count);
} ladder[] = {
    { RV_BY_LSM, put_lsm },
    { RV_BY_CGROUP, put_cgate },
    { RV_BY_FANOTIFY, put_fan },
};

static bool is_open(const struct prober *prober, enum rv_mechanism mechanism)
{
    return (mechanism == RV_BY_LSM && prober->lsm) ||
           (mechanism == RV_BY_CGROUP && prober->cgate) ||
           (mechanism == RV_BY_FANOTIFY && prober->fan_runs);
}

/** Is the attempt refused when this provider alone has a rule against it? */
static bool stops(struct prober *prober, size_t rung, const struct rv_attempt *attempt)
{
    const enum rv_mechanism mechanism = ladder[rung].mechanism;
    RV_AUTO(rv_freep) struct rv_rule *rule = calloc(1, sizeof(*rule));
    int got = 0;

    if (!rule || !is_open(prober, mechanism))
        return false;
    rule->actions = attempt->action;
    rule->risk_max = 1000;
    rule->mode = RV_RULE_ENFORCE;
    if (prober->sandbox.cgroup[0])
        add_term(rule, RV_TERM_WORKLOAD, prober->sandbox.workload, "");
    if (mechanism == RV_BY_FANOTIFY)
        add_term(rule, RV_TERM_FILE, 0, "/tmp/box/" RV_ATTEMPT_FILE);
    if (ladder[rung].put(prober, rule, 1) == 0)
        got = rv_sandbox_run(&prober->sandbox, attempt->attempt);
    if (ladder[rung].put(prober, rule, 0) < 0)
        return false;
    return got == EPERM || got == EACCES;
}

/* ---- Rows ---- */

static void send_row(const struct prober *prober, const struct rv_enforce_action *row)
{
    (void)!rv_write_all(prober->out, row, sizeof(*row));
}

static const char *why_no_lsm(int r)
{
    switch (-r) {
    case EOPNOTSUPP:
        return "BPF LSM is not active";
    case EPERM:
    case EACCES:
        return "the kernel takes no BPF LSM programs from us";
    case ENOENT:
        return "no cgroup v2 folder to try it in";
    default:
        return "BPF LSM does not load";
    }
}

static void probe_action(struct prober *prober, const struct rv_attempt *attempt)
{
    struct rv_enforce_action row = { .mechanism = RV_BY_NONE };
    int free_run = rv_sandbox_run(&prober->sandbox, attempt->attempt);
    const char *no_lsm = why_no_lsm(prober->why_not[RV_BY_LSM]);

    (void)snprintf(row.action, sizeof(row.action), "%s", rv_do_name(attempt->action));
    if (free_run == RV_ATTEMPT_IMPOSSIBLE) {
        (void)snprintf(row.detail, sizeof(row.detail), "this kernel has no such thing");
    } else if (free_run != 0) {
        (void)snprintf(row.detail, sizeof(row.detail), "cannot be tried: %s without any rule",
                       strerror(free_run < 0 ? -free_run : free_run));
    } else {
        for (size_t i = 0; row.mechanism == RV_BY_NONE && i < RV_COUNT(ladder); i++)
            if (stops(prober, i, attempt))
                row.mechanism = ladder[i].mechanism;
        if (row.mechanism != RV_BY_LSM)
            (void)snprintf(row.detail, sizeof(row.detail), "%s%s",
                           prober->lsm ? "no BPF LSM hook of this kernel refuses it" : no_lsm,
                           row.mechanism == RV_BY_NONE ? ": only answered after the fact" : "");
    }
    send_row(prober, &row);
}

/* ---- After the fact ---- */

static volatile uint64_t *ticks; /* counted by the target as long as it can */

static int tick_on(void)
{
    for (;;) {
        ++*ticks;
        usleep(100);
    }
    return 0;
}

static pid_t start_target(const struct prober *prober)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(rv_sandbox_run(&prober->sandbox, tick_on));
    }
    return pid;
}

static bool ticks_go_on(void)
{
    uint64_t before = *ticks;

    for (int i = 0; i < 50 && *ticks == before; i++)
        usleep(SETTLE_US);
    return *ticks != before;
}

static bool ticks_stand_still(void)
{
    for (int i = 0; i < 50; i++) {
        uint64_t before = *ticks;

        usleep(SETTLE_US);
        if (*ticks == before)
            return true;
    }
    return false;
}

static int say_to_self(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
                   getsockname(fd, (struct sockaddr *)&at, &len) < 0 ||
                   sendto(fd, "x", 1, 0, (struct sockaddr *)&at, len) < 0
               ? errno
               : 0;
}

/** Did it do what its name says? The undo is part of it. */
static bool has_effect(struct prober *prober, struct rv_actor *actor, enum rv_action action,
                       uint32_t number)
{
    bool effect = true;

    if (action == RV_ACT_KILL_TREE)
        return ticks_stand_still();
    if (action == RV_ACT_FREEZE)
        effect = ticks_stand_still();
    else if (action == RV_ACT_ISOLATE)
        effect = rv_sandbox_run(&prober->sandbox, say_to_self) == EPERM;
    if (rv_act_undo(actor, number) < 0)
        return false;
    return effect && (action == RV_ACT_ISOLATE ? rv_sandbox_run(&prober->sandbox, say_to_self) == 0
                                               : ticks_go_on());
}

static void probe_after(struct prober *prober, struct rv_actor *actor, pid_t target,
                        enum rv_action action, const char *name)
{
    struct rv_enforce_action row = { .mechanism = RV_BY_NONE };
    struct rv_act_request request = { .action = action };
    enum rv_act_outcome outcome = RV_ACT_REFUSED;
    uint32_t number = 0;
    int r = 0;

    (void)snprintf(row.action, sizeof(row.action), "%s", name);
    if (prober->sandbox.cgroup[0])
        request.cgroup = prober->sandbox.cgroup;
    else
        r = rv_process_key_of(target, &request.process);
    if (r == 0)
        r = rv_act(actor, &request, &outcome, &number);
    (void)snprintf(row.detail, sizeof(row.detail), "%s", rv_act_how(actor));
    if (r == 0 && outcome == RV_ACT_DONE && has_effect(prober, actor, action, number))
        row.mechanism = RV_BY_AFTER;
    else if (r < 0 && !row.detail[0])
        (void)snprintf(row.detail, sizeof(row.detail), "%s", strerror(-r));
    else if (r == 0 && outcome == RV_ACT_DONE)
        (void)snprintf(row.detail, sizeof(row.detail), "it was done without effect");
    send_row(prober, &row);
}

static void probe_all_after(struct prober *prober)
{
    static const struct {
        enum rv_action action;
        const char *name;
    } actions[] = {
        { RV_ACT_FREEZE, "freeze" },
        { RV_ACT_THROTTLE, "throttle" },
        { RV_ACT_ISOLATE, "isolate" },
        { RV_ACT_KILL_TREE, "kill" }, /* last: nobody is left */
    };
    const struct rv_act_options options = { .budget_per_hour = RV_COUNT(actions),
                                            .clock = rv_clock_system() };
    struct rv_actor *actor = NULL;
    pid_t target;

    ticks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ticks == MAP_FAILED || rv_actor_new(&actor, &options) < 0)
        return;
    target = start_target(prober);
    if (ticks_go_on())
        for (size_t i = 0; i < RV_COUNT(actions); i++)
            probe_after(prober, actor, target, actions[i].action, actions[i].name);
    if (target > 0) {
        (void)kill(target, SIGKILL);
        (void)waitpid(target, NULL, 0);
    }
    rv_actor_free(&actor);
}

/* ---- The prober ---- */

/** First the cgroup's path, for who has to remove it; then a row for each action. */
static int probe(int out)
{
    struct prober prober = { .out = out };
    int r;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)libbpf_set_print(NULL);
    r = rv_sandbox_enter(&prober.sandbox);
    if (r < 0)
        return -r;
    (void)!rv_write_all(out, prober.sandbox.cgroup, sizeof(prober.sandbox.cgroup));
    open_providers(&prober);
    for (size_t i = 0; i < RV_COUNT(rv_attempts); i++)
        probe_action(&prober, &rv_attempts[i]);
    close_providers(&prober);
    probe_all_after(&prober);
    return 0;
}

static bool read_whole(int fd, void *data, size_t len)
{
    size_t got = 0;
    ssize_t n;

    while (got < len &&
           ((n = read(fd, (char *)data + got, len - got)) > 0 || (n < 0 && errno == EINTR)))
        got += n > 0 ? (size_t)n : 0;
    return got == len;
}

int rv_enforce_probe_actions(void (*put)(void *context, const struct rv_enforce_action *action),
                             void *context)
{
    struct rv_enforce_action row;
    struct rv_sandbox sandbox = { 0 };
    int ends[2], status;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(probe(ends[1]));
    }
    close(ends[1]);
    if (child > 0 && read_whole(ends[0], sandbox.cgroup, sizeof(sandbox.cgroup)))
        while (read_whole(ends[0], &row, sizeof(row)))
            put(context, &row);
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -ECHILD;
    sandbox.cgroup[sizeof(sandbox.cgroup) - 1] = '\0';
    rv_sandbox_remove(sandbox.cgroup);
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}
