/* SPDX-License-Identifier: Apache-2.0 */
/** @file vm/stage.h  Models to put into the hooks, and processes that do things when told. */
#pragma once

#include "test.h"

#include "models/forest_model.h"
#include "private.h"

#define DIR   "/tmp/score"
#define ALARM 600

extern struct rv_score *score; /* opened by the suite */

/* ---- Models ---- */

struct candidate {
    struct rv_forest *heads[RV_KERNEL_HEADS];
    struct rv_buf golden;
    struct rv_score_thresholds thresholds;
    struct rv_score_candidate it;
};

void candidate_done(struct candidate *candidate);
void make_candidate(struct candidate *candidate, uint64_t digest, int64_t alarm_q16);
void promote(uint64_t digest, int64_t alarm_q16);
/** Alarms from so many renames on. */
void make_threshold(struct candidate *candidate, uint64_t digest, int32_t renames);
void make_constant(struct candidate *candidate, uint64_t digest, int32_t margin_q16, uint32_t risk);

/* ---- Processes ---- */

struct actor {
    pid_t pid;
    int pidfd, to, from;
};

struct actor start(int (*act)(int order));
int tell(const struct actor *actor, int order);
void stop(struct actor *actor);
void path_of(char path[64], const char *what, int i);
int make_file(int i);
/** Makes and renames so many files. @return how many were renamed. */
int rename_files(int count);
int fork_sleeper(void);
int read_secret(int order);

/** Feed the hooks with activity of every kind, compute everything again in user space, compare. */
void agree(void);
