/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file lsm/match.h  Which rules of the active table match a question, group by group.
 *
 * Each step narrows the mask of rules that are still in question and looks nothing up for a group
 * that none of them asks about. Walks and lineage come last.
 */
#pragma once

#include "lineage.h"

#define CGROUP_DEPTH 32

enum { HAS_ADDR = 1, HAS_PORT = 2, HAS_FAMILY = 4, HAS_PROTOCOL = 8, HAS_KIND = 16 };

struct question {
    struct dentry *dentry; /* NULL: not about a file */
    struct inode *inode;   /* the object itself when it differs from the dentry's (overlays) */
    struct vfsmount *mnt;  /* that the file was reached through, if the hook knows it */
    __u64 inode_number;
    __u64 granted; /* rules that a person let pass for the other name of the same call */
    __u32 action;  /* which bit of RV_DO_* */
    __u32 dev, port, family, protocol;
    __u32 flags; /* bits 1 << enum rv_rule_flag */
    __u32 kind;  /* of the program that would be started */
    __u32 has;
    __u32 table; /* that `granted` is about */
    struct rv_lsm_addr_key addr;
};

/** Who asks: what several steps need. */
struct asker {
    struct rv_lsm_program program;
    __u32 risk, marks;
    __u64 cgroup;
};

static __always_inline __u64 left(const struct rv_lsm_table *t, __u32 group, __u64 rules,
                                  const struct rv_lsm_pair *pair)
{
    return rules & (t->any[group] | pair->affirmed) & ~pair->negated;
}

static __always_inline void look_up(struct rv_lsm_pair *sum, __u32 table, __u32 index, __u64 id,
                                    __u32 dev)
{
    struct rv_lsm_key key = { .id = id, .dev = dev, .index = (__u8)index, .table = (__u8)table };
    struct rv_lsm_pair *pair = bpf_map_lookup_elem(&terms, &key);

    if (!pair)
        return;
    sum->affirmed |= pair->affirmed;
    sum->negated |= pair->negated;
}

/** A group whose value is one number, if it is known. */
static __always_inline __u64 by_number(const struct rv_lsm_table *t, __u32 table, __u32 group,
                                       __u32 index, __u64 rules, __u64 number, bool known)
{
    struct rv_lsm_pair pair = { 0 };

    if (!(rules & t->asks[group]))
        return rules;
    if (known)
        look_up(&pair, table, index, number, 0);
    return left(t, group, rules, &pair);
}

static __always_inline __u32 kind_of(__u64 inode, __u32 dev)
{
    struct rv_lsm_key key = { .id = inode, .dev = dev };
    __u32 *kind = bpf_map_lookup_elem(&kinds, &key);

    return kind ? *kind : 0;
}

static __always_inline void look_up_inode(struct rv_lsm_pair *sum, __u32 table, __u32 index,
                                          struct inode *inode)
{
    look_up(sum, table, index, BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev));
}

/* ---- Files ---- */

struct folder_walk {
    struct dentry *at;
    struct mount *mount; /* that `at` lies in, and NULL when it is not known */
    struct rv_lsm_pair pair;
    __u32 table, dev; /* dev: all parents of a dentry are on its own */
    __u32 whole, pad;
};

/*
 * Up by the file system's own parents, so that a bind mount of something inside is inside; and from
 * a file system's root on from where it is mounted, so that what is mounted inside is inside too.
 */
static long folder_step(__u32 level, struct folder_walk *walk)
{
    struct dentry *at = walk->at; /* locals: BPF_CORE_READ would relocate our own struct too */
    struct dentry *parent = BPF_CORE_READ(at, d_parent);
    struct mount *mount = walk->mount, *below;

    if (!parent)
        return 1;
    if (parent == at) {
        below = mount ? BPF_CORE_READ(mount, mnt_parent) : NULL;
        if (!below || below == mount) {
            walk->whole = 1;
            return 1;
        }
        parent = BPF_CORE_READ(mount, mnt_mountpoint);
        walk->mount = below;
        walk->dev = device_of(parent);
    }
    look_up(&walk->pair, walk->table, RV_LSM_I_FOLDER, BPF_CORE_READ(parent, d_inode, i_ino),
            walk->dev);
    walk->at = parent;
    return 0;
}

/** One of the names of an inode; NULL when the kernel has none in memory. */
static __always_inline struct dentry *name_of(struct inode *inode)
{
    void *alias = BPF_CORE_READ(inode, i_dentry.first);

    return alias ? alias - bpf_core_field_offset(struct dentry, d_u.d_alias) : NULL;
}

