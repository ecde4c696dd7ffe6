/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: small and privileged. Opens the sensors, starts the judge, starts it again with
 * growing pauses when it dies, tells it of the gap, and ends everything when told to.
 */
#include "process.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "boot_guard.h"
#include "channel.h"
#include "enforcer.h"
#include "sensors/sensors.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_WAIT_MS    5000
#define HEALTHY_NS      (60 * RV_NS_PER_S) /* a judge that lived so long starts with no pause again */
#define RESCAN_PAUSE_NS (10 * RV_NS_PER_S)
#define RV_STOP_NAME                                                                               \
    "stop" /* file in the runtime folder: nothing is enforced while it is there                    \
            */

struct guard {
    const struct rv_agent_args *args;
    const struct rv_agent_config *config;
    struct rv_clock clock;
    struct rv_sensors *sensors;
    struct rv_enforcer *enforcer;
    struct rv_kernel_models kernel;
    uid_t judge_uid;
    gid_t judge_gid;
    int lock_fd, signal_fd, control_fd, state_fd;
    int stop_fd; /* inotify of the runtime folder: the stop is a file there */
    char *stop_path;

    pid_t judge; /* 0: none */
    int judge_fd, channel_fd;
    uint64_t judge_since_ns;
    uint64_t judge_gone_ns; /* when the last one died; 0: it did not */
    uint64_t healthy_ns;    /* its last word that all is well; 0: none yet */
    uint64_t restart_at_ns; /* when to start the next one */
    uint64_t pause_ms;
    uint64_t rescanned_ns;
    char boot_id[40];
    uint64_t armed_ns; /* since when something may be refused; 0: nothing yet */
    bool stopping, scan_due;
    bool judged;   /* a judge was ready once */
    bool unusable; /* the first one could not use what it was told */
    bool proven;   /* this boot lived long enough with rules in place */
};

/* ---- Folders, lock, socket ---- */

static int make_dir(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST) {
        rv_error("cannot make the folder %s: %s", path, strerror(errno));
        return -errno;
    }
    if (chmod(path, mode) < 0 || chown(path, uid, gid) < 0) {
        rv_error("cannot set the owner of %s: %s", path, strerror(errno));
        return -errno;
    }
    return 0;
}

static int make_dirs(struct guard *guard)
{
    RV_AUTO(rv_freep) char *empty = NULL;
    RV_AUTO(rv_freep) char *log = NULL;
    RV_AUTO(rv_freep) char *segments = NULL;
    RV_AUTO(rv_freep) char *models = NULL;
    const struct rv_agent_config *config = guard->config;
    int r;

    if (asprintf(&empty, "%s/empty", config->runtime_dir) < 0)
        empty = NULL;
    if (asprintf(&log, "%s/log", config->state_dir) < 0)
        log = NULL;
    if (asprintf(&segments, "%s/segments", config->state_dir) < 0)
        segments = NULL;
    if (asprintf(&models, "%s/models", config->state_dir) < 0)
        models = NULL;
    if (!empty || !log || !segments || !models)
        return -ENOMEM;
    r = make_dir(config->runtime_dir, 0755, 0, 0);
    if (r == 0)
        r = make_dir(empty, 0555, 0, 0);
    if (r == 0)
        r = make_dir(config->state_dir, 0700, guard->judge_uid, guard->judge_gid);
    if (r == 0)
        r = make_dir(log, 0755, guard->judge_uid, guard->judge_gid);
    if (r == 0)
        r = make_dir(segments, 0700, guard->judge_uid, guard->judge_gid);
    if (r == 0)
        r = make_dir(models, 0755, guard->judge_uid, guard->judge_gid);
    return r;
}

