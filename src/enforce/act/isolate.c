/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches the isolating programs to a cgroup; the packet filters go first, so that what is under
 * way stops before new connections are refused. */
#include "isolate.h"

#include "act/cgroup.h"

#include "base/fd.h"

#include <bpf/libbpf.h>
#include <fcntl.h>

#pragma GCC diagnostic push /* bpftool's code, not ours */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "isolate.skel.h"
#pragma GCC diagnostic pop

#define PROGRAMS_MAX 8

struct rv_isolation {
    struct rv_isolate_bpf *bpf;
    struct bpf_link *links[PROGRAMS_MAX];
};

int rv_isolate(struct rv_isolation **ret_isolation, const char *cgroup)
{
    RV_AUTO(rv_isolation_end) struct rv_isolation *isolation = NULL;
    RV_AUTO(rv_closep) int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct bpf_program *program;
    size_t n = 0;

    if (fd < 0)
        return -errno;
    if (rv_cgroup_version(cgroup) != RV_CGROUP_V2)
        return -EOPNOTSUPP; /* version 1 has no hooks */
    isolation = calloc(1, sizeof(*isolation));
    if (!isolation)
        return -ENOMEM;
    isolation->bpf = rv_isolate_bpf__open_and_load();
    if (!isolation->bpf)
        return -errno;
    bpf_object__for_each_program(program, isolation->bpf->obj)
    {
        isolation->links[n] = bpf_program__attach_cgroup(program, fd);
        if (!isolation->links[n++])
            return -errno;
    }
    *ret_isolation = RV_TAKE(isolation);
    return 0;
}

void rv_isolation_end(struct rv_isolation **isolation)
{
    if (!*isolation)
        return;
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        (void)bpf_link__destroy((*isolation)->links[i]);
    rv_isolate_bpf__destroy((*isolation)->bpf);
    free(*isolation);
    *isolation = NULL;
}
