/* SPDX-License-Identifier: Apache-2.0 */
#include "own.h"

#include "wire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int add(int own_fd, enum rv_lsm_own what, uint32_t id)
{
    uint64_t key = (uint64_t)what << 32 | id;
    uint32_t one = 1;

    return bpf_map_update_elem(own_fd, &key, &one, BPF_ANY) < 0 ? -errno : 0;
}

static int add_map(int own_fd, int fd)
{
    struct bpf_map_info info = { 0 };
    uint32_t len = sizeof(info);
    int r = bpf_obj_get_info_by_fd(fd, &info, &len);

    return r < 0 ? r : add(own_fd, RV_LSM_OWN_MAP, info.id);
}

static int add_program(int own_fd, int fd)
{
    struct bpf_prog_info info = { 0 };
    uint32_t len = sizeof(info);
    int r = bpf_obj_get_info_by_fd(fd, &info, &len);

    return r < 0 ? r : add(own_fd, RV_LSM_OWN_PROGRAM, info.id);
}

static int add_link(int own_fd, int fd)
{
    struct bpf_link_info info = { 0 };
    uint32_t len = sizeof(info);
    int r = bpf_obj_get_info_by_fd(fd, &info, &len);

    return r < 0 ? r : add(own_fd, RV_LSM_OWN_LINK, info.id);
}

int rv_own_add(int own_fd, const struct bpf_object_skeleton *skeleton)
{
    int r = 0;

    for (int i = 0; r == 0 && i < skeleton->map_cnt; i++)
        r = add_map(own_fd, bpf_map__fd(*skeleton->maps[i].map));
    for (int i = 0; r == 0 && i < skeleton->prog_cnt; i++) {
        int fd = bpf_program__fd(*skeleton->progs[i].prog);

        if (fd >= 0) /* else this kernel has no such hook */
            r = add_program(own_fd, fd);
        if (r == 0 && *skeleton->progs[i].link)
            r = add_link(own_fd, bpf_link__fd(*skeleton->progs[i].link));
    }
    return r;
}