/** Actions that mean a folder itself as well as what lies below it. */
#define WITH_FOLDER (RV_DO_RENAME | RV_DO_UNLINK | RV_DO_MOUNT)

static __noinline __u64 match_file(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                   struct question *q)
{
    struct dentry *dentry = q->dentry;
    struct vfsmount *mnt = q->mnt;
    struct inode *inode, *other = q->inode;
    struct folder_walk walk = { .table = table };
    __u64 place;

    if (!dentry)
        return left(t, RV_LSM_G_FILE, rules, &walk.pair);
    inode = BPF_CORE_READ(dentry, d_inode);
    walk.dev = device_of(dentry);
    if (other == inode)
        other = NULL;
    if (rules & t->file) {
        if (inode)
            look_up(&walk.pair, table, RV_LSM_I_FILE, BPF_CORE_READ(inode, i_ino), walk.dev);
        if (other)
            look_up_inode(&walk.pair, table, RV_LSM_I_FILE, other);
        place = place_of(dentry, walk.dev);
        if (place)
            look_up(&walk.pair, table, RV_LSM_I_FILE_PLACE, place, walk.dev);
    }
    if (!(rules & t->folder))
        return left(t, RV_LSM_G_FILE, rules, &walk.pair);
    if (inode && ((1U << (q->action & 31)) & WITH_FOLDER))
        look_up(&walk.pair, table, RV_LSM_I_FOLDER, BPF_CORE_READ(inode, i_ino), walk.dev);
    walk.at = dentry;
    if (mnt)
        walk.mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
    bpf_loop(RV_LSM_DEPTH, folder_step, &walk, 0);
    if (other && walk.whole) { /* what an overlay shows lies somewhere else as well */
        walk.at = name_of(other);
        walk.mount = NULL;
        walk.whole = !walk.at;
        walk.dev = BPF_CORE_READ(other, i_sb, s_dev);
        if (walk.at)
            bpf_loop(RV_LSM_DEPTH, folder_step, &walk, 0);
    }
    if (!walk.whole) /* hiding deep in folders must not pay */
        walk.pair.affirmed |= t->folder_yes;
    return left(t, RV_LSM_G_FILE, rules, &walk.pair);
}

static __noinline __u64 match_name(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                   struct dentry *dentry, __u32 group)
{
    __u32 index = group == RV_LSM_G_FILE_NAME ? RV_LSM_I_FILE_NAME : RV_LSM_I_PROGRAM_NAME;
    struct rv_lsm_pair pair = { 0 };

    if (dentry)
        look_up(&pair, table, index, name_hash(dentry, seed), 0);
    if (group >= RV_LSM_GROUPS_)
        return 0;
    return left(t, group, rules, &pair);
}

/** Without branches: the verifier would walk each combination of them. */
static __always_inline __u64 match_flags(const struct rv_lsm_table *t, __u64 rules,
                                         const struct question *q)
{
    __u32 flags = q->flags;

#pragma unroll
    for (__u32 flag = 0; flag < RV_FLAGS_; flag++) {
        __u64 on = -(__u64)((flags >> flag) & 1);

        rules &= t->any[RV_LSM_G_FLAG + flag] | (t->flag[flag].affirmed & on);
        rules &= ~(t->flag[flag].negated & on);
    }
    return rules;
}

