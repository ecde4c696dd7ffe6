/* SPDX-License-Identifier: Apache-2.0 */
/* Each hook allows without a rule, counts with one in the shadow, and refuses with one enforced. */
#include "rules.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DIR     "/tmp/hooks"
#define SECRET  DIR "/box/secret"
#define PROGRAM DIR "/box/program"
#define SOCKET  DIR "/box/socket"

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

static int use_listen(int fd)
{
    return result(listen(fd, 1));
}

static int do_listen(void)
{
    return with_socket(AF_INET, SOCK_STREAM, use_listen);
}

static int set_uid(void)
{
    return result(setresuid(1000, 1000, 1000));
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

static int do_read_both_ways(void)
{
    return open_at(SECRET, O_RDWR);
}

static int do_truncate(void)
{
    return result(truncate(SECRET, 1));
}

static int do_open_truncating(void)
{
    return open_at(SECRET, O_WRONLY | O_TRUNC);
}

static int do_mknod(void)
{
    (void)unlink(DIR "/box/fifo");
    return result(mknod(DIR "/box/fifo", S_IFIFO | 0600, 0));
}

static int do_symlink(void)
{
    (void)unlink(DIR "/box/link");
    return result(symlink("nowhere", DIR "/box/link"));
}

static int do_rmdir(void)
{
    (void)mkdir(DIR "/box/empty", 0700);
    return result(rmdir(DIR "/box/empty"));
}

static int do_chown(void)
{
    return result(chown(SECRET, 0, 0));
}

static int do_setxattr(void)
{
    return result(
        setxattr(SECRET, "security.capability", "\1\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0));
}

static int do_add_setid(void)
{
    int r = result(chmod(SECRET, 04600));

    (void)chmod(SECRET, 0600);
    return r;
}

static int do_accept(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (bind(server, (struct sockaddr *)&address, len) < 0 || listen(server, 1) < 0 ||
        getsockname(server, (struct sockaddr *)&address, &len) < 0)
        return -ENOTCONN;
    (void)connect(client, (struct sockaddr *)&address, len);
    r = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    if (r >= 0)
        close(r);
    r = result(r);
    close(client);
    close(server);
    return r;
}

static int to_unix(int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
    int server = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    int client = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    int r;

    (void)unlink(SOCKET);
    if (bind(server, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -ENOTCONN;
    if (type == SOCK_STREAM && listen(server, 1) < 0)
        return -ENOTCONN;
    r = result(connect(client, (struct sockaddr *)&address, sizeof(address)));
    close(client);
    close(server);
    return r;
}

static int do_unix_stream(void)
{
    return to_unix(SOCK_STREAM);
}

static int do_unix_datagram(void)
{
    return to_unix(SOCK_DGRAM);
}

static int do_raw_socket(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return result(fd);
}

static int do_ptrace(void)
{
    pid_t pid = sleeper();
    int r = result(ptrace(PTRACE_SEIZE, pid, NULL, NULL));

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

static int do_setuid(void)
{
    return in_child(set_uid);
}

static int gain_root(void)
{
    if (setresuid(1000, 1000, 0) < 0)
        return -ENOTSUP;
    return result(setresuid((uid_t)-1, 0, (uid_t)-1));
}

static int do_gain_root(void)
{
    return in_child(gain_root);
}

static int do_userns(void)
{
    return in_child(make_userns);
}

static int do_kexec(void)
{
    long r = syscall(SYS_kexec_load, 0, 0, NULL, 0); /* unloads: there is nothing to unload */

    return result(r);
}

static int do_move_mount(void)
{
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, DIR "/other", 1 /* OPEN_TREE_CLONE */);
    int r;

    if (fd < 0)
        return -ENOTSUP;
    r = result(syscall(SYS_move_mount, fd, "", AT_FDCWD, DIR "/box/under", 4 /* empty path */));
    close(fd);
    (void)umount(DIR "/box/under");
    return r;
}

static int do_protect_written(void)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int r = result(mprotect(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));

    munmap(at, 4096);
    return r;
}

static int do_map_memfd(void)
{
    int fd = memfd_create("code", MFD_CLOEXEC);
    void *at;

    if (ftruncate(fd, 4096) < 0)
        return -ENOTSUP;
    at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return -errno;
    munmap(at, 4096);
    close(fd);
    return 0;
}

static int exec_memfd(void)
{
    char *const argv[] = { (char *)"busybox", (char *)"true", NULL };
    int in = open(PROGRAM, O_RDONLY | O_CLOEXEC), fd = memfd_create("program", MFD_CLOEXEC);

    while (sendfile(fd, in, NULL, 1 << 20) > 0)
        ;
    (void)syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
    return -errno;
}

static int do_exec_memfd(void)
{
    return in_child(exec_memfd);
}

/* ---- Tests ---- */

#define NO_FLAG (-1)

static void every_hook_allows_denies_and_observes(void **state)
{
    static const struct {
        const char *name;
        uint32_t action;
        int (*attempt)(void);
        enum rv_rule_subject subject; /* of `text`; 0: the rule is about everything */
        const char *text;
        int flag;
    } cases[] = {
        { "exec", RV_DO_EXEC, do_exec, RV_TERM_FILE, PROGRAM, NO_FLAG },
        { "exec of a memfd", RV_DO_EXEC, do_exec_memfd, 0, NULL, RV_FLAG_FILELESS },
        { "read", RV_DO_READ, do_read, RV_TERM_FILE, SECRET, NO_FLAG },
        { "read and write", RV_DO_READ, do_read_both_ways, RV_TERM_FILE, SECRET, NO_FLAG },
        { "write", RV_DO_WRITE, do_write, RV_TERM_FILE, SECRET, NO_FLAG },
        { "truncate", RV_DO_TRUNCATE, do_truncate, RV_TERM_FILE, SECRET, NO_FLAG },
        { "O_TRUNC", RV_DO_TRUNCATE, do_open_truncating, RV_TERM_FILE, SECRET, NO_FLAG },
        { "create", RV_DO_CREATE, do_create, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "create what a rule names", RV_DO_CREATE, do_create, RV_TERM_FILE, DIR "/box/new",
          NO_FLAG },
        { "mkdir", RV_DO_CREATE, do_mkdir, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "mknod", RV_DO_CREATE, do_mknod, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "symlink", RV_DO_CREATE, do_symlink, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "rename", RV_DO_RENAME, do_rename, RV_TERM_FILE, SECRET, NO_FLAG },
        { "rename over", RV_DO_RENAME, do_rename_over, RV_TERM_FILE, SECRET, NO_FLAG },
        { "unlink", RV_DO_UNLINK, do_unlink, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "rmdir", RV_DO_UNLINK, do_rmdir, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "link", RV_DO_LINK, do_link, RV_TERM_FILE, SECRET, NO_FLAG },
        { "chmod", RV_DO_SETATTR, do_chmod, RV_TERM_FILE, SECRET, NO_FLAG },
        { "chown", RV_DO_SETATTR, do_chown, RV_TERM_FILE, SECRET, NO_FLAG },
        { "a new set-user-id bit", RV_DO_SETATTR, do_add_setid, 0, NULL, RV_FLAG_SETID_ADDED },
        { "map executable", RV_DO_MMAP_EXEC, do_map_exec, 0, NULL, RV_FLAG_ANONYMOUS },
        { "map a memfd executable", RV_DO_MMAP_EXEC, do_map_memfd, 0, NULL, RV_FLAG_ANONYMOUS },
        { "protect executable", RV_DO_MPROTECT_EXEC, do_protect_exec, 0, NULL, RV_FLAG_ANONYMOUS },
        { "protect writable too", RV_DO_MPROTECT_EXEC, do_protect_written, 0, NULL,
          RV_FLAG_WRITABLE },
        { "ptrace", RV_DO_PTRACE, do_ptrace, 0, NULL, NO_FLAG },
        { "signal", RV_DO_SIGNAL, do_signal, 0, NULL, NO_FLAG },
        { "socket", RV_DO_SOCKET, do_socket, 0, NULL, NO_FLAG },
        { "packet socket", RV_DO_SOCKET, do_raw_socket, 0, NULL, NO_FLAG },
        { "bind", RV_DO_BIND, do_bind, RV_TERM_ADDRESS, "127.0.0.0/8", NO_FLAG },
        { "connect", RV_DO_CONNECT, do_connect, RV_TERM_ADDRESS, "127.0.0.0/8", NO_FLAG },
        { "connect to a unix socket", RV_DO_CONNECT, do_unix_stream, RV_TERM_FILE, SOCKET,
          NO_FLAG },
        { "a unix datagram socket", RV_DO_CONNECT, do_unix_datagram, RV_TERM_FILE, SOCKET,
          NO_FLAG },
        { "listen", RV_DO_LISTEN, do_listen, 0, NULL, NO_FLAG },
        { "accept", RV_DO_ACCEPT, do_accept, 0, NULL, NO_FLAG },
        { "setuid", RV_DO_SETUID, do_setuid, 0, NULL, NO_FLAG },
        { "gain root", RV_DO_SETUID, do_gain_root, 0, NULL, RV_FLAG_GAINED_ROOT },
        { "module", RV_DO_MODULE, load_module, 0, NULL, NO_FLAG },
        { "kexec", RV_DO_KEXEC, do_kexec, 0, NULL, NO_FLAG },
        { "mount", RV_DO_MOUNT, do_mount, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "move_mount", RV_DO_MOUNT, do_move_mount, RV_TERM_FOLDER, DIR "/box", NO_FLAG },
        { "user namespace", RV_DO_USERNS, do_userns, 0, NULL, NO_FLAG },
        { "set an attribute", RV_DO_SETATTR, do_setxattr, RV_TERM_FILE, SECRET, NO_FLAG },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        struct rv_rule rule = rule_about(cases[i].action);
        int without, shadow, enforced;
        uint64_t counted;

        if (cases[i].subject)
            add_text(&rule, cases[i].subject, cases[i].text, false);
        if (cases[i].flag != NO_FLAG)
            add_number(&rule, RV_TERM_FLAG, (uint64_t)cases[i].flag, false);
        put_nothing();
        without = cases[i].attempt();
        rule.mode = RV_RULE_SHADOW;
        put_rule(&rule);
        shadow = cases[i].attempt();
        counted = count_of(0, RV_REFUSAL_WOULD_DENY);
        rule.mode = RV_RULE_ENFORCE;
        put_rule(&rule);
        enforced = cases[i].attempt();
        put_nothing();
        printf("# %s: without %d, shadow %d (counted %lu), enforced %d\n", cases[i].name, without,
               shadow, (unsigned long)counted, enforced);
        if (without != 0 || shadow != 0 || counted == 0)
            fail_msg("%s: without a rule %d, in the shadow %d, counted %lu", cases[i].name, without,
                     shadow, (unsigned long)counted);
        if (enforced != -EPERM && enforced != -EACCES)
            fail_msg("%s: enforced gave %d", cases[i].name, enforced);
    }
}

static int set_up(void **state)
{
    static const char *const folders[] = { DIR, DIR "/box", DIR "/box/under", DIR "/other" };

    for (size_t i = 0; i < RV_COUNT(folders); i++)
        assert_int_equal(mkdir(folders[i], 0755), 0);
    copy_file("/etc/passwd", SECRET);
    copy_file("/bin/busybox", PROGRAM);
    return 0;
}

int hooks_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hook_allows_denies_and_observes),
    };

    return cmocka_run_group_tests_name("hooks", tests, set_up, NULL);
}
