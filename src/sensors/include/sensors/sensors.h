/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sensors/sensors.h  The privileged side: load, attach, watch, measure, detach.
 *
 * Two processes share the work. The *guard* (CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN)
 * calls what is declared here. The *judge* (no capability; bpf(2) refused) gets the descriptors of
 * rv_sensors_fds() and reads through sensors/stream.h: mmap and poll only.
 *
 * Nothing is pinned: every program, link, map and mark lives by the guard's descriptors and ends
 * with the guard, kill -9 included. Single-threaded; functions do not log.
 *
 * What runs by default never sits on the system call path. Each sensor takes the rarest hook that
 * the kernel offers; rv_sensors_probe() says which one that is here and what it costs.
 */
#pragma once

#include "event/event.h"

/** What is watched. Each has a folder under src/sensors and a row in rv_sensor_info(). */
enum rv_sensor {
    RV_SENSOR_PROCESS, /* fork, exec, exit */
    RV_SENSOR_CRED,    /* credentials compared at every event of a process; capabilities used */
    RV_SENSOR_FILE,    /* create, change, rename, unlink, link, mode, owner, truncate */
    RV_SENSOR_READ,    /* opens of files that the policy names: fanotify inode marks */
    RV_SENSOR_NET,     /* connect, bind, listen, accept */
    RV_SENSOR_MEMORY,  /* writable and executable memory, writing another's memory, ptrace */
    RV_SENSOR_SIGNAL,  /* signals across process trees */
    RV_SENSOR_KERNEL,  /* modules, bpf(2), kexec, mounts, namespaces, tampering */
    RV_SENSOR_DEEP,    /* every system call of chosen scopes; attached only while asked for */
    RV_SENSOR_COUNT_,
};

#define RV_SENSOR_BIT(sensor) (1U << (sensor))
#define RV_SENSORS_DEFAULT    (RV_SENSOR_BIT(RV_SENSOR_COUNT_) - 1U)

#define RV_SENSORS_SCOPE_MAX 64   /* cgroups of a scope, deep scope */
#define RV_SENSORS_WATCH_MAX 8192 /* files and directories marked for reads */

struct rv_sensors_options {
    unsigned sensors;           /* RV_SENSOR_BIT set; 0: RV_SENSORS_DEFAULT */
    size_t ring_bytes;          /* power of two, page or more; 0: 8 MiB */
    size_t urgent_ring_bytes;   /* for tampering and what floods must not evict; 0: 256 KiB */
    const char *cgroup_root;    /* cgroup v2 mount; NULL: found in /proc/self/mountinfo */
    const uint64_t *scope;      /* cgroup v2 ids; they and all below them are watched */
    size_t scope_count;         /* 0: everything */
    bool watch_self;            /* false: the caller and its direct children are left out */
    uint32_t rewrite_window_ms; /* a process changing one file again is silent so long; 0: 60 s */
};

struct rv_sensors;

/**
 * Load everything that this kernel takes; attach nothing yet.
 * A sensor that cannot be had is left out and named by rv_sensors_missing().
 * @param reterr a sentence that says what to do next; static or owned by the thread; may be NULL.
 * @return 0; -EPERM without privilege; -EOPNOTSUPP when not even the process sensor loads;
 *         -EINVAL for bad options; another -errno.
 */
RV_MUST_CHECK int rv_sensors_open(struct rv_sensors **ret_sensors,
                                  const struct rv_sensors_options *options, const char **reterr);

/** Detach and close all. NULL is fine. */
void rv_sensors_free(struct rv_sensors **sensors);

/** Begin to watch. From here on events flow. @return 0 or -errno. */
RV_MUST_CHECK int rv_sensors_attach(struct rv_sensors *sensors);

/** Bits of sensors asked for that do not work here. */
unsigned rv_sensors_missing(const struct rv_sensors *sensors);

/* ---- What the judge is given ---- */

enum rv_sensors_fd_kind {
    RV_SENSORS_FD_RING,     /* events */
    RV_SENSORS_FD_URGENT,   /* tampering and other rare events */
    RV_SENSORS_FD_COUNTERS, /* sequence, emitted and lost, per cpu */
    RV_SENSORS_FD_COUNT_,
};

/** Descriptors to pass by SCM_RIGHTS, with what rv_stream_open() needs to map them. */
struct rv_sensors_fds {
    int fd[RV_SENSORS_FD_COUNT_];
    uint64_t ring_bytes, urgent_bytes;
    uint32_t cpus; /* rows of the counters */
    uint32_t version;
};

