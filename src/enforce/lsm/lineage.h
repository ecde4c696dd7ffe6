/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file lsm/lineage.h  Names and places of files; what a process and its ancestors have run.
 *
 * Storage belongs to the leader of a thread group: threads, io_uring's workers among them, ask for
 * their leader's. A process gets its parent's lineage when it is forked, so it does not matter
 * whether that parent lives on; what ran before the provider opened gets that of its ancestors
 * then.
 */
#pragma once

#include "maps.h"

#define ANCESTORS_MAX 64

static __always_inline void *kernel_pointer(const void *at)
{
    void *pointer = NULL;

    bpf_probe_read_kernel(&pointer, sizeof(pointer), at);
    return pointer;
}

struct name_walk {
    const unsigned char *at;
    __u64 hash;
    __u32 left, pad;
};

static long name_step(__u32 level, struct name_walk *walk)
{
    __u64 word = 0;

    if (!walk->left)
        return 1;
    bpf_probe_read_kernel(&word, sizeof(word), walk->at);
    walk->hash = rv_lsm_mix(walk->hash, rv_lsm_head(word, walk->left));
    walk->at += 8;
    walk->left = walk->left > 8 ? walk->left - 8 : 0;
    return 0;
}

/** The name of a dentry, hashed from `hash` on; as rv_lsm_hash_name() of user space. */
static __always_inline __u64 name_hash(struct dentry *dentry, __u64 hash)
{
    struct name_walk walk = { 0 };
    struct rv_qstr name = { 0 };

    bpf_probe_read_kernel(&name, sizeof(name), __builtin_preserve_access_index(&dentry->d_name));
    walk.hash = rv_lsm_mix(hash, name.len);
    walk.left = name.len;
    walk.at = name.name;
    if (name_step(0, &walk) == 0 && walk.left) /* most names fit into a word or two */
        bpf_loop(RV_LSM_NAME_MAX / 8 - 1, name_step, &walk, 0);
    return walk.hash;
}

static __always_inline __u32 device_of(struct dentry *dentry)
{
    return BPF_CORE_READ(dentry, d_sb, s_dev);
}

/** Folder and name of a dentry on `dev`; 0 for the root of a file system. */
static __noinline __u64 place_of(struct dentry *dentry, __u32 dev)
{
    struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

    if (!parent || parent == dentry)
        return 0;
    return name_hash(dentry, rv_lsm_place_seed(seed, BPF_CORE_READ(parent, d_inode, i_ino), dev));
}

/** What a process runs, by its memory; all zero for a kernel thread. */
static __always_inline void program_of(struct task_struct *task, struct rv_lsm_program *program)
{
    struct file *file = BPF_CORE_READ(task, mm, exe_file);
    struct inode *inode;

    __builtin_memset(program, 0, sizeof(*program));
    if (!file)
        return;
    inode = BPF_CORE_READ(file, f_inode);
    program->inode = BPF_CORE_READ(inode, i_ino);
    program->dev = BPF_CORE_READ(inode, i_sb, s_dev);
    program->place = place_of(BPF_CORE_READ(file, f_path.dentry), program->dev);
}

static __always_inline bool same_program(const struct rv_lsm_program *a,
                                         const struct rv_lsm_program *b)
{
    return a->dev == b->dev && (a->inode == b->inode || (a->place && a->place == b->place));
}

static __always_inline void remember(struct rv_lsm_lineage *lineage,
                                     const struct rv_lsm_program *program)
{
    __u32 at = lineage->count;

    if (!program->inode)
        return;
    for (__u32 i = 0; i < RV_LSM_LINEAGE; i++) {
        const struct rv_lsm_program *known = &lineage->programs[i];

        if (i >= at)
            break;
        if (known->inode == program->inode && known->dev == program->dev)
            return;
    }
    if (at >= RV_LSM_LINEAGE) {
        lineage->cut = 1;
        return;
    }
    asm volatile("%[at] &= 15" : [at] "+r"(at));
    lineage->programs[at & (RV_LSM_LINEAGE - 1)] = *program;
    lineage->count = at + 1;
}

struct ancestor_walk {
    struct task_struct *at;
    struct rv_lsm_lineage *lineage;
};

static long ancestor_step(__u32 level, struct ancestor_walk *walk)
{
    struct task_struct *at = walk->at, *parent;
    struct rv_lsm_program program;

    program_of(at, &program);
    remember(walk->lineage, &program);
    parent = BPF_CORE_READ(at, real_parent, group_leader);
    walk->at = parent;
    return !parent || parent == at;
}

/** Somebody who was forked while we watched, and has no lineage: there was no memory for it. */
static __always_inline bool is_lost(struct task_struct *leader)
{
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);

    return c && c->attached_boot_ns && leader->start_boottime > c->attached_boot_ns;
}

/** The lineage of a leader, made from its living ancestors when it has none. NULL: no memory. */
static __noinline struct rv_lsm_lineage *lineage_of(struct task_struct *leader)
{
    struct rv_lsm_lineage *lineage = bpf_task_storage_get(&lineages, leader, NULL, 0);
    struct ancestor_walk walk = { 0 };

    if (lineage)
        return lineage;
    lineage = bpf_task_storage_get(&lineages, leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!lineage)
        return NULL;
    program_of(leader, &lineage->now);
    walk.at = leader;
    walk.lineage = lineage;
    if (bpf_loop(ANCESTORS_MAX, ancestor_step, &walk, 0) >= ANCESTORS_MAX || is_lost(leader))
        lineage->cut = 1;
    return lineage;
}
