/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo: real behaviours of attackers, each with a harmless twin, in a sandbox, before an agent of
 * its own that watches only that sandbox. Prints what was seen, scored and decided, and how fast;
 * then the same with the policies enforced: what stopped it, and when. Exit status 0 only if every
 * behaviour was found, every one that is to be stopped was, and no twin was alerted on or harmed.
 *
 * usage: demo AGENT ACTS CASES_DIR POLICY_DIR
 */
#include "client.h"
#include "sandbox.h"

#include "base/clock.h"
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASES_MAX     64
#define SETTLE_MS     10000 /* at most, from the end of a case to its last outcome */
#define MARKER        "reeve-demo-marker"
#define READY_SECONDS 20

struct finding {
    uint64_t seen; /* outcomes of this half */
    uint64_t denied;
    int status;               /* exit status of the half; 128 and more: ended by a signal */
    uint64_t refused, acted;  /* before the fact; after it */
    uint64_t gone;            /* it had ended before it could be stopped */
    uint64_t asked, answered; /* actions that were decided; those of which the result is known */
    int64_t stopped_us;       /* from what happened to its first action; before the fact: 0 */
    char by[32], how[48];     /* mechanism, or what was done */
    bool expected;            /* one of the policies that the case names spoke */
    int64_t risk, latency_us;
    char policy[96], technique[32], respond[16];
};

struct demo {
    char scratch[64], cgroup[128];
    const char *agent, *acts, *cases, *policy;
    enum { DEMO_OBSERVE = 0, DEMO_ENFORCE } half;
    pid_t agent_pid;
    struct rv_client *client;
    bool colours;
    bool has_lsm; /* every refusal can be before the fact */
};

/* ---- Outcomes ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool named(const char *patterns, const char *policy)
{
    char words[256], *next = NULL;

    (void)snprintf(words, sizeof(words), "%s", patterns);
    for (char *word = strtok_r(words, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
        if (fnmatch(word, policy, 0) == 0)
            return true;
    }
    return false;
}

static void take_policy(struct finding *finding, const json_t *outcome, const json_t *policy,
                        const char *expect)
{
    bool wanted = named(expect, text_of(policy, "id"));

    if (finding->expected || (!wanted && finding->policy[0]))
        return;
    finding->expected = wanted;
    finding->latency_us = json_integer_value(json_object_get(outcome, "latency_us"));
    (void)snprintf(finding->policy, sizeof(finding->policy), "%s", text_of(policy, "id"));
    (void)snprintf(finding->technique, sizeof(finding->technique), "%s",
                   text_of(policy, "technique"));
    (void)snprintf(finding->respond, sizeof(finding->respond), "%s", text_of(policy, "respond"));
}

static void take_outcome(struct finding *finding, const json_t *outcome, const char *expect)
{
    const json_t *policies = json_object_get(outcome, "policies");
    int64_t risk = json_integer_value(json_object_get(outcome, "risk"));

    finding->seen++;
    if (getenv("REEVE_DEMO_VERBOSE"))
        fprintf(stderr, "  %s %s %s %s %s\n", text_of(outcome, "program"),
                text_of(json_object_get(outcome, "event"), "type"), text_of(outcome, "resource"),
                text_of(outcome, "decision"), text_of(json_object_get(outcome, "event"), "path"));
    if (risk > finding->risk)
        finding->risk = risk;
    if (!rv_streq(text_of(outcome, "decision"), "deny"))
        return;
    finding->denied++;
    for (size_t i = 0; i < json_array_size(policies); i++)
        take_policy(finding, outcome, json_array_get(policies, i), expect);
}

/** What was refused before the fact, or done after it. */
static void take_enforced(struct finding *finding, const json_t *line)
{
    const char *type = text_of(line, "enforced");

    if (rv_streq(type, "refusal") && rv_streq(text_of(line, "verdict"), "denied")) {
        if (finding->refused++ == 0)
            (void)snprintf(finding->by, sizeof(finding->by), "%s", text_of(line, "mechanism"));
    } else if (rv_streq(type, "action.result")) {
        finding->answered++;
        finding->gone += rv_streq(text_of(line, "outcome"), "gone");
        if (rv_streq(text_of(line, "outcome"), "done") && finding->acted++ == 0)
            finding->stopped_us = json_integer_value(json_object_get(line, "latency_us"));
    } else if (rv_streq(type, "action")) {
        if (finding->asked++ == 0)
            (void)snprintf(finding->how, sizeof(finding->how), "%s", text_of(line, "action"));
    }
}

