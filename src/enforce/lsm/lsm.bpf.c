/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF LSM provider: asks the active table at each hook and refuses with EPERM.
 *
 * Files and folders are known by the object that the kernel already resolved, so symbolic links,
 * bind mounts, /proc/self/root, memory that changes under the call, io_uring and 32-bit calls make
 * no difference. A folder rule is found by walking the dentry's parents.
 */
#include "kernel.h"

#include "verdict.h"

#define EPERM             1
#define AF_UNIX           1
#define AF_INET           2
#define AF_INET6          10
#define SOCK_STREAM       1
#define SOCK_DGRAM        2
#define SOCK_RAW          3
#define IPPROTO_TCP       6
#define IPPROTO_UDP       17
#define IPPROTO_RAW       255
#define PROT_WRITE        2
#define PROT_EXEC         4
#define FMODE_READ        1U
#define FMODE_WRITE       2U
#define FMODE_EXEC        0x20U
#define S_SETID           06000
#define ATTR_MODE         1U
#define ATTR_OWNER        6U /* user or group */
#define ATTR_SIZE         8U
#define CLONE_THREAD      0x10000UL
#define LATENCY_CALLS_MIN 4096

/* enum kernel_read_file_id and kernel_load_data_id, which agree */
#define READING_FIRMWARE  1
#define READING_MODULE    2
#define READING_KEXEC     3
#define READING_INITRAMFS 4

#define NUMBER(bit) ((__u32)__builtin_ctz(bit))

/* ---- The answer ---- */

/**
 * Risk and marks of who asks; what the guard said of a program that was replaced is void. The risk
 * is the judge's or, when that is higher, what the kernel scored, this very event included.
 */
static __always_inline void read_said(struct asker *who, struct task_struct *leader)
{
    struct rv_lsm_said *said_of = bpf_task_storage_get(&said, leader, NULL, 0);
    struct rv_score_risk *scored = bpf_task_storage_get(&risks, leader, NULL, 0);
    __u32 risk = scored ? scored->risk : 0;

    if (risk > 1000)
        risk = 1000;
    who->risk = risk;
    if (!said_of)
        return;
    if (said_of->risk > risk)
        risk = said_of->risk;
    asm volatile("%[risk] &= 1023" : [risk] "+r"(risk));
    who->risk = risk;
    who->marks = said_of->marks;
    if ((who->marks & RV_LSM_PROTECTED) && !same_program(&said_of->program, &who->program))
        who->marks &= ~RV_LSM_PROTECTED;
}

static __always_inline __u64 match(const struct rv_lsm_table *t, __u32 table, __u64 rules,
                                   struct question *q, struct asker *who)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 risk = who->risk;

    asm volatile("%[risk] &= 1023" : [risk] "+r"(risk));
    rules &= t->risk[risk & 1023];
    if (rules)
        rules = match_target(t, table, rules, q);
    if (rules)
        rules = match_asker(t, table, rules, who);
    if (rules & t->asks[RV_LSM_G_FILE_NAME])
        rules = match_name(t, table, rules, q->dentry, RV_LSM_G_FILE_NAME);
    if (rules & t->asks[RV_LSM_G_FILE])
        rules = match_file(t, table, rules, q);
    if (rules & (t->asks[RV_LSM_G_LINEAGE] | t->asks[RV_LSM_G_LINEAGE_KIND]))
        rules = match_lineage(t, table, rules, task->group_leader);
    return rules;
}

