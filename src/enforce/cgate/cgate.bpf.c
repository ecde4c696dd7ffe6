/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup-BPF provider: asks the active table before a connect, a datagram that names its peer, a
 * bind, or the making of an internet socket, and refuses with EPERM.
 *
 * Hooks: connect4/6, sendmsg4/6, bind4/6, sock_create; from 6.7 connect_unix and sendmsg_unix. They
 * run for a socket that was made in the cgroup or below it, whoever uses it. The address is the
 * kernel's own copy, so a second thread, io_uring and 32-bit calls make no difference.
 *
 * These programs have no task storage on every kernel, so what a process is lies in hash maps by
 * process id: `ran` (its lineage) and `risks` follow a fork and end with the process; `exempt` does
 * not follow. `ran` full: counted in control.overflow, the nearest ancestor that found room answers
 * for it, and if there is none, rules that lapse closed take every lineage as its own.
 */
#include "bpf/kernel.h"

#include <bpf/bpf_endian.h>

#define BPF_NOEXIST           1
#define BPF_MAP_TYPE_LPM_TRIE 11
#include "cgate/decide.h"

#define SOCK_RAW      3
#define IPPROTO_RAW   255
#define ANCESTORS_MAX 64

/* Of the BPF interface. */
struct bpf_sock {
    __u32 bound_dev_if, family, type, protocol, mark, priority;
    __u32 src_ip4;
    __u32 src_ip6[4];
};

/* ---- Maps ---- */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_PROCESSES);
    __type(key, struct rv_cgate_process);
    __type(value, struct rv_cgate_ran);
} ran SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_PROCESSES);
    __type(key, struct rv_cgate_process);
    __type(value, __u32);
} risks SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_EXEMPT);
    __type(key, struct rv_cgate_process);
    __type(value, struct rv_cgate_key); /* the program that it ran then */
} exempt SEC(".maps");
struct { /* of root alone: anybody may run sshd as himself, with a forwarding of his own */
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, RV_CGATE_EXEMPT);
    __type(key, struct rv_cgate_key);
    __type(value, __u32);
} exempt_programs SEC(".maps");

/* ---- Who asks ---- */
static __always_inline void id_of(const struct task_struct *task, struct rv_cgate_process *id)
{
    id->start_ticks = BPF_CORE_READ(task, group_leader, start_boottime) / RV_CGATE_TICK_NS;
    id->tgid = (__u32)BPF_CORE_READ(task, tgid);
    id->pad = 0;
}

struct ancestor_walk {
    const struct task_struct *at;
    struct rv_cgate_ran ran;
    __u64 found;
};

static long ancestor_step(__u32 level, void *context)
{
    struct ancestor_walk *walk = context;
    const struct task_struct *at = walk->at;
    struct rv_cgate_process id;
    struct rv_cgate_ran *known;

    (void)level;
    at = BPF_CORE_READ(at, real_parent);
    if (!at || BPF_CORE_READ(at, tgid) <= 1)
        return 1;
    id_of(at, &id);
    known = bpf_map_lookup_elem(&ran, &id);
    if (known) {
        walk->ran = *known;
        walk->found = 1;
        return 1;
    }
    walk->at = at;
    return 0;
}

static __always_inline void asker_of(const struct task_struct *task,
                                     const struct rv_cgate_control *c, struct asker *asker)
{
    struct rv_cgate_process id;
    struct rv_cgate_ran *known;
    __u32 *risk;

    id_of(task, &id);
    risk = bpf_map_lookup_elem(&risks, &id);
    if (risk)
        asker->risk = *risk;
    known = bpf_map_lookup_elem(&ran, &id);
    if (known) {
        asker->ran = *known;
    } else if (c->overflow) {
        struct ancestor_walk walk = { .at = task };

        bpf_loop(ANCESTORS_MAX, ancestor_step, &walk, 0);
        asker->ran = walk.ran;
        asker->unknown = !walk.found;
    }
}

static __always_inline bool is_exempt(const struct task_struct *task,
                                      const struct rv_lsm_program *program)
{
    struct rv_cgate_key key = { .id = program->inode, .dev = program->dev }, *then;
    struct rv_cgate_process id;

    id_of(task, &id);
    then = bpf_map_lookup_elem(&exempt, &id);
    if (then && then->id == key.id && then->dev == key.dev)
        return true;
    return !(__u32)bpf_get_current_uid_gid() && !BPF_CORE_READ(task, cred, euid.val) &&
           bpf_map_lookup_elem(&exempt_programs, &key);
}