/** A process that says "all before me has been seen" when it is seen itself. */
static void leave_marker(int cgroup_procs_fd)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (write(cgroup_procs_fd, "0", 1) == 1)
            execl("/bin/true", MARKER, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

static bool is_marker(const json_t *event)
{
    const char *word = json_string_value(json_array_get(json_object_get(event, "argv"), 0));

    return word && rv_streq(word, MARKER);
}

/** Read what the agent says of one cgroup, up to its marker. */
static int collect(struct demo *demo, uint64_t cgroup_id, const char *expect,
                   struct finding *finding)
{
    struct pollfd fd = { rv_client_fd(demo->client), POLLIN, 0 };
    bool ended = false;

    while (rv_client_pending(demo->client) || poll(&fd, 1, SETTLE_MS) > 0) {
        RV_AUTO(rv_json_freep) json_t *line = NULL;
        int r = rv_client_next(demo->client, &line, NULL);
        const json_t *event = json_object_get(line, "event");

        if (r < 0)
            return r;
        if (json_object_get(line, "enforced"))
            take_enforced(finding, line);
        if (ended && finding->answered >= finding->asked)
            return 0;
        if (json_object_get(line, "enforced"))
            continue;
        if ((uint64_t)json_integer_value(json_object_get(event, "cgroup_id")) != cgroup_id)
            continue;
        ended |= is_marker(event);
        if (ended && finding->answered >= finding->asked)
            return 0;
        take_outcome(finding, line, expect);
    }
    return -ETIMEDOUT;
}

/* ---- Cases ---- */

/** The text behind `# KEY: ` in a case's head. */
static int read_head(const char *dir, const char *name, const char *key, char *value, size_t room)
{
    char path[512], line[256], prefix[32];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)snprintf(prefix, sizeof(prefix), "# %s: ", key);
    file = fopen(path, "re");
    if (!file)
        return -errno;
    value[0] = '\0';
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, prefix, strlen(prefix)) == 0)
            (void)snprintf(value, room, "%s", line + strlen(prefix));
    }
    (void)fclose(file);
    return value[0] ? 0 : -ENOENT;
}

static int run_half(struct demo *demo, const char *name, const char *half, const char *expect,
                    struct finding *finding)
{
    RV_AUTO(rv_closep) int procs = -1;
    struct rv_demo_place place = {
        .scratch = demo->scratch, .cases = demo->cases, .acts = demo->acts, .cgroup_procs_fd = -1
    };
    struct stat status;
    char path[300];
    int r;

    (void)snprintf(path, sizeof(path), "%s/%.2s-%s", demo->cgroup, name, half);
    if (mkdir(path, 0755) < 0 || stat(path, &status) < 0)
        return -errno;
    (void)snprintf(path, sizeof(path), "%s/%.2s-%s/cgroup.procs", demo->cgroup, name, half);
    procs = open(path, O_WRONLY | O_CLOEXEC);
    if (procs < 0)
        return -errno;
    place.cgroup_procs_fd = procs;
    place.linger = demo->half == DEMO_ENFORCE;
    r = rv_demo_run(&place, name, half);
    if (r < 0)
        return r;
    finding->status = r;
    leave_marker(procs);
    return collect(demo, status.st_ino, expect, finding);
}

static const char *tint(const struct demo *demo, bool good)
{
    return !demo->colours ? "" : good ? "\033[32m" : "\033[1;31m";
}

static void print_row(const struct demo *demo, const char *title, const struct finding *attack,
                      const struct finding *twin)
{
    bool found = attack->expected, quiet = twin->denied == 0;
    const char *reset = demo->colours ? "\033[0m" : "";

    printf("%-46s %s%-7s%s %4" PRId64 " %-8s %-34s %-10s %7" PRId64 " %s%s%s\n", title,
           tint(demo, found),
           found            ? "found"
           : attack->denied ? "other"
                            : "MISSED",
           reset, attack->risk, attack->respond[0] ? attack->respond : "allow", attack->policy,
           attack->technique, attack->latency_us, tint(demo, quiet), quiet ? "quiet" : twin->policy,
           reset);
    fflush(stdout);
}

/** Whether the policies that spoke want the attack stopped, not only told of. */
static bool is_to_be_stopped(const struct finding *attack)
{
    return attack->respond[0] && !rv_streq(attack->respond, "alert");
}

static bool is_stopped(const struct finding *attack)
{
    return attack->refused > 0 || attack->acted > 0;
}

/** Answered, but over by then: only where nothing can refuse it before the fact is that all. */
static bool is_too_late(const struct demo *demo, const struct finding *attack)
{
    return !is_stopped(attack) && attack->gone > 0 && !demo->has_lsm;
}

static bool is_unharmed(const struct finding *twin)
{
    return twin->refused == 0 && twin->acted == 0 && twin->status < 128;
}

/** What became of the attack; `ret_good` whether that is what its policies ask for. */
static const char *fate_of(const struct demo *demo, const struct finding *attack, bool *ret_good)
{
    *ret_good = true;
    if (attack->refused > 0)
        return "refused";
    if (attack->acted > 0)
        return "ended";
    if (!is_to_be_stopped(attack))
        return "told of";
    *ret_good = is_too_late(demo, attack);
    return *ret_good ? "too late" : "RAN";
}

