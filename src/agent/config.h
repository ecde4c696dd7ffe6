/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/config.h  What reeve-agent can be told: one table, from which the struct, the parser,
 * --check, --dump and reeve-agent.conf(5) follow.
 */
#pragma once

#include "base/config.h"

/* K(kind, member, "key", "default", min, max, choices, "help") */
#define RV_AGENT_CONFIG(K)                                                                           \
    K(CHOICE, mode, "mode", "observe", 0, 0, rv_mode_names,                                          \
      "How far policies go of which reeve mode says nothing: observe, count what would be refused "  \
      "(shadow), or enforce.")                                                                       \
    K(STRING, policy, "policy", "/usr/share/reeve/policies/baseline", 0, 0, NULL,                    \
      "Folder of the policy bundle.")                                                                \
    K(STRING, runtime_dir, "runtime_dir", "/run/reeve", 0, 0, NULL,                                  \
      "Folder of the control socket.")                                                               \
    K(STRING, state_dir, "state_dir", "/var/lib/reeve", 0, 0, NULL,                                  \
      "Folder of the log, its key and what was learnt of this host.")                                \
    K(STRING, user, "user", "reeve", 0, 0, NULL,                                                     \
      "User that the judge runs as. If there is none of that name, nobody.")                         \
    K(STRING, group, "group", "", 0, 0, NULL,                                                        \
      "Group that may connect to the control socket beside root. Empty: root alone.")                \
    K(LIST, scope, "scope.cgroup", "", 0, 0, NULL,                                                   \
      "Path of a cgroup (v2) to watch, with those below it. None: the whole machine.")               \
    K(LIST, read_watch, "watch.read",                                                                \
      "/etc/shadow /etc/gshadow /etc/sudoers /etc/ssh/ /root/.ssh/ /root/.aws/ /root/.kube/ "        \
      "/root/.docker/ /root/.gnupg/ /var/run/secrets/ /etc/kubernetes/ /etc/krb5.keytab",            \
      0, 0, NULL,                                                                                    \
      "File, or folder when it ends in a slash, whose reads are watched; writes always are.")        \
    K(LIST, deep, "watch.deep", "", 0, 0, NULL,                                                      \
      "Path of a cgroup (v2) whose system calls are watched one by one. This costs: see "            \
      "reeve doctor.")                                                                               \
    K(U64, ring_kib, "ring.size_kib", "8192", 64, 1048576, NULL,                                     \
      "Size of the ring from the kernel, in KiB; a power of two.")                                   \
    K(U64, risk_min, "record.risk_min", "400", 1, 1000, NULL,                                        \
      "Verdicts of at least this risk go to the log even if no policy speaks.")                      \
    K(BOOL, segments, "record.segments", "no", 0, 0, NULL,                                           \
      "Whether all events are kept on disk, in segments below the state folder.")                    \
    K(U64, segment_mib, "record.segment_mib", "64", 1, 4096, NULL,                                   \
      "Size at which a segment is closed and its digest logged, in MiB.")                            \
    K(U64, segments_kept, "record.segments_kept", "8", 1, 100000, NULL,                              \
      "Closed segments kept; the oldest are removed.")                                               \
    K(STRING, model, "model", "", 0, 0, NULL,                                                        \
      "Package of the model that speaks, or a folder whose history says which one does (reeve "      \
      "model promote). Empty: the built-in model.")                                                  \
    K(STRING, model_shadow, "model.shadow", "", 0, 0, NULL,                                          \
      "Package that scores beside it and decides nothing. Empty: behind a trained model the "        \
      "built-in one.")                                                                               \
    K(BOOL, model_return, "model.return", "no", 0, 0, NULL,                                          \
      "Whether a model that steps down is quarantined and the last good one of the folder's "        \
      "history speaks.")                                                                             \
    K(U64, drift_hours, "model.drift_hours", "24", 1, 720, NULL,                                     \
      "Length of the reference and of each window that is held against it, in hours watched.")       \
    K(STRING, kernel_model, "kernel.model", "", 0, 0, NULL,                                          \
      "Package (reeve model train --head kernel) that scores inside LSM hooks where policies are "   \
      "enforced; rules on risk use the larger of its risk and the judge's. Root must own it. "       \
      "Empty: the one that the package which speaks (model) is or carries, if any.")                 \
    K(STRING, kernel_shadow, "kernel.shadow", "", 0, 0, NULL,                                        \
      "Such a package that scores beside kernel.model and decides nothing. With both empty: what "   \
      "model.shadow is or carries.")                                                                 \
    K(BOOL, learn, "learn", "yes", 0, 0, NULL,                                                       \
      "Whether the baseline of this host goes on learning.")                                         \
    K(U64, processes_max, "processes_max", "32768", 256, 1048576, NULL,                              \
      "Processes whose state is kept; beyond it the longest idle are forgotten.")                    \
    K(LIST, fail_judge, "fail.judge", "", 0, 0, NULL,                                                \
      "Action or group (file, net, process.exec, host for all) whose rules go on refusing when "     \
      "the judge is dead or silent. Others let pass.")                                               \
    K(LIST, fail_log, "fail.log", "", 0, 0, NULL, "The same when the log takes no more entries.")    \
    K(LIST, fail_deadline, "fail.deadline", "", 0, 0, NULL,                                          \
      "The same when a question to the judge is not answered within inline.deadline_ms.")            \
    K(CHOICE, late, "late.response", "alert", 0, 0, rv_late_names,                                   \
      "What to do about an action that an enforced policy refuses and that this host could only "    \
      "see once it had happened: alert, freeze its process, or kill it.")                            \
    K(LIST, inline_scope, "inline.scope", "", 0, 0, NULL,                                            \
      "File, or folder when it ends in a slash, whose opening waits for an answer (fanotify) "       \
      "where policies are enforced and the kernel cannot decide alone.")                             \
    K(U64, inline_deadline_ms, "inline.deadline_ms", "10", 1, 1000, NULL,                            \
      "How long such a question may wait, in milliseconds.")                                         \
    K(U64, deny_budget, "budget.refusals", "100", 0, 1000000, NULL,                                  \
      "Refusals on risk alone in an hour and workload; then they are only reported. 0: no limit.")   \
    K(U64, act_budget, "budget.actions", "20", 0, 100000, NULL,                                      \
      "Processes frozen, killed, throttled or isolated in an hour; then Reeve only reports.")        \
    K(U64, latency_budget_us, "budget.latency_us", "1000", 0, 1000000, NULL,                         \
      "A hook of which one call in a thousand takes longer, in microseconds, stops refusing. 0: "    \
      "no limit.")                                                                                   \
    K(U64, hold_s, "hold.seconds", "900", 1, 86400, NULL,                                            \
      "How long a held action waits for a person.")                                                  \
    K(U64, hold_inline_ms, "hold.inline_ms", "0", 0, 60000, NULL,                                    \
      "How long an opener itself waits for a person, in milliseconds, before it is refused and may " \
      "try again after an approval. 0: it does not wait.")                                           \
    K(U64, approve_s, "hold.approval_seconds", "300", 1, 86400, NULL,                                \
      "How long an approval may be used, once.")                                                     \
    K(U64, false_stops_max, "promote.false_stops_max", "0", 0, 1000000, NULL,                        \
      "A policy is not promoted to enforce when its simulation stops more than so many that "        \
      "nobody called malicious.")                                                                    \
    K(BOOL, self_protect, "protect.self", "yes", 0, 0, NULL,                                         \
      "Whether, while something is enforced by BPF LSM, nobody but an administrator may signal, "    \
      "trace, rewrite or unload Reeve.")                                                             \
    K(LIST, protect, "protect", "", 0, 0, NULL,                                                      \
      "Path of a program whose processes are never refused, frozen or killed, beside those that "    \
      "are always protected.")                                                                       \
    K(U64, restart_ms_max, "judge.restart_ms_max", "30000", 100, 600000, NULL,                       \
      "Longest pause before a dead judge is started again, in milliseconds.")                        \
    K(CHOICE, log_level, "log_level", "notice", 0, 0, rv_log_level_names,                            \
      "How much is said on standard error.")

#define RV_CONFIG_CTYPE_CHOICE unsigned
#define RV_CONFIG_CTYPE_STRING char *
#define RV_CONFIG_CTYPE_U64    uint64_t
#define RV_CONFIG_CTYPE_BOOL   bool
#define RV_CONFIG_CTYPE_LIST   struct rv_config_list

struct rv_agent_config {
#define RV_CONFIG_MEMBER(kind, member, ...) RV_CONFIG_CTYPE_##kind member;
    RV_AGENT_CONFIG(RV_CONFIG_MEMBER)
#undef RV_CONFIG_MEMBER
};

extern const struct rv_config_key rv_agent_config_keys[];

/**
 * Defaults, then the file, then the `--set` lines.
 * @param path    NULL: /etc/reeve/reeve-agent.conf, which may be absent.
 * @return 0, or -errno after saying on standard error what is wrong, where.
 */
RV_MUST_CHECK int rv_agent_config_load(struct rv_agent_config *config, const char *path,
                                       const char *const *sets, size_t set_count);
void rv_agent_config_done(struct rv_agent_config *config);
