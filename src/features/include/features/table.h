/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/**
 * @file features/table.h  The 96 features of table version 1. Everything else about features follows
 * from this table: the enum, the digest that models carry, docs/features.md, the reasons in words.
 * Why this set and not another: docs/adr/0004-features.md.
 *
 * Shared with BPF programs: the enums need nothing; the functions are user space only.
 *
 * A number's meaning never changes. A change to any column but the last makes another digest, and a
 * model refuses a vector of another table.
 */
#pragma once

#include "features/vector.h"

#define RV_FEATURE_TABLE_VERSION 1

/*
 * F(number, CONSTANT, "name", max, "unit", WINDOW, KEPT, MUTABILITY, "meaning"); minimum is 0.
 * WINDOW      EXEC: set at exec · LIFE: since the process started (a fork inherits nothing) ·
 *             FAST, SLOW: decayed, half-life 2^30 ns (about 1 s), 2^36 ns (about 69 s) · NOW
 * KEPT        KERNEL: computed by features/core.h, in task storage or in the judge, bit for bit the
 *             same · JUDGE: needs strings or what this host has learnt
 * MUTABILITY  what somebody who controls the process can do to the value without giving up on what
 *             the process does: RAISE it only · DILUTE it, that is, move it either way · FIXED
 */
#define RV_FEATURES(F)                                                                             \
    F(0, EXE_AGE, "exe_age", 2147483647, "s", EXEC, JUDGE, FIXED,                                  \
      "time since the program was first seen on this host")                                        \
    F(1, EXE_RUNS, "exe_runs", 512, "log2/16", EXEC, JUDGE, FIXED,                                 \
      "how often the program runs on this host, decayed by weeks")                                 \
    F(2, EXE_PATH_CLASS, "exe_path_class", 7, "enum", EXEC, JUDGE, FIXED,                          \
      "where the program, or its script, lies: 0 unknown, 1 system, 2 local or opt, 3 var or "     \
      "srv, 4 home, 5 elsewhere, 6 scratch folder, 7 no file system")                              \
    F(3, EXE_FILE_AGE, "exe_file_age", 40, "log2 s", EXEC, JUDGE, FIXED,                           \
      "age of the program's inode when it started; 40: not known")                                 \
    F(4, EXE_OWNER_ROOT, "exe_owner_root", 1, "bool", EXEC, JUDGE, FIXED,                          \
      "root owns the program")                                                                     \
    F(5, EXE_WRITABLE, "exe_writable", 1, "bool", EXEC, JUDGE, FIXED,                              \
      "group or others may write the program")                                                     \
    F(6, EXE_FILELESS, "exe_fileless", 1, "bool", EXEC, JUDGE, FIXED,                              \
      "the program is a memfd or was removed before it ran")                                       \
    F(7, PARENT_CONNECTS, "parent_connects", 255, "count", EXEC, JUDGE, DILUTE,                    \
      "network connections that the process which started the program had opened")                 \
    F(8, EXE_PRELOAD, "exe_preload", 1, "bool", EXEC, JUDGE, DILUTE,                               \
      "LD_PRELOAD, LD_AUDIT or LD_LIBRARY_PATH was set")                                           \
    F(9, EXE_KIND, "exe_kind", 15, "enum", EXEC, JUDGE, FIXED, "what kind of program: program.h")  \
    F(10, EXE_HIDDEN, "exe_hidden", 1, "bool", EXEC, JUDGE, DILUTE,                                \
      "a part of the program's path begins with a dot")                                            \
    F(11, ARGV_LEN, "argv_len", 65535, "B", EXEC, JUDGE, DILUTE, "length of the arguments")        \
    F(12, ANC_PACKAGE, "anc_package", 1, "bool", EXEC, JUDGE, FIXED,                               \
      "a package manager is among the ancestors")                                                  \
    F(13, ARGV_ENTROPY, "argv_entropy", 128, "bit/16", EXEC, JUDGE, DILUTE,                        \
      "entropy per byte of the first 256 bytes of the arguments")                                  \
    F(14, ARGV_META, "argv_meta", 255, "count", EXEC, JUDGE, DILUTE,                               \
      "shell metacharacters ;|&$`<> in the arguments")                                             \
    F(15, ARGV_B64_RUN, "argv_b64_run", 255, "B", EXEC, JUDGE, DILUTE,                             \
      "longest run of base64 characters that mixes cases and digits")                              \
    F(16, ARGV_NET, "argv_net", 255, "count", EXEC, JUDGE, DILUTE,                                 \
      "URLs, /dev/tcp paths and dotted addresses in the arguments")                                \
    F(17, ARGV_RARITY, "argv_rarity", 512, "bit/16", EXEC, JUDGE, DILUTE,                          \
      "rarity of the shape of the arguments for this program on this host")                        \
    F(18, DEPTH, "depth", 255, "count", EXEC, JUDGE, DILUTE, "ancestors up to init")               \
    F(19, PARENT_RARITY, "parent_rarity", 512, "bit/16", EXEC, JUDGE, FIXED,                       \
      "rarity of this program as a child of its parent's program")                                 \
    F(20, GRANDPARENT_RARITY, "grandparent_rarity", 512, "bit/16", EXEC, JUDGE, FIXED,             \
      "rarity of this program as a grandchild of its grandparent's program")                       \
    F(21, PARENT_KIND, "parent_kind", 15, "enum", EXEC, JUDGE, FIXED,                              \
      "what kind of program the parent runs: program.h")                                           \
    F(22, ANC_SERVER, "anc_server", 8, "8 - generations", NOW, JUDGE, FIXED,                       \
      "nearest ancestor, below any login, that serves the network: 8 parent, 7 its parent, ... "   \
      "0 none")                                                                                    \
    F(23, ANC_INTERPRETERS, "anc_interpreters", 255, "count", EXEC, JUDGE, DILUTE,                 \
      "shells and script languages among the ancestors")                                           \
    F(24, ANC_RISK, "anc_risk", 1000, "risk", NOW, JUDGE, RAISE,                                   \
      "highest risk given to an ancestor so far; its own does not count, or it would feed itself")                                   \
    F(25, ANC_SCRATCH, "anc_scratch", 1, "bool", EXEC, JUDGE, FIXED,                               \
      "one of the three nearest ancestors ran from a scratch folder or from memory")                                      \
    F(26, SINCE_FORK, "since_fork", 2147483647, "s", NOW, JUDGE, DILUTE,                           \
      "time since the process was made")                                                           \
    F(27, SINCE_EXEC, "since_exec", 2147483647, "s", NOW, JUDGE, DILUTE,                           \
      "time since it started its program")                                                         \
    F(28, TTY, "tty", 1, "bool", EXEC, JUDGE, DILUTE, "has a controlling terminal")                \
    F(29, SESSION_REMOTE, "session_remote", 1, "bool", EXEC, JUDGE, FIXED,                         \
      "descends from a remote login")                                                              \
    F(30, UID_CLASS, "uid_class", 3, "enum", NOW, JUDGE, FIXED,                                    \
      "0 root, 1 system account, 2 person, 3 mapped or nobody")                                    \
    F(31, EUID_DIFFERS, "euid_differs", 1, "bool", NOW, JUDGE, FIXED,                              \
      "effective user is not the real user")                                                       \
    F(32, CAPS_GAINED, "caps_gained", 64, "count", LIFE, JUDGE, RAISE,                             \
      "capabilities that it did not have when it started")                                         \
    F(33, CRED_CHANGES, "cred_changes", 65535, "count", LIFE, KERNEL, RAISE,                       \
      "changes of credentials")                                                                    \
    F(34, NAMESPACES, "namespaces", 8, "count", LIFE, JUDGE, RAISE,                                \
      "kinds of namespace entered or made")                                                        \
    F(35, CONTAINER, "container", 1, "bool", EXEC, JUDGE, FIXED, "runs in a container")            \
    F(36, FORKS, "forks", 2147483647, "count", LIFE, KERNEL, RAISE, "processes made")              \
    F(37, EXECS, "execs", 2147483647, "count", LIFE, KERNEL, RAISE, "programs started in place")   \
    F(38, WATCHED_READS, "watched_reads", 2147483647, "count", LIFE, KERNEL, RAISE,                \
      "opens for reading only of files that the policy watches")                                   \
    F(39, OPENS_WRITE, "opens_write", 2147483647, "count", LIFE, KERNEL, RAISE,                    \
      "opens for writing of files that were there")                                                \
    F(40, CREATES, "creates", 2147483647, "count", LIFE, KERNEL, RAISE, "files made")              \
    F(41, RENAMES, "renames", 2147483647, "count", LIFE, KERNEL, RAISE, "files renamed")           \
    F(42, UNLINKS, "unlinks", 2147483647, "count", LIFE, KERNEL, RAISE, "names removed")           \
    F(43, LINKS, "links", 2147483647, "count", LIFE, KERNEL, RAISE, "links made")                  \
    F(44, ATTRS, "attrs", 2147483647, "count", LIFE, KERNEL, RAISE, "modes or owners changed")     \
    F(45, TRUNCATES, "truncates", 2147483647, "count", LIFE, KERNEL, RAISE, "files cut")           \
    F(46, MEMORY_EXECS, "memory_execs", 2147483647, "count", LIFE, KERNEL, RAISE,                  \
      "memory made executable that no program file stands behind")                                 \
    F(47, PTRACES, "ptraces", 2147483647, "count", LIFE, KERNEL, RAISE,                            \
      "attachments to other processes")                                                            \
    F(48, SIGNALS, "signals", 2147483647, "count", LIFE, KERNEL, RAISE,                            \
      "signals sent outside its own tree")                                                         \
    F(49, CONNECTS, "connects", 2147483647, "count", LIFE, KERNEL, RAISE,                          \
      "outgoing network connections")                                                              \
    F(50, ACCEPTS, "accepts", 2147483647, "count", LIFE, KERNEL, RAISE,                            \
      "network connections accepted")                                                              \
    F(51, BINDS, "binds", 2147483647, "count", LIFE, KERNEL, RAISE,                                \
      "local network addresses taken or listened on")                                              \
    F(52, MOUNTS, "mounts", 2147483647, "count", LIFE, KERNEL, RAISE,                              \
      "mounts and namespaces changed")                                                             \
    F(53, KERNEL_LOADS, "kernel_loads", 2147483647, "count", LIFE, KERNEL, RAISE,                  \
      "modules, BPF objects and kernels loaded")                                                   \
    F(54, ALL_FAST, "all_fast", 1048575, "count", FAST, KERNEL, DILUTE, "events of any kind")      \
    F(55, ALL_SLOW, "all_slow", 1048575, "count", SLOW, KERNEL, DILUTE, "events of any kind")      \
    F(56, WRITES_FAST, "writes_fast", 1048575, "count", FAST, KERNEL, DILUTE,                      \
      "files made or opened for writing")                                                          \
    F(57, WRITES_SLOW, "writes_slow", 1048575, "count", SLOW, KERNEL, DILUTE,                      \
      "files made or opened for writing")                                                          \
    F(58, REMOVALS_FAST, "removals_fast", 1048575, "count", FAST, KERNEL, DILUTE,                  \
      "files renamed or removed")                                                                  \
    F(59, REMOVALS_SLOW, "removals_slow", 1048575, "count", SLOW, KERNEL, DILUTE,                  \
      "files renamed or removed")                                                                  \
    F(60, CONNECTS_FAST, "connects_fast", 1048575, "count", FAST, KERNEL, DILUTE,                  \
      "outgoing network connections")                                                              \
    F(61, CONNECTS_SLOW, "connects_slow", 1048575, "count", SLOW, KERNEL, DILUTE,                  \
      "outgoing network connections")                                                              \
    F(62, SPAWNS_FAST, "spawns_fast", 1048575, "count", FAST, KERNEL, DILUTE,                      \
      "processes made and programs started")                                                       \
    F(63, SPAWNS_SLOW, "spawns_slow", 1048575, "count", SLOW, KERNEL, DILUTE,                      \
      "processes made and programs started")                                                       \
    F(64, NGRAM_MISSES, "ngram_misses", 65535, "count", LIFE, KERNEL, RAISE,                       \
      "triples of consecutive calls of a thread that programs of this kind do not make")           \
    F(65, NGRAM_WINDOW, "ngram_window", 64, "count", NOW, KERNEL, DILUTE,                          \
      "such triples among the last 64 of the thread that acted last")                              \
    F(66, NGRAM_WINDOW_MAX, "ngram_window_max", 64, "count", LIFE, KERNEL, RAISE,                  \
      "the most such triples in any 64 in a row of any thread")                                    \
    F(67, CALL_ENTROPY, "call_entropy", 80, "bit/16", LIFE, KERNEL, DILUTE,                        \
      "entropy of the kinds of event")                                                             \
    F(68, LONGEST_RUN, "longest_run", 65535, "count", LIFE, KERNEL, RAISE,                         \
      "longest run of one and the same kind of event in a thread")                                 \
    F(69, CALL_KINDS, "call_kinds", 64, "count", LIFE, KERNEL, RAISE, "different kinds of event")  \
    F(70, FILES, "files", 1048575, "count", LIFE, KERNEL, RAISE,                                   \
      "different files made, written, renamed or removed (estimate)")                              \
    F(71, DIRS, "dirs", 1048575, "count", LIFE, KERNEL, RAISE,                                     \
      "different directories of those files (estimate)")                                           \
    F(72, ADDRESSES, "addresses", 1048575, "count", LIFE, KERNEL, RAISE,                           \
      "different network addresses connected to (estimate)")                                       \
    F(73, PORTS, "ports", 1048575, "count", LIFE, KERNEL, RAISE,                                   \
      "different ports connected to (estimate)")                                                   \
    F(74, PROGRAMS, "programs", 1048575, "count", LIFE, KERNEL, RAISE,                             \
      "different programs that its children started (estimate)")                                   \
    F(75, NEW_NET, "new_net", 65535, "count", LIFE, JUDGE, RAISE,                                  \
      "networks (/24, /48) that this program had not connected to on this host")                   \
    F(76, NEW_PORT, "new_port", 65535, "count", LIFE, JUDGE, RAISE,                                \
      "ports that this program had not connected to on this host")                                 \
    F(77, NEW_DIR, "new_dir", 65535, "count", LIFE, JUDGE, RAISE,                                  \
      "directories that this program had not changed on this host")                                \
    F(78, NEW_CHILD, "new_child", 65535, "count", LIFE, JUDGE, RAISE,                              \
      "programs that this program had not started on this host")                                   \
    F(79, NEW_ACTION, "new_action", 65535, "count", LIFE, JUDGE, RAISE,                            \
      "kinds of event that this program had not caused on this host")                              \
    F(80, FOREIGN_WRITES, "foreign_writes", 65535, "count", LIFE, JUDGE, RAISE,                    \
      "opens for writing of files that it had not made itself")                                    \
    F(81, REPLACED, "replaced", 65535, "count", LIFE, JUDGE, RAISE,                                \
      "files removed, or renamed away, for which it had just written a stand-in")                  \
    F(82, EXT_CHANGES, "ext_changes", 65535, "count", LIFE, JUDGE, RAISE,                          \
      "renames that changed or added a file name extension")                                       \
    F(83, STRANGE_EXT, "strange_ext", 65535, "count", LIFE, JUDGE, RAISE,                          \
      "files given a file name extension that this host does not know")                            \
    F(84, PERSIST_WRITES, "persist_writes", 65535, "count", LIFE, JUDGE, RAISE,                    \
      "changes in places that start programs: cron, units, profiles, keys, ld.so.preload")         \
    F(85, LOG_WIPES, "log_wipes", 65535, "count", LIFE, JUDGE, RAISE,                              \
      "logs cut, removed or renamed away")                                                         \
    F(86, RANDOM_WRITES, "random_writes", 65535, "count", LIFE, JUDGE, RAISE,                      \
      "sampled writes over a file's old content that look encrypted")                              \
    F(87, EXCESS_FILES, "excess_files", 512, "log2/16", LIFE, JUDGE, DILUTE,                       \
      "different files against what this program usually needs")                                   \
    F(88, EXCESS_WRITES, "excess_writes", 512, "log2/16", SLOW, JUDGE, DILUTE,                     \
      "writes against what this program usually makes in such a time")                             \
    F(89, EXCESS_REMOVALS, "excess_removals", 512, "log2/16", SLOW, JUDGE, DILUTE,                 \
      "renames and removals against what this program usually makes in such a time")               \
    F(90, EXCESS_SPAWNS, "excess_spawns", 512, "log2/16", SLOW, JUDGE, DILUTE,                     \
      "processes and programs started against what this program usually starts")                   \
    F(91, EXCESS_CONNECTS, "excess_connects", 512, "log2/16", SLOW, JUDGE, DILUTE,                 \
      "connections against what this program usually makes in such a time")                        \
    F(92, GAP, "gap", 1023, "log2 ns/16", NOW, KERNEL, DILUTE,                                     \
      "decayed mean of the logarithm of the time between events")                                  \
    F(93, BEACON, "beacon", 255, "1/16", NOW, KERNEL, DILUTE,                                      \
      "irregularity of the time between connections: mean deviation over mean; 255: fewer "        \
      "than four gaps")                                                                            \
    F(94, HOUR_OF_WEEK, "hour_of_week", 167, "h", NOW, JUDGE, FIXED, "since Monday 00:00 UTC")     \
    F(95, EDGE_RARITY, "edge_rarity", 512, "bit/16", LIFE, JUDGE, RAISE,                           \
      "rarest thing it touched, for its program on this host: directory, network, port, child")