/** @return whether the attack was answered as its policies ask and the twin left unharmed. */
static bool print_enforced(const struct demo *demo, const char *title, const struct finding *attack,
                           const struct finding *twin)
{
    bool good = false, unharmed = is_unharmed(twin);
    const char *reset = demo->colours ? "\033[0m" : "";
    const char *fate = fate_of(demo, attack, &good);
    char when[32] = "-";

    if (attack->refused > 0)
        (void)snprintf(when, sizeof(when), "before");
    else if (attack->acted > 0)
        (void)snprintf(when, sizeof(when), "%" PRId64 " us", attack->stopped_us);
    printf("%-46s %s%-8s%s %-12s %10s  %s%s%s\n", title, tint(demo, good), fate, reset,
           attack->refused > 0                     ? attack->by
           : attack->acted > 0 || attack->gone > 0 ? attack->how
                                                   : "-",
           when, tint(demo, unharmed), unharmed ? "unharmed" : "HARMED", reset);
    fflush(stdout);
    return good && unharmed;
}

/** @return 1 when both halves did as they should, 0 when not, -errno. */
static int run_case(struct demo *demo, const char *name)
{
    struct finding attack = { 0 }, twin = { 0 };
    char title[128], expect[256];
    int r = read_head(demo->cases, name, "title", title, sizeof(title));

    if (r == 0)
        r = read_head(demo->cases, name, "expect", expect, sizeof(expect));
    if (r == 0)
        r = run_half(demo, name, "attack", expect, &attack);
    if (r == 0)
        r = run_half(demo, name, "twin", expect, &twin);
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", name, strerror(-r));
        return r;
    }
    if (demo->half == DEMO_ENFORCE)
        return print_enforced(demo, title, &attack, &twin);
    print_row(demo, title, &attack, &twin);
    return attack.expected && twin.denied == 0 && twin.seen > 0;
}

static int is_case(const struct dirent *entry)
{
    return fnmatch("[0-9][0-9]-*.sh", entry->d_name, 0) == 0;
}

static void print_heading(const struct demo *demo)
{
    if (demo->half == DEMO_ENFORCE)
        printf("%-46s %-8s %-12s %10s  %s\n", "BEHAVIOUR", "STOPPED", "BY", "WHEN", "TWIN");
    else
        printf("%-46s %-7s %4s %-8s %-34s %-10s %7s %s\n", "BEHAVIOUR", "SEEN", "RISK", "DECISION",
               "POLICY", "TECHNIQUE", "us", "TWIN");
}

static int run_cases(struct demo *demo)
{
    struct dirent **entries = NULL;
    int count = scandir(demo->cases, &entries, is_case, alphasort), good = 0, r = 0;

    if (count < 0)
        return -errno;
    print_heading(demo);
    for (int i = 0; i < count; i++) {
        if (r >= 0)
            r = run_case(demo, entries[i]->d_name);
        good += r == 1;
        free(entries[i]);
    }
    free(entries);
    if (r < 0)
        return r;
    printf(demo->half == DEMO_ENFORCE
               ? "\n%d of %d behaviours answered as their policies ask, with their twins unharmed\n"
               : "\n%d of %d behaviours found with their twins left alone\n",
           good, count);
    return good == count && count >= 12 ? 0 : 1;
}

/* ---- The agent ---- */

