/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file models/kernel.h  Forests in the kernel: as BPF instructions made from the model, or as a
 * table that a fixed program walks where loading new code is barred.
 * Nothing is used before it has run: rv_kernel_load() first runs every golden row through
 * BPF_PROG_TEST_RUN and compares the scores with user space, bit for bit.
 * Needs CAP_BPF and CAP_PERFMON (or root). Not thread-safe.
 */
#pragma once

#include "models/forest.h"
#include "models/kernel_score.h"

/** What runs in the kernel; a head may be NULL. Rows are at most RV_KERNEL_ROW wide. */
struct rv_kernel_model {
    const struct rv_forest *heads[RV_KERNEL_HEADS];
    uint64_t digest; /* first 8 bytes of the package's digest, big endian; not 0 */
};

/** How the golden rows went. */
struct rv_kernel_trial {
    uint32_t rows, mismatches;
    uint32_t instructions; /* of the program as emitted */
    uint32_t ns;           /* mean of one run, all heads, over the rows in turn */
};

/** Where a program will run. */
struct rv_kernel_place {
    uint32_t program_type;    /* enum bpf_prog_type of the caller; tail calls stay within a type */
    uint32_t attach_type;     /* expected_attach_type of the caller, where its type has one */
    uint32_t attach_btf_id;   /* for LSM and tracing callers, else 0 */
    int scratch_fd;           /* per-CPU array of struct rv_kernel_score, one entry */
    int slots_fd;             /* prog array of RV_KERNEL_SLOTS; -1: return instead of calling on */
    uint32_t first_slot;      /* of ours, where one array serves several callers; else 0 */
    enum rv_kernel_slot slot; /* RV_KERNEL_LIVE or RV_KERNEL_SHADOW */
};

/**
 * Append the instructions (struct bpf_insn) of a model for a place: two a split and two a leaf,
 * more where computing is faster than jumping.
 * @return 0; -EINVAL for a row that is too wide; -E2BIG for a tree whose jumps do not fit; -ENOMEM.
 */
RV_MUST_CHECK int rv_kernel_emit(const struct rv_kernel_model *model,
                                 const struct rv_kernel_place *place, struct rv_buf *ret_code);

/**
 * Run rows through the emitted code in the kernel, beside whatever is live.
 * @param rows `count` rows, each as wide as the heads (which must agree); at least 1.
 * @return 0 with `ret_trial` filled, also when rows mismatch; -EPERM and other -errno of bpf(2).
 */
RV_MUST_CHECK int rv_kernel_try(const struct rv_kernel_model *model, const int32_t *rows,
                                uint32_t count, struct rv_kernel_trial *ret_trial);

/**
 * rv_kernel_try(), then load for `place`.
 * @param golden rows that the model must get right; at least 1.
 * @return 0; -EBADMSG if a golden row came out differently (nothing is loaded); -errno of bpf(2).
 */
RV_MUST_CHECK int rv_kernel_load(const struct rv_kernel_model *model,
                                 const struct rv_kernel_place *place, const int32_t *golden,
                                 uint32_t count, int *ret_program_fd);

/** The second half of rv_kernel_load(), for whom rv_kernel_try() has run the golden rows already. */
RV_MUST_CHECK int rv_kernel_put(const struct rv_kernel_model *model,
                                const struct rv_kernel_place *place, int *ret_program_fd);

/** A slot with memory of what it held before. */
struct rv_kernel_switch {
    int slots_fd; /* borrowed */
    enum rv_kernel_slot slot;
    int live_fd, previous_fd; /* owned; -1: none */
};

/** An empty slot. */
static inline struct rv_kernel_switch rv_kernel_switch(int slots_fd, enum rv_kernel_slot slot)
{
    return (struct rv_kernel_switch){ slots_fd, slot, -1, -1 };
}

/**
 * Put a program in the slot: one map update, so every caller sees either the old or the new one.
 * @param program_fd taken over on success, left to the caller on failure.
 */
RV_MUST_CHECK int rv_kernel_promote(struct rv_kernel_switch *kernel_switch, int program_fd);
/** Put the previous program back, atomically. @return 0; -ENOENT if there is none; -errno. */
RV_MUST_CHECK int rv_kernel_rollback(struct rv_kernel_switch *kernel_switch);
/** Empty the slot and close both programs. */
void rv_kernel_switch_done(struct rv_kernel_switch *kernel_switch);

/** The maps that a place needs, for programs that do not bring their own. -1 or a descriptor. */
RV_MUST_CHECK int rv_kernel_make_scratch(int *ret_fd);
RV_MUST_CHECK int rv_kernel_make_slots(int *ret_fd);

/* ---- As a table (models/kernel_table.h), where loading code is barred ---- */

struct rv_kernel_table;

/** @return 0; -E2BIG for more than 64 trees or a depth above 6; -EINVAL; -ENOMEM. free() it. */
RV_MUST_CHECK int rv_kernel_table_make(const struct rv_kernel_model *model,
                                       struct rv_kernel_table **ret_table);
/** Put a table where the fixed program finds it: one update of an entry of the map of maps. */
RV_MUST_CHECK int rv_kernel_table_promote(int tables_fd, uint32_t entry,
                                          const struct rv_kernel_table *table);
/** As rv_kernel_try(), through the table walker. `instructions` stays 0. */
RV_MUST_CHECK int rv_kernel_table_try(const struct rv_kernel_model *model, const int32_t *rows,
                                      uint32_t count, struct rv_kernel_trial *ret_trial);
