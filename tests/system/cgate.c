/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup-BPF rules on a real kernel, in a cgroup and a network namespace of the test's own: each
 * action allows, denies and observes; each term; ways around; lease, budget, grant, swap. Runs on
 * the machine and, by tests/vm, on Debian's kernels. A way around counts only if it works without
 * the rule.
 */
#include "test.h"

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "enforce/act.h"
#include "enforce/cgate.h"

#include "cgate/cgate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT       7001
#define OTHER_PORT 7002
#define LEASE_MS   600000
#define NOT_HERE   125 /* exit status: the kernel has no such thing */

static struct rv_cgate *cgate;
static char root[128], box[192], inner[224], crowd[224]; /* cgroups: v2's root, ours, in it */
static char folder[64], unix_path[96], program[96];
static bool in_vm;

/* ---- Attempts: each runs in a child that has joined the cgroup; 0 or errno ---- */

static int result(long r)
{
    return r < 0 ? errno : 0;
}

static struct sockaddr_in v4(const char *address, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    return to;
}

static struct sockaddr_in6 v6(const char *address, uint16_t port)
{
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    assert_int_equal(inet_pton(AF_INET6, address, &to.sin6_addr), 1);
    return to;
}

static int missing(int error)
{
    return error == EPROTONOSUPPORT || error == EAFNOSUPPORT || error == ESOCKTNOSUPPORT ||
                   error == ENOSYS || error == ENOPROTOOPT || error == EADDRNOTAVAIL
               ? NOT_HERE
               : error;
}

static int connect_by(int family, int type, int protocol, const void *to, socklen_t len)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    int r;

    if (fd < 0)
        return missing(errno);
    r = result(connect(fd, to, len));
    close(fd);
    return missing(r);
}

static int connect4(const char *address, uint16_t port)
{
    struct sockaddr_in to = v4(address, port);

    return connect_by(AF_INET, SOCK_STREAM, 0, &to, sizeof(to));
}

static int connect6(const char *address, uint16_t port)
{
    struct sockaddr_in6 to = v6(address, port);

    return connect_by(AF_INET6, SOCK_STREAM, 0, &to, sizeof(to));
}

static int tcp4(void)
{
    return connect4("127.0.0.1", PORT);
}

static int tcp4_other_port(void)
{
    return connect4("127.0.0.1", OTHER_PORT);
}

static int tcp4_other_address(void)
{
    return connect4("127.1.2.3", PORT);
}

static int tcp4_any(void)
{
    return connect4("0.0.0.0", PORT);
}

/* Bound first, "any" is that address. */
static int tcp4_any_bound(void)
{
    struct sockaddr_in from = v4("127.0.0.1", 0), to = v4("0.0.0.0", PORT);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0
                ? errno
                : result(connect(fd, (struct sockaddr *)&to, sizeof(to)));

    close(fd);
    return r;
}

static int tcp6(void)
{
    return connect6("::1", PORT);
}

static int tcp6_any(void)
{
    return connect6("::", PORT);
}

static int tcp6_mapped(void)
{
    return connect6("::ffff:127.0.0.1", PORT);
}

static int tcp6_mapped_any(void)
{
    return connect6("::ffff:0.0.0.0", PORT);
}

/* "::" from a socket that is bound to a mapped address is 127.0.0.1. */
static int tcp6_any_bound_mapped(void)
{
    struct sockaddr_in6 from = v6("::ffff:127.0.0.1", 0), to = v6("::", PORT);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0
                ? errno
                : result(connect(fd, (struct sockaddr *)&to, sizeof(to)));

    close(fd);
    return missing(r);
}

static int tcp_fast_open(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = result(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)));

    close(fd);
    return r == EOPNOTSUPP ? NOT_HERE : r;
}

static int mptcp(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);

    return connect_by(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */, &to, sizeof(to));
}

static int sctp(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    int r = connect_by(AF_INET, SOCK_STREAM, IPPROTO_SCTP, &to, sizeof(to));

    return r == ECONNREFUSED ? 0 : r; /* it got out */
}

static int udp4_connect(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);

    return connect_by(AF_INET, SOCK_DGRAM, 0, &to, sizeof(to));
}

static int udp_lite(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);

    return connect_by(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, &to, sizeof(to));
}

static int send_by(int family, int protocol, const void *to, socklen_t len)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
    int r;

    if (fd < 0)
        return missing(errno);
    r = result(sendto(fd, "x", 1, 0, to, len));
    close(fd);
    return missing(r);
}

static int udp4(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);

    return send_by(AF_INET, 0, &to, sizeof(to));
}

static int udp4_any(void)
{
    struct sockaddr_in to = v4("0.0.0.0", PORT);

    return send_by(AF_INET, 0, &to, sizeof(to));
}

static int udp_lite_send(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    int r = send_by(AF_INET, IPPROTO_UDPLITE, &to, sizeof(to));

    return r == ECONNREFUSED ? 0 : r;
}

/* AF_UNSPEC in the address counts as AF_INET for a datagram. */
static int udp4_unspecified(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);

    to.sin_family = AF_UNSPEC;
    return send_by(AF_INET, 0, &to, sizeof(to));
}

static int udp6(void)
{
    struct sockaddr_in6 to = v6("::1", PORT);

    return send_by(AF_INET6, 0, &to, sizeof(to));
}

static int udp6_mapped(void)
{
    struct sockaddr_in6 to = v6("::ffff:127.0.0.1", PORT);

    return send_by(AF_INET6, 0, &to, sizeof(to));
}

/* An IPv4 address for an IPv6 socket. */
static int udp6_to_v4(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);

    return send_by(AF_INET6, 0, &to, sizeof(to));
}

static int udp4_many(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    char byte = 'x';
    struct iovec data = { &byte, 1 };
    struct mmsghdr messages[2] = {
        { .msg_hdr = { .msg_name = &to,
                       .msg_namelen = sizeof(to),
                       .msg_iov = &data,
                       .msg_iovlen = 1 } },
        { .msg_hdr = { .msg_name = &to,
                       .msg_namelen = sizeof(to),
                       .msg_iov = &data,
                       .msg_iovlen = 1 } },
    };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = result(sendmmsg(fd, messages, 2, 0));

    close(fd);
    return r;
}

/* On a datagram socket that is connected elsewhere, a named peer comes first. */
static int udp4_connected_elsewhere(void)
{
    struct sockaddr_in there = v4("127.0.0.1", OTHER_PORT), to = v4("127.0.0.1", PORT);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0
                ? errno
                : result(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));

    close(fd);
    return r;
}

