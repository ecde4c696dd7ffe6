/* SPDX-License-Identifier: Apache-2.0 */
/** Try each hook for real and say in words what works. */
#include <bpf/btf.h>
#include <stdio.h>

#include "base/cgroup.h"
#include "base/fd.h"
#include "state.h"

struct probing {
    struct rv_loader loader;
    struct btf *kernel;
    int cgroup_fd;
};

static const char *probe_words(int error)
{
    switch (error) {
    case EPERM:
    case EACCES:
        return "the kernel refuses it: lockdown, a security module or the verifier";
    case ENOENT:
    case ESRCH:
        return "this kernel has no such hook";
    case EINVAL:
        return "this kernel does not know this kind of program, or its verifier refuses it";
    case ENODEV:
        return "no cgroup v2 is mounted";
    default:
        return NULL;
    }
}

/** Load one program and attach it, watching nothing; all is gone on return. */
static int try_program(const struct probing *probing, size_t i)
{
    struct rv_wire_settings settings = { .scope_on = 1 };
    bool rows[RV_PROGRAMS_MAX] = { false };
    struct rv_bpf *bpf = NULL;
    struct bpf_link *link = NULL;
    int r;

    if (!rv_hook_exists(probing->kernel, &rv_programs[i]))
        return -ENOENT;
    rows[i] = true;
    r = rv_load_rows(&probing->loader, &settings, rows, &bpf);
    if (r < 0)
        return r;
    if (rv_programs[i].attach == RV_ATTACH_CGROUP && probing->cgroup_fd < 0) {
        r = -ENODEV;
    } else if (rv_programs[i].attach != RV_ATTACH_NONE) {
        struct bpf_program *program = rv_program_of(bpf, &rv_programs[i]);

        link = rv_programs[i].attach == RV_ATTACH_CGROUP
                   ? bpf_program__attach_cgroup(program, probing->cgroup_fd)
                   : bpf_program__attach(program);
        r = link ? 0 : -errno;
    }
    bpf_link__destroy(link);
    rv_bpf__destroy(bpf);
    return r;
}

static void probe_program(const struct probing *probing, size_t i,
                          struct rv_sensors_probe *ret_probe)
{
    int r = try_program(probing, i);
    const char *words = r < 0 ? probe_words(-r) : "";

    *ret_probe = (struct rv_sensors_probe){
        .sensor = rv_programs[i].sensor,
        .hook = rv_programs[i].hook,
        .events = rv_programs[i].events,
        .cost = rv_programs[i].cost,
        .works = r == 0,
        .error = r < 0 ? -r : 0,
    };
    snprintf(ret_probe->reason, sizeof(ret_probe->reason), "%s", words ? words : strerror(-r));
}

static void probe_watch(struct rv_sensors_probe *ret_probe)
{
    struct rv_watch *watch = NULL;
    int r = rv_watch_open(&watch);

    rv_watch_free(&watch);
    *ret_probe = (struct rv_sensors_probe){
        .sensor = RV_SENSOR_READ,
        .hook = "fanotify",
        .events = "file.open",
        .cost = "only for those who open a file that the policy names",
        .works = r == 0,
        .error = r < 0 ? -r : 0,
    };
    if (r < 0)
        snprintf(ret_probe->reason, sizeof(ret_probe->reason), "%s", strerror(-r));
}

int rv_sensors_probe(void (*put)(void *context, const struct rv_sensors_probe *probe),
                     void *context)
{
    struct probing probing = { .loader = { .ring_bytes = 65536, .urgent_bytes = 65536 },
                               .cgroup_fd = -1 };
    struct rv_sensors_probe probe;
    libbpf_print_fn_t print;
    uint32_t tgid;
    int r;

    print = rv_hush();
    r = rv_own_tgid(&tgid); /* the smallest program there is */
    probing.kernel = r == 0 ? btf__load_vmlinux_btf() : NULL;
    if (!probing.kernel) {
        libbpf_set_print(print);
        return r < 0 ? r : -EOPNOTSUPP;
    }
    if (rv_cgroup_open(NULL, &probing.cgroup_fd) < 0)
        probing.cgroup_fd = -1;
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        probe_program(&probing, i, &probe);
        put(context, &probe);
    }
    probe_watch(&probe);
    put(context, &probe);
    btf__free(probing.kernel);
    rv_closep(&probing.cgroup_fd);
    libbpf_set_print(print);
    return 0;
}
