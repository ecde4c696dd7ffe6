/* SPDX-License-Identifier: Apache-2.0 */
/* BPF LSM on a real kernel: each hook allows, denies and observes; bypasses; lease, budget, swap.
 */
#include "test.h"

#include "enforce/lsm.h"
#include "wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR      "/tmp/lsm"
#define SECRET   DIR "/box/secret"
#define PROGRAM  DIR "/box/program"
#define LEASE_MS 60000

static struct rv_lsm *lsm;

/* ---- Attempts: 0 or -errno ---- */

static int result(long value)
{
    return value < 0 ? -errno : 0;
}

static int open_at(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return result(fd);
}

static int do_read(void)
{
    return open_at(SECRET, O_RDONLY);
}

static int do_write(void)
{
    return open_at(SECRET, O_WRONLY | O_APPEND);
}

static int do_create(void)
{
    (void)unlink(DIR "/box/new");
    return open_at(DIR "/box/new", O_CREAT | O_EXCL | O_WRONLY);
}

static int do_mkdir(void)
{
    (void)rmdir(DIR "/box/folder");
    return result(mkdir(DIR "/box/folder", 0700));
}

static int do_rename(void)
{
    int r = result(rename(SECRET, DIR "/box/other"));

    return r < 0 ? r : result(rename(DIR "/box/other", SECRET));
}