/** One operation of io_uring, waited for. Its result: 0 or errno. */
static int uring(const struct io_uring_sqe *what)
{
    struct io_uring_params params = { 0 };
    int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    uint8_t *rings, *sqes;
    uint32_t *array, *tail;
    const struct io_uring_cqe *cqe;

    if (ring < 0)
        return errno == EPERM ? NOT_HERE : missing(errno);
    rings = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (rings == MAP_FAILED || sqes == MAP_FAILED)
        return NOT_HERE;
    memcpy(sqes, what, sizeof(*what));
    array = (uint32_t *)(void *)(rings + params.sq_off.array);
    tail = (uint32_t *)(void *)(rings + params.sq_off.tail);
    array[0] = 0;
    __atomic_store_n(tail, 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return errno;
    cqe = (const struct io_uring_cqe *)(const void *)(rings + params.cq_off.cqes);
    return cqe->res < 0 ? -cqe->res : 0;
}

static int uring_connect(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT,
                                .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                .addr = (uintptr_t)&to,
                                .off = sizeof(to) };

    return uring(&sqe);
}

static int uring_send(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    char byte = 'x';
    struct iovec data = { &byte, 1 };
    struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1
    };
    struct io_uring_sqe sqe = { .opcode = IORING_OP_SENDMSG,
                                .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                                .addr = (uintptr_t)&message,
                                .len = 1 };

    return uring(&sqe);
}

#if defined(__x86_64__)
static int connect_32bit(void)
{
    struct sockaddr_in *to =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long r;

    *to = v4("127.0.0.1", PORT);
    __asm__ volatile("int $0x80" /* connect of i386 */
                     : "=a"(r)
                     : "a"(362L), "b"((long)fd), "c"(to), "d"(sizeof(*to))
                     : "memory", "r8", "r9", "r10", "r11");
    close(fd);
    return r < 0 ? missing((int)-r) : 0;
}
#else
static int connect_32bit(void)
{
    return NOT_HERE;
}
#endif

/* A network of one's own still is this cgroup's. */
static int connect_in_new_namespaces(void)
{
    int r;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return NOT_HERE;
    r = tcp4();
    return r == ENETUNREACH || r == ECONNREFUSED ? 0
                                                 : r; /* nothing stopped it but the new network */
}

static void join(const char *cgroup)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(99);
    close(fd);
}

/* The socket was made here, the process has left. */
static int connect_after_leaving(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    join(root);
    return result(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

/* What a socket passed in from elsewhere is. */
static int connect_with_foreign_socket(void)
{
    struct sockaddr_in to = v4("127.0.0.1", PORT);
    int fd;

    join(root);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    join(box);
    return result(connect(fd, (struct sockaddr *)&to, sizeof(to)));
}

static int unix_to(const char *name, size_t name_len, int type)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_len);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), r;

    memcpy(to.sun_path, name, name_len);
    r = type == SOCK_DGRAM ? result(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, len))
                           : result(connect(fd, (struct sockaddr *)&to, len));
    close(fd);
    return r;
}

static int unix_stream(void)
{
    return unix_to(unix_path, strlen(unix_path) + 1, SOCK_STREAM);
}

static int unix_abstract(void)
{
    return unix_to("\0reeve-cgate", 12, SOCK_STREAM);
}

static int unix_datagram(void)
{
    return unix_to("\0reeve-cgate-datagram", 21, SOCK_DGRAM);
}

static int make_raw(void)
{
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    int r = result(fd);

    close(fd);
    return r;
}

static int send_raw(void)
{
    struct sockaddr_in to = v4("127.0.0.1", 0);
    uint8_t datagram[9] = {
        OTHER_PORT >> 8, OTHER_PORT & 255, PORT >> 8, PORT & 255, 0, 9, 0, 0, 'x'
    };
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), r;

    if (fd < 0)
        return errno;
    r = result(sendto(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&to, sizeof(to)));
    close(fd);
    return r;
}

static int make_packet(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0800));
    int r = result(fd);

    close(fd);
    return missing(r);
}

static int make_udp(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = result(fd);

    close(fd);
    return r;
}

static int bind_by(int family, const void *at, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return missing(errno);
    r = result(bind(fd, at, len));
    close(fd);
    return missing(r);
}

static int bind4(void)
{
    struct sockaddr_in at = v4("127.0.0.1", 7010);

    return bind_by(AF_INET, &at, sizeof(at));
}

static int bind4_any(void)
{
    struct sockaddr_in at = v4("0.0.0.0", 7010);

    return bind_by(AF_INET, &at, sizeof(at));
}

static int bind6(void)
{
    struct sockaddr_in6 at = v6("::1", 7010);

    return bind_by(AF_INET6, &at, sizeof(at));
}

static int bind6_mapped(void)
{
    struct sockaddr_in6 at = v6("::ffff:127.0.0.1", 7010);

    return bind_by(AF_INET6, &at, sizeof(at));
}

/* ---- Running them ---- */

static int wait_for(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int attempt_in(const char *cgroup, int (*what)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        join(cgroup);
        _exit(what());
    }
    return wait_for(pid);
}

static int attempt(int (*what)(void))
{
    return attempt_in(box, what);
}

static int as_user_7(void)
{
    if (setresgid(7, 7, 7) < 0 || setresuid(7, 7, 7) < 0)
        return 98;
    return tcp4();
}

static int as_effective_user_7(void)
{
    if (setresuid(0, 7, 0) < 0)
        return 98;
    return tcp4();
}

/** The copy of ourselves at `path` makes the attempt. */
static int by_program(const char *path)
{
    if (access(path, X_OK) < 0)
        return 97;
    execl(path, path, "--tcp4", (char *)NULL);
    return 96;
}

static int by_named_program(void)
{
    return by_program(program);
}

static int by_named_program_as_user_7(void)
{
    if (setresgid(7, 7, 7) < 0 || setresuid(7, 7, 7) < 0)
        return 98;
    return by_program(program);
}

/** The named program starts us, and is dead when we make the attempt. */
static int by_orphan_of_program(void)
{
    int ends[2], status = 95;
    pid_t pid;

    if (pipe(ends) < 0)
        return 94;
    pid = fork();
    if (pid == 0) {
        char number[16], self[256] = "";

        (void)snprintf(number, sizeof(number), "%d", ends[1]);
        (void)!readlink("/proc/self/exe", self, sizeof(self) - 1);
        execl(program, program, "--orphan", number, self, (char *)NULL);
        _exit(96);
    }
    close(ends[1]);
    (void)waitpid(pid, NULL, 0);
    if (read(ends[0], &status, sizeof(status)) != sizeof(status))
        status = 93;
    return status;
}

/* ---- Rules ---- */

static struct rv_rule rules[RV_RULES_MAX + 1];
static struct rv_rule_settings settings;

static struct rv_rule *rule(size_t at, uint32_t actions)
{
    rules[at] = (struct rv_rule){ .policy = (uint32_t)(100 + at),
                                  .actions = actions,
                                  .risk_max = 1000,
                                  .mode = RV_RULE_ENFORCE };
    return &rules[at];
}

static void number_term(struct rv_rule *to, uint8_t subject, uint64_t number, uint8_t negated)
{
    to->terms[to->term_count++] =
        (struct rv_rule_term){ .subject = subject, .negated = negated, .number = number };
}

