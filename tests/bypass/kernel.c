/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to what Reeve has in the kernel. Opening is enough: who has it open can empty or detach it.
 */
#include "attempts.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/** Open every object of a kind. @return 0: all there are; else the errno of one that was refused.
 */
static int open_all(int next_command, int open_command)
{
    union bpf_attr next = { 0 };
    int count = 0;

    for (; bpf(next_command, &next) == 0; next.start_id = next.next_id) {
        union bpf_attr by_id = { .map_id = next.next_id }; /* first in each kind's */
        int fd = bpf(open_command, &by_id);

        if (fd < 0 && errno != ENOENT)
            return -errno;
        if (fd >= 0)
            close(fd);
        count++;
    }
    return count > 0 ? 0 : -ENOENT;
}

static int open_maps(void)
{
    return open_all(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID);
}

static int open_programs(void)
{
    return open_all(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID);
}

static int open_links(void)
{
    return open_all(BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID);
}

const struct rv_way rv_ways_kernel[] = {
    { "bpf: our maps by their ids", RV_AIM_BPF, open_maps },
    { "bpf: our programs by their ids", RV_AIM_BPF, open_programs },
    { "bpf: our links by their ids", RV_AIM_BPF, open_links },
};
const size_t rv_ways_kernel_count = RV_COUNT(rv_ways_kernel);
