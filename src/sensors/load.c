/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Loading is tried with every program that the kernel has a hook for; when the verifier or a
 * security module refuses, each program is tried alone, those refused are left out, and the rest
 * is loaded again. So one missing hook never costs another sensor. EPERM is most likely everybody's
 * lot (no privilege), or that of LSM programs alone (lockdown).
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "state.h"

/* ---- Quiet libbpf ---- */
static int no_print(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

libbpf_print_fn_t rv_hush(void)
{
    return libbpf_set_print(no_print);
}

/* ---- Who are we, in the initial pid namespace ---- */

int rv_own_tgid(uint32_t *ret_tgid)
{
    static const struct bpf_insn code[] = {
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid },
        { .code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    RV_AUTO(rv_closep) int fd = -1;
    LIBBPF_OPTS(bpf_test_run_opts, run);

    fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "rv_whoami", "Dual BSD/GPL", code,
                       RV_COUNT(code), NULL);
    if (fd < 0)
        return fd;
    if (bpf_prog_test_run_opts(fd, &run) < 0)
        return -errno;
    *ret_tgid = run.retval;
    return 0;
}

/* ---- Which programs can there be ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/** Whether BPF is among the active security modules; without, its programs load and never run. */
static bool lsm_active(void)
{
    RV_AUTO(rv_freep) char *list = NULL;
    char *save = NULL;
    size_t len = 0;

    if (rv_read_file(AT_FDCWD, "/sys/kernel/security/lsm", 4096, &list, &len) < 0)
        return false;
    for (char *name = strtok_r(list, ",\n", &save); name; name = strtok_r(NULL, ",\n", &save)) {
        if (rv_streq(name, "bpf"))
            return true;
    }
    return false;
}

bool rv_hook_exists(const struct btf *kernel, const struct rv_program *program)
{
    char name[128];

    if (starts_with(program->hook, "tp_btf/")) {
        snprintf(name, sizeof(name), "btf_trace_%s", program->hook + strlen("tp_btf/"));
        return btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF) > 0;
    }
    if (starts_with(program->hook, "lsm/")) {
        snprintf(name, sizeof(name), "bpf_lsm_%s", program->hook + strlen("lsm/"));
        return lsm_active() && btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;
    }
    return true;
}

struct bpf_program *rv_program_of(const struct rv_bpf *bpf, const struct rv_program *row)
{
    return bpf_object__find_program_by_name(bpf->obj, row->name);
}

/** Open the object with the settings applied and only `rows` set to load. */
static int open_object(const struct rv_loader *loader, const struct rv_wire_settings *settings,
                       const bool rows[RV_PROGRAMS_MAX], struct rv_bpf **ret_bpf)
{
    struct rv_bpf *bpf = rv_bpf__open();

    if (!bpf)
        return -errno;
    bpf->rodata->rv_settings = *settings;
    if (bpf_map__set_max_entries(bpf->maps.rv_ring, (uint32_t)loader->ring_bytes) < 0 ||
        bpf_map__set_max_entries(bpf->maps.rv_urgent, (uint32_t)loader->urgent_bytes) < 0) {
        rv_bpf__destroy(bpf);
        return -EINVAL;
    }
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        struct bpf_program *program = rv_program_of(bpf, &rv_programs[i]);

        if (program)
            bpf_program__set_autoload(program, rows[i]);
    }
    *ret_bpf = bpf;
    return 0;
}

int rv_load_rows(const struct rv_loader *loader, const struct rv_wire_settings *settings,
                 const bool rows[RV_PROGRAMS_MAX], struct rv_bpf **ret_bpf)
{
    struct rv_bpf *bpf = NULL;
    int r = open_object(loader, settings, rows, &bpf);

    if (r < 0)
        return r;
    r = rv_bpf__load(bpf);
    if (r < 0) {
        rv_bpf__destroy(bpf);
        return r;
    }
    *ret_bpf = bpf;
    return 0;
}

/** Try each program of `rows` alone; clear those that the kernel refuses. */
static void keep_loadable(const struct rv_loader *loader, const struct rv_wire_settings *settings,
                          bool rows[RV_PROGRAMS_MAX])
{
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        bool alone[RV_PROGRAMS_MAX] = { false };
        struct rv_bpf *bpf = NULL;

        if (!rows[i])
            continue;
        alone[i] = true;
        rows[i] = rv_load_rows(loader, settings, alone, &bpf) == 0;
        rv_bpf__destroy(bpf);
    }
}

/** @return whether there were any. */
static bool leave_out_lsm(bool rows[RV_PROGRAMS_MAX])
{
    bool any = false;

    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        if (rows[i] && starts_with(rv_programs[i].hook, "lsm/")) {
            rows[i] = false;
            any = true;
        }
    }
    return any;
}

int rv_load(const struct rv_loader *loader, const struct rv_wire_settings *settings,
            bool rows[RV_PROGRAMS_MAX], struct rv_bpf **ret_bpf)
{
    int r = rv_load_rows(loader, settings, rows, ret_bpf);

    if (r == -EPERM && leave_out_lsm(rows))
        r = rv_load_rows(loader, settings, rows, ret_bpf);
    if (r == 0 || r == -EPERM)
        return r;
    keep_loadable(loader, settings, rows);
    return rv_load_rows(loader, settings, rows, ret_bpf);
}
