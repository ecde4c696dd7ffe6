/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Risk inside the hook. Hooks: those of enforce/lsm.h that change the features that the kernel
 * keeps. Each takes its event in before the fact; on triggers it fills the row and calls the live
 * model, which calls the shadow, which calls after_<hook>. Every program returns 0, always:
 * deciding is others' work, and they see what this event did, because programs attached later run
 * first.
 *
 * A tail call between LSM programs stays at one hook (6.12), so tables of programs are by hook.
 * Files are named here by their folder's inode and the kernel's own hash of the name.
 */
#include "about.h"
#include "take.h"

#define FMODE_WRITE    2U
#define FMODE_CREATED  0x100000U
#define O_TRUNC_       01000U
#define PROT_WRITE_    2UL
#define PROT_EXEC_     4UL
#define MODE_ATTACH    2U
#define CLONE_THREAD_  0x00010000UL
#define READING_KEXEC  3
#define READING_MODULE 2
#define LOADING_MODULE 2
#define LOADING_KEXEC  3
#define SIGCHLD_       17
#define SIGCONT_       18
#define SIGWINCH_      28
#define ANCESTORS_MAX  16

/* ---- Maps: programs by hook and bank, files by identity ---- */
#define SLOTS(name, hook)                                                                          \
    struct {                                                                                       \
        __uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                     \
        __uint(max_entries, RV_SCORE_BANKS *RV_KERNEL_SLOTS);                                      \
        __type(key, __u32);                                                                        \
        __type(value, __u32);                                                                      \
    } slots_##name SEC(".maps");
RV_SCORE_HOOKS(SLOTS)
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 8192); /* full: user space refuses to add */
    __type(key, struct rv_score_file);
    __type(value, __u32); /* kind of program */
} kinds SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __uint(max_entries, 1024); /* full: user space refuses to add */
    __type(key, struct rv_score_file);
    __type(value, __u32);
} watched SEC(".maps");