/** One agent a runtime folder: the lock goes with the process, however it ends. */
static int take_lock(struct guard *guard)
{
    RV_AUTO(rv_freep) char *path = NULL;

    if (asprintf(&path, "%s/lock", guard->config->runtime_dir) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    guard->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (guard->lock_fd < 0 || flock(guard->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            rv_error("an agent is running already (it holds %s); stop it first", path);
        else
            rv_error("cannot lock %s: %s", path, strerror(errno));
        return -errno;
    }
    return 0;
}

static int listen_control(struct guard *guard)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *group_name = guard->config->group;
    const struct group *group = group_name[0] ? getgrnam(group_name) : NULL;
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
                       guard->config->runtime_dir);

    if (group_name[0] && !group)
        rv_warning("there is no group %s; only root may connect to the control socket", group_name);
    if (len < 0 || (size_t)len >= sizeof(address.sun_path)) {
        rv_error("runtime_dir is too long for the address of a socket: %s",
                 guard->config->runtime_dir);
        return -ENAMETOOLONG;
    }
    guard->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (guard->control_fd < 0)
        return -errno;
    (void)unlink(address.sun_path);
    if (bind(guard->control_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chown(address.sun_path, 0, group ? group->gr_gid : 0) < 0 ||
        chmod(address.sun_path, group ? 0660 : 0600) < 0 || listen(guard->control_fd, 16) < 0) {
        rv_error("cannot listen on %s: %s", address.sun_path, strerror(errno));
        return -errno;
    }
    return 0;
}

static int find_user(struct guard *guard)
{
    const struct passwd *user = getpwnam(guard->config->user);

    if (!user) {
        user = getpwnam("nobody");
        if (!user) {
            rv_error("there is neither a user %s nor nobody; set user to one that exists",
                     guard->config->user);
            return -ENOENT;
        }
        rv_info("there is no user %s; the judge runs as nobody", guard->config->user);
    }
    guard->judge_uid = user->pw_uid;
    guard->judge_gid = user->pw_gid;
    return 0;
}

/* ---- Sensors ---- */

static int resolve_cgroup(const char *path, uint64_t *ret_id)
{
    RV_AUTO(rv_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        rv_error("scope.cgroup %s: %s", path, strerror(errno));
        return -errno;
    }
    *ret_id = status.st_ino;
    return 0;
}

static void watch_reads(struct guard *guard)
{
    RV_AUTO(rv_closep) int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct rv_config_list *paths = &guard->config->read_watch;
    int r = rv_sensors_watch(guard->sensors, root_fd, (const char *const *)paths->items,
                             paths->count, NULL);

    if (r < 0)
        rv_warning("reads of sensitive files are not watched: %s", strerror(-r));
}

static void watch_deep(struct guard *guard)
{
    for (size_t i = 0; i < guard->config->deep.count; i++) {
        uint64_t id = 0;
        int r = resolve_cgroup(guard->config->deep.items[i], &id);

        if (r == 0)
            r = rv_sensors_deep_add(guard->sensors, id);
        if (r < 0)
            rv_warning("no deep watching of %s: %s", guard->config->deep.items[i], strerror(-r));
    }
}

static void tell_missing(unsigned missing)
{
    for (unsigned sensor = 0; sensor < RV_SENSOR_COUNT_; sensor++) {
        const struct rv_sensor_info *info = rv_sensor_info((enum rv_sensor)sensor);

        if (missing & RV_SENSOR_BIT(sensor))
            rv_warning("the %s sensor does not work here (%s); 'reeve doctor' says why", info->name,
                       info->meaning);
    }
}

static int open_sensors(struct guard *guard)
{
    uint64_t scope[RV_SENSORS_SCOPE_MAX];
    struct rv_sensors_options options = {
        .ring_bytes = (size_t)guard->config->ring_kib * 1024,
        .scope = scope,
        .scope_count = guard->config->scope.count,
    };
    const char *why = "";
    int r;

    if (options.scope_count > RV_SENSORS_SCOPE_MAX) {
        rv_error("at most %d cgroups can be given as scope", RV_SENSORS_SCOPE_MAX);
        return -E2BIG;
    }
    for (size_t i = 0; i < options.scope_count; i++) {
        r = resolve_cgroup(guard->config->scope.items[i], &scope[i]);
        if (r < 0)
            return r;
    }
    r = rv_sensors_open(&guard->sensors, &options, &why);
    if (r < 0) {
        rv_error("cannot load the sensors: %s (%s)", why, strerror(-r));
        return r;
    }
    tell_missing(rv_sensors_missing(guard->sensors));
    watch_reads(guard);
    watch_deep(guard);
    r = rv_sensors_attach(guard->sensors);
    if (r < 0)
        rv_error("cannot attach the sensors: %s", strerror(-r));
    return r;
}

/* ---- The judge's life ---- */

/** In the child: descriptors to their places, everything else closed, and exec. Never returns. */
static void become_judge(const struct guard *guard, int channel, int ask)
{
    struct rv_sensors_fds fds;
    int from[RV_JUDGE_FD_END_];
    sigset_t none;
    char **argv = calloc((size_t)guard->args->argc + 2, sizeof(*argv));

    rv_sensors_fds(guard->sensors, &fds);
    from[RV_JUDGE_FD_CHANNEL] = channel;
    from[RV_JUDGE_FD_CONTROL] = guard->control_fd;
    from[RV_JUDGE_FD_RING] = fds.fd[RV_SENSORS_FD_RING];
    from[RV_JUDGE_FD_URGENT] = fds.fd[RV_SENSORS_FD_URGENT];
    from[RV_JUDGE_FD_COUNTERS] = fds.fd[RV_SENSORS_FD_COUNTERS];
    from[RV_JUDGE_FD_ASK] = ask;

    /* Twice: first out of the way of the targets, then to them. */
    for (int fd = RV_JUDGE_FD_CHANNEL; fd < RV_JUDGE_FD_END_; fd++)
        from[fd] = fcntl(from[fd], F_DUPFD, 64);
    for (int fd = RV_JUDGE_FD_CHANNEL; fd < RV_JUDGE_FD_END_; fd++) {
        if (from[fd] < 0 || dup2(from[fd], fd) < 0)
            _exit(126);
    }
    if (!argv || syscall(SYS_close_range, RV_JUDGE_FD_END_, ~0U, 0) < 0)
        _exit(126);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    memcpy(argv, guard->args->argv, (size_t)guard->args->argc * sizeof(*argv));
    argv[guard->args->argc] = (char *)(uintptr_t) "--judge";
    execv("/proc/self/exe", argv);
    _exit(127);
}

static int send_sensors(const struct guard *guard)
{
    struct rv_sensors_fds fds;

    rv_sensors_fds(guard->sensors, &fds);
    return rv_channel_send(guard->channel_fd, RV_CHANNEL_SENSORS, rv_span(&fds, sizeof(fds)));
}

static int open_pair(int *ret_ours, int *ret_theirs)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
    return 0;
}