enum rv_feature {
#define RV_FEATURE_CONSTANT(number, constant, ...) RV_FEATURE_##constant = number,
    RV_FEATURES(RV_FEATURE_CONSTANT)
#undef RV_FEATURE_CONSTANT
};

enum rv_feature_window {
    RV_WINDOW_EXEC,
    RV_WINDOW_LIFE,
    RV_WINDOW_FAST,
    RV_WINDOW_SLOW,
    RV_WINDOW_NOW
};
enum rv_feature_kept { RV_KEPT_KERNEL, RV_KEPT_JUDGE };
enum rv_mutability { RV_MUTABLE_FIXED, RV_MUTABLE_RAISE, RV_MUTABLE_DILUTE };

#ifndef __bpf__
#include "base/hash.h"

struct rv_feature_info {
    const char *name, *unit, *meaning;
    int32_t max; /* the least value is 0 */
    enum rv_feature_window window;
    enum rv_feature_kept kept;
    enum rv_mutability mutability;
};

/** The table's row, or NULL when `feature` is past the end. Static. */
const struct rv_feature_info *rv_feature_info(size_t feature);

/** The number of a feature by its name, or -ENOENT. */
int rv_feature_by_name(struct rv_span name);

const char *rv_feature_window_name(enum rv_feature_window window);
const char *rv_feature_kept_name(enum rv_feature_kept kept);
const char *rv_mutability_name(enum rv_mutability mutability);

/** SHA-256 over version and the columns but the last, in order: what models and verdicts name. */
struct rv_sha256 rv_feature_table_digest(void);

/** Append the table as a Markdown page (docs/features.md is this output; a test compares). */
void rv_feature_document(struct rv_buf *buf);
#endif
