/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * BPF LSM provider: asks the active table at each hook and refuses with EPERM.
 *
 * Files and folders are known by inode and device of the object that the kernel already resolved,
 * so symbolic links, bind mounts, /proc/self/root, memory that changes under the call, io_uring and
 * 32-bit calls make no difference. A folder rule is found by walking the dentry's parents.
 *
 * Maps full: `files`, `ids` and `addrs` are filled by user space before the switch and refuse
 * there; `budgets` is LRU (a workload that is thrown out starts a new hour: it can only be denied
 * more); the ring full counts in lost[0] and changes no decision.
 */
#include "kernel.h"

#include "wire.h"

#define EPERM             1
#define AF_INET           2
#define AF_INET6          10
#define PROT_EXEC         4
#define FMODE_WRITE       2U
#define NS_PER_HOUR       3600000000000ULL
#define LATENCY_CALLS_MIN 4096

/* ---- Maps ---- */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RV_LSM_TABLES);
    __type(key, __u32);
    __type(value, struct rv_lsm_table);
} tables SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct rv_lsm_control);
} control SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, struct rv_lsm_file_key);
    __type(value, __u64);
} files SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct rv_lsm_file_key);
    __type(value, __u64);
} programs SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct rv_lsm_id_key);
    __type(value, __u64);
} uids SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct rv_lsm_id_key);
    __type(value, __u64);
} cgroups SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct rv_lsm_id_key);
    __type(value, __u64);
} ports SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4096);
    __type(key, struct rv_lsm_addr_key);
    __type(value, __u64);
} addrs SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct rv_lsm_task);
} tasks SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, struct rv_lsm_budget);
} budgets SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_LSM_RULES);
    __type(key, __u32);
    __type(value, struct rv_lsm_counts);
} counts SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, RV_LSM_ACTIONS_);
    __type(key, __u32);
    __type(value, struct rv_lsm_latency);
} latency SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 18);
} verdicts SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} lost SEC(".maps");

/* ---- The question ---- */
struct question {
    struct dentry *dentry; /* NULL: not about a file */
    struct inode *inode;   /* the object itself when it differs from the dentry's (overlays) */
    __u64 inode_number;
    __u64 fixed; /* rules about this kind of resource; used when there is no dentry */
    __u32 action, dev, port, has_addr;
    struct rv_lsm_addr_key addr;
};

static __always_inline __u64 id_mask(void *map, __u64 id, __u32 table, __u64 any)
{
    struct rv_lsm_id_key key = { .id = id, .table = table };
    __u64 *mask = bpf_map_lookup_elem(map, &key);

    return mask ? *mask | any : any;
}

static __always_inline __u64 file_mask(void *map, struct inode *inode, __u32 table)
{
    struct rv_lsm_file_key key = { .table = table };
    __u64 *mask;

    key.inode = BPF_CORE_READ(inode, i_ino);
    key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
    mask = bpf_map_lookup_elem(map, &key);
    return mask ? *mask : 0;
}

static __always_inline struct inode *program_inode(struct task_struct *task)
{
    return BPF_CORE_READ(task, mm, exe_file, f_inode);
}

struct walk {
    struct dentry *at;
    __u64 mask;
    __u32 table, whole;
};

static long walk_step(__u32 level, struct walk *walk)
{
    struct dentry *at = walk->at; /* a local: BPF_CORE_READ would relocate our own struct too */
    struct dentry *parent = BPF_CORE_READ(at, d_parent);

    if (!parent || parent == at) {
        walk->whole = 1;
        return 1;
    }
    walk->mask |= file_mask(&files, BPF_CORE_READ(parent, d_inode), walk->table);
    walk->at = parent;
    return 0;
}

/** Rules whose file or folder this is. The folder rules of a path too deep to see match it. */
static __always_inline __u64 resource_mask(const struct question *q, const struct rv_lsm_table *t,
                                           __u32 table, __u64 candidates)
{
    struct dentry *dentry = q->dentry;
    struct walk walk = { .at = dentry, .table = table };
    struct inode *inode = BPF_CORE_READ(dentry, d_inode);
    __u64 mask = t->any_resource;

    if (inode)
        mask |= file_mask(&files, inode, table);
    if (q->inode && q->inode != inode)
        mask |= file_mask(&files, q->inode, table);
    if (!(candidates & t->folder & ~mask))
        return mask;
    bpf_loop(RV_LSM_DEPTH, walk_step, &walk, 0);
    mask |= walk.mask & t->folder;
    if (!walk.whole)
        mask |= t->too_deep;
    return mask;
}