static int start_judge(struct guard *guard)
{
    RV_AUTO(rv_closep) int ours = -1;
    RV_AUTO(rv_closep) int theirs = -1;
    RV_AUTO(rv_closep) int ask = -1;
    RV_AUTO(rv_closep) int asked = -1;
    static const struct timeval patience = { 5, 0 };
    pid_t pid;
    int r = open_pair(&ours, &theirs);

    if (r == 0)
        r = open_pair(&ask, &asked);
    if (r < 0)
        return r;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become_judge(guard, theirs, asked);
    /* A judge that does not listen must not hold up the guard. */
    (void)setsockopt(ours, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    guard->judge = pid;
    guard->judge_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    guard->channel_fd = rv_take_fd(&ours);
    rv_enforcer_new_judge(guard->enforcer, rv_take_fd(&ask));
    rv_enforcer_protect(guard->enforcer, pid);
    guard->judge_since_ns = guard->clock.boot_ns(NULL);
    guard->healthy_ns = 0;
    return send_sensors(guard);
}

static int send_event(void *context, const struct rv_event *event)
{
    const struct guard *guard = context;

    return rv_channel_send(guard->channel_fd, RV_CHANNEL_EVENT, rv_span(event, event->size));
}

/** The time in which nobody judged is an event like any other. */
static int send_gap(struct guard *guard, uint64_t since_ns)
{
    RV_AUTO(rv_freep) struct rv_event_builder *builder = malloc(sizeof(*builder));
    uint64_t now = guard->clock.boot_ns(NULL);
    struct rv_event_loss *loss;

    if (!builder)
        return -ENOMEM;
    loss = (void *)rv_event_begin(builder, RV_EVENT_LOSS);
    loss->header.time_boot_ns = now;
    loss->header.tgid = (uint32_t)getpid();
    loss->cause = RV_LOSS_JUDGE;
    loss->gap_ns = now - since_ns;
    rv_event_put_str(builder, &loss->ring, rv_span_str("judge"), RV_EVENT_NAME_MAX);
    return send_event(guard, rv_event_end(builder));
}

/** The processes that run already go into the ring, where the live ones go. */
static int report_running(struct guard *guard)
{
    int r = rv_sensors_scan(guard->sensors);

    guard->rescanned_ns = guard->clock.boot_ns(NULL);
    guard->scan_due = false;
    if (r < 0)
        rv_warning("the processes that run already cannot be listed (%s); they are met as they act",
                   strerror(-r));
    return rv_channel_send(guard->channel_fd, RV_CHANNEL_SCAN_DONE, rv_span(NULL, 0));
}

/** The judge reads the rings: it may be told what was there before. */
static int on_ready(struct guard *guard, struct rv_span payload)
{
    int r = guard->judge_gone_ns ? send_gap(guard, guard->judge_gone_ns) : 0;

    (void)payload;
    guard->judged = true;
    guard->judge_gone_ns = 0;
    return r < 0 ? r : report_running(guard);
}

static int on_rescan(struct guard *guard, struct rv_span payload)
{
    (void)payload;
    guard->scan_due = true; /* done in the loop, no oftener than RESCAN_PAUSE_NS */
    return 0;
}

/** A container, perhaps: the files that are sensitive here are sensitive there. */
static int on_root(struct guard *guard, struct rv_span payload)
{
    const struct rv_config_list *paths = &guard->config->read_watch;
    RV_AUTO(rv_closep) int root_fd = -1;
    char path[40];
    uint32_t tgid;

    memcpy(&tgid, payload.data, sizeof(tgid));
    (void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", tgid);
    root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd >= 0 && rv_sensors_watch(guard->sensors, root_fd, (const char *const *)paths->items,
                                         paths->count, NULL) < 0)
        rv_debug("sensitive files under the root of process %" PRIu32 " are not watched", tgid);
    rv_enforcer_root(guard->enforcer, (pid_t)tgid);
    return 0; /* a process that is gone already is no fault of the judge's */
}

/* ---- Enforcement: what the judge asks for, handed on to the enforcer ---- */

static int tell_judge(void *context, enum rv_channel_type type, struct rv_span payload)
{
    const struct guard *guard = context;

    /* Without waiting: a judge that is slow must not hold up what is being enforced. */
    return guard->channel_fd < 0 ? -EPIPE : rv_channel_try(guard->channel_fd, type, payload);
}

static int on_health(struct guard *guard, struct rv_span payload)
{
    uint64_t now = guard->clock.boot_ns(NULL), since = guard->healthy_ns;

    (void)payload;
    guard->healthy_ns = now;
    if (since && now - since > RV_LEASE_MS * RV_NS_PER_MS && send_gap(guard, since) < 0)
        rv_debug("the judge could not be told how long it was silent");
    return rv_enforcer_health(guard->enforcer);
}

/** Packets are copied out: their bytes need not be aligned for what they hold. */
#define ON_PACKET(name, type)                                                                      \
    static int on_##name(struct guard *guard, struct rv_span payload)                              \
    {                                                                                              \
        type packet;                                                                               \
                                                                                                   \
        memcpy(&packet, payload.data, sizeof(packet));                                             \
        return rv_enforcer_##name(guard->enforcer, &packet);                                       \
    }
ON_PACKET(rules, struct rv_channel_rules)
ON_PACKET(act, struct rv_channel_act)
ON_PACKET(undo, struct rv_channel_undo)
ON_PACKET(grant, struct rv_grant)
ON_PACKET(risk, struct rv_channel_risk)
ON_PACKET(model, struct rv_channel_model)
#undef ON_PACKET

static int on_rule(struct guard *guard, struct rv_span payload)
{
    return rv_enforcer_rule(guard->enforcer, (const void *)payload.data);
}

/** The judge's whole power over the guard. A hole is a request that nobody may make. */
static const struct request {
    int (*handle)(struct guard *guard, struct rv_span payload);
    size_t payload_len;
} requests[RV_CHANNEL_TYPE_COUNT_] = {
    [RV_CHANNEL_READY] = { on_ready, 0 },
    [RV_CHANNEL_RESCAN] = { on_rescan, 0 },
    [RV_CHANNEL_ROOT] = { on_root, sizeof(uint32_t) },
    [RV_CHANNEL_HEALTH] = { on_health, 0 },
    [RV_CHANNEL_RULES] = { on_rules, sizeof(struct rv_channel_rules) },
    [RV_CHANNEL_RULE] = { on_rule, sizeof(struct rv_rule) },
    [RV_CHANNEL_ACT] = { on_act, sizeof(struct rv_channel_act) },
    [RV_CHANNEL_UNDO] = { on_undo, sizeof(struct rv_channel_undo) },
    [RV_CHANNEL_GRANT] = { on_grant, sizeof(struct rv_grant) },
    [RV_CHANNEL_RISK] = { on_risk, sizeof(struct rv_channel_risk) },
    [RV_CHANNEL_MODEL] = { on_model, sizeof(struct rv_channel_model) },
};

static void on_channel(struct guard *guard)
{
    static uint64_t buffer[RV_CHANNEL_PAYLOAD_MAX / sizeof(uint64_t)];
    enum rv_channel_type type;
    struct rv_span payload;
    int r = rv_channel_receive(guard->channel_fd, buffer, &type, &payload);

    if (r == 0 && (!requests[type].handle || payload.len != requests[type].payload_len))
        r = -EBADMSG;
    if (r == 0)
        r = requests[type].handle(guard, payload);
    if (r == 0 || r == -EAGAIN)
        return;
    if (r != -EPIPE) {
        rv_error("the judge broke the channel's rules (%s); it is ended", strerror(-r));
        (void)kill(guard->judge, SIGKILL);
    }
    rv_closep(&guard->channel_fd);
}

static void on_judge_end(struct guard *guard)
{
    uint64_t now = guard->clock.boot_ns(NULL);
    int status = 0;

    if (waitpid(guard->judge, &status, 0) != guard->judge)
        return;
    guard->judge = 0;
    rv_closep(&guard->judge_fd);
    rv_closep(&guard->channel_fd);
    if (guard->stopping)
        return;
    if (!guard->judged && WIFEXITED(status) && WEXITSTATUS(status) == RV_JUDGE_UNUSABLE) {
        rv_error("the agent does not start: mend what is said above; nothing is watched, nothing "
                 "is enforced");
        guard->stopping = guard->unusable = true;
        return;
    }
    if (now - guard->judge_since_ns > HEALTHY_NS)
        guard->pause_ms = 0;
    if (WIFSIGNALED(status))
        rv_error("the judge was killed by signal %d (%s); it starts again in %" PRIu64
                 " ms; what happens until then waits in the ring",
                 WTERMSIG(status), strsignal(WTERMSIG(status)), guard->pause_ms);
    else
        rv_error("the judge ended with status %d; it starts again in %" PRIu64
                 " ms; what happens until then waits in the ring",
                 WEXITSTATUS(status), guard->pause_ms);
    guard->judge_gone_ns = now;
    guard->restart_at_ns = now + guard->pause_ms * RV_NS_PER_MS;
    guard->pause_ms =
        rv_min_u64(guard->pause_ms ? guard->pause_ms * 2 : 100, guard->config->restart_ms_max);
}

/* ---- The emergency stop: a file in the runtime folder, or SIGUSR1, which makes it ---- */

static void follow_stop(struct guard *guard)
{
    rv_enforcer_stop(guard->enforcer, access(guard->stop_path, F_OK) == 0);
}

static int watch_stop(struct guard *guard)
{
    if (asprintf(&guard->stop_path, "%s/" RV_STOP_NAME, guard->config->runtime_dir) < 0) {
        guard->stop_path = NULL;
        return -ENOMEM;
    }
    guard->stop_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (guard->stop_fd < 0 ||
        inotify_add_watch(guard->stop_fd, guard->config->runtime_dir,
                          IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) < 0) {
        rv_error("cannot watch %s for the emergency stop: %s", guard->config->runtime_dir,
                 strerror(errno));
        return -errno;
    }
    return 0;
}

static void on_stop_file(struct guard *guard)
{
    char buffer[4096];

    while (read(guard->stop_fd, buffer, sizeof(buffer)) > 0)
        ; /* whatever happened, the file says how it is now */
    follow_stop(guard);
}

static void make_stop_file(struct guard *guard)
{
    RV_AUTO(rv_closep)
    int fd = open(guard->stop_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        rv_warning("the stop could not be written down (%s); it ends with the agent",
                   strerror(errno));
    rv_enforcer_stop(guard->enforcer, true);
}

/* ---- The boot guard ---- */

static enum rv_boot_finding judge_boots(struct guard *guard)
{
    RV_AUTO(rv_closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    enum rv_boot_finding finding = RV_BOOT_OBSERVE;
    int r;

    if (fd >= 0 && read(fd, guard->boot_id, sizeof(guard->boot_id) - 1) > 0)
        guard->boot_id[strcspn(guard->boot_id, "\n")] = '\0';
    r = rv_boot_guard_look(guard->state_fd, guard->boot_id, &finding);
    if (r < 0)
        rv_warning("earlier boots cannot be judged (%s): nothing is enforced", strerror(-r));
    else if (finding == RV_BOOT_OBSERVE)
        rv_error("two boots ended badly soon after enforcement began: nothing is enforced. When "
                 "the cause is found, remove %s/" RV_BOOT_GUARD_NAME " and restart the agent",
                 guard->config->state_dir);
    return finding;
}

/** Leave a mark with the first rules; take it away when ten minutes went well. */
static void keep_boot_mark(struct guard *guard, uint64_t now)
{
    int r = 0;

    if (guard->armed_ns == 0 && rv_enforcer_armed(guard->enforcer)) {
        guard->armed_ns = now;
        r = rv_boot_guard_mark(guard->state_fd, guard->boot_id, guard->clock.unix_ns(NULL));
    } else if (guard->armed_ns && !guard->proven && now - guard->armed_ns > RV_BOOT_GUARD_NS) {
        guard->proven = true;
        r = rv_boot_guard_clear(guard->state_fd);
    }
    if (r < 0)
        rv_warning("the mark of this boot cannot be kept: %s", strerror(-r));
}

static int open_enforcer(struct guard *guard)
{
    struct rv_enforcer_options options = {
        .config = guard->config,
        .kernel = &guard->kernel,
        .clock = guard->clock,
        .tell = tell_judge,
        .context = guard,
    };
    int r;

    guard->state_fd = open(guard->config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (guard->state_fd < 0) {
        rv_error("cannot open %s: %s", guard->config->state_dir, strerror(errno));
        return -errno;
    }
    options.boot_guarded = judge_boots(guard) == RV_BOOT_OBSERVE;
    r = rv_enforcer_new(&guard->enforcer, &options);
    if (r < 0) {
        rv_error("cannot prepare enforcement: %s", strerror(-r));
        return r;
    }
    rv_enforcer_protect(guard->enforcer, getpid());
    r = watch_stop(guard);
    if (r == 0)
        follow_stop(guard);
    return r;
}

/* ---- The loop ---- */

static int open_signals(struct guard *guard)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    guard->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return guard->signal_fd < 0 ? -errno : 0;
}

static void on_signal(struct guard *guard)
{
    struct signalfd_siginfo info;

    if (read(guard->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP) {
        if (guard->judge)
            (void)kill(guard->judge, SIGHUP);
        return;
    }
    if (info.ssi_signo == SIGUSR1) {
        make_stop_file(guard);
        return;
    }
    guard->stopping = true;
}

static int timeout_ms(const struct guard *guard)
{
    uint64_t now = guard->clock.boot_ns(NULL), at = 0;

    if (!guard->judge)
        at = guard->restart_at_ns;
    else if (guard->scan_due)
        at = guard->rescanned_ns + RESCAN_PAUSE_NS;
    else if (guard->armed_ns && !guard->proven)
        at = guard->armed_ns + RV_BOOT_GUARD_NS;
    else
        return -1;
    return at <= now ? 0 : (int)rv_min_u64((at - now) / RV_NS_PER_MS + 1, 60000);
}

static void do_what_is_due(struct guard *guard)
{
    uint64_t now = guard->clock.boot_ns(NULL);

    if (!guard->judge && now >= guard->restart_at_ns) {
        int r = start_judge(guard);

        if (r < 0) {
            rv_error("cannot start the judge: %s; the next try is in a second", strerror(-r));
            guard->restart_at_ns = now + RV_NS_PER_S;
        }
    }
    if (guard->judge && guard->scan_due && now >= guard->rescanned_ns + RESCAN_PAUSE_NS) {
        watch_reads(guard);
        if (report_running(guard) < 0)
            rv_closep(&guard->channel_fd);
    }
    keep_boot_mark(guard, now);
}

/** Wait for something to happen. @return -errno of poll(2). */
static int wait_and_serve(struct guard *guard)
{
    enum { SIGNAL, JUDGE, CHANNEL, SENSORS, STOP, PROVIDERS, FDS = PROVIDERS + RV_ENFORCER_FDS };
    struct pollfd fds[FDS] = {
        [SIGNAL] = { guard->signal_fd, POLLIN, 0 },
        [JUDGE] = { guard->judge_fd, POLLIN, 0 },
        [CHANNEL] = { guard->channel_fd, POLLIN, 0 },
        [SENSORS] = { rv_sensors_poll_fd(guard->sensors), POLLIN, 0 },
        [STOP] = { guard->stop_fd, POLLIN, 0 },
    };
    int providers[RV_ENFORCER_FDS];
    bool records = false;

    rv_enforcer_fds(guard->enforcer, providers);
    for (size_t i = 0; i < RV_ENFORCER_FDS; i++)
        fds[PROVIDERS + i] = (struct pollfd){ providers[i], POLLIN, 0 };
    if (poll(fds, FDS, timeout_ms(guard)) < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[SIGNAL].revents)
        on_signal(guard);
    if (fds[STOP].revents)
        on_stop_file(guard);
    if (fds[SENSORS].revents && rv_sensors_dispatch(guard->sensors) < 0)
        rv_debug("reads of sensitive files could not be taken in");
    for (size_t i = 0; i < RV_ENFORCER_FDS; i++)
        records |= fds[PROVIDERS + i].revents != 0;
    if (records)
        rv_enforcer_drain(guard->enforcer);
    if (fds[CHANNEL].revents)
        on_channel(guard);
    if (fds[JUDGE].revents)
        on_judge_end(guard);
    return 0;
}

static void run_loop(struct guard *guard)
{
    while (!guard->stopping) {
        int r;

        do_what_is_due(guard);
        r = wait_and_serve(guard);
        if (r < 0) {
            rv_error("poll: %s; the agent stops", strerror(-r));
            return;
        }
    }
}

/** Ask the judge to finish, and see to it that it does. */
static void stop_judge(struct guard *guard)
{
    struct pollfd judge = { guard->judge_fd, POLLIN, 0 };

    if (!guard->judge)
        return;
    if (guard->channel_fd < 0 ||
        rv_channel_send(guard->channel_fd, RV_CHANNEL_STOP, rv_span(NULL, 0)) < 0 ||
        poll(&judge, 1, STOP_WAIT_MS) <= 0) {
        rv_warning("the judge does not stop by itself; it is ended");
        (void)kill(guard->judge, SIGKILL);
    }
    on_judge_end(guard);
}

static void guard_done(struct guard *guard)
{
    stop_judge(guard);
    rv_enforcer_free(&guard->enforcer, RV_ENFORCER_UNDO);
    rv_kernel_models_done(&guard->kernel);
    if (guard->armed_ns && rv_boot_guard_clear(guard->state_fd) < 0)
        rv_warning("the mark of this boot could not be taken away");
    rv_sensors_free(&guard->sensors);
    if (guard->control_fd >= 0) {
        RV_AUTO(rv_freep) char *path = NULL;

        if (asprintf(&path, "%s/control.sock", guard->config->runtime_dir) < 0)
            path = NULL;
        if (path)
            (void)unlink(path);
    }
    rv_closep(&guard->control_fd);
    rv_closep(&guard->signal_fd);
    rv_closep(&guard->stop_fd);
    free(guard->stop_path);
    rv_closep(&guard->state_fd);
    rv_closep(&guard->lock_fd);
}

int rv_guard_main(const struct rv_agent_args *args)
{
    struct guard guard = {
        .args = args,
        .config = args->config,
        .clock = rv_clock_system(),
        .lock_fd = -1,
        .signal_fd = -1,
        .control_fd = -1,
        .state_fd = -1,
        .stop_fd = -1,
        .judge_fd = -1,
        .channel_fd = -1,
    };
    int r;

    rv_log_set_name("guard");
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    r = rv_kernel_models_open(&guard.kernel, guard.config);
    if (r == 0)
        r = find_user(&guard);
    if (r == 0)
        r = make_dirs(&guard);
    if (r == 0)
        r = take_lock(&guard);
    if (r == 0)
        r = open_signals(&guard);
    if (r == 0)
        r = listen_control(&guard);
    if (r == 0)
        r = open_enforcer(&guard);
    if (r == 0)
        r = open_sensors(&guard);
    if (r == 0)
        run_loop(&guard);
    guard.stopping = true;
    guard_done(&guard);
    return r < 0 || guard.unusable ? 2 : 0;
}