static void text_term(struct rv_rule *to, uint8_t subject, const char *text, uint8_t negated)
{
    struct rv_rule_term *term = &to->terms[to->term_count++];

    *term = (struct rv_rule_term){ .subject = subject, .negated = negated };
    (void)snprintf(term->text, sizeof(term->text), "%s", text);
}

static uint64_t put(size_t count)
{
    uint64_t carried = 0;
    size_t at = 0;
    int r = rv_cgate_swap(cgate, rules, count, &settings, &carried, &at);

    if (r < 0)
        fail_msg("rule %zu: %s", at, strerror(-r));
    rv_cgate_renew(cgate, LEASE_MS);
    return carried;
}

static struct rv_rule *loopback(size_t at)
{
    struct rv_rule *it = rule(at, RV_DO_CONNECT);

    text_term(it, RV_TERM_ADDRESS, "127.0.0.0/8", 0);
    text_term(it, RV_TERM_ADDRESS, "::1", 0);
    return it;
}

static uint64_t count_of(size_t at, enum rv_refusal verdict)
{
    struct rv_rule_counts counts;

    rv_assert_ok(rv_cgate_rule_counts(cgate, at, &counts));
    return counts.by[verdict];
}

struct seen {
    struct rv_refusal_record last;
    size_t records;
    uint64_t decisions, digest;
};

static int see(void *context, const struct rv_refusal_record *record)
{
    struct seen *seen = context;

    if (seen->digest && record->digest != seen->digest)
        return 0; /* what an earlier test left over */
    seen->last = *record;
    seen->records++;
    seen->decisions += 1 + record->repeats;
    return 0;
}

/* ---- Tests ---- */

/** Stopped, or let pass with the reason in docs/THREATS.md. */
enum answer { STOPPED, PASSES };
static const struct way {
    const char *name;
    int (*attempt)(void);
    enum answer answer;
} ways[] = {
    { "connect", tcp4, STOPPED },
    { "another address of the prefix", tcp4_other_address, STOPPED },
    { "connect to any", tcp4_any, STOPPED },
    { "connect to any, bound", tcp4_any_bound, STOPPED },
    { "IPv6", tcp6, STOPPED },
    { "IPv6 any", tcp6_any, STOPPED },
    { "IPv4-mapped IPv6", tcp6_mapped, STOPPED },
    { "IPv4-mapped any", tcp6_mapped_any, STOPPED },
    { "IPv6 any, bound to a mapped address", tcp6_any_bound_mapped, STOPPED },
    { "TCP fast open", tcp_fast_open, STOPPED },
    { "MPTCP", mptcp, STOPPED },
    { "UDP connect", udp4_connect, STOPPED },
    { "UDP-Lite connect", udp_lite, PASSES },
    { "UDP-Lite without connect", udp_lite_send, STOPPED },
    { "UDP without connect", udp4, STOPPED },
    { "UDP to any", udp4_any, STOPPED },
    { "UDP, AF_UNSPEC", udp4_unspecified, STOPPED },
    { "UDP, IPv6", udp6, STOPPED },
    { "UDP, IPv4-mapped", udp6_mapped, STOPPED },
    { "UDP, IPv4 address on an IPv6 socket", udp6_to_v4, STOPPED },
    { "UDP, connected elsewhere", udp4_connected_elsewhere, STOPPED },
    { "sendmmsg", udp4_many, STOPPED },
    { "io_uring connect", uring_connect, STOPPED },
    { "io_uring sendmsg", uring_send, STOPPED },
    { "32-bit connect", connect_32bit, STOPPED },
    { "new user and network namespace", connect_in_new_namespaces, STOPPED },
    { "leaving the cgroup with a socket made in it", connect_after_leaving, STOPPED },
    { "a socket made outside the cgroup", connect_with_foreign_socket, PASSES },
    { "SCTP", sctp, PASSES },
    { "raw socket", send_raw, PASSES },
    { "packet socket", make_packet, PASSES },
    { "unix socket", unix_stream, PASSES },
};

static void ways_around_an_address_rule(void **state)
{
    size_t stopped = 0, passed = 0;

    put(0);
    for (size_t i = 0; i < RV_COUNT(ways); i++) {
        int before = attempt(ways[i].attempt), now;

        if (before == NOT_HERE) {
            print_message("# way: %-45s not in this kernel\n", ways[i].name);
            continue;
        }
        if (before != 0)
            fail_msg("%s: without a rule: %s", ways[i].name, strerror(before));
        loopback(0);
        put(1);
        now = attempt(ways[i].attempt);
        put(0);
        print_message("# way: %-45s %s\n", ways[i].name, now == EPERM ? "stopped" : "passes");
        if (now != (ways[i].answer == STOPPED ? EPERM : 0))
            fail_msg("%s: with the rule: %s", ways[i].name, strerror(now));
        stopped += now == EPERM;
        passed += now == 0;
    }
    print_message("# ways around an address rule: %zu stopped, %zu pass as documented\n", stopped,
                  passed);
}

static void a_socket_made_outside_is_seen_from_the_root(void **state)
{
    struct rv_cgate *of_box = cgate;
    struct stat st;

    cgate = NULL;
    rv_assert_ok(rv_cgate_open(&cgate, root));
    assert_int_equal(stat(box, &st), 0);
    number_term(loopback(0), RV_TERM_WORKLOAD, st.st_ino, 0);
    put(1);
    assert_int_equal(attempt(connect_with_foreign_socket), EPERM);
    assert_int_equal(attempt_in(inner, tcp4), EPERM);
    assert_int_equal(attempt_in(root, tcp4), 0);
    assert_int_equal(attempt(connect_after_leaving), 0); /* who has left is of another workload */
    rv_cgate_close(&cgate);
    cgate = of_box;
}

struct term_case {
    const char *name;
    int (*attempt)(void);
    uint32_t actions;
    uint8_t subject, negated;
    uint64_t number;
    const char *text;
    int expected;
};

