/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/symbol.h  An event of the sensor as one symbol of a small closed alphabet: what was
 * done (a verb) and to what kind of thing (a class of the verb's own). Names, users, addresses and
 * numbers are left out, so that what is learnt on one host can be met on another.
 *
 * The tables here are the alphabet: docs, words and the digest that models carry follow from them.
 * The order of lines is the numbering; a change makes another digest, and an old model is refused.
 * System calls of deep watching have symbols of their own behind those of events.
 */
#pragma once

#include "base/hash.h"
#include "event/event.h"
#include "features/features.h"

/** Places, by path: C(CONSTANT, "words"). The first of symbol.c's patterns that fits decides. */
#define RV_SYMBOL_PLACES(C)                                                                        \
    C(PLACE_ELSEWHERE, "a file elsewhere")                                                         \
    C(PLACE_SECRET, "a file of passwords or keys")                                                 \
    C(PLACE_ACCOUNT, "a file that says who may log in or become whom")                             \
    C(PLACE_START, "a file that starts programs by itself")                                        \
    C(PLACE_PRELOAD, "the list of libraries that every program loads")                             \
    C(PLACE_LOG, "a log or a history")                                                             \
    C(PLACE_HIDDEN, "a hidden file in a scratch folder")                                           \
    C(PLACE_SCRATCH, "a file in a scratch folder")                                                 \
    C(PLACE_MEMORY, "a file in memory")                                                            \
    C(PLACE_DEVICE, "a device")                                                                    \
    C(PLACE_KERNEL, "a file of the kernel's")                                                      \
    C(PLACE_RUN, "a file of running services")                                                     \
    C(PLACE_CONFIG, "a configuration file")                                                        \
    C(PLACE_WEB, "a file that a web server gives out")                                             \
    C(PLACE_VAR, "a file under /var")                                                              \
    C(PLACE_CODE, "a program or library")                                                          \
    C(PLACE_HOME, "a file in somebody's home")

/** Where a program lies, beside its kind (features/program.h). */
#define RV_SYMBOL_ORIGINS(C)                                                                       \
    C(ORIGIN_INSTALLED, "")                                                                        \
    C(ORIGIN_OWN, " outside the system's folders")                                                 \
    C(ORIGIN_SCRATCH, " in a scratch folder or in memory")

/** The other side of a connection: how far, and by which door. */
#define RV_SYMBOL_REACHES(C)                                                                       \
    C(REACH_LOOPBACK, "this host")                                                                 \
    C(REACH_PRIVATE, "a private network")                                                          \
    C(REACH_PUBLIC, "the internet")

#define RV_SYMBOL_DOORS(C)                                                                         \
    C(DOOR_WEB, "web")                                                                             \
    C(DOOR_NAMES, "name service")                                                                  \
    C(DOOR_LOGIN, "remote login")                                                                  \
    C(DOOR_MAIL, "mail")                                                                           \
    C(DOOR_DATA, "database")                                                                       \
    C(DOOR_KNOWN, "another port below 1024")                                                       \
    C(DOOR_HIGH, "a port from 1024 on")                                                            \
    C(DOOR_EPHEMERAL, "a port from 32768 on")

#define RV_SYMBOL_MODES(C)                                                                         \
    C(MODE_OTHER, "changes the mode of")                                                           \
    C(MODE_RUNS, "makes a program of")                                                             \
    C(MODE_SETID, "gives the owner's rights to whoever runs")                                      \
    C(MODE_OPENED, "lets everybody write")                                                         \
    C(MODE_OWNER, "changes the owner of")                                                          \
    C(MODE_LABEL, "gives capabilities or a label to")

#define RV_SYMBOL_CREDS(C)                                                                         \
    C(CRED_OTHER, "changes its credentials")                                                       \
    C(CRED_ROOT, "becomes root")                                                                   \
    C(CRED_DROP, "stops being root")                                                               \
    C(CRED_GAIN, "gains capabilities")

#define RV_SYMBOL_TRACES(C)                                                                        \
    C(TRACE_ATTACH, "attaches to another process")                                                 \
    C(TRACE_WRITE, "writes another process's memory")                                              \
    C(TRACE_READ, "reads another process's memory")

#define RV_SYMBOL_SIGNALS(C)                                                                       \
    C(SIGNAL_OTHER, "signals another program")                                                     \
    C(SIGNAL_KILL, "kills another program")                                                        \
    C(SIGNAL_STOP, "stops another program")

#define RV_SYMBOL_MEMORIES(C)                                                                      \
    C(MEMORY_FILE, "makes changed pages of a file executable")                                     \
    C(MEMORY_ANON, "makes memory executable")                                                      \
    C(MEMORY_WRITABLE, "makes memory executable and writable")                                     \
    C(MEMORY_WRITTEN, "makes memory that it wrote executable")

#define RV_SYMBOL_MOUNTS(C)                                                                        \
    C(MOUNT_OTHER, "changes mounts")                                                               \
    C(MOUNT_MOUNT, "mounts a file system")                                                         \
    C(MOUNT_UNMOUNT, "unmounts a file system")                                                     \
    C(MOUNT_MOVE, "moves a mount")                                                                 \
    C(MOUNT_ROOT, "changes its root folder")

#define RV_SYMBOL_NAMESPACES(C)                                                                    \
    C(NAMESPACE_OTHER, "makes namespaces")                                                         \
    C(NAMESPACE_USER, "makes a user namespace")                                                    \
    C(NAMESPACE_ENTER, "enters another's namespaces")

/**
 * Verbs: V(CONSTANT, CLASSES, "words"). PROGRAMS is origin x kind of program, PEERS reach x door,
 * MODED mode x (0: anywhere, 1: in a scratch folder or in memory).
 */
#define RV_SYMBOL_VERBS(V)                                                                         \
    V(RUN, PROGRAMS, "runs ")                                                                      \
    V(FORK, ONE, "makes a process")                                                                \
    V(READ, PLACES, "reads ")                                                                      \
    V(WRITE, PLACES, "writes to ")                                                                 \
    V(CREATE, PLACES, "makes ")                                                                    \
    V(RENAME, PLACES, "gives a name to ")                                                          \
    V(UNLINK, PLACES, "removes ")                                                                  \
    V(LINK, PLACES, "links ")                                                                      \
    V(TRUNCATE, PLACES, "cuts ")                                                                   \
    V(MODE, MODED, "")                                                                             \
    V(CONNECT, PEERS, "connects to ")                                                              \
    V(LOCAL, ONE, "connects to a local socket")                                                    \
    V(ACCEPT, PEERS, "accepts a connection from ")                                                 \
    V(BIND, PEERS, "takes an address of ")                                                         \
    V(LISTEN, PEERS, "listens on ")                                                                \
    V(CRED, CREDS, "")                                                                             \
    V(TRACE, TRACES, "")                                                                           \
    V(SIGNAL, SIGNALS, "")                                                                         \
    V(MEMORY, MEMORIES, "")                                                                        \
    V(MODULE, ONE, "loads a kernel module")                                                        \
    V(BPF, ONE, "loads or changes a BPF object")                                                   \
    V(KEXEC, ONE, "loads another kernel")                                                          \
    V(MOUNT, MOUNTS, "")                                                                           \
    V(NAMESPACE, NAMESPACES, "")

#define RV_SYMBOL_NONE     UINT16_MAX /* says nothing of what a process does */
#define RV_SYMBOL_CALLS    512U       /* the first of those for system calls */
#define RV_SYMBOL_CALL_MAX 511U       /* higher numbers are as this one */
#define RV_SYMBOL_END      (RV_SYMBOL_CALLS + RV_SYMBOL_CALL_MAX + 1)

/**
 * The symbol of an event for the process that acts, as rv_features_update() left it: an exec is
 * what it runs now. RV_SYMBOL_NONE for snapshots, exits, loss, and batches of system calls.
 */
uint16_t rv_symbol_of(const struct rv_event *event, const struct rv_process *process);
static inline uint16_t rv_symbol_of_call(uint32_t number)
{
    return (uint16_t)(RV_SYMBOL_CALLS +
                      (number < RV_SYMBOL_CALL_MAX ? number : RV_SYMBOL_CALL_MAX));
}

/** Append a symbol in words: "runs a shell", "connects to the internet (web)". */
void rv_symbol_words(struct rv_buf *buf, uint16_t symbol);

/** The digest of the tables above and of the patterns of places. */
struct rv_sha256 rv_symbol_digest(void);