/** Not static: so the verifier walks it once, and not once with each way through a hook. */
__noinline int decide(struct question *q)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 zero = 0, table, action, verdict;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    struct rv_lsm_table *t;
    struct dentry *dentry;
    struct asker who = { 0 };
    __u64 rules;

    if (!q || !c)
        return 0;
    table = c->active & 1;
    action = q->action;
    dentry = q->dentry;
    t = bpf_map_lookup_elem(&tables, &table);
    if (!t || action >= RV_DO_COUNT_)
        return 0;
    rules = t->action[action];
    if (!rules)
        return 0;
    program_of(task, &who.program);
    read_said(&who, task->group_leader);
    rules = match(t, table, rules, q, &who);
    if (!rules)
        return 0;
    if (q->table != table)
        q->granted = 0;
    q->table = table;
    who.cgroup = bpf_get_current_cgroup_id();
    if (dentry) {
        q->inode_number = BPF_CORE_READ(dentry, d_inode, i_ino);
        q->dev = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev);
    }
    verdict = verdict_of(t, c, q, rules, &who);
    if (verdict != RV_REFUSAL_WOULD_DENY)
        rules &= t->enforce;
    count(table, lowest(rules), verdict);
    tell(q, &who, t, rules, verdict);
    return verdict == RV_REFUSAL_DENIED ? -EPERM : 0;
}

/** Time the hook; when more than one call in a thousand is above the budget, disarm it. */
static __always_inline void watch_latency(const struct rv_lsm_control *c, __u32 action, __u64 ns)
{
    struct rv_lsm_latency *l = bpf_map_lookup_elem(&latency, &action);
    __u32 bucket = 0, zero = 0;
    __u64 *slow;

    if (!l)
        return;
    for (int i = 0; i < RV_LSM_BUCKETS - 1; i++)
        if (ns >> (i + 1))
            bucket = (__u32)i + 1;
    if (bucket < RV_LSM_BUCKETS)
        l->bucket[bucket]++;
    l->calls++;
    if (!c->latency_budget_ns || ns <= c->latency_budget_ns)
        return;
    l->over++;
    slow = bpf_map_lookup_elem(&disarmed, &zero);
    if (slow && l->calls >= LATENCY_CALLS_MIN && l->over * 1000 > l->calls)
        __sync_fetch_and_or(slow, 1ULL << (action & 31));
}

static __always_inline int ask(struct question *q)
{
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    __u64 begin = bpf_ktime_get_ns();
    int r;

    if (!c)
        return 0;
    r = decide(q);
    watch_latency(c, q->action, bpf_ktime_get_ns() - begin);
    return r < 0 ? -EPERM : 0; /* 6.12 wants to see the range */
}

static __always_inline int ask_dentry(__u32 action, struct dentry *dentry)
{
    struct question q = { .action = NUMBER(action), .dentry = dentry };

    return ask(&q);
}

/** Of two names: refused when either is; one approval is for both. */
static __always_inline int ask_both(__u32 action, struct dentry *old, struct dentry *new)
{
    struct question q = { .action = NUMBER(action), .dentry = old };
    int r = ask(&q);

    if (r)
        return r;
    q.dentry = new;
    q.inode_number = 0;
    q.dev = 0;
    return ask(&q);
}

/*
 * `file` may be NULL in mmap_file, but 6.12's verifier believes that it never is: it removes the
 * test and reads through the pointer unguarded, which kills the caller in the kernel. Fetched from
 * the stack by the helper it is a plain number, so the test stays and reads go through helpers.
 */
static __always_inline void about_file(struct question *q, struct file *file)
{
    struct file *number = NULL;

    bpf_probe_read_kernel(&number, sizeof(number), &file);
    if (!number)
        return;
    q->dentry = BPF_CORE_READ(number, f_path.dentry);
    q->inode = BPF_CORE_READ(number, f_inode);
}

static __always_inline bool without_name(const struct question *q)
{
    struct inode *inode = q->inode;

    return inode && BPF_CORE_READ(inode, i_nlink) == 0;
}

static __always_inline int ask_file(__u32 action, struct file *file)
{
    struct question q = { .action = NUMBER(action) };

    about_file(&q, file);
    return ask(&q);
}

static __always_inline int ask_plain(__u32 action)
{
    struct question q = { .action = NUMBER(action) };

    return ask(&q);
}

static __always_inline bool is_guarded(struct task_struct *task)
{
    struct rv_lsm_said *of = bpf_task_storage_get(&said, task->group_leader, NULL, 0);

    return of && (of->marks & RV_LSM_GUARDED);
}

