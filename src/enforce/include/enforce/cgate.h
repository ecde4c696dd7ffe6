/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/cgate.h  Rules about the network that the kernel decides alone, at cgroup hooks.
 *
 * Carried are RV_DO_CONNECT (a datagram that names its peer included), RV_DO_BIND, and RV_DO_SOCKET
 * of AF_INET and AF_INET6, for sockets that were made in the cgroup or below it, whoever uses them
 * later. Connects to unix sockets are decided where the kernel has hooks for them (6.7 and later).
 * SCTP, DCCP and raw sockets ask nobody when they connect or send: forbid making them, by protocol.
 *
 * A rule with a term about files (RV_TERM_FILE, _FOLDER, _FILE_NAME, _FILE_KIND) or an affirmed
 * flag is left out. Connecting to "any" (0.0.0.0, ::) counts as connecting to what it reaches: the
 * socket's own address, else loopback. Programs are known by what they are (inode and device) and
 * by where they are (folder and name).
 *
 * Nothing is refused before rv_cgate_renew(): the lease begins run out. The provider lives as long
 * as its handle: closing it, or the death of the process that holds it, removes every hook.
 *
 * When something is full: a set that does not fit is refused as a whole and the old one stands.
 * While running, a process whose lineage finds no room is answered for by its nearest ancestor that
 * did; without one it satisfies affirmed lineage terms of rules that lapse closed and no others. A
 * workload thrown out of the table of budgets begins a new hour. A record without room is counted
 * (rv_cgate_lost()) and changes no decision.
 * Not thread-safe.
 */
#pragma once

#include "enforce/rule.h"

struct rv_cgate;

/**
 * Load and attach. Needs root and a cgroup v2 hierarchy.
 * @param cgroup absolute path of a cgroup v2 folder: the root, or one workload.
 * @return 0; -EOPNOTSUPP: no folder of cgroup v2; -EPERM: the kernel takes no programs from us;
 *         another -errno.
 */
RV_MUST_CHECK int rv_cgate_open(struct rv_cgate **ret_cgate, const char *cgroup);
void rv_cgate_close(struct rv_cgate **cgate);

/** Readable when records wait: then rv_cgate_drain(). Borrowed. */
int rv_cgate_fd(const struct rv_cgate *cgate);

/**
 * Put a whole set of rules in place of the one before, in one step.
 * @param ret_carried bits of the rules whose connects, binds and sockets are refused in full.
 * Others are left out (see above), or in place as far as this kernel has hooks and their programs'
 *        folders exist.
 * @return 0; -ENOSPC: more than 64 rules, a full index, or more than 64 lineage programs in this
 * set and the one before; -EINVAL: an impossible rule; -errno: of `*reterr_rule`. On failure the
 *         old set stands.
 */
RV_MUST_CHECK int rv_cgate_swap(struct rv_cgate *cgate, const struct rv_rule *rules, size_t count,
                                const struct rv_rule_settings *settings, uint64_t *ret_carried,
                                size_t *reterr_rule);
/** Does a path of the set in place lead to something else now? Then swap the set again. */
bool rv_cgate_stale(const struct rv_cgate *cgate);

/** Refusals hold for `ms` from now. */
void rv_cgate_renew(struct rv_cgate *cgate, uint64_t ms);
/** Emergency stop: from now on nothing is refused, until called with false. */
void rv_cgate_observe(struct rv_cgate *cgate, bool observe);
/** The actions that found themselves too slow, as RV_DO_*; rv_cgate_rearm() lets them refuse. */
uint32_t rv_cgate_disarmed(const struct rv_cgate *cgate);
void rv_cgate_rearm(struct rv_cgate *cgate);

/** The program at `path` is of this kind (0..63). @return 0; -ENOSPC: the table is full; -errno. */
RV_MUST_CHECK int rv_cgate_know_program(struct rv_cgate *cgate, const char *path, uint32_t kind);

/** Give a process, named by pidfd, its risk; children begin with it. @return 0; -ESRCH; -errno. */
RV_MUST_CHECK int rv_cgate_set_risk(struct rv_cgate *cgate, int pidfd, uint32_t risk);
/**
 * Never refuse this process as long as it runs the program that it runs now; not inherited.
 * What it would have been refused is recorded. @return 0; -ESRCH; -ENOSPC: 256 are; -errno.
 */
RV_MUST_CHECK int rv_cgate_protect(struct rv_cgate *cgate, int pidfd);
/** Never refuse this program while it runs as root, user and effective user. @return likewise. */
RV_MUST_CHECK int rv_cgate_protect_program(struct rv_cgate *cgate, const char *path);

/** Let exactly this pass once, past rules that are held. @return 0; -ENOSPC: 256 wait; -errno. */
RV_MUST_CHECK int rv_cgate_grant(struct rv_cgate *cgate, const struct rv_grant *grant);

/** Of the rule at `index`, since its set was put in place. @return 0 or -errno. */
RV_MUST_CHECK int rv_cgate_rule_counts(const struct rv_cgate *cgate, size_t index,
                                       struct rv_rule_counts *ret_counts);
/** Decisions whose record found no room. */
uint64_t rv_cgate_lost(const struct rv_cgate *cgate);

/**
 * Hand over the records that wait. One that repeats an earlier one of the same process, action,
 * rules, verdict and place within a second is only counted: in `repeats` of the next, or of the
 * first once more when no next one comes. @return how many; -errno, also of `put`.
 */
int rv_cgate_drain(struct rv_cgate *cgate,
                   int (*put)(void *context, const struct rv_refusal_record *record),
                   void *context);
