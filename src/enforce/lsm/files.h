/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/** @file lsm/files.h  Hooks about files, their names and attributes, and mounts. */
#pragma once

#include "ask.h"

#define FMODE_READ    1U
#define FMODE_WRITE   2U
#define FMODE_EXEC    0x20U      /* in f_flags: opened by execve */
#define FMODE_BACKING (1U << 25) /* opened by an overlay: since 6.5 */
#define S_SETID       06000
#define ATTR_MODE     1U
#define ATTR_OWNER    6U /* user or group */
#define ATTR_SIZE     8U

static __always_inline int ask_modes(struct file *file)
{
    __u32 mode = file->f_mode;
    int r = mode & FMODE_WRITE ? ask_file(RV_DO_WRITE, file) : 0;

    return r || !(mode & FMODE_READ) ? r : ask_file(RV_DO_READ, file);
}

/*
 * A program is opened before it is asked about at bprm_check_security, which is told the file that
 * an overlay shows and not the one behind it. That one is asked about here, when the overlay opens
 * it.
 */
SEC("lsm/file_open")
int BPF_PROG(rv_open, struct file *file, int ret)
{
    struct inode *named = BPF_CORE_READ(file, f_path.dentry, d_inode);

    if (ret)
        return ret;
    if (!(file->f_flags & FMODE_EXEC))
        return ask_modes(file);
    if ((file->f_mode & FMODE_BACKING) || file->f_inode != named)
        return ask_file(RV_DO_EXEC, file);
    return 0;
}

/* A descriptor that somebody else opened and handed over is opened once more by its receiver. */
SEC("lsm/file_receive")
int BPF_PROG(rv_receive, struct file *file, int ret)
{
    return ret ? ret : ask_modes(file);
}

SEC("lsm/inode_create")
int BPF_PROG(rv_create, struct inode *dir, struct dentry *dentry, __u32 mode, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_CREATE, dentry);
}

SEC("lsm/inode_mknod")
int BPF_PROG(rv_mknod, struct inode *dir, struct dentry *dentry, __u32 mode, unsigned int dev,
             int ret)
{
    return ret ? ret : ask_dentry(RV_DO_CREATE, dentry);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(rv_mkdir, struct inode *dir, struct dentry *dentry, __u32 mode, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_CREATE, dentry);
}

SEC("lsm/inode_symlink")
int BPF_PROG(rv_symlink, struct inode *dir, struct dentry *dentry, const char *name, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_CREATE, dentry);
}

/* Both ends: taking a file out of a folder and putting one over a file are changes of each. */
SEC("lsm/inode_rename")
int BPF_PROG(rv_rename, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
             struct dentry *new, int ret)
{
    return ret ? ret : ask_both(RV_DO_RENAME, old, new);
}

SEC("lsm/inode_unlink")
int BPF_PROG(rv_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_UNLINK, dentry);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(rv_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_UNLINK, dentry);
}

SEC("lsm/inode_link")
int BPF_PROG(rv_link, struct dentry *old, struct inode *dir, struct dentry *new, int ret)
{
    return ret ? ret : ask_both(RV_DO_LINK, old, new);
}

/** Owner and mode; a new size, from truncate, ftruncate and O_TRUNC alike. Times change freely. */
static __always_inline int ask_attributes(struct dentry *dentry, struct iattr *attr)
{
    struct question q = { .dentry = dentry };
    struct inode *inode = BPF_CORE_READ(dentry, d_inode);
    __u32 valid = attr->ia_valid;

    if (valid & ATTR_SIZE)
        q.action = NUMBER(RV_DO_TRUNCATE);
    else if (valid & (ATTR_MODE | ATTR_OWNER))
        q.action = NUMBER(RV_DO_SETATTR);
    else
        return 0;
    if ((valid & ATTR_MODE) && (attr->ia_mode & S_SETID & ~BPF_CORE_READ(inode, i_mode)))
        q.flags = 1U << RV_FLAG_SETID_ADDED;
    return ask(&q);
}

/* 6.12 put the id map before the dentry; user space loads the one that fits. */
SEC("lsm/inode_setattr")
int BPF_PROG(rv_setattr, struct dentry *dentry, struct iattr *attr, int ret)
{
    return ret ? ret : ask_attributes(dentry, attr);
}

SEC("lsm/inode_setattr")
int BPF_PROG(rv_setattr_idmap, void *idmap, struct dentry *dentry, struct iattr *attr, int ret)
{
    return ret ? ret : ask_attributes(dentry, attr);
}

/* File capabilities and access lists. */
SEC("lsm/inode_setxattr")
int BPF_PROG(rv_setxattr, void *idmap, struct dentry *dentry, const char *name, const void *value,
             __u64 size, int flags, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_SETATTR, dentry);
}

static __always_inline int ask_path(__u32 action, const struct path *path)
{
    struct question q = { .action = NUMBER(action), .dentry = path->dentry, .mnt = path->mnt };

    return ask(&q);
}

SEC("lsm/sb_mount")
int BPF_PROG(rv_mount, const char *dev, const struct path *path, const char *type,
             unsigned long flags, void *data, int ret)
{
    return ret ? ret : ask_path(RV_DO_MOUNT, path);
}

SEC("lsm/move_mount")
int BPF_PROG(rv_move_mount, const struct path *from, const struct path *to, int ret)
{
    return ret ? ret : ask_path(RV_DO_MOUNT, to);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(rv_pivot_root, const struct path *old, const struct path *new, int ret)
{
    return ret ? ret : ask_path(RV_DO_MOUNT, new);
}
