// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * signal: signals that one process sends to another outside its own tree, and any to the agent.
 * Hook: signal_generate (tp_btf), one run a signal. What the kernel itself sends (SIGCHLD, SIGSEGV,
 * timers) is left out. Ending, stopping or tracing the agent is a tamper event in the urgent ring.
 */
#include "bpf/identity.h"

#define ANCESTORS_LOOKED_AT 16
#define SI_USER             0 /* kill(2); tkill and sigqueue are negative, the kernel's positive */
#define SIGCHLD_            17
#define SIGCONT_            18
#define SIGWINCH_           28
#define OBJECT_PROCESS      4U

/** Whether `task` descends from `ancestor`. */
static __always_inline bool descends(const struct task_struct *task, __u32 ancestor)
{
    for (int i = 0; i < ANCESTORS_LOOKED_AT; i++) {
        __u32 tgid = (__u32)BPF_CORE_READ(task, tgid);

        if (tgid == ancestor)
            return true;
        if (tgid <= 1)
            return false;
        task = BPF_CORE_READ(task, real_parent);
    }
    return false;
}

static __noinline int send_tamper(struct task_struct *task, __u32 target, int signal)
{
    struct rv_scratch *scratch = RV_BEGIN(RV_SCRATCH_TASK, TAMPER, tamper, task);
    struct rv_event_tamper *event;
    static const char object[] = "agent process";

    if (!scratch)
        return 0;
    event = RV_BODY(scratch, tamper);
    event->kind = OBJECT_PROCESS;
    event->id = target;
    event->command = (__u32)signal;
    rv_put_kernel(scratch, &event->object, object, sizeof(object) - 1, RV_EVENT_NAME_MAX,
                  sizeof(object) - 1);
    rv_send(scratch, RV_RING_URGENT);
    return 0;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(rv_signal_generate, int signal, struct kernel_siginfo *info,
             struct task_struct *target)
{
    struct task_struct *task = bpf_get_current_task_btf();
    __u32 from = (__u32)task->tgid, to = (__u32)target->tgid;
    struct rv_event_process_signal *event;
    struct rv_scratch *scratch;

    /* 0, 1 and 2 stand for "from a process", "from the kernel" and "forced" (SEND_SIG_*). */
    if ((__u64)info == 1 || (__u64)info == 2)
        return 0;
    if ((__u64)info > 2 && BPF_CORE_READ(info, si_code) > SI_USER)
        return 0;
    if (signal == SIGCHLD_ || signal == SIGCONT_ || signal == SIGWINCH_ || from == to)
        return 0;
    if (rv_is_own(task))
        return 0;
    if (rv_is_own(target) && !(task->flags & PF_KTHREAD))
        return send_tamper(task, to, signal);
    if (!rv_watched(task) || descends(target, from))
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, PROCESS_SIGNAL, process_signal, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, process_signal);
    event->target_start_boot_ns = BPF_CORE_READ(target, group_leader, start_boottime);
    event->target_tgid = to;
    event->signal = signal;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}
