/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bypass/attempts.h  Ways around a rule: one function each, for every provider alike.
 *
 * A provider puts the rule of a way's aim in place, tries the way, and prints whether it was
 * stopped. A way counts only if it leads somewhere without the rule. It is tried in a child of its
 * own, which exits with its result, as root; what it leaves behind goes with the child or lies in
 * the ground.
 */
#pragma once

#include "base/base.h"

#include <sys/types.h>

/* The ground: a folder that the test makes, of its own (a tmpfs on a real host). */
#define GROUND       "/tmp/reeve-bypass"
#define BOX          GROUND "/box"
#define SECRET       BOX "/secret"  /* holds "secret" */
#define PROGRAM      BOX "/program" /* busybox */
#define SHELL        BOX "/sh"      /* busybox, by the name that it takes for a shell */
#define SCRIPT       BOX "/script"  /* runs in SHELL */
#define MARKER       BOX "/marker"  /* this very program: see rv_way_main() */
#define UNIX_SOCKET  BOX "/socket"  /* somebody listens */
#define UNIX_DGRAM   BOX "/datagram"
#define UNIX_HIDDEN  "reeve-bypass"        /* the same, abstract */
#define BEFORE       GROUND "/before"      /* a hard link to SECRET, made before any rule */
#define COPY         GROUND "/copy"        /* a copy of it, likewise */
#define PROGRAM_COPY GROUND "/program-too" /* a copy of PROGRAM, likewise */
/* Another hard link to it: 255 bytes, none of them UTF-8. */
#define LONG_NAME BOX "/" LONG_50 LONG_50 LONG_50 LONG_50 LONG_50 "12345"
#define LONG_10   "\xff\xfe\xc0\x80\xf5\xff\xfe\xc0\x80\xf5"
#define LONG_50   LONG_10 LONG_10 LONG_10 LONG_10 LONG_10
#define PORT      4445 /* TCP and UDP on 127.0.0.1: somebody listens */

/** What somebody must not reach; the rule that forbids it, in words. */
#define RV_AIMS(A)                                                                                 \
    A(READ, "read the file")                                                                       \
    A(READ_BELOW, "read, link or rename below the folder")                                         \
    A(CHANGE, "write, truncate, replace, remove or chmod the file")                                \
    A(CREATE, "create, link or rename below the folder")                                           \
    A(EXEC, "start or map the program")                                                            \
    A(ONLY_SYSTEM, "start or map anything outside the system's folders")                           \
    A(SCRIPT, "start or read the script")                                                          \
    A(SHELL, "start or map the shell")                                                             \
    A(FILELESS, "run code without a file")                                                         \
    A(CONNECT, "connect to 127.0.0.0/8")                                                           \
    A(UNIX, "connect to the socket's file")                                                        \
    A(UNIX_ALL, "connect to any unix socket")                                                      \
    A(RAW, "make a packet or raw socket")                                                          \
    A(TARGET, "signal or trace the guarded process")                                               \
    A(LINEAGE, "read the file, after having run the marker")                                       \
    A(RISK, "read the file, at risk 500 and above")                                                \
    A(BPF, "reach Reeve's own maps, programs and links")

enum rv_aim {
#define RV_AIM_CONSTANT(constant, words) RV_AIM_##constant,
    RV_AIMS(RV_AIM_CONSTANT)
#undef RV_AIM_CONSTANT
        RV_AIMS_
};

struct rv_way {
    const char *name;
    enum rv_aim aim;
    int (*run)(void); /* 0: it got there; -errno: it did not */
};

/** All of them, one after the other; NULL past the end. Static. */
const struct rv_way *rv_way_at(size_t index);
const char *rv_aim_words(enum rv_aim aim);

/** Make the ground and the servers on it; needs busybox at `busybox`. @return 0 or -errno. */
int rv_ground_make(const char *busybox, const char *self);
void rv_ground_leave(void); /* closes what listens; the folder stays */

/**
 * Try a way. `prepare` (may be NULL) is called for the child before it begins, and for the process
 * that RV_AIM_TARGET is about (0: there is none). @return 0: it got there; -errno otherwise.
 */
int rv_way_try(const struct rv_way *way,
               void (*prepare)(enum rv_aim aim, pid_t child, pid_t target));

/** For main(): when started as the marker, go on with the way and never return. */
void rv_way_main(int argc, char **argv);

/* ---- Between the files of this folder ---- */

extern const struct rv_way rv_ways_files[], rv_ways_changes[], rv_ways_programs[],
    rv_ways_processes[], rv_ways_network[], rv_ways_kernel[];
extern const size_t rv_ways_files_count, rv_ways_changes_count, rv_ways_programs_count,
    rv_ways_processes_count, rv_ways_network_count, rv_ways_kernel_count;

extern pid_t rv_target; /* RV_AIM_TARGET: whom not to reach */
extern int rv_kept_fd;  /* SECRET, opened before any rule */

int rv_result(long value); /* 0, or -errno of a call that gave -1 */
int rv_got(int fd);        /* does it yield the secret? Closes it */
int rv_read_secret(const char *path);
int rv_in_child(int (*way)(void));
int rv_run(const char *path, char *const argv[]); /* 0 when it ran and exited with 0 */

/** One io_uring with one entry. @return what it came to: a descriptor, 0, or -errno. */
struct io_uring_sqe;
int rv_uring(const struct io_uring_sqe *entry);