static __always_inline __u64 addr_mask(const struct question *q, const struct rv_lsm_table *t,
                                       __u32 table)
{
    struct rv_lsm_addr_key key = q->addr;
    __u64 *mask;

    if (!q->has_addr)
        return t->any_addr & t->any_port;
    key.prefix_bits = 32 + 128;
    key.table = table;
    mask = bpf_map_lookup_elem(&addrs, &key);
    return (t->any_addr | (mask ? *mask : 0)) & id_mask(&ports, q->port, table, t->any_port);
}

/* ---- The answer ---- */
static __always_inline bool within_budget(const struct rv_lsm_table *t, __u64 cgroup, __u64 now)
{
    struct rv_lsm_budget *budget, fresh = { .window_boot_ns = now };

    if (!t->budget)
        return true;
    budget = bpf_map_lookup_elem(&budgets, &cgroup);
    if (!budget) {
        bpf_map_update_elem(&budgets, &cgroup, &fresh, BPF_NOEXIST);
        budget = bpf_map_lookup_elem(&budgets, &cgroup);
        if (!budget)
            return true;
    }
    if (now - budget->window_boot_ns > NS_PER_HOUR) {
        budget->window_boot_ns = now;
        budget->used = 0;
    }
    return __sync_fetch_and_add(&budget->used, 1) < t->budget;
}

static __always_inline void count(__u64 rules, __u32 verdict)
{
    struct rv_lsm_counts *c;
    __u32 rule = 0;

    /* The lowest rule answers for the decision; the record holds the whole mask. */
    for (int shift = 32; shift; shift >>= 1)
        if (!(rules & ((1ULL << shift) - 1))) {
            rules >>= shift;
            rule += (__u32)shift;
        }
    c = bpf_map_lookup_elem(&counts, &rule);
    if (!c)
        return;
    c->matched++;
    if (verdict == RV_LSM_DENIED)
        c->denied++;
    else if (verdict == RV_LSM_WOULD_DENY)
        c->shadow++;
    else if (verdict == RV_LSM_LAPSED)
        c->lapsed++;
    else if (verdict == RV_LSM_OVER_BUDGET)
        c->over_budget++;
    else
        c->observed++;
}

static __always_inline void record(const struct question *q, struct task_struct *task, __u64 rules,
                                   __u32 verdict, __u32 risk, __u64 digest)
{
    struct rv_lsm_record *r = bpf_ringbuf_reserve(&verdicts, sizeof(*r), 0);
    __u32 zero = 0;

    if (!r) {
        __u64 *n = bpf_map_lookup_elem(&lost, &zero);

        if (n)
            ++*n;
        return;
    }
    r->time_boot_ns = bpf_ktime_get_boot_ns();
    r->start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    r->cgroup_id = bpf_get_current_cgroup_id();
    r->inode = q->inode_number;
    r->rules = rules;
    r->digest = digest;
    r->tgid = (__u32)task->tgid;
    r->tid = (__u32)task->pid;
    r->uid = (__u32)bpf_get_current_uid_gid();
    r->dev = q->dev;
    r->action = q->action;
    r->verdict = verdict;
    r->risk = risk;
    r->port = q->port;
    __builtin_memcpy(r->addr, q->addr.addr, sizeof(r->addr));
    bpf_get_current_comm(r->comm, sizeof(r->comm));
    bpf_ringbuf_submit(r, 0);
}