/* ---- The decision ---- */
static __noinline int decide(struct question *q, __u32 table)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_cgate_table *t = bpf_map_lookup_elem(&tables, &table);
    struct rv_cgate_control *c;
    struct asker asker = { 0 };
    __u32 zero = 0, verdict, lowest;
    __u64 rules, cgroup;

    c = bpf_map_lookup_elem(&control, &zero);
    if (!t || !c || q->action >= RV_DO_COUNT_)
        return 1;
    rules = match_place(t, table, t->action[q->action], q);
    if (!rules)
        return 1;
    asker.file = BPF_CORE_READ(task, mm, exe_file);
    identity_of(asker.file, &asker.program);
    asker_of(task, c, &asker);
    rules = match_asker(t, table, rules, task, &asker);
    if (!rules)
        return 1;
    asker.exempt = is_exempt(task, &asker.program);
    cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    verdict = verdict_of(t, c, q, rules, &asker, cgroup);
    lowest = count(t, table, rules, verdict);
    tell(q, task, &asker, t, rules, lowest, verdict, cgroup);
    return verdict != RV_REFUSAL_DENIED;
}

/** What no rule is about costs two loads, and no clock. */
static __always_inline int ask(struct question *q)
{
    __u32 zero = 0, table, action = q->action;
    struct rv_cgate_control *c = bpf_map_lookup_elem(&control, &zero);
    struct rv_cgate_table *t;
    __u64 begin;
    int allowed;

    if (!c || action >= RV_DO_COUNT_)
        return 1;
    table = c->active & 1;
    t = bpf_map_lookup_elem(&tables, &table);
    if (!t || !t->action[action])
        return 1;
    begin = bpf_ktime_get_ns();
    allowed = decide(q, table);
    watch_latency(c, action, bpf_ktime_get_ns() - begin);
    return allowed ? 1 : 0; /* the verifier wants to see the range */
}

#define CONNECT __builtin_ctz(RV_DO_CONNECT)
#define BIND    __builtin_ctz(RV_DO_BIND)
#define SOCKET  __builtin_ctz(RV_DO_SOCKET)

/**
 * Connecting to "any" reaches the socket's own address, or loopback. Binding to it is what it says.
 * `family` is a constant: a program for IPv4 must not even contain a look at the IPv6 fields.
 */
static __always_inline int addressed(struct bpf_sock_addr *address, __u32 action,
                                     const __u32 family)
{
    struct question q = { .action = action,
                          .port = bpf_ntohs((__u16)address->user_port),
                          .protocol = address->protocol };
    const struct bpf_sock *sk = (const struct bpf_sock *)address->sk_pointer;

    if (family == AF_INET) {
        __u32 to = address->user_ip4;

        if (!to && action == CONNECT) {
            to = sk ? sk->src_ip4 : 0;
            if (!to)
                to = bpf_htonl(0x7f000001);
        }
        put_ipv4(&q, to);
    } else {
        __u32 to[4] = { address->user_ip6[0], address->user_ip6[1], address->user_ip6[2],
                        address->user_ip6[3] };

        if (!to[0] && !to[1] && action == CONNECT && !to[3]) {
            if (to[2] == bpf_htonl(0xffff)) {
                to[3] = bpf_htonl(0x7f000001);
            } else if (!to[2]) {
                to[3] = bpf_htonl(1);
            }
        }
        put_ipv6(&q, to);
    }
    return ask(&q);
}

SEC("cgroup/connect4")
int rv_cgate_connect4(struct bpf_sock_addr *address)
{
    return addressed(address, CONNECT, AF_INET);
}

SEC("cgroup/connect6")
int rv_cgate_connect6(struct bpf_sock_addr *address)
{
    return addressed(address, CONNECT, AF_INET6);
}

SEC("cgroup/sendmsg4")
int rv_cgate_sendmsg4(struct bpf_sock_addr *address)
{
    return addressed(address, CONNECT, AF_INET);
}

SEC("cgroup/sendmsg6")
int rv_cgate_sendmsg6(struct bpf_sock_addr *address)
{
    return addressed(address, CONNECT, AF_INET6);
}

SEC("cgroup/bind4")
int rv_cgate_bind4(struct bpf_sock_addr *address)
{
    return addressed(address, BIND, AF_INET);
}

SEC("cgroup/bind6")
int rv_cgate_bind6(struct bpf_sock_addr *address)
{
    return addressed(address, BIND, AF_INET6);
}

/* No name in libbpf 1.1: user space says what these two are, where the kernel has them. */
SEC("cgroup/connect4")
int rv_cgate_connect_unix(struct bpf_sock_addr *address)
{
    struct question q = { .action = CONNECT, .family = AF_UNIX };

    return ask(&q);
}

SEC("cgroup/sendmsg4")
int rv_cgate_sendmsg_unix(struct bpf_sock_addr *address)
{
    struct question q = { .action = CONNECT, .family = AF_UNIX };

    return ask(&q);
}

/* AF_INET and AF_INET6 only. A raw socket carries what its maker likes: one name for all. */
SEC("cgroup/sock_create")
int rv_cgate_socket(struct bpf_sock *sk)
{
    struct question q = { .action = SOCKET, .family = sk->family };

    q.protocol = sk->type == SOCK_RAW ? IPPROTO_RAW : sk->protocol;
    return ask(&q);
}

/*
 * ---- Lineage and risk, by the life of processes ----
 * Before 6.4 a failing update returns the 32 bits of an int: not 0, but not below it either.
 */