static void each_term_holds_and_does_not(void **state)
{
    const struct term_case cases[] = {
        { "port", tcp4, RV_DO_CONNECT, RV_TERM_PORT, 0, PORT, NULL, EPERM },
        { "other port", tcp4_other_port, RV_DO_CONNECT, RV_TERM_PORT, 0, PORT, NULL, 0 },
        { "not port", tcp4, RV_DO_CONNECT, RV_TERM_PORT, 1, PORT, NULL, 0 },
        { "not other port", tcp4_other_port, RV_DO_CONNECT, RV_TERM_PORT, 1, PORT, NULL, EPERM },
        { "address", tcp4, RV_DO_CONNECT, RV_TERM_ADDRESS, 0, 0, "127.0.0.1", EPERM },
        { "other address", tcp4_other_address, RV_DO_CONNECT, RV_TERM_ADDRESS, 0, 0, "127.0.0.1",
          0 },
        { "not address", tcp4, RV_DO_CONNECT, RV_TERM_ADDRESS, 1, 0, "127.0.0.0/8", 0 },
        { "not other address", tcp6, RV_DO_CONNECT, RV_TERM_ADDRESS, 1, 0, "127.0.0.0/8", EPERM },
        { "::/0 is not IPv4", tcp4, RV_DO_CONNECT, RV_TERM_ADDRESS, 0, 0, "::/0", 0 },
        { "::/0 is IPv6", tcp6, RV_DO_CONNECT, RV_TERM_ADDRESS, 0, 0, "::/0", EPERM },
        { "mapped prefix is IPv4", tcp4, RV_DO_CONNECT, RV_TERM_ADDRESS, 0, 0,
          "::ffff:127.0.0.0/104", EPERM },
        { "family", tcp4, RV_DO_CONNECT, RV_TERM_FAMILY, 0, AF_INET, NULL, EPERM },
        { "family of a mapped address", tcp6_mapped, RV_DO_CONNECT, RV_TERM_FAMILY, 0, AF_INET,
          NULL, EPERM },
        { "other family", tcp6, RV_DO_CONNECT, RV_TERM_FAMILY, 0, AF_INET, NULL, 0 },
        { "protocol", udp4, RV_DO_CONNECT, RV_TERM_PROTOCOL, 0, IPPROTO_UDP, NULL, EPERM },
        { "other protocol", tcp4, RV_DO_CONNECT, RV_TERM_PROTOCOL, 0, IPPROTO_UDP, NULL, 0 },
        { "uid", as_user_7, RV_DO_CONNECT, RV_TERM_UID, 0, 7, NULL, EPERM },
        { "other uid", tcp4, RV_DO_CONNECT, RV_TERM_UID, 0, 7, NULL, 0 },
        { "not uid", as_user_7, RV_DO_CONNECT, RV_TERM_UID, 1, 7, NULL, 0 },
        { "gid", as_user_7, RV_DO_CONNECT, RV_TERM_GID, 0, 7, NULL, EPERM },
        { "euid", as_effective_user_7, RV_DO_CONNECT, RV_TERM_EUID, 0, 7, NULL, EPERM },
        { "uid is not euid", as_effective_user_7, RV_DO_CONNECT, RV_TERM_UID, 0, 7, NULL, 0 },
        { "program", by_named_program, RV_DO_CONNECT, RV_TERM_PROGRAM, 0, 0, program, EPERM },
        { "other program", tcp4, RV_DO_CONNECT, RV_TERM_PROGRAM, 0, 0, program, 0 },
        { "not program", by_named_program, RV_DO_CONNECT, RV_TERM_PROGRAM, 1, 0, program, 0 },
        { "program name", by_named_program, RV_DO_CONNECT, RV_TERM_PROGRAM_NAME, 0, 0,
          "a-server-of-ours", EPERM },
        { "beginning of a name", by_named_program, RV_DO_CONNECT, RV_TERM_PROGRAM_NAME, 0, 0,
          "a-server", 0 },
        { "kind", by_named_program, RV_DO_CONNECT, RV_TERM_KIND, 0, 4, NULL, EPERM },
        { "other kind", tcp4, RV_DO_CONNECT, RV_TERM_KIND, 0, 4, NULL, 0 },
        { "lineage of itself", by_named_program, RV_DO_CONNECT, RV_TERM_LINEAGE, 0, 0, program,
          EPERM },
        { "lineage of a dead parent", by_orphan_of_program, RV_DO_CONNECT, RV_TERM_LINEAGE, 0, 0,
          program, EPERM },
        { "no lineage", tcp4, RV_DO_CONNECT, RV_TERM_LINEAGE, 0, 0, program, 0 },
        { "not lineage", by_orphan_of_program, RV_DO_CONNECT, RV_TERM_LINEAGE, 1, 0, program, 0 },
        { "lineage kind", by_orphan_of_program, RV_DO_CONNECT, RV_TERM_LINEAGE_KIND, 0, 4, NULL,
          EPERM },
        { "no lineage kind", tcp4, RV_DO_CONNECT, RV_TERM_LINEAGE_KIND, 0, 4, NULL, 0 },
        { "bind", bind4, RV_DO_BIND, RV_TERM_PORT, 0, 7010, NULL, EPERM },
        { "bind to any", bind4_any, RV_DO_BIND, RV_TERM_ADDRESS, 0, 0, "0.0.0.0", EPERM },
        { "bind to any is not loopback", bind4_any, RV_DO_BIND, RV_TERM_ADDRESS, 0, 0,
          "127.0.0.0/8", 0 },
        { "bind IPv6", bind6, RV_DO_BIND, RV_TERM_ADDRESS, 0, 0, "::1", EPERM },
        { "bind mapped", bind6_mapped, RV_DO_BIND, RV_TERM_ADDRESS, 0, 0, "127.0.0.1", EPERM },
        { "bind is not connect", bind4, RV_DO_CONNECT, RV_TERM_PORT, 0, 7010, NULL, 0 },
        { "raw socket", make_raw, RV_DO_SOCKET, RV_TERM_PROTOCOL, 0, IPPROTO_RAW, NULL, EPERM },
        { "raw socket of another name", send_raw, RV_DO_SOCKET, RV_TERM_PROTOCOL, 0, IPPROTO_RAW,
          NULL, EPERM },
        { "UDP-Lite socket", udp_lite, RV_DO_SOCKET, RV_TERM_PROTOCOL, 0, IPPROTO_UDPLITE, NULL,
          EPERM },
        { "udp is no raw socket", make_udp, RV_DO_SOCKET, RV_TERM_PROTOCOL, 0, IPPROTO_RAW, NULL,
          0 },
        { "socket family", make_udp, RV_DO_SOCKET, RV_TERM_FAMILY, 0, AF_INET, NULL, EPERM },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        const struct term_case *c = &cases[i];
        struct rv_rule *it = rule(0, c->actions);
        int got;

        if (c->text)
            text_term(it, c->subject, c->text, c->negated);
        else
            number_term(it, c->subject, c->number, c->negated);
        put(1);
        got = attempt(c->attempt);
        if (got == NOT_HERE)
            continue; /* no IPv6 */
        if (got != c->expected)
            fail_msg("%s: %s", c->name, strerror(got));
    }
    put(0);
}

static void terms_of_one_group_are_or_and_groups_are_and(void **state)
{
    struct rv_rule *it = rule(0, RV_DO_CONNECT);

    number_term(it, RV_TERM_PORT, OTHER_PORT, 0);
    number_term(it, RV_TERM_PORT, PORT, 0);
    text_term(it, RV_TERM_ADDRESS, "10.0.0.0/8", 0);
    text_term(it, RV_TERM_ADDRESS, "127.0.0.0/8", 0);
    text_term(it, RV_TERM_ADDRESS, "127.1.0.0/16", 1); /* narrower, and excepted */
    put(1);
    assert_int_equal(attempt(tcp4), EPERM);
    assert_int_equal(attempt(tcp4_other_port), EPERM);
    assert_int_equal(attempt(tcp4_other_address), 0);
    number_term(it, RV_TERM_UID, 7, 0);
    put(1);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(attempt(as_user_7), EPERM);
}