static __always_inline int ask_task(__u32 action, struct task_struct *target)
{
    struct question q = { .action = NUMBER(action) };

    if (is_guarded(target))
        q.flags = 1U << RV_FLAG_GUARDED_TARGET;
    return ask(&q);
}

/* ---- Programs and memory. `ret` is what the programs before us said: a refusal stands. ---- */

SEC("lsm/bprm_check_security")
int BPF_PROG(rv_exec, struct linux_binprm *bprm, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_EXEC), .has = HAS_KIND };
    struct inode *inode;

    if (ret)
        return ret;
    about_file(&q, bprm->file);
    inode = q.inode;
    q.kind = kind_of(BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev));
    if (without_name(&q))
        q.flags = 1U << RV_FLAG_FILELESS;
    return ask(&q);
}

/*
 * A thread that is not the leader becomes it in the middle of execve and the leader's storage goes:
 * take it over before. When the execve fails after all, nobody reads this copy.
 */
SEC("lsm/bprm_creds_from_file")
int BPF_PROG(rv_exec_thread, struct linux_binprm *bprm, struct file *file, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
    struct rv_lsm_lineage *lineage, *lineage_copy;
    struct rv_lsm_said *of, *of_copy;

    if (ret || task->pid == task->tgid)
        return ret;
    lineage = lineage_of(leader);
    lineage_copy = bpf_task_storage_get(&lineages, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (lineage && lineage_copy)
        *lineage_copy = *lineage;
    of = bpf_task_storage_get(&said, leader, NULL, 0);
    if (!of)
        return 0;
    of_copy = bpf_task_storage_get(&said, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (of_copy)
        *of_copy = *of;
    return 0;
}

SEC("lsm/bprm_committed_creds")
int BPF_PROG(rv_exec_done, struct linux_binprm *bprm)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_lsm_lineage *lineage = lineage_of(task->group_leader);
    struct rv_lsm_program program;

    program_of(task, &program);
    if (lineage)
        remember(lineage, &program);
    return 0;
}

/* Children begin with their parent's lineage, risk and guard: forking launders none of them. */
SEC("lsm/task_alloc")
int BPF_PROG(rv_fork, struct task_struct *child, unsigned long flags, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
    struct rv_lsm_lineage *lineage, *lineage_copy;
    struct rv_lsm_said *of, *of_copy;

    if (ret || (flags & CLONE_THREAD))
        return ret;
    lineage = lineage_of(leader);
    lineage_copy = bpf_task_storage_get(&lineages, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (lineage && lineage_copy)
        *lineage_copy = *lineage;
    of = bpf_task_storage_get(&said, leader, NULL, 0);
    if (!of || (!of->risk && !(of->marks & RV_LSM_GUARDED)))
        return 0;
    of_copy = bpf_task_storage_get(&said, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!of_copy)
        return 0;
    of_copy->risk = of->risk;
    of_copy->marks = of->marks & RV_LSM_GUARDED;
    return 0;
}

/* What ran before us: its lineage from its living ancestors. Read once by user space at open. */
SEC("iter/task")
int rv_seed(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;

    if (task && task->pid == task->tgid)
        (void)lineage_of(task);
    return 0;
}

static __always_inline __u32 memory_flags(bool anonymous, unsigned long prot)
{
    return (anonymous ? 1U << RV_FLAG_ANONYMOUS : 0) |
           (prot & PROT_WRITE ? 1U << RV_FLAG_WRITABLE : 0);
}

SEC("lsm/mmap_file")
int BPF_PROG(rv_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
             unsigned long flags, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_MMAP_EXEC) };

    if (ret || !(prot & PROT_EXEC))
        return ret;
    about_file(&q, file);
    q.flags = memory_flags(!q.inode || without_name(&q), prot);
    return ask(&q);
}

