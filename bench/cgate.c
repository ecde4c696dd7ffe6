/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connect costs with rules at cgroup hooks, and without.
 *   bench_cgate [ROUNDS]
 * Loads, each in a child in a cgroup and a network namespace of the benchmark's own:
 *   udp-connect  connect of a datagram socket: the system call and hardly anything else
 *   udp-send     a datagram that names its peer, to a socket that nobody reads
 *   tcp-connect  socket, connect, close against a listener on loopback
 * Against: hooks without a rule about connects; 64 rules of which none matches, asking for address,
 * port, user and program; and 64 with a lineage each. One JSON line a pair. `ratio` is the median
 * over rounds of processor time with / without in the same round; the order changes from round to
 * round.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "enforce/cgate.h"

#include "act/cgroup.h"

#define ROUNDS_MAX 101
#define PORT       7001
#define LEASE_MS   3600000

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* ---- Loads ---- */
static int udp_connect(size_t count)
{
    struct sockaddr_in to = loopback(PORT);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    for (size_t i = 0; i < count; i++)
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
            return 1;
    return 0;
}

static int udp_send(size_t count)
{
    struct sockaddr_in to = loopback(PORT);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    for (size_t i = 0; i < count; i++)
        if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
            return 1;
    return 0;
}

static int tcp_connect(size_t count)
{
    struct sockaddr_in to = loopback(PORT);
    const struct linger at_once = { .l_onoff = 1 }; /* no port is left waiting */

    for (size_t i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0)
            return 1;
        close(fd);
    }
    return 0;
}

static const struct load {
    const char *name;
    int (*run)(size_t count);
    size_t count;
} loads[] = {
    { "udp-connect", udp_connect, 100000 },
    { "udp-send", udp_send, 50000 },
    { "tcp-connect", tcp_connect, 5000 },
};

/* ---- Rules ---- */
static void add_term(struct rv_rule *rule, uint8_t subject, uint64_t number, const char *text)
{
    struct rv_rule_term *term = &rule->terms[rule->term_count++];

    *term = (struct rv_rule_term){ .subject = subject, .number = number };
    (void)snprintf(term->text, sizeof(term->text), "%s", text);
}

static size_t no_rules(struct rv_rule *rules)
{
    (void)rules;
    return 0;
}

/** None holds, and only the last term of each says so. */
static size_t many_rules(struct rv_rule *rules)
{
    for (size_t i = 0; i < RV_RULES_MAX; i++) {
        rules[i] =
            (struct rv_rule){ .actions = RV_DO_CONNECT, .risk_max = 1000, .mode = RV_RULE_ENFORCE };
        add_term(&rules[i], RV_TERM_ADDRESS, 0, "127.0.0.0/8");
        add_term(&rules[i], RV_TERM_PORT, PORT, "");
        add_term(&rules[i], RV_TERM_UID, 0, "");
        add_term(&rules[i], RV_TERM_PROGRAM, 0, "/no-such-program");
    }
    return RV_RULES_MAX;
}

static size_t lineage_rules(struct rv_rule *rules)
{
    for (size_t i = 0; i < RV_RULES_MAX; i++) {
        char path[32];

        rules[i] =
            (struct rv_rule){ .actions = RV_DO_CONNECT, .risk_max = 1000, .mode = RV_RULE_ENFORCE };
        (void)snprintf(path, sizeof(path), "/no-such-%zu", i);
        add_term(&rules[i], RV_TERM_LINEAGE, 0, path);
    }
    return RV_RULES_MAX;
}

static const struct {
    const char *name;
    size_t (*make)(struct rv_rule *rules);
} sets[] = {
    { "none", no_rules },
    { "64", many_rules },
    { "64-lineage", lineage_rules },
};

/* ---- Measuring ---- */
static char cgroup[192];

/** Of this process, the kernel's part included: others on the machine do not count. */
static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/** Processor time of an operation, in a child in the cgroup; 0 when it failed. */
static double time_load(const struct load *load)
{
    double *ns = mmap(NULL, sizeof(*ns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 1;
    double result;
    pid_t child = ns == MAP_FAILED ? -1 : fork();

    if (child == 0) {
        double start;

        if (rv_knob_write(cgroup, "cgroup.procs", "0") < 0 || load->run(load->count / 10) != 0)
            _exit(1);
        start = cpu_ns();
        if (load->run(load->count) != 0)
            _exit(1);
        *ns = (cpu_ns() - start) / (double)load->count;
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return 0;
    result = *ns;
    (void)munmap(ns, sizeof(*ns));
    return result;
}

static double time_with(const struct load *load, struct rv_rule *rules, size_t count)
{
    const struct rv_rule_settings settings = { 0 };
    struct rv_cgate *cgate = NULL;
    uint64_t carried;
    size_t at;
    double ns = 0;

    if (rv_cgate_open(&cgate, cgroup) == 0 &&
        rv_cgate_swap(cgate, rules, count, &settings, &carried, &at) == 0) {
        rv_cgate_renew(cgate, LEASE_MS);
        ns = time_load(load);
    }
    rv_cgate_close(&cgate);
    return ns;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static int measure(const struct load *load, size_t set, size_t rounds)
{
    RV_AUTO(rv_freep) struct rv_rule *rules = calloc(RV_RULES_MAX, sizeof(*rules));
    double without[ROUNDS_MAX], with[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t count;

    if (!rules)
        return 1;
    count = sets[set].make(rules);
    for (size_t i = 0; i < rounds; i++) {
        for (size_t half = 0; half < 2; half++)
            if ((i + half) % 2)
                with[i] = time_with(load, rules, count);
            else
                without[i] = time_load(load);
        if (with[i] <= 0 || without[i] <= 0)
            return 1;
        ratio[i] = with[i] / without[i];
    }
    printf("{\"bench\":\"cgate\",\"load\":\"%s\",\"rules\":\"%s\",\"rounds\":%zu,"
           "\"without_ns\":%.0f,\"with_ns\":%.0f,\"ratio\":%.3f}\n",
           load->name, sets[set].name, rounds, median(without, rounds), median(with, rounds),
           median(ratio, rounds));
    (void)fflush(stdout);
    return 0;
}

/* ---- The scene ---- */
static pid_t serve(void)
{
    struct sockaddr_in at = loopback(PORT);
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    if (bind(tcp, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(tcp, 4096) < 0 ||
        bind(udp, (struct sockaddr *)&at, sizeof(at)) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        for (;;)
            close(accept(tcp, NULL, NULL));
    close(tcp);
    return pid;
}

static int set_up(void)
{
    struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    char root[128];
    int fd;

    if (rv_cgroup_root(root, sizeof(root)) < 0 || unshare(CLONE_NEWNET) < 0)
        return -1;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(cgroup, sizeof(cgroup), "%s/reeve-bench-%d", root, getpid());
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up) < 0 || mkdir(cgroup, 0700) < 0)
        return -1;
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 11;
    int failed = 0;
    pid_t server;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        return 2;
    if (set_up() < 0) {
        printf(
            "{\"bench\":\"cgate\",\"skipped\":\"no cgroup v2 folder or no network namespace\"}\n");
        return 0;
    }
    server = serve();
    for (size_t i = 0; server > 0 && i < RV_COUNT(loads); i++)
        for (size_t set = 0; set < RV_COUNT(sets); set++)
            failed |= measure(&loads[i], set, rounds);
    if (server > 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
    }
    for (int i = 0; i < 100 && rmdir(cgroup) < 0 && errno == EBUSY; i++)
        usleep(10000);
    return failed || server <= 0;
}
