/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/lsm.h  Rules that the kernel decides alone, at BPF LSM hooks.
 *
 * A whole set of rules (enforce/rule.h) is built in user space and put in place in one step;
 * decisions in flight use the old set or the new one. Files and programs are known by what they are
 * (inode and device) and by where they are (inode of the folder, and name): other names, links and
 * mounts make no difference, and neither does replacing the file or making it later. FOLDER means
 * what lies below; the folder itself is meant only by RENAME, UNLINK and MOUNT. What lies deeper
 * than 64 folders counts as inside every folder.
 *
 * Nothing is denied before rv_lsm_renew(): the lease begins run out. The provider lives as long as
 * its handle: closing it, or the death of the process that holds it, removes every hook.
 *
 * When something is full: a set that does not fit is refused as a whole and the old one stands.
 * While running, a lineage of more than 16 programs is cut, and so is that of a process for which
 * there was no memory: it satisfies every affirmed lineage term, and of the negated ones those of
 * the programs that it still knows. Without memory for a risk or a mark there is no child: fork
 * fails. Where even a cut lineage finds no room, rules that ask about lineage hold if they lapse
 * closed and do not if they lapse open. A workload that is thrown out of the table of budgets
 * begins a new hour; a record without room is counted (rv_lsm_lost()) and changes no decision.
 *
 * Not thread-safe.
 */
#pragma once

#include "enforce/rule.h"

struct rv_lsm;

/**
 * Load and attach, and learn the lineage of what runs already. Needs root, CONFIG_BPF_LSM and `bpf`
 * in the kernel's list of security modules.
 * @return 0; -EOPNOTSUPP where BPF LSM is not active; -EPERM where the kernel takes no programs;
 *         another -errno of libbpf.
 */
RV_MUST_CHECK int rv_lsm_open(struct rv_lsm **ret_lsm);
void rv_lsm_close(struct rv_lsm **lsm);

/**
 * Put a whole set of rules in place of the one before, in one step.
 * @param ret_carried bits of the rules that hold in full from now on. A rule is not carried when
 * this kernel lacks a hook for one of its actions, or the folder of a path that it asks for does not
 *        exist (then that term holds for nothing); the rest of such a rule is in place.
 * @return 0; -ENOSPC: more than 64 rules or a full index; -EINVAL: an impossible rule; another
 *         -errno: of rule `*reterr_rule`. On failure the old set stands.
 */
RV_MUST_CHECK int rv_lsm_swap(struct rv_lsm *lsm, const struct rv_rule *rules, size_t count,
                              const struct rv_rule_settings *settings, uint64_t *ret_carried,
                              size_t *reterr_rule);
/** Does a path of the set in place lead to something else now? Then swap the set again. */
bool rv_lsm_stale(const struct rv_lsm *lsm);

/** Denials hold for `ms` from now. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_renew(struct rv_lsm *lsm, uint64_t ms);
/** Emergency stop: from now on nothing is denied, until called with false. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_observe(struct rv_lsm *lsm, bool observe);
/** The hooks that found themselves too slow, as RV_DO_*; rv_lsm_rearm() lets them deny again. */
uint32_t rv_lsm_disarmed(const struct rv_lsm *lsm);
RV_MUST_CHECK int rv_lsm_rearm(struct rv_lsm *lsm);

/** The program at `path` is of this kind (0..255). @return 0; -ENOSPC: the table is full; -errno.
 */
RV_MUST_CHECK int rv_lsm_know_program(struct rv_lsm *lsm, const char *path, uint32_t kind);

/** Give a process, named by pidfd, its risk; children begin with it. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_set_risk(struct rv_lsm *lsm, int pidfd, uint32_t risk);
/** Where programs leave the risks that they score (rv_score_options.risks_fd): a decision uses the
 * larger of that and the one given. Borrowed. */
int rv_lsm_risks_fd(const struct rv_lsm *lsm);
/** Mark a process as Reeve's own, and what it starts: target of RV_FLAG_GUARDED_TARGET. */
RV_MUST_CHECK int rv_lsm_guard(struct rv_lsm *lsm, int pidfd);
/**
 * Never refuse this process as long as it runs the program that it runs now; not inherited.
 * What it would have been refused is recorded. @return 0 or -errno.
 */
RV_MUST_CHECK int rv_lsm_protect(struct rv_lsm *lsm, int pidfd);

/** Let exactly this pass once, past rules that are held. @return 0; -ENOSPC: 256 wait; -errno. */
RV_MUST_CHECK int rv_lsm_grant(struct rv_lsm *lsm, const struct rv_grant *grant);

/**
 * Keep our programs, maps and links from everybody who is not guarded, and guarded processes from
 * signals that an open file sends. It is recorded under RV_POLICY_SELF. Processes and files are
 * protected by rules: enforce/self.h. What is ours cannot be added to once it was on.
 * @return 0 or -errno.
 */
RV_MUST_CHECK int rv_lsm_self_protect(struct rv_lsm *lsm, bool on);
/** The list of what is ours, for rv_score_own(). Borrowed. */
int rv_lsm_own_fd(const struct rv_lsm *lsm);

/** Of the rule at `index` of the set in place. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_rule_counts(const struct rv_lsm *lsm, size_t index,
                                     struct rv_rule_counts *ret_counts);
/** Readable when records wait: then rv_lsm_drain(). Borrowed. */
int rv_lsm_fd(const struct rv_lsm *lsm);
/** Decisions whose record found no room. */
uint64_t rv_lsm_lost(const struct rv_lsm *lsm);

/**
 * Hand over the records that wait. One that repeats an earlier one of the same process, action,
 * rule and verdict within a second is only counted: in `repeats` of the next, or of the first once
 * more when no next one comes. @return how many; -errno, also of `put`.
 */
int rv_lsm_drain(struct rv_lsm *lsm,
                 int (*put)(void *context, const struct rv_refusal_record *record), void *context);
