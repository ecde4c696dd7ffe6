/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/process.h  The processes of reeve-agent, each a file with one entry.
 *
 * guard  uid 0, CAP_SYS_ADMIN CAP_BPF CAP_PERFMON CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH.
 *        Loads the sensors, owns their programs and marks, starts the judge again when it dies.
 *        Peers: the judge, over the channel; accepts RV_CHANNEL_READY, RESCAN and ROOT.
 * judge  a user without rights, no capability, no network, an empty root, a list of system calls.
 *        Reads the rings, keeps state, scores, decides, writes the log, answers the control socket.
 *        Peers: the guard; clients of the socket.
 */
#pragma once

#include "config.h"

/** Where the judge finds what the guard left open for it. */
enum {
    RV_JUDGE_FD_CHANNEL = 3,
    RV_JUDGE_FD_CONTROL,
    RV_JUDGE_FD_RING,
    RV_JUDGE_FD_URGENT,
    RV_JUDGE_FD_COUNTERS,
    RV_JUDGE_FD_ASK, /* questions of openers that wait */
    RV_JUDGE_FD_END_,
};

/** The judge's exit status when what it was told cannot be used: to start it again is no help. */
#define RV_JUDGE_UNUSABLE 3

/** What the programs were started with, so that the guard can start the judge the same way. */
struct rv_agent_args {
    const struct rv_agent_config *config;
    int argc;
    char **argv;
};

/** Run until told to stop. @return exit status. */
int rv_guard_main(const struct rv_agent_args *args);
int rv_judge_main(const struct rv_agent_args *args);
