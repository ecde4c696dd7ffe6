/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/**
 * @file bpf/sensor.h  What every sensor's BPF program shares: whom to watch, building an event in
 * scratch, paths, sending it, counting what is lost.
 *
 * A program does: rv_watched() → rv_begin() → fill the body, rv_put_*() → rv_send(). Between
 * rv_begin() and rv_send() or rv_drop() nothing may return. Maps are defined once, in
 * maps.bpf.c; each program file is linked with it (bpftool gen object).
 *
 * Verifier notes: an index into a map value is masked by RV_MASK just before its use, because
 * compilers remove a mask that they can prove to be redundant and 6.1 needs to see it.
 */
#pragma once

#include "bpf/kernel.h"

#include "bpf/wire.h"
#include "event/table.h"

/* ---- Scratch: an event under construction, one a cpu and context ---- */
#define RV_SCRATCH_SLACK 4096                    /* a string may be copied past the end, then cut */
#define RV_WALK_SIZE     (RV_EVENT_PATH_MAX * 2) /* paths are built from their end */
#define RV_STRING_MASK   2047U                   /* longest string field + 1, a power of two - 1 */

enum { RV_SCRATCH_TASK, RV_SCRATCH_NET, RV_SCRATCH_SCAN, RV_SCRATCH_COUNT };

/* Programs can be preempted by others on the same cpu: so many events can be in the making. */
#define RV_SCRATCH_SLOTS 4

struct rv_scratch {
    __u32 busy;
    __u32 used;  /* bytes of the event so far, strings included */
    __u32 row;   /* of the counters: this cpu */
    __u32 which; /* key in rv_scratches */
    union {
        struct rv_event header;
        __u8 bytes[RV_EVENT_SIZE_MAX];
    };
    __u8 slack[RV_SCRATCH_SLACK];
    __u8 walk[RV_WALK_SIZE + 256]; /* a name may be copied past the end of a full path */
    __u64 leaf;                    /* address and length of a name to append to the next path */
    __u32 leaf_len, padding;
    __u8 user[RV_EVENT_PATH_MAX * 2]; /* a string of the caller's, looked at before it is stored */
};

/* ---- Maps, defined in maps.bpf.c ---- */
#ifdef RV_DEFINE_MAPS
#define RV_MAP
#else
#define RV_MAP extern
#endif

RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 * 1024 * 1024);
} rv_ring SEC(".maps");

RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} rv_urgent SEC(".maps");

RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, RV_WIRE_CPUS);
    __type(key, __u32);
    __type(value, struct rv_wire_counters);
} rv_counters SEC(".maps");

RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_SCRATCH_COUNT *RV_SCRATCH_SLOTS);
    __type(key, __u32);
    __type(value, struct rv_scratch);
} rv_scratches SEC(".maps");

/* Watched cgroups (v2 ids). Filled and frozen before attaching. */
RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 64);
    __type(key, __u64);
    __type(value, __u32);
} rv_scope SEC(".maps");

/* What was reported lately: said once in a window. Full: the oldest is forgotten, so an event is
 * said twice, never lost. */
struct rv_said {
    __u64 process; /* start_boot_ns */
    __u64 object;  /* inode, address, ... */
    __u32 dev;
    __u32 what;
};
RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, struct rv_said);
    __type(value, __u64);
} rv_said_before SEC(".maps");

/* Process ids of the guard's pid namespace, the dead ones included until others need the room:
 * fanotify names the opener by such a number alone. */
RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __u32);
    __type(value, struct rv_wire_who);
} rv_recent SEC(".maps");

/* Ids of our own maps, programs and links. Filled and frozen after attaching. */
RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 256);
    __type(key, struct rv_wire_own);
    __type(value, __u32);
} rv_own_ids SEC(".maps");

/* Cgroups whose every system call is wanted. Not frozen: it follows the judge's wishes. */
RV_MAP struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 64);
    __type(key, __u64);
    __type(value, __u32);
} rv_deep_scope SEC(".maps");

/* Set by the loader before load; frozen. */
#ifdef RV_DEFINE_MAPS
const volatile struct rv_wire_settings rv_settings = { 0 };
#else
extern const volatile struct rv_wire_settings rv_settings;
#endif

/* ---- Small helpers ---- */
#define RV_MASK(variable, mask) asm volatile("%0 &= %1" : "+r"(variable) : "i"(mask))
#define RV_INLINE               static __always_inline
/* A function that the verifier checks once, by itself, and not again at each call. Takes numbers
 * only. Weak, so that each object of a link may bring its own copy. */