SEC("lsm/file_mprotect")
int BPF_PROG(rv_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot,
             int ret)
{
    struct question q = { .action = NUMBER(RV_DO_MPROTECT_EXEC) };

    if (ret || !(prot & PROT_EXEC))
        return ret;
    about_file(&q, kernel_pointer(&vma->vm_file));
    q.flags = memory_flags(!q.inode || !vma->vm_ops || without_name(&q), prot);
    return ask(&q);
}

/* ---- Files ---- */

static __always_inline int ask_modes(struct file *file)
{
    __u32 mode = file->f_mode;
    int r = mode & FMODE_WRITE ? ask_file(RV_DO_WRITE, file) : 0;

    return r || !(mode & FMODE_READ) || (mode & FMODE_EXEC) ? r : ask_file(RV_DO_READ, file);
}

SEC("lsm/file_open")
int BPF_PROG(rv_open, struct file *file, int ret)
{
    return ret ? ret : ask_modes(file);
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

SEC("lsm/sb_mount")
int BPF_PROG(rv_mount, const char *dev, const struct path *path, const char *type,
             unsigned long flags, void *data, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_MOUNT, path->dentry);
}

SEC("lsm/move_mount")
int BPF_PROG(rv_move_mount, const struct path *from, const struct path *to, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_MOUNT, to->dentry);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(rv_pivot_root, const struct path *old, const struct path *new, int ret)
{
    return ret ? ret : ask_dentry(RV_DO_MOUNT, new->dentry);
}

/* ---- Other processes, credentials, the kernel ---- */

SEC("lsm/ptrace_access_check")
int BPF_PROG(rv_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
    return ret ? ret : ask_task(RV_DO_PTRACE, child);
}

/* prlimit can kill by the processor's time, so it counts as reaching into the other. */
SEC("lsm/task_setrlimit")
int BPF_PROG(rv_setrlimit, struct task_struct *target, unsigned int resource, void *limit, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf();

    return ret || target->tgid == task->tgid ? ret : ask_task(RV_DO_PTRACE, target);
}

SEC("lsm/task_kill")
int BPF_PROG(rv_kill, struct task_struct *target, void *info, int sig, const void *cred, int ret)
{
    return ret || !sig ? ret : ask_task(RV_DO_SIGNAL, target);
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(rv_setuid, struct cred *new, const struct cred *old, int flags, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_SETUID) };

    if (ret)
        return ret;
    if (!new->euid.val && old->euid.val)
        q.flags = 1U << RV_FLAG_GAINED_ROOT;
    return ask(&q);
}

static __always_inline __u32 load_action(int what)
{
    if (what == READING_FIRMWARE || what == READING_MODULE)
        return RV_DO_MODULE;
    return what == READING_KEXEC || what == READING_INITRAMFS ? RV_DO_KEXEC : 0;
}

SEC("lsm/kernel_load_data")
int BPF_PROG(rv_load_data, int what, bool contents, int ret)
{
    if (ret || !load_action(what))
        return ret;
    return load_action(what) == RV_DO_KEXEC ? ask_plain(RV_DO_KEXEC) : ask_plain(RV_DO_MODULE);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(rv_read_file, struct file *file, int what, bool contents, int ret)
{
    if (ret || !load_action(what))
        return ret;
    return load_action(what) == RV_DO_KEXEC ? ask_file(RV_DO_KEXEC, file)
                                            : ask_file(RV_DO_MODULE, file);
}

SEC("lsm/userns_create")
int BPF_PROG(rv_userns, const void *cred, int ret)
{
    return ret ? ret : ask_plain(RV_DO_USERNS);
}

/* ---- Self-protection that no rule can say ---- */

static __always_inline bool self_protected(void)
{
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);

    return c && c->self && !c->observe;
}

static __noinline int refuse_tampering(__u32 action)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct question q = { .action = action };
    struct asker who = { 0 };
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    __u32 table = c ? c->active & 1 : 0;
    struct rv_lsm_table *t = bpf_map_lookup_elem(&tables, &table);

    who.cgroup = bpf_get_current_cgroup_id();
    program_of(task, &who.program);
    read_said(&who, task->group_leader);
    if (t)
        tell(&q, &who, t, 0, RV_REFUSAL_DENIED);
    return -EPERM;
}