static __always_inline bool is_mapped(const __u8 addr[16])
{
    const __u32 *words = (const __u32 *)addr;

    return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline __u64 match_address(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                           const struct question *q)
{
    struct rv_lsm_addr_key key = q->addr;
    struct rv_lsm_pair none = { 0 }, *pair = NULL;

    if (!(rules & t->asks[RV_LSM_G_ADDRESS]))
        return rules;
    key.prefix_bits = 32 + 128;
    key.table = table;
    if (is_mapped(key.addr))
        key.table |= RV_LSM_IPV4;
    if (q->has & HAS_ADDR)
        pair = bpf_map_lookup_elem(&addrs, &key);
    return left(t, RV_LSM_G_ADDRESS, rules, pair ? pair : &none);
}

/** On what: everything but the file. */
static __noinline __u64 match_target(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                     struct question *q)
{
    rules = match_flags(t, rules, q);
    rules = by_number(t, table, RV_LSM_G_FAMILY, RV_LSM_I_FAMILY, rules, q->family,
                      q->has & HAS_FAMILY);
    rules = by_number(t, table, RV_LSM_G_PROTOCOL, RV_LSM_I_PROTOCOL, rules, q->protocol,
                      q->has & HAS_PROTOCOL);
    rules = by_number(t, table, RV_LSM_G_PORT, RV_LSM_I_PORT, rules, q->port, q->has & HAS_PORT);
    rules = by_number(t, table, RV_LSM_G_FILE_KIND, RV_LSM_I_FILE_KIND, rules, q->kind,
                      q->has & HAS_KIND);
    return match_address(t, table, rules, q);
}

/* ---- Who ---- */

struct cgroup_walk {
    struct rv_lsm_pair pair;
    __u32 table, pad;
};

static long cgroup_step(__u32 level, struct cgroup_walk *walk)
{
    __u64 id = bpf_get_current_ancestor_cgroup_id((int)level);

    if (!id)
        return 1;
    look_up(&walk->pair, walk->table, RV_LSM_I_WORKLOAD, id, 0);
    return 0;
}

static __noinline __u64 match_workload(const struct rv_lsm_table *t, __u32 table, __u64 rules)
{
    struct cgroup_walk walk = { .table = table };

    bpf_loop(CGROUP_DEPTH, cgroup_step, &walk, 0);
    return left(t, RV_LSM_G_WORKLOAD, rules, &walk.pair);
}

static __noinline __u64 match_asker(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                    struct asker *who)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u64 uid_gid = bpf_get_current_uid_gid();
    struct rv_lsm_pair pair = { 0 };

    rules = by_number(t, table, RV_LSM_G_UID, RV_LSM_I_UID, rules, (__u32)uid_gid, true);
    rules = by_number(t, table, RV_LSM_G_GID, RV_LSM_I_GID, rules, uid_gid >> 32, true);
    if (rules & t->asks[RV_LSM_G_EUID])
        rules = by_number(t, table, RV_LSM_G_EUID, RV_LSM_I_EUID, rules,
                          BPF_CORE_READ(task, cred, euid.val), true);
    if (rules & t->asks[RV_LSM_G_PROGRAM]) {
        look_up(&pair, table, RV_LSM_I_PROGRAM, who->program.inode, who->program.dev);
        if (who->program.place)
            look_up(&pair, table, RV_LSM_I_PROGRAM_PLACE, who->program.place, who->program.dev);
        rules = left(t, RV_LSM_G_PROGRAM, rules, &pair);
    }
    if (rules & t->asks[RV_LSM_G_KIND])
        rules = by_number(t, table, RV_LSM_G_KIND, RV_LSM_I_KIND, rules,
                          kind_of(who->program.inode, who->program.dev), true);
    if (rules & t->asks[RV_LSM_G_PROGRAM_NAME])
        rules = match_name(t, table, rules, BPF_CORE_READ(task, mm, exe_file, f_path.dentry),
                           RV_LSM_G_PROGRAM_NAME);
    if (rules & t->asks[RV_LSM_G_WORKLOAD])
        rules = match_workload(t, table, rules);
    return rules;
}

/**
 * Past a lineage that is cut anything may have been: affirmed terms hold, negated ones only of what
 * is known not. Without memory for one, so it is for rules that lapse closed; others do not match.
 */
static __noinline __u64 match_lineage(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                      struct task_struct *leader)
{
    struct rv_lsm_lineage *lineage = bpf_task_storage_get(&lineages, leader, NULL, 0);
    struct rv_lsm_pair run = { 0 }, kind = { 0 };

    if (!lineage)
        return rules & t->closed;
    for (__u32 i = 0; i < RV_LSM_LINEAGE; i++) {
        const struct rv_lsm_program *program = &lineage->programs[i];

        if (i >= lineage->count)
            break;
        look_up(&run, table, RV_LSM_I_LINEAGE, program->inode, program->dev);
        if (program->place)
            look_up(&run, table, RV_LSM_I_LINEAGE_PLACE, program->place, program->dev);
        if (rules & t->asks[RV_LSM_G_LINEAGE_KIND])
            look_up(&kind, table, RV_LSM_I_LINEAGE_KIND, kind_of(program->inode, program->dev), 0);
    }
    if (lineage->cut)
        run.affirmed = kind.affirmed = ~0ULL;
    rules = left(t, RV_LSM_G_LINEAGE, rules, &run);
    return left(t, RV_LSM_G_LINEAGE_KIND, rules, &kind);
}