static __always_inline void remember(struct rv_cgate_control *c, const struct rv_cgate_process *id,
                                     const struct rv_cgate_ran *new)
{
    struct rv_cgate_ran *known;

    if (!new->slots && !new->kinds)
        return;
    known = bpf_map_lookup_elem(&ran, id);
    if (known) {
        __sync_fetch_and_or(&known->slots, new->slots);
        __sync_fetch_and_or(&known->kinds, new->kinds);
    } else if (bpf_map_update_elem(&ran, id, new, BPF_NOEXIST) != 0) {
        __sync_fetch_and_add(&c->overflow, 1);
    }
}

/** What running this file adds. */
static __noinline int add_program(const struct file *file, __u64 kinds_wanted,
                                  struct rv_cgate_ran *add)
{
    struct rv_lsm_program program;
    struct rv_cgate_key key = { 0 };
    __u32 *slot;

    if (!file || !add)
        return 0;
    identity_of(file, &program);
    place_of(file, &program);
    key.id = program.inode;
    key.dev = program.dev;
    if (kinds_wanted)
        add->kinds |= (1ULL << (kind_of(&program) & 63)) & kinds_wanted;
    slot = bpf_map_lookup_elem(&slots, &key);
    if (slot)
        add->slots |= 1ULL << (*slot & 63);
    key.id = program.place;
    key.is_place = 1;
    slot = bpf_map_lookup_elem(&slots, &key);
    if (slot)
        add->slots |= 1ULL << (*slot & 63);
    return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(rv_cgate_fork, struct task_struct *parent, struct task_struct *child)
{
    struct rv_cgate_process from, to;
    struct rv_cgate_ran *known;
    __u32 *risk, zero = 0;
    struct rv_cgate_control *c = bpf_map_lookup_elem(&control, &zero);

    if (!c || child->pid != child->tgid)
        return 0;
    id_of(parent, &from);
    id_of(child, &to);
    risk = bpf_map_lookup_elem(&risks, &from);
    if (risk && bpf_map_update_elem(&risks, &to, risk, BPF_ANY) != 0)
        __sync_fetch_and_add(&c->overflow, 1);
    known = bpf_map_lookup_elem(&ran, &from);
    if (known) {
        struct rv_cgate_ran copy = *known;

        remember(c, &to, &copy);
    }
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(rv_cgate_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    struct rv_cgate_ran add = { 0 };
    struct rv_cgate_process id;
    __u32 zero = 0;
    struct rv_cgate_control *c = bpf_map_lookup_elem(&control, &zero);

    if (!c)
        return 0;
    add_program(BPF_CORE_READ(bprm, file), c->lineage_kinds, &add);
    id_of(task, &id);
    remember(c, &id, &add);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(rv_cgate_exit, struct task_struct *task)
{
    struct rv_cgate_process id;

    if (BPF_CORE_READ(task, signal, live.counter) != 0)
        return 0;
    id_of(task, &id);
    (void)bpf_map_delete_elem(&ran, &id);
    (void)bpf_map_delete_elem(&risks, &id);
    (void)bpf_map_delete_elem(&exempt, &id);
    return 0;
}

struct seed_walk {
    const struct task_struct *at;
    __u64 kinds_wanted, forget;
    struct rv_cgate_ran add;
};

static long seed_step(__u32 level, void *context)
{
    struct seed_walk *walk = context;
    const struct task_struct *at = walk->at;
    struct rv_cgate_process id;
    struct rv_cgate_ran *known;

    (void)level;
    if (!at || BPF_CORE_READ(at, tgid) <= 0)
        return 1;
    add_program(BPF_CORE_READ(at, mm, exe_file), walk->kinds_wanted, &walk->add);
    id_of(at, &id);
    known = bpf_map_lookup_elem(&ran, &id);
    if (known) {
        walk->add.slots |= known->slots & ~walk->forget;
        walk->add.kinds |= known->kinds;
    }
    if (BPF_CORE_READ(at, tgid) == 1)
        return 1;
    walk->at = BPF_CORE_READ(at, real_parent);
    return 0;
}

struct bpf_iter__task {
    void *meta;
    struct task_struct *task;
};

/* Who runs already, when a set first names a program or a kind: what lives of its ancestry tells.
 */
SEC("iter/task")
int rv_cgate_seed(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct seed_walk walk = { 0 };
    struct rv_cgate_process id;
    struct rv_cgate_ran *known;
    __u32 zero = 0;
    struct rv_cgate_control *c = bpf_map_lookup_elem(&control, &zero);

    if (!task || !c || task->pid != task->tgid || (task->flags & PF_KTHREAD))
        return 0;
    id_of(task, &id);
    known = bpf_map_lookup_elem(&ran, &id);
    if (known && c->forget_slots)
        __sync_fetch_and_and(&known->slots, ~c->forget_slots);
    walk.at = task;
    walk.kinds_wanted = c->lineage_kinds;
    walk.forget = c->forget_slots;
    bpf_loop(ANCESTORS_MAX, seed_step, &walk, 0);
    remember(c, &id, &walk.add);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
