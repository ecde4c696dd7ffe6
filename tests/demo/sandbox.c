/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include "base/fd.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HALF_SECONDS_MAX 20U

static int raise_loopback(void)
{
    RV_AUTO(rv_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo" };

    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/** A bind mount of a file or folder, made where it is to be seen. */
static int show(const char *from, const char *at, bool folder)
{
    RV_AUTO(rv_closep) int fd = -1;

    if (folder && mkdir(at, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (!folder) {
        fd = open(at, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        if (fd < 0)
            return -errno;
    }
    return mount(from, at, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/** The machine's files below a layer in memory, as the new root. */
static int change_root(const struct rv_demo_place *place)
{
    char options[512], path[256];

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("reeve-demo", place->scratch, "tmpfs", 0, "size=256m") < 0 ||
        chdir(place->scratch) < 0)
        return -errno;
    if (mkdir("upper", 0755) < 0 || mkdir("work", 0755) < 0 || mkdir("root", 0755) < 0)
        return -errno;
    (void)snprintf(options, sizeof(options), "lowerdir=/,upperdir=%s/upper,workdir=%s/work",
                   place->scratch, place->scratch);
    if (mount("reeve-demo", "root", "overlay", 0, options) < 0)
        return -errno;
    (void)snprintf(path, sizeof(path), "%s/root/demo", place->scratch);
    if (show(place->cases, path, true) < 0)
        return -errno;
    (void)snprintf(path, sizeof(path), "%s/root/usr/local/bin/acts", place->scratch);
    if (show(place->acts, path, false) < 0)
        return -errno;
    if (mount("/dev", "root/dev", NULL, MS_BIND, NULL) < 0 ||
        mount("tmpfs", "root/tmp", "tmpfs", 0, NULL) < 0 || chdir("root") < 0 ||
        syscall(SYS_pivot_root, ".", "mnt") < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0 ||
        umount2("/mnt", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

static int run_bash(const char *case_name, const char *function)
{
    char line[512];
    pid_t pid;
    int status;

    (void)snprintf(line, sizeof(line), ". '/demo/%s'; %s", case_name, function);
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)dup2(null, 0);
        (void)dup2(null, 1);
        if (!getenv("REEVE_DEMO_VERBOSE"))
            (void)dup2(null, 2);
        execl("/bin/bash", "bash", "-c", line, (char *)NULL);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/** Process 1 of the sandbox: everything in it ends with this one. */
static int be_first(const struct rv_demo_place *place, const char *case_name, const char *half)
{
    int r;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    r = change_root(place);
    if (r == 0)
        r = raise_loopback();
    if (r == 0)
        r = run_bash(case_name, "setup");
    if (r == 0 && write(place->cgroup_procs_fd, "0", 1) != 1)
        r = -errno;
    if (r != 0) {
        fprintf(stderr, "the sandbox of %s could not be made: %s\n", case_name,
                r < 0 ? strerror(-r) : "setup failed");
        return 125;
    }
    /* A new root's sensitive files are found when its first program starts: give it that moment. */
    r = run_bash(case_name, "sleep 0.3");
    if (r < 0)
        return r;
    if (place->linger && rv_streq(half, "attack")) {
        (void)setenv("REEVE_ACTS_LINGER", "1", 1);
        half = "attack; sleep 1";
    }
    return run_bash(case_name, half);
}

int rv_demo_run(const struct rv_demo_place *place, const char *case_name, const char *half)
{
    int status;
    pid_t outer = fork();

    if (outer < 0)
        return -errno;
    if (outer == 0) {
        pid_t first;

        /* Not in the first process: there an alarm of its own is ignored. */
        (void)alarm(place->linger ? HALF_SECONDS_MAX / 4 : HALF_SECONDS_MAX);
        if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
            _exit(125);
        first = fork();
        if (first == 0)
            _exit(be_first(place, case_name, half));
        if (first < 0 || waitpid(first, &status, 0) < 0)
            _exit(125);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 124);
    }
    if (waitpid(outer, &status, 0) < 0)
        return -errno;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return 124; /* frozen, perhaps: what is in the sandbox ends with it */
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 125)
        return -ECANCELED;
    return WEXITSTATUS(status);
}
