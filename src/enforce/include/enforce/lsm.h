/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/lsm.h  Rules that the kernel decides alone, at BPF LSM hooks.
 *
 * A rule denies; what no rule denies is allowed. A rule names things by identity (inode and device,
 * uid, cgroup id, address and port), found when it is added, so names and links made later do not
 * change what it means. A whole set is built in user space and put in place in one step; decisions
 * in flight use the old set or the new one.
 *
 * Nothing is denied before rv_lsm_renew(): the lease begins run out. The provider lives as long as
 * its handle: closing it, or the death of the process that holds it, removes every hook.
 * Not thread-safe.
 */
#pragma once

#include "base/hash.h"

#include <sys/types.h>

struct rv_lsm;

/** Bits of rv_lsm_rule.actions are 1 << enum rv_lsm_action of lsm/wire.h, by these names. */
enum {
    RV_DO_EXEC = 1U << 0,
    RV_DO_READ = 1U << 1,
    RV_DO_WRITE = 1U << 2,
    RV_DO_CREATE = 1U << 3,
    RV_DO_RENAME = 1U << 4,
    RV_DO_UNLINK = 1U << 5,
    RV_DO_LINK = 1U << 6,
    RV_DO_SETATTR = 1U << 7,
    RV_DO_MMAP_EXEC = 1U << 8,
    RV_DO_MPROTECT_EXEC = 1U << 9,
    RV_DO_PTRACE = 1U << 10,
    RV_DO_SOCKET = 1U << 11,
    RV_DO_BIND = 1U << 12,
    RV_DO_CONNECT = 1U << 13,
    RV_DO_LISTEN = 1U << 14,
    RV_DO_SETUID = 1U << 15,
    RV_DO_KERNEL_LOAD = 1U << 16,
    RV_DO_BPF = 1U << 17,
    RV_DO_MOUNT = 1U << 18,
    RV_DO_USERNS = 1U << 19,
    RV_DO_SIGNAL = 1U << 20,
};

enum rv_rule_mode {
    RV_RULE_SHADOW = 0,
    RV_RULE_ENFORCE
}; /* shadow: counted, reported, not denied */
enum rv_rule_lapse { RV_LAPSE_OPEN = 0, RV_LAPSE_CLOSED }; /* when the lease has run out */

/** Who, what, on what. A zero or NULL member asks nothing. Borrowed for the call. */
struct rv_lsm_rule {
    uint32_t actions;     /* RV_DO_* */
    const char *program;  /* path of the acting program */
    const char *resource; /* path of a file, or of a folder: then everything below it too */
    const char *address;  /* "10.0.0.0/8", "::1"; RV_DO_CONNECT and RV_DO_BIND */
    uint16_t port;        /* RV_DO_SOCKET: the address family */
    const uid_t *uid;
    uint64_t cgroup_id;  /* inode of the cgroup v2 folder */
    uint32_t risk_min;   /* 0..1000, rounded up to a hundred */
    bool guarded_target; /* RV_DO_SIGNAL, RV_DO_PTRACE: the target is one of Reeve's own */
    bool budgeted;       /* denials count against the workload's budget */
    enum rv_rule_mode mode;
    enum rv_rule_lapse lapse;
};

struct rv_lsm_settings {
    uint32_t budget;            /* budgeted denials in an hour and workload; 0: no limit */
    uint64_t latency_budget_ns; /* p99.9 of a hook; 0: no limit */
    struct rv_sha256 bundle;    /* digest, named in each record */
};

/** What a decision looked like: see struct rv_lsm_record in lsm/wire.h. */
struct rv_lsm_record;

/**
 * Load and attach. Needs root, CONFIG_BPF_LSM and `bpf` in the kernel's list of security modules.
 * @return 0; -EOPNOTSUPP where BPF LSM is not active; -EPERM where the kernel takes no programs;
 *         another -errno of libbpf.
 */
RV_MUST_CHECK int rv_lsm_open(struct rv_lsm **ret_lsm);
void rv_lsm_close(struct rv_lsm **lsm);

/**
 * Put a whole set of rules in place of the one before, in one step.
 * @return 0; -ENOSPC: more than 64 rules or a full index; -EINVAL: an impossible rule; -ENOENT or
 *         another -errno: a path of rule `*reterr_rule`. On failure the old set stands.
 */
RV_MUST_CHECK int rv_lsm_swap(struct rv_lsm *lsm, const struct rv_lsm_rule *rules, size_t count,
                              const struct rv_lsm_settings *settings, size_t *reterr_rule);

/** Denials hold for `ms` from now. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_renew(struct rv_lsm *lsm, uint64_t ms);
/** Emergency stop: from now on nothing is denied, until called with false. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_observe(struct rv_lsm *lsm, bool observe);
/** The hooks that found themselves too slow, as RV_DO_*; rv_lsm_rearm() lets them deny again. */
uint64_t rv_lsm_disarmed(const struct rv_lsm *lsm);
RV_MUST_CHECK int rv_lsm_rearm(struct rv_lsm *lsm);

/** Give a process, named by pidfd, its risk; children begin with it. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_set_risk(struct rv_lsm *lsm, int pidfd, uint32_t risk);
/** Mark a process as Reeve's own: target of `guarded_target` rules. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_guard(struct rv_lsm *lsm, int pidfd);

struct rv_lsm_rule_counts {
    uint64_t matched, denied, shadow, lapsed, over_budget, observed;
};
/** Of the rule at `index`, since open, across swaps. @return 0 or -errno. */
RV_MUST_CHECK int rv_lsm_rule_counts(const struct rv_lsm *lsm, size_t index,
                                     struct rv_lsm_rule_counts *ret_counts);
/** Decisions whose record found no room in the ring. */
uint64_t rv_lsm_lost(const struct rv_lsm *lsm);

/** Hand over the records that wait. @return how many; -errno, also of `put`. */
int rv_lsm_drain(struct rv_lsm *lsm, int (*put)(void *context, const struct rv_lsm_record *record),
                 void *context);