static int do_rename_over(void)
{
    int fd = open(DIR "/mine", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    int r;

    close(fd);
    if (link(SECRET, DIR "/keep") < 0)
        return -ENOLINK;
    r = result(rename(DIR "/mine", SECRET));
    if (r == 0)
        (void)rename(DIR "/keep", SECRET);
    (void)unlink(DIR "/keep");
    return r;
}

static int do_unlink(void)
{
    int fd = open(DIR "/box/gone", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return result(unlink(DIR "/box/gone"));
}

static int do_link(void)
{
    int r = result(link(SECRET, DIR "/hard"));

    (void)unlink(DIR "/hard");
    return r;
}

static int do_chmod(void)
{
    return result(chmod(SECRET, 0600));
}

static int do_exec_by(const char *path)
{
    char *const argv[] = { (char *)"busybox", (char *)"true", NULL };
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        execv(path, argv);
        _exit(errno);
    }
    if (waitpid(pid, &status, 0) != pid)
        return -ECHILD;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int do_exec(void)
{
    return do_exec_by(PROGRAM);
}

static int do_map_exec(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int r = at == MAP_FAILED ? -errno : 0;

    if (at != MAP_FAILED)
        munmap(at, 4096);
    return r;
}

static int do_protect_exec(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int r = result(mprotect(at, 4096, PROT_READ | PROT_EXEC));

    munmap(at, 4096);
    return r;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void reap(pid_t pid)
{
    rv_assert_ok(rv_lsm_observe(lsm, true));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    rv_assert_ok(rv_lsm_observe(lsm, false));
}

static int do_ptrace(void)
{
    pid_t pid = sleeper();
    int r = result(ptrace(PTRACE_SEIZE, pid, NULL, NULL));

    reap(pid);
    return r;
}

static int do_write_memory(void)
{
    pid_t pid = sleeper();
    char byte = 0;
    struct iovec local = { &byte, 1 }, remote = { &byte, 1 };
    int r = result(process_vm_writev(pid, &local, 1, &remote, 1, 0));

    reap(pid);
    return r;
}

static int do_signal(void)
{
    pid_t pid = sleeper();
    int r = result(kill(pid, SIGUSR1));

    reap(pid);
    return r;
}

static int do_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return result(fd);
}

static int with_socket(int family, int type, int (*use)(int fd))
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    int r = fd < 0 ? -errno : use(fd);

    close(fd);
    return r;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int use_bind(int fd)
{
    struct sockaddr_in address = loopback(4444);

    return result(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int do_bind(void)
{
    return with_socket(AF_INET, SOCK_DGRAM, use_bind);
}

static int use_connect(int fd)
{
    struct sockaddr_in address = loopback(4445);

    return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int do_connect(void)
{
    return with_socket(AF_INET, SOCK_DGRAM, use_connect);
}

static int use_connect_mapped(int fd)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(4445) };

    (void)inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int do_connect_mapped(void)
{
    return with_socket(AF_INET6, SOCK_DGRAM, use_connect_mapped);
}

static int use_sendto(int fd)
{
    struct sockaddr_in address = loopback(4445);

    return result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

static int do_sendto(void)
{
    return with_socket(AF_INET, SOCK_DGRAM, use_sendto);
}

static int use_listen(int fd)
{
    return result(listen(fd, 1));
}

static int do_listen(void)
{
    return with_socket(AF_INET, SOCK_STREAM, use_listen);
}

static int in_child(int (*attempt)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(-attempt());
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int set_uid(void)
{
    return result(setresuid(1000, 1000, 1000));
}

static int do_setuid(void)
{
    return in_child(set_uid);
}

static int load_module(void)
{
    int fd = open("/modules/dummy.ko", O_RDONLY | O_CLOEXEC);
    int r = result(syscall(SYS_finit_module, fd, "numdummies=0", 0));

    close(fd);
    (void)syscall(SYS_delete_module, "dummy", 0);
    return r;
}

static int do_mount(void)
{
    int r = result(mount("none", DIR "/box", "tmpfs", 0, NULL));

    if (r == 0)
        (void)umount(DIR "/box");
    return r;
}

static int make_userns(void)
{
    return result(unshare(CLONE_NEWUSER));
}

static int do_userns(void)
{
    return in_child(make_userns);
}

static int do_bpf(void)
{
    char attr[64] = { 0 }; /* BPF_MAP_CREATE of nothing: EINVAL when it is let through */
    int r = result(syscall(SYS_bpf, 0, attr, sizeof(attr)));

    return r == -EINVAL ? 0 : r;
}

/* ---- Ways around: each must end like the direct attempt ---- */

static int by_symlink(void)
{
    if (symlink(SECRET, DIR "/soft") < 0 && errno != EEXIST)
        return -errno;
    return open_at(DIR "/soft", O_RDONLY);
}

static int by_hard_link(void)
{
    return open_at(DIR "/before", O_RDONLY); /* made before the rule */
}

static int by_bind_mount(void)
{
    int r;

    (void)mkdir(DIR "/bound", 0700);
    if (mount(DIR "/box", DIR "/bound", NULL, MS_BIND, NULL) < 0)
        return -ENOSYS;
    r = open_at(DIR "/bound/secret", O_RDONLY);
    (void)umount(DIR "/bound");
    return r;
}

static int by_proc_root(void)
{
    return open_at("/proc/self/root" SECRET, O_RDONLY);
}

static int by_proc_fd(void)
{
    char path[64];
    int fd = open(SECRET, O_PATH | O_CLOEXEC);
    int r;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = open_at(path, O_RDONLY);
    close(fd);
    return r;
}

static int by_openat2(void)
{
    struct open_how how = { .flags = O_RDONLY };
    long fd = syscall(SYS_openat2, AT_FDCWD, SECRET, &how, sizeof(how));

    if (fd >= 0)
        close((int)fd);
    return result(fd);
}

static int by_handle(void)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = { .handle.handle_bytes = MAX_HANDLE_SZ };
    int mount_id, fd, dir;

    if (name_to_handle_at(AT_FDCWD, SECRET, &u.handle, &mount_id, 0) < 0)
        return -errno;
    dir = open(DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = open_by_handle_at(dir, &u.handle, O_RDONLY);
    if (fd >= 0)
        close(fd);
    close(dir);
    return result(fd);
}

/* One io_uring with one entry: openat by the kernel's hand, not by a system call of ours. */
static int by_io_uring(void)
{
    struct io_uring_params params = { 0 };
    int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
    size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    struct io_uring_sqe *sqe;
    uint8_t *sq;
    int r;

    if (ring < 0)
        return -ENOSYS;
    if (params.sq_off.array + params.sq_entries * 4 > size)
        size = params.sq_off.array + params.sq_entries * 4;
    sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
              IORING_OFF_SQ_RING);
    sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
               IORING_OFF_SQES);
    *sqe = (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
                                  .fd = AT_FDCWD,
                                  .addr = (uint64_t)(uintptr_t)SECRET,
                                  .open_flags = O_RDONLY };
    *(uint32_t *)(void *)(sq + params.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(void *)(sq + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    (void)syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    r = ((struct io_uring_cqe *)(void *)(sq + params.cq_off.cqes))->res;
    munmap(sq, size);
    munmap(sqe, sizeof(*sqe));
    close(ring);
    if (r >= 0)
        close(r);
    return r < 0 ? r : 0;
}

/* int 0x80 with 32-bit numbers: open(2) is 5 there. */
static int by_32_bit_call(void)
{
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long r = 5;

    strcpy(low, SECRET);
    __asm__ volatile("int $0x80"
                     : "+a"(r)
                     : "b"(low), "c"(O_RDONLY), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    munmap(low, 4096);
    if (r >= 0)
        close((int)r);
    return r < 0 ? (int)r : 0;
}

static int in_namespaces(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -ENOSYS;
    return open_at(SECRET, O_RDONLY);
}

static int by_namespaces(void)
{
    return in_child(in_namespaces);
}

static int by_overlay(void)
{
    int r;

    (void)mkdir(DIR "/up", 0700);
    (void)mkdir(DIR "/work", 0700);
    (void)mkdir(DIR "/merged", 0700);
    if (mount("overlay", DIR "/merged", "overlay", 0,
              "lowerdir=" DIR "/box,upperdir=" DIR "/up,workdir=" DIR "/work") < 0)
        return -ENOSYS;
    r = open_at(DIR "/merged/secret", O_RDONLY);
    (void)umount(DIR "/merged");
    return r;
}

static int by_double_fork(void)
{
    return in_child(do_read);
}

static int exec_by_loader(void)
{
    char *const argv[] = { (char *)"ld.so", (char *)"--argv0", (char *)"busybox",
                           (char *)PROGRAM, (char *)"true",    NULL };

    execv("/lib64/ld-linux-x86-64.so.2", argv);
    return -errno;
}

static int by_loader(void)
{
    int r = in_child(exec_by_loader);

    return r == 0 ? 0 : -EPERM; /* the loader dies when it may not map the program */
}

static int exec_by_fd(void)
{
    char *const argv[] = { (char *)"busybox", (char *)"true", NULL };
    int fd = open(PROGRAM, O_PATH | O_CLOEXEC);

    (void)syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
    return -errno;
}

static int by_execveat(void)
{
    return in_child(exec_by_fd);
}

/* ---- Helpers ---- */

static void put_rules(const struct rv_lsm_rule *rules, size_t count, uint32_t budget)
{
    struct rv_lsm_settings settings = { .budget = budget };
    size_t at = 0;
    int r = rv_lsm_swap(lsm, rules, count, &settings, &at);

    if (r < 0)
        fail_msg("rule %zu: %s", at, strerror(-r));
    rv_assert_ok(rv_lsm_renew(lsm, LEASE_MS));
}

static void put_rule(struct rv_lsm_rule rule)
{
    put_rules(&rule, 1, 0);
}

static struct rv_lsm_rule_counts counts_of(size_t rule)
{
    struct rv_lsm_rule_counts counts = { 0 };

    rv_assert_ok(rv_lsm_rule_counts(lsm, rule, &counts));
    return counts;
}

static const char *const self = "/proc/self/exe";

/* ---- Tests ---- */

static void every_hook_allows_denies_and_observes(void **state)
{
    static const struct {
        const char *name;
        uint32_t action;
        int (*attempt)(void);
        const char *resource;
    } cases[] = {
        { "exec", RV_DO_EXEC, do_exec, PROGRAM },
        { "read", RV_DO_READ, do_read, SECRET },
        { "write", RV_DO_WRITE, do_write, SECRET },
        { "create", RV_DO_CREATE, do_create, DIR "/box" },
        { "mkdir", RV_DO_CREATE, do_mkdir, DIR "/box" },
        { "rename", RV_DO_RENAME, do_rename, SECRET },
        { "rename over", RV_DO_RENAME, do_rename_over, SECRET },
        { "unlink", RV_DO_UNLINK, do_unlink, DIR "/box" },
        { "link", RV_DO_LINK, do_link, SECRET },
        { "chmod", RV_DO_SETATTR, do_chmod, SECRET },
        { "map executable", RV_DO_MMAP_EXEC, do_map_exec, NULL },
        { "protect executable", RV_DO_MPROTECT_EXEC, do_protect_exec, NULL },
        { "ptrace", RV_DO_PTRACE, do_ptrace, NULL },
        { "signal", RV_DO_SIGNAL, do_signal, NULL },
        { "socket", RV_DO_SOCKET, do_socket, NULL },
        { "bind", RV_DO_BIND, do_bind, NULL },
        { "connect", RV_DO_CONNECT, do_connect, NULL },
        { "listen", RV_DO_LISTEN, do_listen, NULL },
        { "setuid", RV_DO_SETUID, do_setuid, NULL },
        { "module", RV_DO_KERNEL_LOAD, load_module, NULL },
        { "mount", RV_DO_MOUNT, do_mount, NULL },
        { "user namespace", RV_DO_USERNS, do_userns, NULL },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_lsm_rule rule = { .actions = cases[i].action,
                                    .resource = cases[i].resource,
                                    .program = self,
                                    .mode = RV_RULE_SHADOW };
        struct rv_lsm_rule_counts before, after;
        int without, shadow, enforced;

        put_rules(NULL, 0, 0);
        without = cases[i].attempt();
        put_rule(rule);
        before = counts_of(0);
        shadow = cases[i].attempt();
        after = counts_of(0);
        rule.mode = RV_RULE_ENFORCE;
        put_rule(rule);
        enforced = cases[i].attempt();
        put_rules(NULL, 0, 0);
        printf("# %s: without %d, shadow %d (counted %lu), enforced %d\n", cases[i].name, without,
               shadow, (unsigned long)(after.shadow - before.shadow), enforced);
        if (without != 0 || shadow != 0 || after.shadow == before.shadow)
            fail_msg("%s: without a rule %d, in the shadow %d, counted %lu", cases[i].name, without,
                     shadow, (unsigned long)(after.shadow - before.shadow));
        if (enforced != -EPERM && enforced != -EACCES)
            fail_msg("%s: enforced gave %d", cases[i].name, enforced);
    }
}

static void bpf_is_refused_to_others_only(void **state)
{
    int own = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int go[2], status;
    pid_t other;

    assert_int_equal(pipe(go), 0);
    other = fork(); /* made before we are guarded, so not one of Reeve's own */
    if (other == 0) {
        char byte;

        (void)!read(go[0], &byte, 1);
        _exit(-do_bpf());
    }
    rv_assert_ok(rv_lsm_guard(lsm, own));
    put_rule((struct rv_lsm_rule){ .actions = RV_DO_BPF, .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_bpf(), 0);
    assert_int_equal(in_child(do_bpf), 0);
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(WEXITSTATUS(status), EPERM);
    put_rules(NULL, 0, 0);
    close(own);
}

static void ways_around_end_like_the_direct_attempt(void **state)
{
    static const struct {
        const char *name;
        int (*attempt)(void);
        const char *resource;
        uint32_t actions;
    } cases[] = {
        { "symbolic link", by_symlink, SECRET, RV_DO_READ },
        { "hard link made before", by_hard_link, SECRET, RV_DO_READ },
        { "bind mount", by_bind_mount, SECRET, RV_DO_READ },
        { "bind mount of a folder", by_bind_mount, DIR "/box", RV_DO_READ },
        { "/proc/self/root", by_proc_root, SECRET, RV_DO_READ },
        { "/proc/self/fd", by_proc_fd, SECRET, RV_DO_READ },
        { "openat2", by_openat2, SECRET, RV_DO_READ },
        { "open_by_handle_at", by_handle, SECRET, RV_DO_READ },
        { "io_uring", by_io_uring, SECRET, RV_DO_READ },
        { "32-bit call", by_32_bit_call, SECRET, RV_DO_READ },
        { "user and mount namespace", by_namespaces, SECRET, RV_DO_READ },
        { "overlayfs over the file", by_overlay, SECRET, RV_DO_READ },
        { "double fork", by_double_fork, SECRET, RV_DO_READ },
        { "rename over", do_rename_over, SECRET, RV_DO_RENAME },
        { "ld.so program", by_loader, PROGRAM, RV_DO_EXEC | RV_DO_MMAP_EXEC },
        { "execveat", by_execveat, PROGRAM, RV_DO_EXEC },
        { "process_vm_writev", do_write_memory, NULL, RV_DO_PTRACE },
        { "IPv4-mapped IPv6", do_connect_mapped, NULL, RV_DO_CONNECT },
        { "UDP without connect", do_sendto, NULL, RV_DO_CONNECT },
    };
    size_t stopped = 0, open = 0;

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_lsm_rule rule = { .actions = cases[i].actions,
                                    .resource = cases[i].resource,
                                    .mode = RV_RULE_ENFORCE };
        int without, r;

        put_rules(NULL, 0, 0);
        without = cases[i].attempt(); /* a way that leads nowhere proves nothing */
        if (cases[i].actions == RV_DO_CONNECT)
            rule.address = "127.0.0.0/8";
        put_rule(rule);
        r = cases[i].attempt();
        put_rules(NULL, 0, 0);
        printf("# bypass: %-28s %s\n", cases[i].name,
               without != 0                  ? "not possible here"
               : r == -EPERM || r == -EACCES ? "stopped"
                                             : "PASSED");
        open += without == 0;
        stopped += without == 0 && (r == -EPERM || r == -EACCES);
        if (without != 0)
            printf("# without a rule it gives %d\n", without);
    }
    printf("# scorecard: %zu of %zu stopped\n", stopped, open);
    assert_int_equal(stopped, open);
    assert_true(open >= RV_COUNT(cases) - 2);
}

static void a_folder_rule_reaches_down_and_is_not_escaped_by_depth(void **state)
{
    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_READ, .resource = DIR "/box", .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_read(), -EPERM);
    assert_int_equal(open_at(DIR "/before", O_RDONLY), 0); /* by another name: not in the folder */
    assert_int_equal(open_at(DIR "/deep/near", O_RDONLY), 0);
    assert_int_equal(open_at("/proc/self/status", O_RDONLY), 0);
    assert_int_equal(chdir(DIR "/deep"), 0);
    for (int i = 0; i < 100; i++) {
        assert_true(mkdir("d", 0700) == 0 || errno == EEXIST);
        assert_int_equal(chdir("d"), 0);
    }
    assert_int_equal(open_at("file", O_CREAT | O_RDONLY), -EPERM); /* could not tell: denied */
    put_rules(NULL, 0, 0);
    assert_int_equal(chdir("/"), 0);
}

static void only_those_whom_the_rule_names(void **state)
{
    uid_t other = 1000, root = 0;

    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_READ, .resource = SECRET, .uid = &other, .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_read(), 0);
    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_READ, .resource = SECRET, .uid = &root, .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_read(), -EPERM);
    put_rule((struct rv_lsm_rule){ .actions = RV_DO_READ,
                                   .resource = SECRET,
                                   .program = "/bin/busybox",
                                   .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_read(), 0);
    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_CONNECT, .address = "10.0.0.0/8", .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_connect(), 0);
    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_CONNECT, .address = "127.0.0.1", .port = 4446, .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_connect(), 0);
    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_CONNECT, .address = "127.0.0.1", .port = 4445, .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_connect(), -EPERM);
    put_rules(NULL, 0, 0);
}

static void a_narrow_address_keeps_the_rules_of_the_wide_one(void **state)
{
    const struct rv_lsm_rule rules[] = {
        { .actions = RV_DO_CONNECT, .address = "127.0.0.0/8", .mode = RV_RULE_ENFORCE },
        { .actions = RV_DO_CONNECT, .address = "127.0.0.1", .mode = RV_RULE_SHADOW },
    };

    put_rules(rules, RV_COUNT(rules), 0);
    assert_int_equal(do_connect(), -EPERM);
    put_rules(NULL, 0, 0);
}

static int raise_risk_and_read(uint32_t risk)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int r = rv_lsm_set_risk(lsm, pidfd, risk);

    close(pidfd);
    return r < 0 ? r : in_child(do_read); /* a child begins with its parent's risk */
}

static void risk_alone_can_deny(void **state)
{
    put_rule((struct rv_lsm_rule){
        .actions = RV_DO_READ, .risk_min = 500, .resource = SECRET, .mode = RV_RULE_ENFORCE });
    assert_int_equal(do_read(), 0);
    assert_int_equal(raise_risk_and_read(499), 0);
    assert_int_equal(raise_risk_and_read(500), -EPERM);
    assert_int_equal(raise_risk_and_read(1000), -EPERM);
    assert_int_equal(raise_risk_and_read(0), 0);
    put_rules(NULL, 0, 0);
}

static void denials_end_with_the_lease_unless_closed(void **state)
{
    struct rv_lsm_rule rule = { .actions = RV_DO_READ,
                                .resource = SECRET,
                                .mode = RV_RULE_ENFORCE };

    put_rule(rule);
    assert_int_equal(do_read(), -EPERM);
    rv_assert_ok(rv_lsm_renew(lsm, 0));
    assert_int_equal(do_read(), 0);
    assert_true(counts_of(0).lapsed > 0);
    rule.lapse = RV_LAPSE_CLOSED;
    put_rule(rule);
    rv_assert_ok(rv_lsm_renew(lsm, 0));
    assert_int_equal(do_read(), -EPERM);
    rv_assert_ok(rv_lsm_observe(lsm, true)); /* the emergency stop is above all */
    assert_int_equal(do_read(), 0);
    rv_assert_ok(rv_lsm_observe(lsm, false));
    put_rules(NULL, 0, 0);
}

static void the_budget_limits_only_budgeted_rules(void **state)
{
    struct rv_lsm_rule rule = {
        .actions = RV_DO_READ, .resource = SECRET, .budgeted = true, .mode = RV_RULE_ENFORCE
    };

    put_rules(&rule, 1, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(do_read(), -EPERM);
    assert_int_equal(do_read(), 0);
    assert_true(counts_of(0).over_budget > 0);
    rule.budgeted = false; /* flooding must not buy a way past a named rule */
    put_rules(&rule, 1, 3);
    for (int i = 0; i < 10; i++)
        assert_int_equal(do_read(), -EPERM);
    put_rules(NULL, 0, 0);
}

static void a_slow_hook_disarms_itself(void **state)
{
    struct rv_lsm_rule rule = { .actions = RV_DO_READ,
                                .resource = SECRET,
                                .mode = RV_RULE_ENFORCE };
    struct rv_lsm_settings settings = { .latency_budget_ns = 1 };
    size_t at;

    rv_assert_ok(rv_lsm_swap(lsm, &rule, 1, &settings, &at));
    rv_assert_ok(rv_lsm_renew(lsm, LEASE_MS));
    for (int i = 0; i < 5000; i++)
        (void)open_at("/proc/self/status", O_RDONLY);
    assert_true(rv_lsm_disarmed(lsm) & RV_DO_READ);
    assert_int_equal(do_read(), 0);
    settings.latency_budget_ns = 0;
    rv_assert_ok(rv_lsm_swap(lsm, &rule, 1, &settings, &at));
    rv_assert_ok(rv_lsm_rearm(lsm));
    assert_int_equal(do_read(), -EPERM);
    put_rules(NULL, 0, 0);
}

static void swapping_under_load_loses_no_decision(void **state)
{
    const struct rv_lsm_rule rules[] = {
        { .actions = RV_DO_WRITE, .resource = DIR "/deep", .mode = RV_RULE_ENFORCE },
        { .actions = RV_DO_READ, .resource = SECRET, .mode = RV_RULE_ENFORCE },
    };
    int *passed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;

    put_rules(rules + 1, 1, 0);
    pid = fork();
    if (pid == 0)
        for (;;) {
            passed[do_read() == -EPERM]++;
            if (passed[2])
                _exit(0);
        }
    for (int i = 0; i < 300; i++)
        put_rules(i & 1 ? rules + 1 : rules, i & 1 ? 1 : 2, 0); /* both deny the read */
    passed[2] = 1;
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    printf("# 300 swaps, %d reads denied, %d passed\n", passed[1], passed[0]);
    assert_int_equal(passed[0], 0);
    assert_true(passed[1] > 0);
    munmap(passed, 4096);
    put_rules(NULL, 0, 0);
}

static void a_bad_set_leaves_the_old_one_standing(void **state)
{
    struct rv_lsm_rule good = { .actions = RV_DO_READ,
                                .resource = SECRET,
                                .mode = RV_RULE_ENFORCE };
    struct rv_lsm_rule bad[] = { good, { .actions = RV_DO_READ, .resource = "/none" } };
    struct rv_lsm_settings settings = { 0 };
    size_t at = 9;

    put_rule(good);
    assert_int_equal(rv_lsm_swap(lsm, bad, 2, &settings, &at), -ENOENT);
    assert_int_equal(at, 1);
    bad[1] = (struct rv_lsm_rule){ .actions = RV_DO_CONNECT, .address = "10.0.0.0/33" };
    assert_int_equal(rv_lsm_swap(lsm, bad, 2, &settings, &at), -EINVAL);
    assert_int_equal(rv_lsm_swap(lsm, bad, 65, &settings, &at), -ENOSPC);
    assert_int_equal(do_read(), -EPERM);
    put_rules(NULL, 0, 0);
}

static int last_record(void *context, const struct rv_lsm_record *record)
{
    *(struct rv_lsm_record *)context = *record;
    return 0;
}

static void a_denial_is_recorded_with_who_and_what(void **state)
{
    struct rv_lsm_record record = { 0 };
    struct stat st;

    put_rule(
        (struct rv_lsm_rule){ .actions = RV_DO_READ, .resource = SECRET, .mode = RV_RULE_ENFORCE });
    (void)rv_lsm_drain(lsm, last_record, &record);
    assert_int_equal(do_read(), -EPERM);
    assert_true(rv_lsm_drain(lsm, last_record, &record) >= 1);
    rv_assert_ok(stat(SECRET, &st));
    assert_int_equal(record.tgid, getpid());
    assert_int_equal(record.inode, st.st_ino);
    assert_int_equal(record.action, RV_LSM_READ);
    assert_int_equal(record.verdict, RV_LSM_DENIED);
    assert_int_equal(record.rules, 1);
    put_rules(NULL, 0, 0);
}

static void guarded_processes_are_out_of_reach(void **state)
{
    const struct rv_lsm_rule rule = { .actions = RV_DO_SIGNAL | RV_DO_PTRACE,
                                      .guarded_target = true,
                                      .mode = RV_RULE_ENFORCE };
    pid_t plain = sleeper(), guarded = sleeper();
    int pidfd = (int)syscall(SYS_pidfd_open, guarded, 0);

    rv_assert_ok(rv_lsm_guard(lsm, pidfd));
    close(pidfd);
    put_rule(rule);
    assert_int_equal(kill(plain, SIGCONT), 0);
    assert_int_equal(result(kill(guarded, SIGKILL)), -EPERM);
    assert_int_equal(result(ptrace(PTRACE_SEIZE, guarded, NULL, NULL)), -EPERM);
    put_rules(NULL, 0, 0);
    reap(plain);
    reap(guarded);
}

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

    while (sendfile(out, in, NULL, 1 << 20) > 0)
        ;
    close(in);
    close(out);
}

static int set_up(void **state)
{
    int r;

    (void)syscall(SYS_finit_module, open("/modules/overlay.ko", O_RDONLY | O_CLOEXEC), "", 0);
    assert_int_equal(mkdir(DIR, 0755), 0);
    assert_int_equal(mkdir(DIR "/box", 0755), 0);
    assert_int_equal(mkdir(DIR "/deep", 0755), 0);
    copy_file("/etc/passwd", SECRET);
    copy_file("/etc/passwd", DIR "/deep/near");
    copy_file("/bin/busybox", PROGRAM);
    assert_int_equal(link(SECRET, DIR "/before"), 0);
    r = rv_lsm_open(&lsm);
    if (r < 0)
        printf("# cannot open the provider: %s\n", strerror(-r));
    return r;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hook_allows_denies_and_observes),
        cmocka_unit_test(ways_around_end_like_the_direct_attempt),
        cmocka_unit_test(a_folder_rule_reaches_down_and_is_not_escaped_by_depth),
        cmocka_unit_test(only_those_whom_the_rule_names),
        cmocka_unit_test(a_narrow_address_keeps_the_rules_of_the_wide_one),
        cmocka_unit_test(risk_alone_can_deny),
        cmocka_unit_test(denials_end_with_the_lease_unless_closed),
        cmocka_unit_test(the_budget_limits_only_budgeted_rules),
        cmocka_unit_test(a_slow_hook_disarms_itself),
        cmocka_unit_test(swapping_under_load_loses_no_decision),
        cmocka_unit_test(a_bad_set_leaves_the_old_one_standing),
        cmocka_unit_test(a_denial_is_recorded_with_who_and_what),
        cmocka_unit_test(guarded_processes_are_out_of_reach),
        cmocka_unit_test(bpf_is_refused_to_others_only),
    };

    if (!getenv("REEVE_VM")) {
        printf("1..0 # SKIP only inside tests/vm/run-vm\n# skip: only inside tests/vm/run-vm\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
