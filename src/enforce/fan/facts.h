/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fan/facts.h  What can be told of an open while its thread is stopped inside it.
 *
 * The thread cannot go away while its question is open, except by being killed; then the answer
 * goes to nobody. Should its number be another's by then, what is found out is true of that other,
 * and a cached verdict is one of the facts, whosever they were. Hence no pidfd for each event.
 *
 * Nothing here may wait for somebody else's file system: attributes are taken as they are cached,
 * paths are walked in the cache only. The functions serve one thread at a time.
 */
#pragma once

#include "enforce/rule.h"

#include <stdint.h>

#define RV_FAN_DEPTH 64 /* folders above a file, and cgroups above a process */

#define FAN_PATH_ROOM ((size_t)4096)

struct fan_id {
    uint64_t inode; /* 0: none */
    uint32_t dev;   /* major << 20 | minor */
};

static inline bool fan_same(struct fan_id a, struct fan_id b)
{
    return a.inode == b.inode && a.dev == b.dev && a.inode != 0;
}

enum fan_place {
    FAN_PLACE_OPEN = 0, /* not looked at: may be anywhere */
    FAN_PLACE_HIDDEN,   /* looked at in vain: counts as below every folder of its device */
    FAN_PLACE_FOUND,
};

struct fan_facts {
    /* quick: for every event */
    uint32_t tid, euid;
    int thread_fd;   /* its folder in /proc, the source's; -1: gone */
    uint32_t action; /* RV_DO_EXEC, or of RV_DO_READ | RV_DO_WRITE those it may be */
    struct fan_id file, program;
    int64_t ctime_ns, mtime_ns, program_ctime_ns;
    uint64_t size;
    uint32_t link_count;
    uint32_t program_kind, file_kind; /* by the provider's table of programs */
    bool own;                         /* the thread is one of this process */
    bool process_known; /* false: facts of the process are open questions, for rv_fan_match() */

    /* as needed */
    bool user_known, status_known, workloads_known, path_known;
    uint64_t start_boot_ns; /* 0: not known */
    uint32_t tgid, uid, gid;
    char comm[16];
    size_t workload_count, folder_count;
    uint64_t mount_id; /* with `place` */
    enum fan_place place;
    char *path, *program_path; /* FAN_PATH_ROOM each, the caller's; may be "": not known */

    /* Filled up to their counts: not cleared for each event. */
    uint64_t workloads[RV_FAN_DEPTH];    /* cgroup of the process, then those above */
    struct fan_id folders[RV_FAN_DEPTH]; /* folder of the file, then those above */
};

#define FAN_THREADS                                                                                \
    64 /* whose folders in /proc are kept open: half the cost of a cached answer                   \
        */

struct fan_thread {
    uint32_t tid;
    int fd;   /* of the thread that had the number then: with it gone, nothing is found there */
    bool own; /* of this process */
    uint64_t start_boot_ns; /* of its process; 0: not asked yet */
};

/** Where facts are read; one for a provider. */
struct fan_source {
    int proc_fd, fds_fd, root_fd, cgroup_fd; /* cgroup_fd may be -1: no cgroup v2 */
    struct fan_thread threads[FAN_THREADS];
};

/** Nothing open yet: what rv_fan_source_close() may be given. */
void rv_fan_source_init(struct fan_source *source);
RV_MUST_CHECK int rv_fan_source_open(struct fan_source *source);
void rv_fan_source_close(struct fan_source *source);

/**
 * Fill the quick facts but `euid`; what cannot be told stays 0.
 * @return 0; -errno: the file itself cannot be looked at.
 */
RV_MUST_CHECK int rv_fan_facts_quick(struct fan_source *source, int fd, uint32_t tid,
                                     struct fan_facts *facts);
/** The effective user, with UINT32_MAX for nobody who is known. */
void rv_fan_facts_user(struct fan_facts *facts);

void rv_fan_facts_status(struct fan_facts *facts);
/** Needs the status. When the process began; asked once of each thread. */
void rv_fan_facts_start(struct fan_source *source, struct fan_facts *facts);
void rv_fan_facts_workloads(const struct fan_source *source, struct fan_facts *facts);
/** Path of the event's file, and of the program. */
void rv_fan_facts_path(const struct fan_source *source, int fd, struct fan_facts *facts);
void rv_fan_facts_program_path(struct fan_facts *facts);
/** Needs the path. Finds the folder that really holds the file, and those above in its mount. */
void rv_fan_facts_place(const struct fan_source *source, int fd, struct fan_facts *facts);
/** Narrow `action` of an open by the thread's own system call. */
void rv_fan_facts_mode(struct fan_facts *facts);

/** What a line of /proc/TID/syscall says of an open: bits of RV_DO_READ and RV_DO_WRITE. Pure. */
uint32_t rv_fan_open_mode(const char *line);
/** The fields of /proc/TID/status that matter; `text` ends in NUL. @return false: malformed. */
bool rv_fan_parse_status(const char *text, struct fan_facts *facts);

/** Identity of a path, following links. @return 0 or -errno. */
RV_MUST_CHECK int rv_fan_identify(const char *path, struct fan_id *ret_id);