#define RV_GLOBAL __weak __noinline
#define RV_PAST_OF(pointer, type, member)                                                          \
    ((type *)((void *)(pointer)-bpf_core_field_offset(type, member)))

/** A pointer that the verifier tracks, as a plain number: what RV_GLOBAL functions take. */
RV_INLINE __u64 rv_address(const void *pointer)
{
    __u64 address = 0;

    bpf_probe_read_kernel(&address, sizeof(address), &pointer);
    return address;
}

/** The kernel's dev_t as events carry it: it already is major << 20 | minor. */
RV_INLINE __u32 rv_dev(const struct super_block *sb)
{
    return BPF_CORE_READ(sb, s_dev);
}

RV_INLINE __u64 rv_kernfs_parent(__u64 node)
{
    const struct kernfs_node *kn = (const struct kernfs_node *)node;

    if (bpf_core_field_exists(kn->__parent))
        return (__u64)BPF_CORE_READ(kn, __parent);
    return (__u64)BPF_CORE_READ((const struct kernfs_node___old *)kn, parent);
}

/** The number of a pid at a level of the namespaces, and that namespace's inode. */
RV_INLINE __u32 rv_pid_at(const struct pid *pid, __u32 level, __u32 *ret_ns)
{
    const void *upid = (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
                       level * bpf_core_type_size(struct upid);
    const struct pid_namespace *ns = NULL;
    int nr = 0;

    bpf_probe_read_kernel(&ns, sizeof(ns), upid + bpf_core_field_offset(struct upid, ns));
    bpf_probe_read_kernel(&nr, sizeof(nr), upid + bpf_core_field_offset(struct upid, nr));
    *ret_ns = BPF_CORE_READ(ns, ns.inum);
    return (__u32)nr;
}

RV_INLINE __u32 rv_pid_ns(const struct task_struct *task)
{
    /* As a number: 6.1 allows no arithmetic with an unknown level on a pointer that it tracks. */
    const struct pid *pid = BPF_CORE_READ(task, thread_pid);
    __u32 level = BPF_CORE_READ(pid, level), ns = 0;

    if (level <= 32)
        rv_pid_at(pid, level, &ns);
    return ns;
}

/* ---- Whom to watch ---- */

/*
 * Tasks come as pointers that the verifier knows (tp_btf arguments, bpf_get_current_task_btf()), so
 * plain member access is a single checked load; BPF_CORE_READ is a helper call for each step.
 */
RV_INLINE bool rv_is_own(const struct task_struct *task)
{
    const struct task_struct *parent;
    __u32 guard = rv_settings.guard_tgid;

    if (!guard || rv_settings.watch_self)
        return false;
    if ((__u32)task->tgid == guard)
        return true;
    parent = task->real_parent;
    return (__u32)parent->tgid == guard;
}

RV_INLINE bool rv_in_scope(const struct task_struct *task)
{
    struct kernfs_node *kn = task->cgroups->dfl_cgrp->kn;

    for (int level = 0; level < RV_WIRE_SCOPE_DEPTH && kn; level++) {
        __u64 id = BPF_CORE_READ(kn, id);

        if (bpf_map_lookup_elem(&rv_scope, &id))
            return true;
        kn = (struct kernfs_node *)rv_kernfs_parent((__u64)kn);
    }
    return false;
}

/** Whether this process is ours to report: not a kernel thread, not the agent, in the scope. */
RV_INLINE bool rv_watched(const struct task_struct *task)
{
    if (task->flags & PF_KTHREAD)
        return false;
    if (rv_is_own(task))
        return false;
    return !rv_settings.scope_on || rv_in_scope(task);
}

/**
 * True once in `window_ns` for a process, object and kind of fact.
 */
RV_INLINE bool rv_first_time(const struct rv_said *key, __u64 now_ns, __u64 window_ns)
{
    __u64 *said = bpf_map_lookup_elem(&rv_said_before, key);

    if (said && now_ns - *said < window_ns)
        return false;
    bpf_map_update_elem(&rv_said_before, key, &now_ns, BPF_ANY);
    return true;
}

/* ---- Counting ---- */
RV_INLINE struct rv_wire_counters *rv_counters_here(void)
{
    __u32 cpu = bpf_get_smp_processor_id();

    return bpf_map_lookup_elem(&rv_counters, &cpu); /* NULL past RV_WIRE_CPUS */
}

RV_INLINE void rv_count_lost(__u32 ring, __u32 cause, __u32 type)
{
    struct rv_wire_counters *row = rv_counters_here();

    if (!row || type >= RV_WIRE_TYPES)
        return;
    __sync_fetch_and_add(&row->seq, 1);
    __sync_fetch_and_add(&row->lost[ring][cause][type], 1);
    __sync_fetch_and_add(&row->lost_total, 1);
}

/* ---- Building an event ---- */

/** One of this cpu's slots, if it is free. */
RV_INLINE struct rv_scratch *rv_take_slot(__u32 which)
{
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);

    if (!scratch)
        return NULL;
    if (__sync_fetch_and_add(&scratch->busy, 1) != 0) {
        __sync_fetch_and_add(&scratch->busy, -1);
        return NULL;
    }
    scratch->which = which;
    return scratch;
}