/** Borrowed: they stay the sensors' own. */
void rv_sensors_fds(const struct rv_sensors *sensors, struct rv_sensors_fds *ret_fds);

/* ---- The guard's own upkeep ---- */

/**
 * A descriptor to poll for POLLIN in the guard's loop, or -1; when readable call
 * rv_sensors_dispatch(): it turns marks that fired into events and puts them into the ring.
 */
int rv_sensors_poll_fd(const struct rv_sensors *sensors);
RV_MUST_CHECK int rv_sensors_dispatch(struct rv_sensors *sensors);

/**
 * Report opens of these files, reads included. Each path is absolute; a trailing "/" watches the
 * files directly in a directory; `*` and `?` match within one component. Existing matches under
 * `root_fd` are marked now; marks that exist are kept. A path that matches nothing is no error.
 * Below the caller's own root, names that come later and files that are replaced are marked some
 * 20 ms after; below another root (a container's: open /proc/PID/root) call again.
 * @param ret_marked number of inodes marked now; may be NULL.
 * @return 0; -ENOSPC past RV_SENSORS_WATCH_MAX; -EOPNOTSUPP when the sensor is missing.
 */
RV_MUST_CHECK int rv_sensors_watch(struct rv_sensors *sensors, int root_fd,
                                   const char *const *paths, size_t path_count, size_t *ret_marked);

/** Forget all marks. rv_sensors_poll_fd() is another descriptor afterwards. */
RV_MUST_CHECK int rv_sensors_unwatch(struct rv_sensors *sensors);

/** Watch every system call in a cgroup (v2 id) and below. The first one attaches the slow hook. */
RV_MUST_CHECK int rv_sensors_deep_add(struct rv_sensors *sensors, uint64_t cgroup_id);
/** The last one detaches it. @return 0 or -ENOENT. */
RV_MUST_CHECK int rv_sensors_deep_remove(struct rv_sensors *sensors, uint64_t cgroup_id);

/**
 * Report every running process as a process.exec event with RV_EVENT_F_SNAPSHOT, into the ring.
 * The kernel walks its own task list (BPF iterator), so keys and paths are exact and nothing of
 * /proc can race. Attach first, then scan: a process is then seen by the scan, by the stream, or
 * by both, and both carry the same process key. Call again to repair state after loss.
 * @return 0; -EOPNOTSUPP when the kernel has no task iterator; another -errno.
 */
RV_MUST_CHECK int rv_sensors_scan(struct rv_sensors *sensors);

/**
 * Put an event of the guard's own into the ring, in sequence with the kernel's.
 * @return 0; -ENOSPC when the ring is full (counted as lost); another -errno.
 */
RV_MUST_CHECK int rv_sensors_put(struct rv_sensors *sensors, const struct rv_event *event);

/* ---- What it costs, what works ---- */

struct rv_sensors_cost {
    const char *program; /* BPF program */
    const char *hook;    /* where it sits, in the kernel's words */
    enum rv_sensor sensor;
    uint64_t run_count, run_time_ns; /* 0 unless kernel.bpf_stats_enabled or rv_sensors_meter() */
    uint64_t missed;                 /* runs skipped by the kernel because of recursion */
};

/** Turn run time statistics on for as long as the sensors live. They cost some 20 ns a run. */
RV_MUST_CHECK int rv_sensors_meter(struct rv_sensors *sensors);
/** @return rows written, at most `room`. */
size_t rv_sensors_costs(const struct rv_sensors *sensors, struct rv_sensors_cost *rows,
                        size_t room);
/** Kernel memory of the maps, bytes. */
uint64_t rv_sensors_map_bytes(const struct rv_sensors *sensors);

struct rv_sensor_info {
    const char *name, *meaning;
    uint64_t types; /* low 64 event types it makes: bit (1 << type); TAMPER by RV_SENSOR_KERNEL */
};
const struct rv_sensor_info *rv_sensor_info(enum rv_sensor sensor);

/** One thing that was tried. */
struct rv_sensors_probe {
    enum rv_sensor sensor;
    const char *hook;   /* "tp_btf/sched_process_exec" */
    const char *events; /* "process.exec" */
    const char *cost;   /* "one run an exec; not on the system call path" */
    bool works;
    int error;        /* errno when not */
    char reason[160]; /* in words, empty when it works */
};

/**
 * Try each hook for real: load and attach into an empty scope, then detach.
 * @param put  called once a hook.
 * @return 0; -EPERM without privilege.
 */
RV_MUST_CHECK int rv_sensors_probe(void (*put)(void *context, const struct rv_sensors_probe *probe),
                                   void *context);