static __always_inline __u32 verdict_of(const struct rv_lsm_table *t,
                                        const struct rv_lsm_control *c, const struct question *q,
                                        __u64 rules, __u64 cgroup)
{
    __u64 now = bpf_ktime_get_boot_ns();

    if (!(rules & t->enforce))
        return RV_LSM_WOULD_DENY;
    if (c->observe)
        return RV_LSM_STOPPED;
    if (c->disarmed & (1ULL << q->action))
        return RV_LSM_DISARMED;
    if (now >= c->lease_boot_ns) {
        rules &= t->closed;
        if (!(rules & t->enforce))
            return RV_LSM_LAPSED;
    }
    /* A rule without budget decides alone; only when all are budgeted does the hour count. */
    if (!(rules & t->enforce & ~t->budgeted) && !within_budget(t, cgroup, now))
        return RV_LSM_OVER_BUDGET;
    return RV_LSM_DENIED;
}

static __noinline int decide(struct question *q, const struct rv_lsm_control *c)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 table = c->active & 1, action = q->action;
    struct rv_lsm_table *t = bpf_map_lookup_elem(&tables, &table);
    struct dentry *dentry = q->dentry;
    struct rv_lsm_task *own;
    struct inode *program;
    __u64 rules, cgroup;
    __u32 risk, step, verdict;

    if (!t || action >= RV_LSM_ACTIONS_)
        return 0;
    rules = t->action[action];
    if (!rules)
        return 0;
    program = program_inode(task);
    rules &= t->any_program | (program ? file_mask(&programs, program, table) : 0);
    if (!rules)
        return 0;
    rules &= id_mask(&uids, (__u32)bpf_get_current_uid_gid(), table, t->any_uid);
    cgroup = bpf_get_current_cgroup_id();
    rules &= id_mask(&cgroups, cgroup, table, t->any_cgroup);
    if (!rules)
        return 0;
    own = bpf_task_storage_get(&tasks, task, NULL, 0);
    risk = own ? own->risk : 0;
    step = risk / 100;
    asm volatile("if %[step] < 11 goto +1\n %[step] = 10" : [step] "+r"(step));
    if (step >= RV_LSM_RISK_STEPS)
        return 0;
    rules &= t->risk[step];
    if (!rules)
        return 0;
    if (dentry)
        rules &= resource_mask(q, t, table, rules);
    else
        rules &= t->any_resource | (q->fixed ? t->guarded : 0);
    rules &= addr_mask(q, t, table);
    if (!rules)
        return 0;
    if (dentry) {
        q->inode_number = BPF_CORE_READ(dentry, d_inode, i_ino);
        q->dev = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev);
    }
    verdict = verdict_of(t, c, q, rules, cgroup);
    count(verdict == RV_LSM_DENIED ? rules & t->enforce : rules, verdict);
    record(q, task, rules, verdict, risk, t->digest);
    return verdict == RV_LSM_DENIED ? -EPERM : 0;
}

/** Time the hook; when more than one call in a thousand is above the budget, disarm it. */
static __always_inline void watch_latency(struct rv_lsm_control *c, __u32 action, __u64 ns)
{
    struct rv_lsm_latency *l = bpf_map_lookup_elem(&latency, &action);
    __u32 bucket = 0;

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
    if (l->calls >= LATENCY_CALLS_MIN && l->over * 1000 > l->calls)
        __sync_fetch_and_or(&c->disarmed, 1ULL << action);
}

static __always_inline int ask(struct question *q)
{
    __u32 zero = 0;
    struct rv_lsm_control *c = bpf_map_lookup_elem(&control, &zero);
    __u64 begin = bpf_ktime_get_ns();
    int r;

    if (!c)
        return 0;
    r = decide(q, c);
    watch_latency(c, q->action, bpf_ktime_get_ns() - begin);
    return r < 0 ? -EPERM : 0; /* 6.12 wants to see the range */
}

static __always_inline int ask_dentry(__u32 action, struct dentry *dentry)
{
    struct question q = { .action = action, .dentry = dentry };

    return ask(&q);
}

/*
 * `file` may be NULL in mmap_file, but 6.12's verifier believes that it never is: it removes the
 * test and reads through the pointer unguarded, which kills the caller in the kernel. Fetched from
 * the stack by the helper it is a plain number, so the test stays and reads go through helpers.
 */
static __always_inline int ask_file(__u32 action, struct file *file)
{
    struct question q = { .action = action };
    struct file *number = NULL;

    bpf_probe_read_kernel(&number, sizeof(number), &file);
    if (!number)
        return ask(&q);
    q.dentry = BPF_CORE_READ(number, f_path.dentry);
    q.inode = BPF_CORE_READ(number, f_inode);
    return ask(&q);
}

