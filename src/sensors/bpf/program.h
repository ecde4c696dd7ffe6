/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file bpf/program.h  The body of process.exec that both exec and scan fill. */
#pragma once

#include "bpf/sensor.h"

RV_INLINE __u64 rv_ctime_ns(const struct inode *inode)
{
    const struct inode___ctime *old = (const void *)inode;
    const struct inode___priv_ctime *middle = (const void *)inode;

    if (bpf_core_field_exists(inode->i_ctime_sec))
        return (__u64)BPF_CORE_READ(inode, i_ctime_sec) * 1000000000ULL +
               (BPF_CORE_READ(inode, i_ctime_nsec) & 0x7fffffffU); /* a flag above */
    if (bpf_core_field_exists(middle->__i_ctime))
        return (__u64)BPF_CORE_READ(middle, __i_ctime.tv_sec) * 1000000000ULL +
               ((__u64)BPF_CORE_READ(middle, __i_ctime.tv_nsec) & 0x7fffffffU);
    return (__u64)BPF_CORE_READ(old, i_ctime.tv_sec) * 1000000000ULL +
           (__u64)BPF_CORE_READ(old, i_ctime.tv_nsec);
}

RV_INLINE void rv_put_program(struct rv_event_process_exec *event, const struct file *file,
                              const struct inode *inode)
{
    const struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    __u32 mode = BPF_CORE_READ(inode, i_mode);
    char name[8] = "";

    event->inode = BPF_CORE_READ(inode, i_ino);
    event->ctime_ns = rv_ctime_ns(inode);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->file_uid = BPF_CORE_READ(inode, i_uid.val);
    event->file_mode = mode;
    if (mode & (S_ISUID | S_ISGID))
        event->exec_flags |= RV_EXEC_F_SETID;
    if (BPF_CORE_READ(inode, i_nlink) != 0)
        return;
    bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
    /* memfd_create(2) names its files so. */
    if (name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
        name[5] == ':')
        event->exec_flags |= RV_EXEC_F_MEMFD;
    else
        event->exec_flags |= RV_EXEC_F_DELETED;
}

RV_INLINE void rv_put_session(struct rv_event_process_exec *event, const struct task_struct *task)
{
    const struct signal_struct *signal = BPF_CORE_READ(task, signal);
    const struct tty_struct *tty = BPF_CORE_READ(signal, tty);
    const struct pid *session = BPF_CORE_READ(signal, pids[3]);
    __u32 ns = 0;

    event->session = rv_pid_at(session, 0, &ns);
    if (tty)
        event->tty = ((__u32)BPF_CORE_READ(tty, driver, major) << 20) |
                     (__u32)(BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index));
}
