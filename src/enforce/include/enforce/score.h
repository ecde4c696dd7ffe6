/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/score.h  Risk computed inside the hook: the features of features/core.h in task
 * storage, the model of models/kernel.h behind them, and a risk that decisions read.
 *
 * Programs on the LSM hooks keep about 600 bytes a process and 40 a thread. On triggers (a program
 * started, a connection, memory made executable, a change of user, a module, BPF, a file that is
 * watched, a burst of removals, each 64th event, a second without) the live model scores the
 * process; steps that came with the model turn the margin into a risk, which lies where the
 * provider of decisions reads it: it uses the larger of this one and the judge's.
 *
 * Whether the kernel has no memory for a process's state, another score is in flight on the CPU or
 * the model is not there: the event passes without a score, the risk stays, and it is counted.
 * A child begins with its parent's risk, of which half is left after each 2^36 ns.
 *
 * The state lives as long as the handle. Needs root and BPF LSM. Not thread-safe.
 */
#pragma once

#include "enforce/score_state.h"
#include "models/calibration.h"
#include "models/kernel.h"

struct rv_score;

enum rv_score_way {
    RV_SCORE_EMITTED = 0, /* models become programs */
    RV_SCORE_TABLES,      /* models become tables: for a kernel that takes no programs later */
};

struct rv_score_options {
    int risks_fd; /* where decisions read risks: task storage of struct rv_score_risk; -1: nobody
                     does */
    enum rv_score_way way;
    bool recording; /* keep inputs for rv_score_drain(): tests */
};

/**
 * Load and attach. Programs attached later run first, so open this after the provider whose
 * decisions shall see what the event itself did.
 * @return 0; -EOPNOTSUPP where BPF LSM is not active; -EPERM where the kernel takes no programs;
 *         another -errno of libbpf.
 */
RV_MUST_CHECK int rv_score_open(struct rv_score **ret_score,
                                const struct rv_score_options *options);
void rv_score_close(struct rv_score **score);
/** Our programs, maps and links are Reeve's own: rv_lsm_own_fd(), rv_lsm_self_protect(). Programs
 * that models become are not on the list: they can be read by an administrator, not changed. */
RV_MUST_CHECK int rv_score_own(const struct rv_score *score, int own_fd);

/* ---- Models ---- */

/** What margins mean, by kind of program. */
struct rv_score_thresholds {
    struct rv_score_step steps[RV_SCORE_CLASSES][RV_SCORE_STEPS];
};
/** The thresholds of a calibration: steps of 50, above 700 of 100. */
void rv_score_thresholds_of(const struct rv_calibration *calibration,
                            struct rv_score_thresholds *ret_thresholds);

struct rv_score_candidate {
    struct rv_kernel_model model;
    struct rv_span golden; /* the package's section: rows and the scores that they must get */
    const struct rv_score_thresholds *thresholds;
};

/**
 * Put a model in place of the live one on all hooks in one step; the shadow goes with the old one.
 * @param ret_trial how the golden rows went in this kernel; may be NULL.
 * @return 0; -EBADMSG if a golden row got another score, in user space or in the kernel; -EINVAL
 * for thresholds that do not ascend, no heads, or heads that read other rows; -EOPNOTSUPP if a head
 * reads a feature that only the judge has; -E2BIG; -errno of bpf(2). On failure the old one stands.
 */
RV_MUST_CHECK int rv_score_promote(struct rv_score *score,
                                   const struct rv_score_candidate *candidate,
                                   struct rv_kernel_trial *ret_trial);
/** The model before the last promotion is live again. @return 0; -ENOENT: there is none; -errno. */
RV_MUST_CHECK int rv_score_rollback(struct rv_score *score);
/**
 * No model scores from now on, live or shadow, and what was scored of any process is forgotten:
 * risk is what others say. Processes go on being counted. @return 0; -errno.
 */
RV_MUST_CHECK int rv_score_disarm(struct rv_score *score);
/** Let a model score beside the live one (NULL: none). @return as rv_score_promote(); -ENOENT
 * without a live one. */
RV_MUST_CHECK int rv_score_shadow(struct rv_score *score,
                                  const struct rv_score_candidate *candidate);
/** From which risk on live and shadow are said to disagree when just one reaches it. */
RV_MUST_CHECK int rv_score_alarm_at(struct rv_score *score, uint32_t risk);

/* ---- What the kernel cannot know by itself ---- */

/** What kind of program a file is. @return 0; -ENOSPC; -errno of stat(2). */
RV_MUST_CHECK int rv_score_kind(struct rv_score *score, const char *path, uint32_t kind);
/** Opening this file counts and is scored. @return 0; -ENOSPC; -errno of stat(2). */
RV_MUST_CHECK int rv_score_watch(struct rv_score *score, const char *path);
/** The normal triples of calls, and a bit for each kind of program of which they are known. */
RV_MUST_CHECK int rv_score_normal(struct rv_score *score, const struct rv_bloom *bloom,
                                  uint32_t kinds);

/* ---- What it found ---- */

struct rv_score_reading {
    struct rv_score_state state; /* a consistent copy */
    int64_t margin_q16;          /* of the louder head; 0 before the first score */
    uint32_t risk;               /* of the last score, without what was inherited */
    uint64_t model;              /* rv_kernel_model.digest of who scored; 0: nobody yet */
};
/** Of the process that a pidfd names. @return 0; -ENOENT if it did nothing yet; -errno. */
RV_MUST_CHECK int rv_score_read(const struct rv_score *score, int pidfd,
                                struct rv_score_reading *ret_reading);
/** Since open, all CPUs together. */
RV_MUST_CHECK int rv_score_count(const struct rv_score *score, struct rv_score_counts *ret_counts);
/** Hand over recorded inputs. @return how many; -errno, also of `put`. */
int rv_score_drain(struct rv_score *score,
                   int (*put)(void *context, const struct rv_score_record *record), void *context);
