/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/sandbox.h"

#include "act/cgroup.h"
#include "base/cgroup.h"
#include "base/fd.h"
#include "enforce/cgate.h"
#include "probe/attempts.h"

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
#include <sys/wait.h>
#include <unistd.h>

#define REMOVE_TRIES   200
#define REMOVE_WAIT_US 5000

static int loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    RV_AUTO(rv_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static void make_cgroup(struct rv_sandbox *sandbox)
{
    char root[128];
    struct stat st;

    if (rv_cgroup_root(root, sizeof(root)) < 0)
        return;
    (void)snprintf(sandbox->cgroup, sizeof(sandbox->cgroup), "%s/reeve-probe-%d", root, getpid());
    if (mkdir(sandbox->cgroup, 0700) < 0 || stat(sandbox->cgroup, &st) < 0)
        sandbox->cgroup[0] = '\0';
    else
        sandbox->workload = st.st_ino;
}

int rv_sandbox_enter(struct rv_sandbox *sandbox)
{
    static const char text[] = "this is not a program\n";
    RV_AUTO(rv_closep) int fd = -1;
    int r;

    *sandbox = (struct rv_sandbox){ 0 };
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0 ||
        mkdir("/tmp/box", 0755) < 0 || chdir("/tmp/box") < 0)
        return -errno;
    fd = open(RV_ATTEMPT_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    if (fd < 0)
        return -errno;
    r = rv_write_all(fd, text, strlen(text));
    if (r == 0)
        r = loopback_up();
    if (r == 0)
        make_cgroup(sandbox);
    return r;
}

int rv_sandbox_run(const struct rv_sandbox *sandbox, int (*what)(void))
{
    int status;
    pid_t child = fork();

    if (child < 0)
        return -errno;
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sandbox->cgroup[0] && rv_knob_write(sandbox->cgroup, "cgroup.procs", "0") < 0)
            _exit(RV_ATTEMPT_IMPOSSIBLE);
        _exit(what());
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -ECHILD;
    return WEXITSTATUS(status);
}

void rv_sandbox_remove(const char *cgroup)
{
    for (int i = 0; cgroup[0] && i < REMOVE_TRIES && rmdir(cgroup) < 0 && errno == EBUSY; i++)
        usleep(REMOVE_WAIT_US);
}