static void what_cannot_be_told_here_is_left_out(void **state)
{
    struct rv_rule *it = loopback(0);
    uint64_t carried;

    text_term(it, RV_TERM_FILE, "/etc/passwd", 0);
    loopback(1);
    number_term(&rules[1], RV_TERM_FLAG, RV_FLAG_ANONYMOUS, 0);
    rule(2, RV_DO_EXEC);
    carried = put(3);
    assert_int_equal(carried, 0);
    assert_int_equal(attempt(tcp4), 0);
    loopback(0);
    rule(1, RV_DO_SOCKET); /* of every family: not in full */
    number_term(rule(2, RV_DO_SOCKET), RV_TERM_FAMILY, AF_INET, 0);
    number_term(&rules[2], RV_TERM_UID, 12345, 0);
    number_term(&rules[1], RV_TERM_UID, 12345, 0);
    text_term(loopback(3), RV_TERM_PROGRAM, "/no/such/folder/program", 0);
    carried = put(4);
    assert_int_equal(carried, 1 | 4);
    assert_false(rv_cgate_stale(cgate));
    put(0);
}

static void a_program_that_comes_later_is_known_by_its_place(void **state)
{
    char later[128];

    (void)snprintf(later, sizeof(later), "%s/later", folder);
    text_term(loopback(0), RV_TERM_PROGRAM, later, 0);
    assert_int_equal(put(1), 1);
    assert_int_equal(link(program, later), 0);
    assert_true(rv_cgate_stale(cgate));
    assert_int_equal(attempt(by_named_program), 0); /* the same file, started by another name */
    put(1);
    assert_false(rv_cgate_stale(cgate));
    assert_int_equal(attempt(by_named_program), EPERM);
    assert_int_equal(unlink(later), 0);
    put(0);
}

static void unix_sockets_where_the_kernel_has_hooks(void **state)
{
    uint64_t carried;

    number_term(rule(0, RV_DO_CONNECT), RV_TERM_FAMILY, AF_UNIX, 0);
    assert_int_equal(attempt(unix_stream), 0);
    carried = put(1);
    if (carried == 0) {
        assert_int_equal(attempt(unix_stream), 0);
        put(0);
        rv_skip_because("the kernel has no cgroup hooks for unix sockets (before 6.7)");
    }
    assert_int_equal(attempt(unix_stream), EPERM);
    assert_int_equal(attempt(unix_abstract), EPERM);
    assert_int_equal(attempt(unix_datagram), EPERM);
    assert_int_equal(attempt(tcp4), 0);
    put(0);
    assert_int_equal(attempt(unix_abstract), 0);
    assert_int_equal(attempt(unix_datagram), 0);
}

static void shadow_stop_and_lease(void **state)
{
    loopback(0)->mode = RV_RULE_SHADOW;
    loopback(1);
    put(1);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(count_of(0, RV_REFUSAL_WOULD_DENY), 1);
    put(2);
    assert_int_equal(attempt(tcp4), EPERM);
    assert_int_equal(count_of(0, RV_REFUSAL_WOULD_DENY), 1); /* beside the one that refuses */
    assert_int_equal(count_of(1, RV_REFUSAL_DENIED), 1);
    rv_cgate_observe(cgate, true);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(count_of(1, RV_REFUSAL_STOPPED), 1);
    rv_cgate_observe(cgate, false);
    rv_cgate_renew(cgate, 0);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(count_of(1, RV_REFUSAL_LAPSED), 1);
    rules[1].lapse = RV_LAPSE_CLOSED;
    put(2);
    rv_cgate_renew(cgate, 0);
    assert_int_equal(attempt(tcp4), EPERM);
    put(0);
}

static int connect_four_times(void)
{
    int passed = 0;

    for (int i = 0; i < 4; i++)
        passed += tcp4() == 0;
    return passed;
}

static void a_budget_is_by_workload(void **state)
{
    loopback(0)->budgeted = 1;
    settings.budget = 3;
    put(1);
    assert_int_equal(attempt_in(inner, connect_four_times), 1);
    assert_int_equal(count_of(0, RV_REFUSAL_DENIED), 3);
    assert_int_equal(count_of(0, RV_REFUSAL_OVER_BUDGET), 1);
    assert_int_equal(attempt(tcp4), EPERM); /* another workload has its own */
    loopback(1);                            /* a rule without budget decides alone */
    put(2);
    assert_int_equal(attempt_in(inner, tcp4), EPERM);
    settings.budget = 0;
    put(0);
}

/* Everybody forks and connects at once: the workload's budget is kept to the last refusal. */
static int connect_by_hundred(void)
{
    int passed = 0, status;

    for (int i = 0; i < 100; i++)
        if (fork() == 0) {
            for (int k = 0; k < 5; k++)
                passed += tcp4() == 0;
            _exit(passed);
        }
    while (wait(&status) > 0)
        passed += WEXITSTATUS(status);
    return passed > 200 ? 200 : passed;
}

static void a_crowd_does_not_get_past_the_budget(void **state)
{
    loopback(0)->budgeted = 1;
    settings.budget = 450;
    put(1);
    assert_int_equal(attempt_in(crowd, connect_by_hundred), 50);
    assert_int_equal(count_of(0, RV_REFUSAL_DENIED), 450);
    assert_int_equal(count_of(0, RV_REFUSAL_OVER_BUDGET), 50);
    settings.budget = 0;
    put(0);
}

/* With room for eight, a crowd of descendants finds none: its ancestors answer for it, and when
 * those are dead, what the rule declares. */
static void a_full_table_of_lineages_does_what_the_rule_declares(void **state)
{
    struct rv_cgate *old = cgate, *small = NULL;
    int hold[2], status;
    pid_t crowd_of;

    rv_assert_ok(rv_cgate_open_sized(&small, box, 8));
    cgate = small;
    text_term(loopback(0), RV_TERM_LINEAGE, program, 0);
    put(1);
    assert_int_equal(attempt(by_orphan_of_program), EPERM);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(pipe(hold), 0);
    crowd_of = fork();
    if (crowd_of == 0) { /* each of twenty copies of the program takes a place and waits */
        char number[16];

        close(hold[1]);
        (void)snprintf(number, sizeof(number), "%d", hold[0]);
        for (int i = 0; i < 20; i++)
            if (fork() == 0) {
                execl(program, program, "--hold", number, (char *)NULL);
                _exit(96);
            }
        while (wait(&status) > 0)
            ;
        _exit(0);
    }
    close(hold[0]);
    for (int i = 0; i < 1000 && cgate->control->overflow == 0; i++)
        usleep(10000);
    assert_true(cgate->control->overflow > 0);
    assert_int_equal(attempt(by_orphan_of_program), 0); /* lapses open: nobody knows, it passes */
    rules[0].lapse = RV_LAPSE_CLOSED;
    put(1); /* looks again, and there is no more room than before */
    assert_true(cgate->control->overflow > 0);
    assert_int_equal(attempt(by_orphan_of_program), EPERM);
    assert_int_equal(attempt(tcp4), EPERM); /* as declared: also who is no descendant */
    close(hold[1]);
    assert_int_equal(waitpid(crowd_of, &status, 0), crowd_of);
    put(1); /* there is room again */
    assert_int_equal(cgate->control->overflow, 0);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(attempt(by_orphan_of_program), EPERM);
    rv_cgate_close(&cgate);
    cgate = old;
}