static int find_cgroup(struct demo *demo)
{
    static const char *const roots[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

    for (size_t i = 0; i < RV_COUNT(roots); i++) {
        char probe[128];

        (void)snprintf(probe, sizeof(probe), "%s/cgroup.procs", roots[i]);
        (void)snprintf(demo->cgroup, sizeof(demo->cgroup), "%s/reeve-demo-%d", roots[i],
                       (int)getpid());
        if (access(probe, W_OK) == 0 && mkdir(demo->cgroup, 0755) == 0)
            return 0;
    }
    demo->cgroup[0] = '\0';
    fprintf(stderr, "no cgroup v2 file system is mounted where the demo could make a group\n");
    return -ENOENT;
}

static void exec_agent(const struct demo *demo)
{
    char runtime[128], state[128], scope[192], policy[512];

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    (void)snprintf(runtime, sizeof(runtime), "runtime_dir=%s/run", demo->scratch);
    (void)snprintf(state, sizeof(state), "state_dir=%s/state", demo->scratch);
    (void)snprintf(scope, sizeof(scope), "scope.cgroup=%s", demo->cgroup);
    (void)snprintf(policy, sizeof(policy), "policy=%s", demo->policy);
    execl(demo->agent, "reeve-agent", "--set", runtime, "--set", state, "--set", scope, "--set",
          policy, "--set", demo->half == DEMO_ENFORCE ? "mode=enforce" : "mode=observe", "--set",
          "late.response=kill", "--set",
          getenv("REEVE_DEMO_VERBOSE") ? "log_level=debug" : "log_level=notice", "--set",
          "budget.actions=1000", (char *)NULL);
    fprintf(stderr, "cannot run %s: %s\n", demo->agent, strerror(errno));
    _exit(127);
}

static int wait_ready(struct demo *demo)
{
    RV_AUTO(rv_json_freep) json_t *request = json_pack("{ss}", "request", "watch");
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/run/control.sock", demo->scratch);
    for (int i = 0; i < READY_SECONDS * 20; i++) {
        RV_AUTO(rv_json_freep) json_t *line = NULL;

        if (waitpid(demo->agent_pid, NULL, WNOHANG) != 0) {
            demo->agent_pid = 0;
            return -ECHILD;
        }
        usleep(50000);
        if (access(path, F_OK) < 0)
            continue;
        if (rv_client_open(&demo->client, path, request) == 0)
            return rv_client_next(demo->client, &line, NULL);
    }
    return -ETIMEDOUT;
}

/** Rules take a while to be put in place: programs are loaded and files looked for. */
static int wait_enforcing(struct demo *demo)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/run/control.sock", demo->scratch);
    for (int i = 0; i < READY_SECONDS * 20; i++) {
        RV_AUTO(rv_json_freep) json_t *status = NULL;
        const json_t *enforcement;

        if (rv_client_ask(path, json_pack("{ss}", "request", "status"), &status, NULL) < 0)
            return -EPIPE;
        enforcement = json_object_get(status, "enforcement");
        if (json_integer_value(json_object_get(enforcement, "rules")) > 0) {
            RV_AUTO(rv_freep) char *by = json_dumps(json_object_get(enforcement, "mechanisms"), 0);

            demo->has_lsm = by && strstr(by, "bpf-lsm");
            return 0;
        }
        usleep(50000);
    }
    return -ETIMEDOUT;
}

static int start_agent(struct demo *demo)
{
    int r;

    demo->agent_pid = fork();
    if (demo->agent_pid < 0)
        return -errno;
    if (demo->agent_pid == 0)
        exec_agent(demo);
    r = wait_ready(demo);
    if (r == 0 && demo->half == DEMO_ENFORCE)
        r = wait_enforcing(demo);
    if (r < 0)
        fprintf(stderr, "the agent did not come up: %s\n", strerror(-r));
    return r;
}

static void remove_tree(const char *path)
{
    pid_t pid = fork();

    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--one-file-system", path, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

static void remove_cgroups(const struct demo *demo)
{
    DIR *dir = demo->cgroup[0] ? opendir(demo->cgroup) : NULL;
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
    (void)rmdir(demo->cgroup);
}

static void stop_agent(struct demo *demo)
{
    rv_client_free(&demo->client);
    if (demo->agent_pid > 0) {
        (void)kill(demo->agent_pid, SIGTERM);
        (void)waitpid(demo->agent_pid, NULL, 0);
    }
    demo->agent_pid = 0;
}

/** Both halves of the demo: seen and told of, then stopped. @return as run_cases(). */
static int run_both(struct demo *demo)
{
    int seen, stopped = 0;

    seen = start_agent(demo);
    if (seen == 0)
        seen = run_cases(demo);
    stop_agent(demo);
    if (seen < 0)
        return seen;
    printf("\nThe same again, enforced by what this machine has:\n\n");
    remove_cgroups(demo);
    demo->half = DEMO_ENFORCE;
    stopped = mkdir(demo->cgroup, 0755) < 0 ? -errno : start_agent(demo);
    if (stopped == 0)
        stopped = run_cases(demo);
    return stopped < 0 ? stopped : seen || stopped;
}

static void demo_done(struct demo *demo)
{
    stop_agent(demo);
    remove_cgroups(demo);
    if (!getenv("REEVE_DEMO_KEEP")) /* for whoever looks into a failure */
        remove_tree(demo->scratch);
}

int main(int argc, char **argv)
{
    struct demo demo = { .scratch = "/tmp/reeve-demo-XXXXXX" };
    int r;

    if (argc != 5 || geteuid() != 0) {
        fprintf(stderr,
                "The demo needs root, for its sandbox and the agent: run 'sudo make demo'.\n");
        return 2;
    }
    demo.agent = argv[1];
    demo.acts = argv[2];
    demo.cases = argv[3];
    demo.policy = argv[4];
    demo.colours = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (!mkdtemp(demo.scratch))
        return 2;
    (void)chmod(demo.scratch, 0755);
    r = find_cgroup(&demo);
    if (r == 0)
        r = run_both(&demo);
    demo_done(&demo);
    return r < 0 ? 2 : r;
}