static __always_inline int ask_plain(__u32 action)
{
    struct question q = { .action = action };

    return ask(&q);
}

static __always_inline int ask_task(__u32 action, struct task_struct *target)
{
    struct rv_lsm_task *task = bpf_task_storage_get(&tasks, target, NULL, 0);
    struct question q = { .action = action, .fixed = task && task->guarded };

    return ask(&q);
}

static __always_inline int ask_addr(__u32 action, struct sockaddr *address, int len)
{
    struct question q = { .action = action };
    struct rv_sockaddr_in6 in6 = { 0 };

    if (len >= (int)sizeof(struct rv_sockaddr_in6))
        bpf_probe_read_kernel(&in6, sizeof(in6), address);
    else if (len >= (int)sizeof(struct rv_sockaddr_in))
        bpf_probe_read_kernel(&in6, sizeof(struct rv_sockaddr_in), address);
    if (in6.family == AF_INET) {
        struct rv_sockaddr_in in = { 0 };

        bpf_probe_read_kernel(&in, sizeof(in), address);
        q.addr.addr[10] = q.addr.addr[11] = 0xff;
        __builtin_memcpy(q.addr.addr + 12, &in.addr, 4);
        q.has_addr = 1;
    } else if (in6.family == AF_INET6) {
        __builtin_memcpy(q.addr.addr, in6.addr, 16);
        q.has_addr = 1;
    }
    q.port = bpf_ntohs(in6.port);
    return ask(&q);
}

/* ---- Hooks. `ret` is what the programs before us said: a refusal stands. ---- */
SEC("lsm/bprm_check_security")
int BPF_PROG(rv_exec, struct linux_binprm *bprm, int ret)
{
    return ret ? ret : ask_file(RV_LSM_EXEC, bprm->file);
}

SEC("lsm/file_open")
int BPF_PROG(rv_open, struct file *file, int ret)
{
    return ret ? ret : ask_file(file->f_mode & FMODE_WRITE ? RV_LSM_WRITE : RV_LSM_READ, file);
}

SEC("lsm/path_mknod")
int BPF_PROG(rv_mknod, const struct path *dir, struct dentry *dentry, __u32 mode, unsigned int dev,
             int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_CREATE, dentry);
}

SEC("lsm/inode_create")
int BPF_PROG(rv_create, struct inode *dir, struct dentry *dentry, __u32 mode, int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_CREATE, dentry);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(rv_mkdir, struct inode *dir, struct dentry *dentry, __u32 mode, int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_CREATE, dentry);
}

SEC("lsm/inode_symlink")
int BPF_PROG(rv_symlink, struct inode *dir, struct dentry *dentry, const char *name, int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_CREATE, dentry);
}

/* Both ends: taking a file out of a folder and putting one over a file are changes of each. */
SEC("lsm/inode_rename")
int BPF_PROG(rv_rename, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
             struct dentry *new, int ret)
{
    if (ret)
        return ret;
    ret = ask_dentry(RV_LSM_RENAME, old);
    return ret ? ret : ask_dentry(RV_LSM_RENAME, new);
}

SEC("lsm/inode_unlink")
int BPF_PROG(rv_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_UNLINK, dentry);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(rv_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_UNLINK, dentry);
}

SEC("lsm/inode_link")
int BPF_PROG(rv_link, struct dentry *old, struct inode *dir, struct dentry *new, int ret)
{
    if (ret)
        return ret;
    ret = ask_dentry(RV_LSM_LINK, old);
    return ret ? ret : ask_dentry(RV_LSM_LINK, new);
}

/* 6.12 put the id map before the dentry; user space loads the one that fits. */
SEC("lsm/inode_setattr")
int BPF_PROG(rv_setattr, struct dentry *dentry)
{
    return ask_dentry(RV_LSM_SETATTR, dentry);
}

SEC("lsm/inode_setattr")
int BPF_PROG(rv_setattr_idmap, void *idmap, struct dentry *dentry)
{
    return ask_dentry(RV_LSM_SETATTR, dentry);
}