static void a_grant_lets_exactly_one_pass(void **state)
{
    struct rv_clock clock = rv_clock_system();
    struct rv_grant grant = { .uid = 0, .action = RV_DO_CONNECT, .port = PORT };
    struct stat st;

    assert_int_equal(stat("/proc/self/exe", &st), 0);
    grant.program_inode = st.st_ino;
    grant.program_dev = (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev));
    grant.addr[10] = grant.addr[11] = 0xff;
    grant.addr[12] = 127;
    grant.addr[15] = 1;
    loopback(0)->held = 1;
    put(1);
    grant.expires_boot_ns = clock.boot_ns(NULL) + 600 * RV_NS_PER_S;
    rv_assert_ok(rv_cgate_grant(cgate, &grant));
    assert_int_equal(attempt(tcp4_other_address), EPERM); /* not what was approved */
    assert_int_equal(attempt(as_user_7), EPERM);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(count_of(0, RV_REFUSAL_GRANTED), 1);
    assert_int_equal(attempt(tcp4), EPERM); /* used up */
    grant.expires_boot_ns = 1;
    rv_assert_ok(rv_cgate_grant(cgate, &grant));
    assert_int_equal(attempt(tcp4), EPERM); /* too late */
    grant.expires_boot_ns = clock.boot_ns(NULL) + 600 * RV_NS_PER_S;
    rv_assert_ok(rv_cgate_grant(cgate, &grant));
    loopback(1); /* a rule that is not held stands in the way */
    put(2);
    assert_int_equal(attempt(tcp4), EPERM);
    put(0);
}

/** A child that waits for a byte, then tries, itself or by a child of its own. */
static int attempt_marked(int (*mark)(int pidfd), bool by_child)
{
    int go[2];
    char byte;
    int pidfd, r;
    pid_t pid;

    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        join(box);
        if (read(go[0], &byte, 1) != 1)
            _exit(92);
        if (by_child) {
            int status;
            pid_t child = fork();

            if (child == 0)
                _exit(tcp4());
            (void)waitpid(child, &status, 0);
            _exit(WEXITSTATUS(status));
        }
        _exit(tcp4());
    }
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r = mark(pidfd);
    assert_int_equal(r, 0);
    assert_int_equal(write(go[1], "x", 1), 1);
    r = wait_for(pid);
    assert_int_equal(mark(pidfd), -ESRCH); /* it has gone */
    close(pidfd);
    close(go[0]);
    close(go[1]);
    return r;
}

static int mark_risk_499(int pidfd)
{
    return rv_cgate_set_risk(cgate, pidfd, 499);
}

static int mark_risk_500(int pidfd)
{
    return rv_cgate_set_risk(cgate, pidfd, 500);
}

static int mark_protected(int pidfd)
{
    return rv_cgate_protect(cgate, pidfd);
}

static void risk_alone_can_deny_and_follows_a_fork(void **state)
{
    rule(0, RV_DO_CONNECT)->risk_min = 500;
    put(1);
    assert_int_equal(attempt(tcp4), 0);
    assert_int_equal(attempt_marked(mark_risk_499, false), 0);
    assert_int_equal(attempt_marked(mark_risk_500, false), EPERM);
    assert_int_equal(attempt_marked(mark_risk_500, true), EPERM);
    put(0);
}

static void the_protected_are_never_refused(void **state)
{
    loopback(0);
    put(1);
    assert_int_equal(attempt_marked(mark_protected, false), 0);
    assert_int_equal(count_of(0, RV_REFUSAL_PROTECTED), 1);
    assert_int_equal(attempt_marked(mark_protected, true), EPERM); /* does not follow */
    assert_int_equal(attempt(by_named_program), EPERM);
    rv_assert_ok(rv_cgate_protect_program(cgate, program));
    assert_int_equal(attempt(by_named_program), 0);
    assert_int_equal(attempt(by_named_program_as_user_7), EPERM); /* anybody may run sshd */
    assert_int_equal(attempt(tcp4), EPERM);
    put(0);
}

static int connect_a_hundred_times(void)
{
    for (int i = 0; i < 100; i++)
        (void)tcp4();
    return 0;
}

static void repeats_are_counted_and_not_told(void **state)
{
    struct seen seen = { .digest = 0x1122334455667788 };
    struct stat st;

    loopback(0);
    settings.digest = seen.digest;
    put(1);
    assert_int_equal(attempt(connect_a_hundred_times), 0);
    for (int i = 0; i < 100 && seen.decisions < 100; i++) {
        usleep(50000);
        assert_true(rv_cgate_drain(cgate, see, &seen) >= 0);
    }
    assert_int_equal(seen.decisions, 100);
    assert_true(seen.records <= 4 || in_vm);
    assert_int_equal(seen.last.verdict, RV_REFUSAL_DENIED);
    assert_int_equal(seen.last.policy, 100);
    assert_int_equal(seen.last.mechanism, RV_BY_CGROUP);
    assert_int_equal(seen.last.action, RV_DO_CONNECT);
    assert_int_equal(seen.last.port, PORT);
    assert_int_equal(seen.last.family, AF_INET);
    assert_int_equal(seen.last.rules, 1);
    assert_int_equal(stat("/proc/self/exe", &st), 0);
    assert_int_equal(seen.last.program_inode, st.st_ino);
    assert_int_equal(seen.last.program_dev, major(st.st_dev) << 20 | minor(st.st_dev));
    assert_int_equal(seen.last.addr[12], 127);
    assert_true(seen.last.digest == settings.digest);
    assert_int_equal(rv_cgate_lost(cgate), 0);
    put(0);
}