/**
 * Take a scratch of this cpu and fill the header. NULL when all are in use (programs interrupted
 * one another): counted as lost. `size` is that of the body struct.
 */
RV_INLINE struct rv_scratch *rv_begin(__u32 which, __u16 type, __u32 size)
{
    struct rv_scratch *scratch = NULL;

#pragma unroll
    for (__u32 slot = 0; slot < RV_SCRATCH_SLOTS; slot++) {
        scratch = rv_take_slot(which + slot * RV_SCRATCH_COUNT);
        if (scratch)
            break;
    }
    if (!scratch) {
        rv_count_lost(RV_RING_MAIN, RV_LOST_BUSY, type);
        return NULL;
    }
    scratch->used = size;
    scratch->header.version = RV_EVENT_VERSION;
    scratch->header.type = type;
    scratch->header.flags = 0;
    scratch->header.weight = 1;
    scratch->header.time_boot_ns = bpf_ktime_get_boot_ns();
    scratch->header.cpu = bpf_get_smp_processor_id();
    return scratch;
}

/** Header fields that say who. */
RV_INLINE void rv_put_who(struct rv_event *header, const struct task_struct *task)
{
    const struct cred *cred = task->real_cred;

    header->start_boot_ns = task->group_leader->start_boottime;
    header->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
    header->tgid = (__u32)task->tgid;
    header->tid = (__u32)task->pid;
    header->uid = cred->uid.val;
    header->gid = cred->gid.val;
    header->pid_ns = rv_pid_ns(task);
    /* comm is not a path: 16 bytes, NUL-padded by the kernel's own setters. */
    bpf_core_read(header->comm, sizeof(header->comm), &task->comm);
}

