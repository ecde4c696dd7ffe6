/* SPDX-License-Identifier: Apache-2.0 */
/** @file programs.h  Every BPF program: which sensor it serves, where it sits, what it costs. */
#pragma once

#include "sensors/sensors.h"

enum rv_attach {
    RV_ATTACH_TRACE,
    RV_ATTACH_CGROUP,
    RV_ATTACH_LSM,  /* in place of tracepoints that the kernel does not have */
    RV_ATTACH_DEEP, /* while some scope asks */
    RV_ATTACH_NONE, /* run by hand */
};

struct rv_program {
    const char *name; /* in the object */
    enum rv_sensor sensor;
    enum rv_attach attach;
    bool essential;     /* the sensor is missing without it */
    const char *hook;   /* section */
    const char *events; /* what it makes, by name on the wire */
    const char *cost;
};

extern const struct rv_program rv_programs[];
extern const size_t rv_bpf_program_count;

const struct rv_program *rv_program_by_name(const char *name);