/** bpf(2) by id: the way to a program, map or link that somebody else holds. */
static __always_inline bool takes_ours(int command, const void *attr)
{
    __u64 what = command == BPF_PROG_GET_FD_BY_ID   ? RV_LSM_OWN_PROGRAM
                 : command == BPF_MAP_GET_FD_BY_ID  ? RV_LSM_OWN_MAP
                 : command == BPF_LINK_GET_FD_BY_ID ? RV_LSM_OWN_LINK
                                                    : 0;
    __u32 id = 0;
    __u64 key;

    if (!what || !attr)
        return false;
    bpf_probe_read_kernel(&id, sizeof(id), attr);
    key = what << 32 | id;
    return bpf_map_lookup_elem(&own, &key) != NULL;
}

SEC("lsm/bpf")
int BPF_PROG(rv_bpf_call, int command, void *attr, unsigned int size, int ret)
{
    struct task_struct *task = bpf_get_current_task_btf();

    if (ret || is_guarded(task)) /* Reeve must reach its own tables, or could never undo */
        return ret;
    if (self_protected() && takes_ours(command, attr))
        return refuse_tampering(NUMBER(RV_DO_BPF)) < 0 ? -EPERM : 0;
    return ask_plain(RV_DO_BPF);
}

/* A signal that an open file sends, F_SETOWN and F_SETSIG: whoever is running then is not who
 * asked. */
SEC("lsm/file_send_sigiotask")
int BPF_PROG(rv_sigio, struct task_struct *target, void *owner, int sig, int ret)
{
    if (ret || !self_protected() || !is_guarded(target))
        return ret;
    return refuse_tampering(NUMBER(RV_DO_SIGNAL)) < 0 ? -EPERM : 0;
}

/* ---- Sockets ---- */

static __always_inline void about_kind_of_socket(struct question *q, __u32 family, __u32 type,
                                                 __u32 protocol)
{
    q->family = family;
    q->protocol = protocol;
    if (type == SOCK_RAW)
        q->protocol = IPPROTO_RAW;
    else if (!protocol && (family == AF_INET || family == AF_INET6))
        q->protocol = type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
    q->has |= HAS_FAMILY | HAS_PROTOCOL;
}

static __always_inline void about_socket(struct question *q, struct socket *socket)
{
    struct sock *sk = BPF_CORE_READ(socket, sk);

    about_kind_of_socket(q, BPF_CORE_READ(sk, __sk_common.skc_family), BPF_CORE_READ(sk, sk_type),
                         BPF_CORE_READ(sk, sk_protocol));
}

static __always_inline bool is_zero(const __u8 addr[16], int from)
{
    for (int i = 0; i < 16; i++)
        if (i >= from && addr[i])
            return false;
    return true;
}

/* To connect to no address is to connect to oneself: it must not pass a rule on 127.0.0.0/8. */
static __always_inline void about_address(struct question *q, struct sockaddr *address, int len,
                                          bool peer)
{
    struct rv_sockaddr_in6 in6 = { 0 };

    if (len >= (int)sizeof(struct rv_sockaddr_in6))
        bpf_probe_read_kernel(&in6, sizeof(in6), address);
    else if (len >= (int)sizeof(struct rv_sockaddr_in))
        bpf_probe_read_kernel(&in6, sizeof(struct rv_sockaddr_in), address);
    if (in6.family == AF_INET) {
        struct rv_sockaddr_in in = { 0 };

        bpf_probe_read_kernel(&in, sizeof(in), address);
        q->addr.addr[10] = q->addr.addr[11] = 0xff;
        if (!in.addr && peer)
            in.addr = bpf_htonl(0x7f000001);
        __builtin_memcpy(q->addr.addr + 12, &in.addr, 4);
    } else if (in6.family == AF_INET6) {
        __builtin_memcpy(q->addr.addr, in6.addr, 16);
        if (peer && is_zero(in6.addr, 0))
            q->addr.addr[15] = 1;
    } else {
        return;
    }
    q->port = bpf_ntohs(in6.port);
    q->has |= HAS_ADDR | HAS_PORT;
}