static void too_much_is_refused_as_a_whole(void **state)
{
    uint64_t carried = 77;
    size_t at;

    loopback(0);
    put(1);
    for (size_t i = 0; i < RV_RULES_MAX + 1; i++)
        rule(i, RV_DO_CONNECT);
    assert_int_equal(rv_cgate_swap(cgate, rules, RV_RULES_MAX + 1, &settings, &carried, &at),
                     -ENOSPC);
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 40; k++) { /* more programs than lineage has bits for */
            char path[64];

            (void)snprintf(path, sizeof(path), "/tmp/no-such-%zu-%zu", i, k);
            text_term(&rules[i], RV_TERM_LINEAGE, path, 0);
        }
    assert_int_equal(rv_cgate_swap(cgate, rules, 2, &settings, &carried, &at), -ENOSPC);
    assert_int_equal(at, 1);
    rule(0, RV_DO_CONNECT)->risk_max = 1001;
    assert_int_equal(rv_cgate_swap(cgate, rules, 1, &settings, &carried, &at), -EINVAL);
    text_term(rule(0, RV_DO_CONNECT), RV_TERM_ADDRESS, "127.0.0.1/33", 0);
    assert_int_equal(rv_cgate_swap(cgate, rules, 1, &settings, &carried, &at), -EINVAL);
    assert_int_equal(carried, 77);
    assert_int_equal(attempt(tcp4), EPERM); /* the old set stands */
    put(0);
}

/* Slots of lineage come back when no set names their program any more, without their memory. */
static void lineage_slots_are_used_again(void **state)
{
    for (size_t round = 0; round < 4; round++) {
        struct rv_rule *it = rule(0, RV_DO_CONNECT);

        for (size_t k = 0; k < 30; k++) {
            char path[64];

            (void)snprintf(path, sizeof(path), "/tmp/no-such-%zu-%zu", round, k);
            text_term(it, RV_TERM_LINEAGE, path, 0);
        }
        put(1);
        assert_int_equal(attempt(by_orphan_of_program), 0);
    }
    text_term(rule(0, RV_DO_CONNECT), RV_TERM_LINEAGE, program, 0);
    put(1);
    assert_int_equal(attempt(by_orphan_of_program), EPERM);
    put(0);
}

/* A process that ran before the set did: what lives of its ancestry tells. */
static void lineage_is_learnt_of_those_who_run_already(void **state)
{
    struct rv_cgate *fresh = NULL, *old = cgate;
    int go[2], status[2], got = -1;
    char numbers[2][16], byte;
    pid_t pid;

    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(status), 0);
    pid = fork();
    if (pid == 0) {
        join(box);
        (void)snprintf(numbers[0], sizeof(numbers[0]), "%d", go[0]);
        (void)snprintf(numbers[1], sizeof(numbers[1]), "%d", status[1]);
        execl(program, program, "--child-waits", numbers[0], numbers[1], (char *)NULL);
        _exit(96);
    }
    assert_int_equal(read(status[0], &byte, 1), 1); /* the child of the program runs */
    rv_assert_ok(rv_cgate_open(&fresh, box));
    cgate = fresh;
    text_term(rule(0, RV_DO_CONNECT), RV_TERM_LINEAGE, program, 0);
    put(1);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(read(status[0], &got, sizeof(got)), sizeof(got));
    assert_int_equal(got, EPERM);
    assert_int_equal(wait_for(pid), 0);
    rv_cgate_close(&cgate);
    cgate = old;
    for (size_t i = 0; i < 2; i++) {
        close(go[i]);
        close(status[i]);
    }
}

struct load {
    int stop;
    uint64_t connects, passed;
};

static void a_swap_under_load_loses_no_decision(void **state)
{
    struct load *load =
        mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[2];

    assert_ptr_not_equal(load, MAP_FAILED);
    loopback(0);
    put(1);
    for (size_t i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            join(box);
            while (!__atomic_load_n(&load->stop, __ATOMIC_SEQ_CST)) {
                if (tcp4() != EPERM)
                    __atomic_add_fetch(&load->passed, 1, __ATOMIC_SEQ_CST);
                __atomic_add_fetch(&load->connects, 1, __ATOMIC_SEQ_CST);
            }
            _exit(0);
        }
    }
    for (int swap = 0; swap < 40; swap++) /* two sets that both refuse it, each by another rule */
        if (swap % 2) {
            loopback(0);
            put(1);
        } else {
            rule(0, RV_DO_BIND);
            number_term(rule(1, RV_DO_CONNECT), RV_TERM_PORT, PORT, 0);
            put(2);
        }
    __atomic_store_n(&load->stop, 1, __ATOMIC_SEQ_CST);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(wait_for(pids[i]), 0);
    print_message("# 40 swaps during %llu connects\n", (unsigned long long)load->connects);
    assert_true(load->connects > 40);
    assert_int_equal(load->passed, 0);
    (void)munmap(load, sizeof(*load));
    put(0);
}

static int connect_five_thousand_times(void)
{
    int passed = 0;

    for (int i = 0; i < 5000; i++)
        passed |= tcp4() == 0;
    return passed;
}

static void a_hook_that_is_too_slow_disarms_itself(void **state)
{
    loopback(0);
    settings.latency_budget_ns = 1;
    put(1);
    assert_int_equal(rv_cgate_disarmed(cgate), 0);
    assert_int_equal(attempt(connect_five_thousand_times), 1);
    assert_int_equal(rv_cgate_disarmed(cgate), RV_DO_CONNECT);
    assert_true(count_of(0, RV_REFUSAL_DISARMED) > 0);
    settings.latency_budget_ns = 0;
    put(1);
    assert_int_equal(attempt(tcp4), 0);
    rv_cgate_rearm(cgate);
    assert_int_equal(attempt(tcp4), EPERM);
    put(0);
}

static void the_death_of_the_holder_removes_everything(void **state)
{
    struct rv_cgate *old = cgate;
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        cgate = NULL;
        if (rv_cgate_open(&cgate, box) < 0)
            _exit(1);
        loopback(0);
        put(1);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    cgate = old;
    assert_int_equal(attempt(tcp4), EPERM);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 500 && attempt(tcp4) != 0; i++)
        usleep(10000); /* the kernel lets go of the links when it has a moment */
    assert_int_equal(attempt(tcp4), 0);
}

static void what_is_no_cgroup_is_said(void **state)
{
    struct rv_cgate *none = NULL;

    assert_int_equal(rv_cgate_open(&none, "/proc"), -EOPNOTSUPP);
    assert_int_equal(rv_cgate_open(&none, "/no/such"), -ENOENT);
    assert_null(none);
}

/* ---- The scene ---- */

