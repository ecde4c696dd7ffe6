/* SPDX-License-Identifier: Apache-2.0 */
/** @file events.h  One event of each type, with every string filled, for tests of the agent. */
#pragma once

#include "event/event.h"

/** An event of `type` by process 100, which a fork and an exec made before. */
static inline const struct rv_event *make_event(struct rv_event_builder *builder,
                                                enum rv_event_type type, uint64_t time_boot_ns)
{
    const struct rv_event_info *info = rv_event_info((uint16_t)type);
    struct rv_event *event = rv_event_begin(builder, type);

    event->time_boot_ns = time_boot_ns;
    event->tgid = event->tid = 100;
    event->start_boot_ns = 5000;
    event->uid = 1000;
    memcpy(event->comm, "sample", 6);
    for (size_t i = 0; i < info->field_count; i++) {
        struct rv_event_str *str = (void *)(builder->bytes + info->fields[i].offset);

        if (info->fields[i].kind == RV_FIELD_STR)
            rv_event_put_str(builder, str, rv_span_str("/usr/bin/sample"), 64);
    }
    return rv_event_end(builder);
}