SEC("lsm/mmap_file")
int BPF_PROG(rv_mmap, struct file *file, unsigned long reqprot, unsigned long prot,
             unsigned long flags, int ret)
{
    if (ret || !(prot & PROT_EXEC))
        return ret;
    return ask_file(RV_LSM_MMAP_EXEC, file);
}

SEC("lsm/file_mprotect")
int BPF_PROG(rv_mprotect, void *vma, unsigned long reqprot, unsigned long prot, int ret)
{
    return ret || !(prot & PROT_EXEC) ? ret : ask_plain(RV_LSM_MPROTECT_EXEC);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(rv_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
    return ret ? ret : ask_task(RV_LSM_PTRACE, child);
}

SEC("lsm/task_kill")
int BPF_PROG(rv_kill, struct task_struct *target, void *info, int sig, const void *cred, int ret)
{
    return ret || !sig ? ret : ask_task(RV_LSM_SIGNAL, target);
}

SEC("lsm/socket_create")
int BPF_PROG(rv_socket, int family, int type, int protocol, int kern, int ret)
{
    struct question q = { .action = RV_LSM_SOCKET };

    if (ret || kern)
        return ret;
    q.has_addr = 1;
    q.port = (__u32)family; /* a rule on sockets names the family where others name a port */
    return ask(&q);
}

SEC("lsm/socket_bind")
int BPF_PROG(rv_bind, struct socket *sock, struct sockaddr *address, int len, int ret)
{
    return ret ? ret : ask_addr(RV_LSM_BIND, address, len);
}

SEC("lsm/socket_connect")
int BPF_PROG(rv_connect, struct socket *sock, struct sockaddr *address, int len, int ret)
{
    return ret ? ret : ask_addr(RV_LSM_CONNECT, address, len);
}

struct msghdr {
    void *msg_name;
    int msg_namelen;
} __attribute__((preserve_access_index));

/* A datagram that names its peer is a connect by another name. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(rv_sendmsg, struct socket *sock, struct msghdr *msg, int size, int ret)
{
    void *name = msg->msg_name;

    return ret || !name ? ret : ask_addr(RV_LSM_CONNECT, name, msg->msg_namelen);
}

SEC("lsm/socket_listen")
int BPF_PROG(rv_listen, struct socket *sock, int backlog, int ret)
{
    return ret ? ret : ask_plain(RV_LSM_LISTEN);
}

SEC("lsm/task_fix_setuid")
int BPF_PROG(rv_setuid, void *new, const void *old, int flags, int ret)
{
    return ret ? ret : ask_plain(RV_LSM_SETUID);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(rv_load_data, int id, bool contents, int ret)
{
    return ret ? ret : ask_plain(RV_LSM_KERNEL_LOAD);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(rv_read_file, struct file *file, int id, bool contents, int ret)
{
    return ret ? ret : ask_file(RV_LSM_KERNEL_LOAD, file);
}

SEC("lsm/bpf")
int BPF_PROG(rv_bpf_call, int cmd, void *attr, unsigned int size, int ret)
{
    struct rv_lsm_task *own = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), NULL, 0);

    if (ret || (own && own->guarded)) /* Reeve must reach its own tables, or could never undo */
        return ret;
    return ask_plain(RV_LSM_BPF);
}

SEC("lsm/sb_mount")
int BPF_PROG(rv_mount, const char *dev, const struct path *path, const char *type,
             unsigned long flags, void *data, int ret)
{
    return ret ? ret : ask_dentry(RV_LSM_MOUNT, path->dentry);
}

SEC("lsm/userns_create")
int BPF_PROG(rv_userns, const void *cred, int ret)
{
    return ret ? ret : ask_plain(RV_LSM_USERNS);
}

/* Children begin with their parent's risk and guard: forking does not launder either. */
SEC("lsm/task_alloc")
int BPF_PROG(rv_fork, struct task_struct *child, unsigned long flags, int ret)
{
    struct rv_lsm_task *own, *copy;

    if (ret)
        return ret;
    own = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), NULL, 0);
    if (!own || (!own->risk && !own->guarded))
        return 0;
    copy = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (copy)
        *copy = *own;
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