static int listen_on(int family, int type, const void *at, socklen_t len)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, at, len) < 0 || (type == SOCK_STREAM && listen(fd, 4096) < 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/** Somebody who takes every connection, so that no queue fills up. */
static void serve(void)
{
    struct sockaddr_in all4[2] = { v4("0.0.0.0", PORT), v4("0.0.0.0", OTHER_PORT) };
    struct sockaddr_in6 one6 = v6("::1", PORT);
    struct sockaddr_un path = { .sun_family = AF_UNIX }, abstract = { .sun_family = AF_UNIX },
                       datagram = { .sun_family = AF_UNIX };
    const socklen_t base = offsetof(struct sockaddr_un, sun_path);
    int listeners[6];

    memcpy(path.sun_path, unix_path, strlen(unix_path) + 1);
    memcpy(abstract.sun_path, "\0reeve-cgate", 12);
    memcpy(datagram.sun_path, "\0reeve-cgate-datagram", 21);
    listeners[0] = listen_on(AF_INET, SOCK_STREAM, &all4[0], sizeof(all4[0]));
    listeners[1] = listen_on(AF_INET, SOCK_STREAM, &all4[1], sizeof(all4[1]));
    listeners[2] = listen_on(AF_INET6, SOCK_STREAM, &one6, sizeof(one6));
    listeners[3] = listen_on(AF_UNIX, SOCK_STREAM, &path, sizeof(path));
    listeners[4] = listen_on(AF_UNIX, SOCK_STREAM, &abstract, base + 12);
    listeners[5] = listen_on(AF_UNIX, SOCK_DGRAM, &datagram, base + 21);
    assert_int_not_equal(listen_on(AF_INET, SOCK_DGRAM, &all4[0], sizeof(all4[0])), -1);
    assert_int_not_equal(listen_on(AF_INET, SOCK_DGRAM, &all4[1], sizeof(all4[1])), -1);
    (void)listen_on(AF_INET6, SOCK_DGRAM, &one6, sizeof(one6));
    for (size_t i = 0; i < 5; i++) {
        if (listeners[i] < 0 || fork() != 0)
            continue;
        for (;;)
            close(accept(listeners[i], NULL, NULL));
    }
}

static void loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

static void copy_program(void)
{
    RV_AUTO(rv_closep) int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    RV_AUTO(rv_closep) int to = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    char room[65536];
    ssize_t n;

    while ((n = read(from, room, sizeof(room))) > 0)
        rv_assert_ok(rv_write_all(to, room, (size_t)n));
    assert_int_equal(n, 0);
}

static int set_up(void **state)
{
    int r;

    if (rv_cgroup_root(root, sizeof(root)) < 0)
        return 0;
    in_vm = getenv("REEVE_VM") != NULL;
    (void)snprintf(box, sizeof(box), "%s/reeve-cgate-%d", root, getpid());
    (void)snprintf(inner, sizeof(inner), "%s/inner", box);
    (void)snprintf(crowd, sizeof(crowd), "%s/crowd", box);
    (void)snprintf(folder, sizeof(folder), "/tmp/reeve-cgate-%d", getpid());
    (void)snprintf(program, sizeof(program), "%s/a-server-of-ours", folder);
    (void)snprintf(unix_path, sizeof(unix_path), "%s/socket", folder);
    if (mkdir(box, 0755) < 0 || mkdir(inner, 0755) < 0 || mkdir(crowd, 0755) < 0)
        return 0;
    r = rv_cgate_open(&cgate, box);
    if (r < 0) {
        print_message("# rv_cgate_open: %s\n", strerror(-r));
        return r == -EPERM ? 0 : -1;
    }
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    loopback_up();
    assert_int_equal(mkdir(folder, 0755), 0);
    copy_program();
    serve();
    rv_assert_ok(rv_cgate_know_program(cgate, program, 4));
    return 0;
}

static int tear_down(void **state)
{
    rv_cgate_close(&cgate);
    (void)signal(SIGTERM, SIG_IGN);
    (void)kill(0, SIGTERM); /* the servers: our process group is our own */
    (void)unlink(unix_path);
    (void)unlink(program);
    (void)rmdir(folder);
    for (int i = 0; i < 100 && rmdir(inner) < 0 && errno == EBUSY; i++)
        usleep(10000);
    for (int i = 0; i < 100 && rmdir(crowd) < 0 && errno == EBUSY; i++)
        usleep(10000);
    for (int i = 0; i < 100 && rmdir(box) < 0 && errno == EBUSY; i++)
        usleep(10000);
    return 0;
}

/** What a copy of this program does for a test. */
static int act_as(int argc, char **argv)
{
    int status;
    char byte;

    if (rv_streq(argv[1], "--tcp4"))
        return tcp4();
    if (rv_streq(argv[1], "--hold") && argc == 3)
        return read((int)strtol(argv[2], NULL, 10), &byte, 1) != 0;
    if (rv_streq(argv[1], "--orphan") && argc == 4) {
        pid_t parent = getpid();

        if (fork() != 0)
            return 0;
        while (getppid() == parent)
            usleep(1000);
        execl(argv[3], argv[3], "--report", argv[2], (char *)NULL);
        return 1;
    }
    if (rv_streq(argv[1], "--report") && argc == 3) {
        status = tcp4();
        return write((int)strtol(argv[2], NULL, 10), &status, sizeof(status)) < 0;
    }
    if (rv_streq(argv[1], "--child-waits") && argc == 4) {
        int to = (int)strtol(argv[3], NULL, 10);
        pid_t pid = fork();

        if (pid != 0)
            return waitpid(pid, NULL, 0) != pid;
        if (write(to, "x", 1) != 1 || read((int)strtol(argv[2], NULL, 10), &byte, 1) != 1)
            return 1;
        status = tcp4();
        return write(to, &status, sizeof(status)) < 0;
    }
    return 2;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_around_an_address_rule),
        cmocka_unit_test(a_socket_made_outside_is_seen_from_the_root),
        cmocka_unit_test(each_term_holds_and_does_not),
        cmocka_unit_test(terms_of_one_group_are_or_and_groups_are_and),
        cmocka_unit_test(what_cannot_be_told_here_is_left_out),
        cmocka_unit_test(a_program_that_comes_later_is_known_by_its_place),
        cmocka_unit_test(unix_sockets_where_the_kernel_has_hooks),
        cmocka_unit_test(shadow_stop_and_lease),
        cmocka_unit_test(a_budget_is_by_workload),
        cmocka_unit_test(a_crowd_does_not_get_past_the_budget),
        cmocka_unit_test(a_full_table_of_lineages_does_what_the_rule_declares),
        cmocka_unit_test(a_grant_lets_exactly_one_pass),
        cmocka_unit_test(risk_alone_can_deny_and_follows_a_fork),
        cmocka_unit_test(the_protected_are_never_refused),
        cmocka_unit_test(repeats_are_counted_and_not_told),
        cmocka_unit_test(too_much_is_refused_as_a_whole),
        cmocka_unit_test(lineage_slots_are_used_again),
        cmocka_unit_test(lineage_is_learnt_of_those_who_run_already),
        cmocka_unit_test(a_swap_under_load_loses_no_decision),
        cmocka_unit_test(a_hook_that_is_too_slow_disarms_itself),
        cmocka_unit_test(the_death_of_the_holder_removes_everything),
        cmocka_unit_test(what_is_no_cgroup_is_said),
    };

    if (argc > 1)
        return act_as(argc, argv);
    (void)setpgid(0, 0);
    if (set_up(NULL) < 0)
        return 1;
    if (!cgate) {
        (void)rmdir(inner);
        (void)rmdir(crowd);
        (void)rmdir(box);
        printf("1..0 # SKIP no cgroup v2 folder that takes programs from us\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
