/* SPDX-License-Identifier: Apache-2.0 */
/** @file state.h  The sensors' inside, shared by the files that make them up. */
#pragma once

#include <bpf/libbpf.h>

#include "bpf/wire.h"
#include "programs.h"
#include "sensors/sensors.h"
#include "watch.h"

/* bpftool's output has its own idea of conversions. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#include "rv_bpf.skel.h"
#pragma GCC diagnostic pop

#define RV_PROGRAMS_MAX 64

/** What loading needs to know besides the settings. */
struct rv_loader {
    size_t ring_bytes, urgent_bytes;
};

struct rv_sensors {
    struct rv_bpf *bpf;
    struct bpf_link *links[RV_PROGRAMS_MAX]; /* by row of rv_programs */
    struct rv_watch *watch;
    unsigned wanted, missing;
    uint64_t remembered_ns; /* last walk over the task list for an unknown process id */
    int cgroup_fd, stats_fd;
    struct rv_loader loader;
    uint32_t cpus;
    size_t deep_count;
    struct rv_event_builder builder; /* 8 KiB: not for the stack */
};

/* ---- load.c ---- */

/** libbpf says nothing until the returned function is given back to libbpf_set_print(). */
libbpf_print_fn_t rv_hush(void);

/** The kernel's own number for this process, also from inside a pid namespace. */
RV_MUST_CHECK int rv_own_tgid(uint32_t *ret_tgid);

/** Whether the kernel declares the tracepoint that a tp_btf program names. */
bool rv_hook_exists(const struct btf *kernel, const struct rv_program *program);

struct bpf_program *rv_program_of(const struct rv_bpf *bpf, const struct rv_program *row);

/** Load only `rows` of rv_programs. */
RV_MUST_CHECK int rv_load_rows(const struct rv_loader *loader,
                               const struct rv_wire_settings *settings,
                               const bool rows[RV_PROGRAMS_MAX], struct rv_bpf **ret_bpf);

/** Load `rows`; those that the kernel refuses are cleared and left out. */
RV_MUST_CHECK int rv_load(const struct rv_loader *loader, const struct rv_wire_settings *settings,
                          bool rows[RV_PROGRAMS_MAX], struct rv_bpf **ret_bpf);