/* ---- After the model, by hook ---- */
#define AFTER(name, hook)                                                                          \
    SEC("lsm/" #hook) int after_##name(void *ctx)                                                  \
    {                                                                                              \
        finish();                                                                                  \
        return 0;                                                                                  \
    }
RV_SCORE_HOOKS(AFTER)

/* Slots by constants: the kernel then patches a direct jump in place of the call. */
#define SCORE(name, taking_)                                                                       \
    do {                                                                                           \
        int bank_ = take(taking_);                                                                 \
                                                                                                   \
        if (bank_ == 1)                                                                            \
            bpf_tail_call_static(ctx, &slots_##name, RV_KERNEL_LIVE);                              \
        if (bank_ == 2)                                                                            \
            bpf_tail_call_static(ctx, &slots_##name, RV_KERNEL_SLOTS + RV_KERNEL_LIVE);            \
        if (bank_ > 0)                                                                             \
            unanswered();                                                                          \
    } while (0)

static __always_inline void count_only(__u32 action)
{
    struct taking t = { .input = { .action = action, .weight = 1 } };

    take(&t);
}

/* ---- Programs and processes ---- */
SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(rv_exec, struct linux_binprm *bprm)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_score_state *own = bpf_task_storage_get(&states, task->group_leader, NULL, 0);
    struct rv_score_file file = identity(BPF_CORE_READ(bprm, file, f_inode));
    struct taking t = { .input = { .action = RV_ACTION_EXEC, .weight = 1 },
                        .always = 1,
                        .here = 1 };
    struct rv_score_state *starter;

    t.input.object = rv_core_mix(file.inode + FILE_SEED * file.dev);
    /* The program counts for whom started it: the parent, or itself when it replaces one. */
    starter = own && own->started
                  ? own
                  : bpf_task_storage_get(&states, task->real_parent->group_leader, NULL, 0);
    if (starter) {
        bpf_spin_lock(&starter->lock);
        rv_distinct_add(&starter->core.programs, t.input.object);
        bpf_spin_unlock(&starter->lock);
    }
    SCORE(exec, &t);
    return 0;
}

/* Now it is known what runs: the interpreter of a script, not the script. */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(rv_started, struct linux_binprm *bprm)
{
    struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
    struct rv_score_state *own = bpf_task_storage_get(&states, leader, NULL, 0);
    struct rv_score_file file = identity(BPF_CORE_READ(bprm, file, f_inode));
    __u32 *kind = bpf_map_lookup_elem(&kinds, &file);

    if (own) {
        own->class = kind ? *kind & (RV_SCORE_CLASSES - 1) : 0;
        own->started = 1;
    }
    return 0;
}

/* A child begins with its parent's kind and risk, and with nothing else. */
SEC("lsm/task_alloc")
int BPF_PROG(rv_fork, struct task_struct *child, unsigned long flags)
{
    struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
    __u64 now = bpf_ktime_get_boot_ns();
    struct rv_score_state *own, *copy;
    struct rv_score_control *c;
    __u32 zero = 0, born, risk;

    if (flags & CLONE_THREAD_)
        return 0;
    count_only(RV_ACTION_FORK);
    own = bpf_task_storage_get(&states, leader, NULL, 0);
    if (!own)
        return 0;
    copy = bpf_task_storage_get(&states, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!copy)
        return 0;
    born = born_risk(own, now);
    risk = own->risk > born ? own->risk : born;
    copy->class = own->class;
    copy->born_risk = risk;
    copy->born_ns = now;
    c = bpf_map_lookup_elem(&control, &zero);
    if (risk && c && c->armed)
        publish(child, risk);
    return 0;
}

static __always_inline bool changes_who(const struct cred *new, const struct cred *old)
{
    return BPF_CORE_READ(new, uid.val) != BPF_CORE_READ(old, uid.val) ||
           BPF_CORE_READ(new, euid.val) != BPF_CORE_READ(old, euid.val) ||
           BPF_CORE_READ(new, gid.val) != BPF_CORE_READ(old, gid.val) ||
           BPF_CORE_READ(new, egid.val) != BPF_CORE_READ(old, egid.val);
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(rv_setuid, struct cred *new, const struct cred *old)
{
    struct taking t = { .input = { .action = RV_ACTION_CRED, .weight = 1 },
                        .always = 1,
                        .here = 1 };

    if (changes_who(new, old))
        SCORE(cred, &t);
    return 0;
}

SEC("lsm/task_fix_setgid")
int BPF_PROG(rv_setgid, struct cred *new, const struct cred *old)
{
    if (changes_who(new, old))
        count_only(RV_ACTION_CRED);
    return 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(rv_ptrace, struct task_struct *child, unsigned int mode)
{
    if (mode & MODE_ATTACH && child->tgid != bpf_get_current_task_btf()->tgid)
        count_only(RV_ACTION_PTRACE);
    return 0;
}

static __noinline int descends(const struct task_struct *task, int ancestor)
{
    for (int i = 0; i < ANCESTORS_MAX; i++) {
        int tgid = BPF_CORE_READ(task, tgid);

        if (tgid == ancestor)
            return 1;
        if (tgid <= 1)
            return 0;
        task = BPF_CORE_READ(task, real_parent);
    }
    return 0;
}

SEC("lsm/task_kill")
int BPF_PROG(rv_kill, struct task_struct *target, void *info, int sig)
{
    if (!sig || sig == SIGCHLD_ || sig == SIGCONT_ || sig == SIGWINCH_)
        return 0;
    if (!descends(target, bpf_get_current_task_btf()->tgid))
        count_only(RV_ACTION_SIGNAL);
    return 0;
}

/* ---- Files ---- */
SEC("lsm/file_open")
int BPF_PROG(rv_open, struct file *file)
{
    const struct inode *inode = BPF_CORE_READ(file, f_inode);
    __u32 mode = BPF_CORE_READ((const struct file___mode *)(const void *)file, f_mode);
    struct taking t = { .input = { .action = RV_ACTION_OPEN_WRITE, .weight = 1 }, .here = 1 };
    struct rv_score_file id = identity(inode);
    struct rv_score_thread *thread;

    if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG || mode & FMODE_CREATED)
        return 0;
    t.always = bpf_map_lookup_elem(&watched, &id) != NULL;
    if (!(mode & FMODE_WRITE)) {
        if (!t.always)
            return 0;
        t.input.action = RV_ACTION_WATCHED_READ;
    }
    name_file(&t.input, BPF_CORE_READ(file, f_path.dentry));
    if (BPF_CORE_READ(file, f_flags) & O_TRUNC_) {
        thread = bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL,
                                      BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (thread)
            thread->cut = id.inode;
    }
    SCORE(open, &t);
    return 0;
}

static __always_inline int made(const struct dentry *dentry)
{
    struct taking t = { .input = { .action = RV_ACTION_CREATE, .weight = 1 } };

    name_file(&t.input, dentry);
    take(&t);
    return 0;
}

SEC("lsm/inode_create")
int BPF_PROG(rv_create, struct inode *dir, struct dentry *dentry)
{
    return made(dentry);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(rv_mkdir, struct inode *dir, struct dentry *dentry)
{
    return made(dentry);
}

SEC("lsm/inode_mknod")
int BPF_PROG(rv_mknod, struct inode *dir, struct dentry *dentry)
{
    return made(dentry);
}

SEC("lsm/inode_rename")
int BPF_PROG(rv_rename, struct inode *old_dir, struct dentry *old)
{
    struct taking t = { .input = { .action = RV_ACTION_RENAME, .weight = 1 }, .here = 1 };

    name_file(&t.input, old);
    SCORE(rename, &t);
    return 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(rv_unlink, struct inode *dir, struct dentry *dentry)
{
    struct taking t = { .input = { .action = RV_ACTION_UNLINK, .weight = 1 }, .here = 1 };

    name_file(&t.input, dentry);
    SCORE(unlink, &t);
    return 0;
}

SEC("lsm/inode_rmdir")
int BPF_PROG(rv_rmdir, struct inode *dir, struct dentry *dentry)
{
    struct taking t = { .input = { .action = RV_ACTION_UNLINK, .weight = 1 } };

    name_file(&t.input, dentry);
    take(&t);
    return 0;
}

SEC("lsm/inode_link")
int BPF_PROG(rv_link)
{
    count_only(RV_ACTION_LINK);
    return 0;
}

SEC("lsm/inode_symlink")
int BPF_PROG(rv_symlink)
{
    count_only(RV_ACTION_LINK);
    return 0;
}

SEC("lsm/path_chmod")
int BPF_PROG(rv_chmod)
{
    count_only(RV_ACTION_ATTR);
    return 0;
}

SEC("lsm/path_chown")
int BPF_PROG(rv_chown)
{
    count_only(RV_ACTION_ATTR);
    return 0;
}

/* An open that truncates asks here too, after file_open: it was counted. */
static __always_inline int cut(const struct inode *inode)
{
    __u64 ino = BPF_CORE_READ(inode, i_ino);
    struct rv_score_thread *thread =
        bpf_task_storage_get(&threads, bpf_get_current_task_btf(), NULL, 0);

    if (thread && thread->cut == ino) {
        thread->cut = 0;
        return 0;
    }
    count_only(RV_ACTION_TRUNCATE);
    return 0;
}

SEC("lsm/path_truncate")
int BPF_PROG(rv_truncate, const struct path *path)
{
    return cut(BPF_CORE_READ(path, dentry, d_inode));
}

/* Since 6.2, for what is open: ftruncate(2) and the open itself. */
SEC("lsm/file_truncate")
int BPF_PROG(rv_truncate_open, struct file *file)
{
    return cut(BPF_CORE_READ(file, f_inode));
}

/* ---- Memory ---- */
SEC("lsm/mmap_file")
int BPF_PROG(rv_map, struct file *file, unsigned long reqprot, unsigned long prot)
{
    struct taking t = { .input = { .action = RV_ACTION_MEMORY_EXEC, .weight = 1 },
                        .always = 1,
                        .here = 1 };

    if (prot & PROT_EXEC_ && (prot & PROT_WRITE_ || !plain(file)))
        SCORE(map, &t);
    return 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(rv_protect, struct vm_area_struct *area, unsigned long reqprot, unsigned long prot)
{
    struct taking t = { .input = { .action = RV_ACTION_MEMORY_EXEC, .weight = 1 },
                        .always = 1,
                        .here = 1 };

    if (prot & PROT_EXEC_ && (prot & PROT_WRITE_ || !BPF_CORE_READ(area, vm_file)))
        SCORE(protect, &t);
    return 0;
}

/* ---- Network ---- */
SEC("lsm/socket_connect")
int BPF_PROG(rv_connect, struct socket *sock, struct sockaddr *address, int len)
{
    struct taking t = { .input = { .action = RV_ACTION_CONNECT, .weight = 1 },
                        .always = 1,
                        .here = 1 };

    if (name_peer(&t.input, address, len))
        SCORE(connect, &t);
    return 0;
}

/* A datagram that names its peer. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(rv_sendmsg, struct socket *sock, struct msghdr *msg)
{
    struct taking t = { .input = { .action = RV_ACTION_CONNECT, .weight = 1 } };
    const void *name = msg->msg_name;

    if (name && name_peer(&t.input, name, msg->msg_namelen))
        take(&t);
    return 0;
}

SEC("lsm/socket_bind")
int BPF_PROG(rv_bind, struct socket *sock, struct sockaddr *address, int len)
{
    struct taking t = { .input = { .action = RV_ACTION_BIND, .weight = 1 } };

    if (name_peer(&t.input, address, len))
        count_only(RV_ACTION_BIND);
    return 0;
}

SEC("lsm/socket_listen")
int BPF_PROG(rv_listen, struct socket *sock)
{
    if (on_network(family_of(BPF_CORE_READ(sock, sk))))
        count_only(RV_ACTION_BIND);
    return 0;
}

/* A connection that was accepted, not an attempt to. */
SEC("lsm/sock_graft")
int BPF_PROG(rv_accept, struct sock *sk)
{
    if (on_network(family_of(sk)))
        count_only(RV_ACTION_ACCEPT);
    return 0;
}

/* ---- The kernel ---- */
SEC("lsm/kernel_read_file")
int BPF_PROG(rv_load, struct file *file, int what)
{
    struct taking t = { .input = { .action = RV_ACTION_KERNEL_LOAD, .weight = 1 },
                        .always = 1,
                        .here = 1 };

    if (what == READING_MODULE || what == READING_KEXEC)
        SCORE(load, &t);
    return 0;
}

SEC("lsm/kernel_load_data")
int BPF_PROG(rv_load_data, int what)
{
    if (what == LOADING_MODULE || what == LOADING_KEXEC)
        count_only(RV_ACTION_KERNEL_LOAD);
    return 0;
}

/* Only what makes, attaches or takes hold of an object; not each look into a map. */
SEC("lsm/bpf")
int BPF_PROG(rv_bpf_call, int command)
{
    __u32 cmd = (__u32)command;
    struct taking t = { .input = { .action = RV_ACTION_KERNEL_LOAD, .weight = 1 },
                        .always = 1,
                        .here = 1 };

    if (!(cmd >= 1 && cmd <= 4) && !(cmd >= 6 && cmd <= 7))
        SCORE(bpf, &t);
    return 0;
}

SEC("lsm/sb_mount")
int BPF_PROG(rv_mount)
{
    count_only(RV_ACTION_MOUNT);
    return 0;
}

SEC("lsm/sb_umount")
int BPF_PROG(rv_umount)
{
    count_only(RV_ACTION_MOUNT);
    return 0;
}

SEC("lsm/move_mount")
int BPF_PROG(rv_move_mount)
{
    count_only(RV_ACTION_MOUNT);
    return 0;
}

SEC("lsm/userns_create")
int BPF_PROG(rv_userns)
{
    count_only(RV_ACTION_MOUNT);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
