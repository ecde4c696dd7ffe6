/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file bpf/call.h  Which system call the current task is in, and its arguments.
 *
 * Hooks on rare facts ask this to tell an unlink from a rename. The numbers and scalar arguments
 * are those that the kernel saved at entry: the caller cannot change them any more. What a pointer
 * argument points to it can.
 */
#pragma once

#include "bpf/sensor.h"

struct rv_call {
    __u32 number;
    bool compat; /* a 32-bit program: numbers mean something else */
    __u64 arg[4];
};

#if defined(__TARGET_ARCH_x86)
#define USER32_CS 0x23

RV_INLINE void rv_call_read(struct rv_call *call, struct task_struct *task)
{
    const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(task);

    call->number = (__u32)regs->orig_ax;
    call->compat = regs->cs == USER32_CS;
    call->arg[0] = regs->di;
    call->arg[1] = regs->si;
    call->arg[2] = regs->dx;
    call->arg[3] = regs->r10;
}

/* A task that is in no system call, but in a page fault or an interrupt. */
#define NR_none 0xffffffffU

enum {
    NR_read = 0,
    NR_write = 1,
    NR_open = 2,
    NR_mmap = 9,
    NR_mprotect = 10,
    NR_pwrite64 = 18,
    NR_writev = 20,
    NR_sendfile = 40,
    NR_connect = 42,
    NR_execve = 59,
    NR_kill = 62,
    NR_truncate = 76,
    NR_ftruncate = 77,
    NR_rename = 82,
    NR_mkdir = 83,
    NR_rmdir = 84,
    NR_creat = 85,
    NR_link = 86,
    NR_unlink = 87,
    NR_symlink = 88,
    NR_chmod = 90,
    NR_fchmod = 91,
    NR_chown = 92,
    NR_fchown = 93,
    NR_lchown = 94,
    NR_ptrace = 101,
    NR_utime = 132,
    NR_mknod = 133,
    NR_pivot_root = 155,
    NR_chroot = 161,
    NR_mount = 165,
    NR_umount2 = 166,
    NR_init_module = 175,
    NR_delete_module = 176,
    NR_setxattr = 188,
    NR_lsetxattr = 189,
    NR_fsetxattr = 190,
    NR_removexattr = 197,
    NR_lremovexattr = 198,
    NR_fremovexattr = 199,
    NR_io_submit = 209,
    NR_utimes = 235,
    NR_kexec_load = 246,
    NR_openat = 257,
    NR_mkdirat = 258,
    NR_mknodat = 259,
    NR_fchownat = 260,
    NR_futimesat = 261,
    NR_unlinkat = 263,
    NR_renameat = 264,
    NR_linkat = 265,
    NR_symlinkat = 266,
    NR_fchmodat = 268,
    NR_unshare = 272,
    NR_splice = 275,
    NR_utimensat = 280,
    NR_fallocate = 285,
    NR_pwritev = 296,
    NR_setns = 308,
    NR_process_vm_readv = 310,
    NR_process_vm_writev = 311,
    NR_finit_module = 313,
    NR_renameat2 = 316,
    NR_kexec_file_load = 320,
    NR_bpf = 321,
    NR_execveat = 322,
    NR_copy_file_range = 326,
    NR_pwritev2 = 328,
    NR_pkey_mprotect = 329,
    NR_io_uring_enter = 426,
    NR_move_mount = 429,
    NR_openat2 = 437,
    NR_mount_setattr = 442,
    NR_fchmodat2 = 452,
};
#else
#error "system call numbers of this architecture are missing"
#endif
