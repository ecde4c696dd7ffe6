/* SPDX-License-Identifier: Apache-2.0 */
/** @file cgate/cgate.h  Between the files of this provider. */
#pragma once

#include "enforce/cgate.h"

#include "cgate/tables.h"
#include "lsm/identity.h"

#define RV_CGATE_LINKS 16

struct rv_cgate_bpf;
struct bpf_link;
struct ring_buffer;

/** A program of RV_TERM_LINEAGE, at its bit of rv_cgate_ran.slots. */
struct rv_cgate_slot {
    struct rv_lsm_program program;
    bool used;
    bool of_set[RV_CGATE_TABLES]; /* named by the set in this table */
};

/** Descriptors, borrowed from `bpf`. */
struct rv_cgate_maps {
    int tables, values, addrs, slots, kinds, grants, counts, told, lost, risks, exempt,
        exempt_programs;
};

struct rv_cgate {
    struct rv_cgate_bpf *bpf;
    struct bpf_link *links[RV_CGATE_LINKS];
    size_t link_count;
    struct rv_cgate_maps maps;
    struct ring_buffer *ring;
    struct rv_cgate_control *control; /* mapped */
    uint64_t seed;
    bool has_unix;
    bool new_programs; /* since lineage was learnt */
    struct rv_cgate_slot slots[RV_CGATE_SLOTS];
    char **paths; /* that the set in place names, and what they led to */
    struct rv_lsm_program *led_to;
    size_t path_count;
    uint64_t swept_boot_ns;
    int (*put)(void *context, const struct rv_refusal_record *record);
    void *put_context;
};

/** rv_cgate_open() with room for the lineage and risk of `processes_max` processes. */
RV_MUST_CHECK int rv_cgate_open_sized(struct rv_cgate **ret_cgate, const char *cgroup,
                                      uint32_t processes_max);

/** Let the kernel learn the lineage of what runs already. @return 0 or -errno. */
RV_MUST_CHECK int rv_cgate_seed(struct rv_cgate *cgate);