SEC("lsm/socket_create")
int BPF_PROG(rv_socket, int family, int type, int protocol, int kern, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_SOCKET) };

    if (ret || kern)
        return ret;
    about_kind_of_socket(&q, (__u32)family, (__u32)type, (__u32)protocol);
    return ask(&q);
}

SEC("lsm/socket_bind")
int BPF_PROG(rv_bind, struct socket *socket, struct sockaddr *address, int len, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_BIND) };

    if (ret)
        return ret;
    about_socket(&q, socket);
    about_address(&q, address, len, false);
    return ask(&q);
}

static __always_inline int ask_peer(struct socket *socket, struct sockaddr *address, int len)
{
    struct question q = { .action = NUMBER(RV_DO_CONNECT) };

    about_socket(&q, socket);
    if (q.family == AF_UNIX) /* asked with the peer, below */
        return 0;
    about_address(&q, address, len, true);
    return ask(&q);
}

SEC("lsm/socket_connect")
int BPF_PROG(rv_connect, struct socket *socket, struct sockaddr *address, int len, int ret)
{
    return ret ? ret : ask_peer(socket, address, len);
}

/* A datagram that names its peer is a connect by another name. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(rv_sendmsg, struct socket *socket, struct msghdr *msg, int size, int ret)
{
    void *name = msg->msg_name;

    return ret || !name ? ret : ask_peer(socket, name, msg->msg_namelen);
}

/** The peer's file, however it was named; none when its name is abstract. */
static __always_inline int ask_unix_peer(struct sock *peer)
{
    struct question q = { .action = NUMBER(RV_DO_CONNECT), .has = HAS_FAMILY | HAS_PROTOCOL };
    struct unix_sock *unix_peer = (struct unix_sock *)peer;

    q.family = AF_UNIX;
    q.dentry = BPF_CORE_READ(unix_peer, path.dentry);
    return ask(&q);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(rv_unix_connect, struct sock *socket, struct sock *peer, struct sock *new, int ret)
{
    return ret ? ret : ask_unix_peer(peer);
}

SEC("lsm/unix_may_send")
int BPF_PROG(rv_unix_send, struct socket *socket, struct socket *peer, int ret)
{
    return ret ? ret : ask_unix_peer(BPF_CORE_READ(peer, sk));
}

/** By the port and address that the socket is bound to. */
static __always_inline int ask_listen(struct socket *socket)
{
    struct question q = { .action = NUMBER(RV_DO_LISTEN) };
    struct sock *sk = BPF_CORE_READ(socket, sk);
    __u32 addr;

    about_socket(&q, socket);
    if (q.family == AF_INET) {
        addr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        q.addr.addr[10] = q.addr.addr[11] = 0xff;
        __builtin_memcpy(q.addr.addr + 12, &addr, 4);
    } else if (q.family == AF_INET6) {
        BPF_CORE_READ_INTO(&q.addr.addr, sk, __sk_common.skc_v6_rcv_saddr);
    } else {
        return ask(&q);
    }
    q.port = BPF_CORE_READ(sk, __sk_common.skc_num);
    q.has |= HAS_ADDR | HAS_PORT;
    return ask(&q);
}

SEC("lsm/socket_listen")
int BPF_PROG(rv_listen, struct socket *socket, int backlog, int ret)
{
    return ret ? ret : ask_listen(socket);
}

/* The peer is known only once it is accepted. */
SEC("lsm/socket_accept")
int BPF_PROG(rv_accept, struct socket *socket, struct socket *new, int ret)
{
    struct question q = { .action = NUMBER(RV_DO_ACCEPT) };

    if (ret)
        return ret;
    about_socket(&q, socket);
    return ask(&q);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
