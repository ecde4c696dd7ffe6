/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file features/program.h  What a program is, judged by its path alone: its kind (by name) and
 * where it lies. A kind is also the class whose normal scores a verdict is compared with.
 */
#pragma once

#include "base/bytes.h"

/** Values of the features exe_kind and parent_kind; K(CONSTANT, "name", "what"). */
#define RV_PROGRAM_KINDS(K)                                                                        \
    K(OTHER, "other", "anything else")                                                             \
    K(SHELL, "shell", "sh, bash, dash, zsh, busybox")                                              \
    K(LANGUAGE, "language", "python, perl, ruby, node, php, java")                                 \
    K(TRANSFER, "transfer", "curl, wget, nc, socat, ssh, scp: moves data over the network")        \
    K(SERVER, "server", "web, database, mail and name servers")                                    \
    K(LOGIN, "login", "sshd, login, su, sudo: begins a session after authentication")              \
    K(SERVICE, "service", "init, systemd, cron, container runtimes: starts what others defined")   \
    K(PACKAGE, "package", "apt, dpkg, rpm, pip, npm")                                              \
    K(BUILD, "build", "compilers, linkers, make, git")                                             \
    K(ARCHIVE, "archive", "tar, gzip, zip, backup programs")                                       \
    K(RECON, "recon", "id, whoami, uname, ps, ss: tells about the host or the user")               \
    K(FILES, "files", "ls, cp, mv, rm, cat, sed, find: ordinary file tools")                       \
    K(ADMIN, "admin", "useradd, systemctl, crontab, mount, iptables: changes the host")            \
    K(DEBUG, "debug", "gdb, strace, perf, bpftool: looks into others")                             \
    K(DESKTOP, "desktop", "editors, browsers, terminals")                                          \
    K(MONITOR, "monitor", "log shippers, metrics and security agents")

enum rv_program_kind {
#define RV_PROGRAM_KIND_CONSTANT(constant, ...) RV_KIND_##constant,
    RV_PROGRAM_KINDS(RV_PROGRAM_KIND_CONSTANT)
#undef RV_PROGRAM_KIND_CONSTANT
        RV_KIND_COUNT_
};

/** Values of the feature exe_path_class. */
enum rv_path_class {
    RV_PATH_UNKNOWN,
    RV_PATH_SYSTEM,
    RV_PATH_LOCAL,
    RV_PATH_VAR,
    RV_PATH_HOME,
    RV_PATH_ELSEWHERE,
    RV_PATH_SCRATCH,
    RV_PATH_MEMORY,
};

/** By the last component of the path, versions such as python3.11 and gcc-12 included. */
enum rv_program_kind rv_program_kind(struct rv_span path);
enum rv_path_class rv_path_class(struct rv_span path);

const char *rv_program_kind_name(enum rv_program_kind kind);
const char *rv_path_class_name(enum rv_path_class path_class);
