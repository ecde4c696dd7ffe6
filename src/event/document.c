/* SPDX-License-Identifier: Apache-2.0 */
/* The schema in words: docs/events.md is this output, and a test keeps it so. */
#include "event/event.h"

static const char *const kind_names[] = {
    [RV_FIELD_U8] = "u8",      [RV_FIELD_U16] = "u16",      [RV_FIELD_U32] = "u32",
    [RV_FIELD_U64] = "u64",    [RV_FIELD_I32] = "i32",      [RV_FIELD_I64] = "i64",
    [RV_FIELD_STR] = "string", [RV_FIELD_ADDR] = "address",
};

void rv_event_document(struct rv_buf *buf)
{
    rv_buf_addf(buf,
                "# Events\n\n"
                "Schema version %d. Made from `src/event/include/event/table.h`; do not edit.\n\n"
                "Every event has a header: `type`, `time_boot_ns` (CLOCK_BOOTTIME), `seq` (per "
                "cpu, without gaps except those that `loss` events report), `cpu`, `weight` (how "
                "many events this one stands for), `flags` (`snapshot`, `inline`, `denied`, "
                "`kthread`), the process key (`tgid`, `start_boot_ns`), `tid`, `uid`, `gid`, "
                "`cgroup_id`, `pid_ns` and `comm`. A string that was cut has its true length "
                "beside it as `<name>_true_len`.\n",
                RV_EVENT_VERSION);
    for (uint16_t type = 0; type < RV_EVENT_TYPE_END_; type++) {
        const struct rv_event_info *info = rv_event_info(type);

        if (!info)
            continue;
        rv_buf_addf(buf, "\n## `%s` (%u)\n\n%s.\n\n| field | kind | meaning |\n|---|---|---|\n",
                    info->name, type, info->meaning);
        for (size_t i = 0; i < info->field_count; i++)
            rv_buf_addf(buf, "| `%s` | %s | %s |\n", info->fields[i].name,
                        kind_names[info->fields[i].kind], info->fields[i].meaning);
    }
}