/** rv_begin() and rv_put_who() with a zeroed body of a type: the usual start. */
#define RV_BEGIN(which, constant, struct_name, task)                                               \
    ({                                                                                             \
        struct rv_scratch *begun_ =                                                                \
            rv_begin(which, RV_EVENT_##constant, sizeof(struct rv_event_##struct_name));           \
        if (begun_) {                                                                              \
            __builtin_memset(begun_->bytes + sizeof(struct rv_event), 0,                           \
                             sizeof(struct rv_event_##struct_name) - sizeof(struct rv_event));     \
            rv_put_who(&begun_->header, task);                                                     \
        }                                                                                          \
        begun_;                                                                                    \
    })

/** The body of the event in a scratch. */
#define RV_BODY(scratch, struct_name) ((struct rv_event_##struct_name *)(scratch)->bytes)

/**
 * Copy `len` bytes of kernel memory behind the event. At most `len_max` (a constant of 2047 or
 * less... 2048 is cut by one) are kept; `true_len` says what there was.
 */
RV_INLINE void rv_put_kernel(struct rv_scratch *scratch, struct rv_event_str *field,
                             const void *source, __u32 len, __u32 len_max, __u32 true_len)
{
    __u32 used = scratch->used;
    __u32 kept = len < len_max ? len : len_max;

    field->true_len = true_len;
    if (kept > RV_STRING_MASK)
        kept = RV_STRING_MASK;
    if (used + kept > RV_EVENT_SIZE_MAX - 16)
        return; /* nothing kept; true_len tells */
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    RV_MASK(kept, RV_STRING_MASK);
    if (kept && bpf_probe_read_kernel(scratch->bytes + used, kept, source) < 0)
        return;
    field->offset = (__u16)used;
    field->len = (__u16)kept;
    scratch->used = used + kept;
}

/** The same from the memory of the current process. */
RV_INLINE void rv_put_user(struct rv_scratch *scratch, struct rv_event_str *field,
                           const void *source, __u32 len, __u32 len_max, __u32 true_len)
{
    __u32 used = scratch->used;
    __u32 kept = len < len_max ? len : len_max;

    field->true_len = true_len;
    if (kept > RV_STRING_MASK)
        kept = RV_STRING_MASK;
    if (used + kept > RV_EVENT_SIZE_MAX - 16)
        return;
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    RV_MASK(kept, RV_STRING_MASK);
    if (kept && bpf_probe_read_user(scratch->bytes + used, kept, source) < 0)
        return;
    field->offset = (__u16)used;
    field->len = (__u16)kept;
    scratch->used = used + kept;
}

/** A NUL-terminated string of the kernel's. */
RV_INLINE void rv_put_kernel_str(struct rv_scratch *scratch, struct rv_event_str *field,
                                 const char *source)
{
    __u32 used = scratch->used;
    long len;

    if (used > RV_EVENT_SIZE_MAX - 16 - RV_EVENT_PATH_MAX)
        return;
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    len = bpf_probe_read_kernel_str(scratch->bytes + used, RV_EVENT_PATH_MAX, source);
    if (len <= 0)
        return;
    field->offset = (__u16)used;
    field->len = (__u16)(len - 1);
    field->true_len = (__u32)(len - 1);
    scratch->used = used + (__u32)(len - 1);
}

/** A NUL-terminated string of the current process: it may have changed since the kernel read it. */
RV_INLINE void rv_put_user_str(struct rv_scratch *scratch, struct rv_event_str *field,
                               const char *source)
{
    __u32 used = scratch->used;
    long len;

    if (used > RV_EVENT_SIZE_MAX - 16 - RV_EVENT_PATH_MAX)
        return;
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    len = bpf_probe_read_user_str(scratch->bytes + used, RV_EVENT_PATH_MAX, source);
    if (len <= 0)
        return;
    field->offset = (__u16)used;
    field->len = (__u16)(len - 1);
    field->true_len = (__u32)(len - 1);
    scratch->used = used + (__u32)(len - 1);
    scratch->header.flags |= RV_EVENT_F_USER_MEMORY;
}

/** Keep who a process is under its number in the guard's pid namespace. */
RV_INLINE void rv_remember(const struct task_struct *task, const struct rv_event *header)
{
    const struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
    struct rv_wire_who who = {
        .start_boot_ns = header->start_boot_ns,
        .cgroup_id = header->cgroup_id,
        .tgid = header->tgid,
        .uid = header->uid,
        .gid = header->gid,
        .pid_ns = header->pid_ns,
    };
    __u32 top = BPF_CORE_READ(pid, level);

    __builtin_memcpy(who.comm, header->comm, sizeof(who.comm));
    for (__u32 level = 0; level < 4 && level <= top; level++) {
        __u32 ns = 0, number = rv_pid_at(pid, level, &ns);

        if (ns == rv_settings.guard_pid_ns) {
            struct rv_wire_who *known = bpf_map_lookup_elem(&rv_recent, &number);

            if (known)
                *known = who; /* a tenth of the cost of an update */
            else
                bpf_map_update_elem(&rv_recent, &number, &who, BPF_ANY);
            return;
        }
    }
}

/* ---- Paths, from the file system's own objects ---- */
#define RV_PATH_COMPONENTS 200

struct rv_walk {
    struct rv_scratch *scratch;
    const struct dentry *dentry;
    const struct mount *mount; /* NULL: stay inside the file system */
    __u32 at;                  /* where the path built so far begins in scratch->walk */
    __u32 true_len;
    __u32 full; /* no more room: only count */
};

/** Put "/name" before what is there. */
RV_INLINE void rv_walk_name(struct rv_walk *walk, const unsigned char *name, __u32 len)
{
    struct rv_scratch *scratch = walk->scratch;
    __u32 at;

    len &= 255; /* NAME_MAX */
    walk->true_len += len + 1;
    if (walk->full || walk->at < RV_EVENT_PATH_MAX + len + 1) {
        walk->full = 1; /* keep the end of the path: the file's own name */
        return;
    }
    at = walk->at - len - 1;
    RV_MASK(at, RV_WALK_SIZE - 1);
    scratch->walk[at] = '/';
    RV_MASK(len, 255);
    bpf_probe_read_kernel(&scratch->walk[at + 1], len, name);
    walk->at = at;
}

/** One step up. @return 0 to go on, 1 at the top (bpf_loop's convention). */
static long rv_walk_step(__u32 index, void *context)
{
    struct rv_walk *walk = context;
    const struct dentry *dentry = walk->dentry;
    const struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
    const struct mount *mount = walk->mount; /* CO-RE macros take plain variables */

    (void)index;
    if (mount && dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
        const struct mount *above = BPF_CORE_READ(mount, mnt_parent);

        if (!above || above == mount)
            return 1;
        walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
        walk->mount = above;
        return 0;
    }
    if (!parent || parent == dentry) {
        if (mount && walk->true_len == 0) /* no mount's root, no parent: a memfd names itself */
            rv_walk_name(walk, BPF_CORE_READ(dentry, d_name.name),
                         BPF_CORE_READ(dentry, d_name.len));
        return 1;
    }
    rv_walk_name(walk, BPF_CORE_READ(dentry, d_name.name), BPF_CORE_READ(dentry, d_name.len));
    walk->dentry = parent;
    return 0;
}

/** Store the path of a dentry at an offset of the event; then what `leaf` of the scratch names. */
RV_GLOBAL int rv_path_at(__u32 which, __u32 field_offset, __u64 dentry, __u64 mount)
{
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    struct rv_walk walk = {
        .scratch = scratch,
        .dentry = (const struct dentry *)dentry,
        .mount = (const struct mount *)mount,
        .at = RV_WALK_SIZE - 1,
    };
    __u32 at, len;

    if (!scratch)
        return 0;
    if (scratch->leaf)
        rv_walk_name(&walk, (const unsigned char *)scratch->leaf, scratch->leaf_len);
    bpf_loop(RV_PATH_COMPONENTS, rv_walk_step, &walk, 0);
    at = walk.at;
    if (at >= RV_WALK_SIZE - 1 && walk.true_len == 0) { /* the root itself */
        at = RV_WALK_SIZE - 2;
        scratch->walk[RV_WALK_SIZE - 2] = '/';
        walk.true_len = 1;
    }
    len = RV_WALK_SIZE - 1 - at;
    RV_MASK(at, RV_WALK_SIZE - 1);
    RV_MASK(field_offset, 511);
    rv_put_kernel(scratch, (struct rv_event_str *)(scratch->bytes + field_offset),
                  &scratch->walk[at], len, RV_EVENT_PATH_MAX, walk.true_len);
    return 0;
}

/**
 * Store the path of `dentry`. `mount` may be NULL: then from the root of its file system.
 * With `leaf`, "/leaf" is appended: a name that has no dentry yet. Pointers are addresses as
 * BPF_CORE_READ gives them.
 */
RV_INLINE void rv_put_dentry(struct rv_scratch *scratch, __u32 field_offset,
                             const struct dentry *dentry, const struct mount *mount,
                             const struct qstr *leaf)
{
    scratch->leaf = leaf ? (__u64)leaf->name : 0;
    scratch->leaf_len = leaf ? leaf->len : 0;
    rv_path_at(scratch->which, field_offset, (__u64)dentry, (__u64)mount);
}

/** The mount that a vfsmount is part of. */
RV_INLINE const struct mount *rv_mount_of(const struct vfsmount *vfsmount)
{
    return vfsmount ? RV_PAST_OF(vfsmount, struct mount, mnt) : NULL;
}

/** Store the path of an open file, a working directory, ... */
RV_INLINE void rv_put_path(struct rv_scratch *scratch, struct rv_event_str *field,
                           const struct path *path)
{
    rv_put_dentry(scratch, (__u32)((__u8 *)field - scratch->bytes), BPF_CORE_READ(path, dentry),
                  rv_mount_of(BPF_CORE_READ(path, mnt)), NULL);
}

/* ---- The cgroup's path ---- */
struct rv_cgroup_walk {
    struct rv_walk walk;
    __u64 node;
};

static long rv_cgroup_step(__u32 index, void *context)
{
    struct rv_cgroup_walk *walk = context;
    const struct kernfs_node *kn = (const struct kernfs_node *)walk->node;
    __u64 parent = rv_kernfs_parent(walk->node);
    char name[256];
    long len;

    (void)index;
    if (!parent)
        return 1;
    len = bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(kn, name));
    if (len <= 1)
        return 1;
    rv_walk_name(&walk->walk, (const unsigned char *)BPF_CORE_READ(kn, name), (__u32)(len - 1));
    walk->node = parent;
    return 0;
}

/** Store the path of a cgroup's kernfs node; "/" for the root. */
RV_GLOBAL int rv_cgroup_at(__u32 which, __u32 field_offset, __u64 node)
{
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    struct rv_cgroup_walk walk = {
        .walk = { .scratch = scratch, .at = RV_WALK_SIZE - 1 },
        .node = node,
    };
    __u32 at, len;

    if (!scratch)
        return 0;
    bpf_loop(RV_WIRE_SCOPE_DEPTH, rv_cgroup_step, &walk, 0);
    at = walk.walk.at;
    if (at >= RV_WALK_SIZE - 1) {
        at = RV_WALK_SIZE - 2;
        scratch->walk[RV_WALK_SIZE - 2] = '/';
        walk.walk.true_len = 1;
    }
    len = RV_WALK_SIZE - 1 - at;
    RV_MASK(at, RV_WALK_SIZE - 1);
    RV_MASK(field_offset, 511);
    rv_put_kernel(scratch, (struct rv_event_str *)(scratch->bytes + field_offset),
                  &scratch->walk[at], len, RV_EVENT_PATH_MAX, walk.walk.true_len);
    return 0;
}

/** Store the cgroup v2 path of a task. */
RV_INLINE void rv_put_cgroup(struct rv_scratch *scratch, __u32 field_offset,
                             const struct task_struct *task)
{
    rv_cgroup_at(scratch->which, field_offset, (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn));
}

/* ---- Sending ---- */

/**
 * Wake the reader at most once in the window: a wake a record costs more than the record. The
 * reader looks again after the window, so the last record of a burst waits no longer than that.
 */
RV_INLINE __u64 rv_wake_flags(struct rv_wire_counters *row, __u64 now_ns)
{
    if (now_ns - row->woken_ns < rv_settings.wake_window_ns)
        return BPF_RB_NO_WAKEUP;
    row->woken_ns = now_ns;
    return BPF_RB_FORCE_WAKEUP;
}

/** Give the scratch back without sending. */
RV_INLINE void rv_drop(struct rv_scratch *scratch)
{
    __sync_fetch_and_add(&scratch->busy, -1);
}

/** Finish the event, put it into a ring and give the scratch back. Negative: full, counted. */
RV_GLOBAL int rv_emit(__u32 which, __u32 ring)
{
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    struct rv_wire_counters *row = rv_counters_here();
    __u32 used, type, size;
    __u64 flags;
    long r;

    if (!scratch)
        return -1;
    if (!row) {
        rv_drop(scratch);
        return -1;
    }
    used = scratch->used;
    type = scratch->header.type;
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    __builtin_memset(scratch->bytes + used, 0, 8); /* padding says nothing */
    size = (used + 7) & ~7U;
    scratch->header.size = size;
    scratch->header.seq = __sync_fetch_and_add(&row->seq, 1) + 1;
    RV_MASK(size, 2 * RV_EVENT_SIZE_MAX - 1);
    if (size > RV_EVENT_SIZE_MAX)
        size = RV_EVENT_SIZE_MAX;
    if (type >= RV_WIRE_TYPES)
        type = 0;
    if (ring == RV_RING_URGENT) {
        r = bpf_ringbuf_output(&rv_urgent, scratch->bytes, size, BPF_RB_FORCE_WAKEUP);
    } else {
        flags = rv_wake_flags(row, scratch->header.time_boot_ns);
        r = bpf_ringbuf_output(&rv_ring, scratch->bytes, size, flags);
    }
    RV_MASK(type, 127);
    if (type < RV_WIRE_TYPES) {
        if (r < 0) {
            __sync_fetch_and_add(&row->lost[ring == RV_RING_URGENT][RV_LOST_FULL][type], 1);
            __sync_fetch_and_add(&row->lost_total, 1);
        } else {
            __sync_fetch_and_add(&row->emitted[type], 1);
        }
    }
    rv_drop(scratch);
    return (int)r;
}

RV_INLINE int rv_send(struct rv_scratch *scratch, __u32 ring)
{
    return rv_emit(scratch->which, ring);
}
