/* SPDX-License-Identifier: Apache-2.0 */
#include "programs.h"

#define FILE_EVENTS    "file.open file.rename file.unlink file.link file.attr file.truncate"
#define TYPE(constant) (UINT64_C(1) << RV_EVENT_##constant)

const struct rv_program rv_programs[] = {
    { "rv_process_fork", RV_SENSOR_PROCESS, RV_ATTACH_TRACE, true, "tp_btf/sched_process_fork",
      "process.fork", "one run a fork" },
    { "rv_process_exec", RV_SENSOR_PROCESS, RV_ATTACH_TRACE, true, "tp_btf/sched_process_exec",
      "process.exec process.cred namespace", "one run an exec" },
    { "rv_process_exit", RV_SENSOR_PROCESS, RV_ATTACH_TRACE, true, "tp_btf/sched_process_exit",
      "process.exit", "one run a thread's end" },
    { "rv_file_set", RV_SENSOR_FILE, RV_ATTACH_TRACE, true, "tp_btf/inode_set_ctime_to_ts",
      FILE_EVENTS, "one run a change of a file or directory" },
    { "rv_file_swap", RV_SENSOR_FILE, RV_ATTACH_TRACE, true, "tp_btf/ctime_ns_xchg", FILE_EVENTS,
      "one run a change of a file or directory, at most one a clock tick for repeated writes" },
    { "rv_file_skip", RV_SENSOR_FILE, RV_ATTACH_TRACE, true, "tp_btf/ctime_xchg_skip", FILE_EVENTS,
      "one run a change within the clock tick of another" },
    { "rv_net_connect4", RV_SENSOR_NET, RV_ATTACH_CGROUP, true, "cgroup/connect4", "net.connect",
      "one run a connect" },
    { "rv_net_connect6", RV_SENSOR_NET, RV_ATTACH_CGROUP, true, "cgroup/connect6", "net.connect",
      "one run a connect" },
    { "rv_net_bind4", RV_SENSOR_NET, RV_ATTACH_CGROUP, false, "cgroup/bind4", "net.bind",
      "one run a bind" },
    { "rv_net_bind6", RV_SENSOR_NET, RV_ATTACH_CGROUP, false, "cgroup/bind6", "net.bind",
      "one run a bind" },
    { "rv_net_sendmsg4", RV_SENSOR_NET, RV_ATTACH_CGROUP, false, "cgroup/sendmsg4", "net.connect",
      "one run a datagram of an unconnected socket" },
    { "rv_net_sendmsg6", RV_SENSOR_NET, RV_ATTACH_CGROUP, false, "cgroup/sendmsg6", "net.connect",
      "one run a datagram of an unconnected socket" },
    { "rv_net_state", RV_SENSOR_NET, RV_ATTACH_TRACE, false, "tp_btf/inet_sock_set_state",
      "net.listen net.accept", "some six runs a TCP connection" },
    { "rv_memory_lock", RV_SENSOR_MEMORY, RV_ATTACH_TRACE, true, "tp_btf/mmap_lock_start_locking",
      "memory.exec process.ptrace", "one run a change of an address space" },
    { "rv_memory_wait", RV_SENSOR_MEMORY, RV_ATTACH_TRACE, false, "tp_btf/sched_process_wait",
      "process.ptrace", "one run a wait for a child" },
    { "rv_signal_generate", RV_SENSOR_SIGNAL, RV_ATTACH_TRACE, true, "tp_btf/signal_generate",
      "process.signal tamper", "one run a signal" },
    { "rv_kernel_capable", RV_SENSOR_KERNEL, RV_ATTACH_TRACE, true, "tp_btf/cap_capable",
      "kernel.bpf kernel.module kernel.kexec mount tamper", "one run a question for a capability" },
    { "rv_deep_enter", RV_SENSOR_DEEP, RV_ATTACH_DEEP, true, "tp_btf/sys_enter", "syscalls",
      "only while a scope asks: then every system call of the host takes the slow path" },
    { "rv_witness_open", RV_SENSOR_DEEP, RV_ATTACH_DEEP, false, "lsm/file_open", "process.race",
      "only while a scope asks: one run an open" },
    { "rv_witness_exec", RV_SENSOR_DEEP, RV_ATTACH_DEEP, false, "lsm/bprm_check_security",
      "process.race", "only while a scope asks: one run an exec" },
    { "rv_witness_connect", RV_SENSOR_DEEP, RV_ATTACH_DEEP, false, "lsm/socket_connect",
      "process.race", "only while a scope asks: one run a connect" },
    { "rv_lsm_file_open", RV_SENSOR_FILE, RV_ATTACH_LSM, true, "lsm/file_open", "file.open",
      "one run an open, reads included" },
    { "rv_lsm_mkdir", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_mkdir", "file.open",
      "one run a call" },
    { "rv_lsm_mknod", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_mknod", "file.open",
      "one run a call" },
    { "rv_lsm_unlink", RV_SENSOR_FILE, RV_ATTACH_LSM, true, "lsm/path_unlink", "file.unlink",
      "one run a call" },
    { "rv_lsm_rmdir", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_rmdir", "file.unlink",
      "one run a call" },
    { "rv_lsm_rename", RV_SENSOR_FILE, RV_ATTACH_LSM, true, "lsm/path_rename", "file.rename",
      "one run a call" },
    { "rv_lsm_link", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_link", "file.link",
      "one run a call" },
    { "rv_lsm_symlink", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_symlink", "file.link",
      "one run a call" },
    { "rv_lsm_chmod", RV_SENSOR_FILE, RV_ATTACH_LSM, true, "lsm/path_chmod", "file.attr",
      "one run a call" },
    { "rv_lsm_chown", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_chown", "file.attr",
      "one run a call" },
    { "rv_lsm_truncate", RV_SENSOR_FILE, RV_ATTACH_LSM, false, "lsm/path_truncate", "file.truncate",
      "one run a call" },
    { "rv_lsm_bpf", RV_SENSOR_KERNEL, RV_ATTACH_LSM, true, "lsm/bpf", "kernel.bpf tamper",
      "one run a call" },
    { "rv_lsm_read_file", RV_SENSOR_KERNEL, RV_ATTACH_LSM, false, "lsm/kernel_read_file",
      "kernel.module kernel.kexec", "one run a call" },
    { "rv_lsm_mount", RV_SENSOR_KERNEL, RV_ATTACH_LSM, false, "lsm/sb_mount", "mount",
      "one run a call" },
    { "rv_guard_put", RV_SENSOR_READ, RV_ATTACH_NONE, true, "syscall", "file.open",
      "one run an event of the guard's own" },
    { "rv_scan_task", RV_SENSOR_PROCESS, RV_ATTACH_NONE, false, "iter.s/task", "process.exec",
      "runs only while the guard scans" },
    { "rv_scan_remember", RV_SENSOR_READ, RV_ATTACH_NONE, false, "iter/task", "",
      "runs only when the guard met a process that it does not know" },
};
const size_t rv_bpf_program_count = RV_COUNT(rv_programs);

const struct rv_program *rv_program_by_name(const char *name)
{
    for (size_t i = 0; i < RV_COUNT(rv_programs); i++) {
        if (rv_streq(rv_programs[i].name, name))
            return &rv_programs[i];
    }
    return NULL;
}

static const struct rv_sensor_info infos[RV_SENSOR_COUNT_] = {
    [RV_SENSOR_PROCESS] = { "process", "programs started and ended",
                            TYPE(PROCESS_FORK) | TYPE(PROCESS_EXEC) | TYPE(PROCESS_EXIT) },
    [RV_SENSOR_CRED] = { "cred", "credentials and namespaces changed, capabilities used",
                         TYPE(PROCESS_CRED) | TYPE(NAMESPACE) },
    [RV_SENSOR_FILE] = { "file", "files created, changed, renamed, removed",
                         TYPE(FILE_OPEN) | TYPE(FILE_RENAME) | TYPE(FILE_UNLINK) | TYPE(FILE_LINK) |
                             TYPE(FILE_ATTR) | TYPE(FILE_TRUNCATE) },
    [RV_SENSOR_READ] = { "read", "files opened that the policy names", TYPE(FILE_OPEN) },
    [RV_SENSOR_NET] = { "net", "sockets connected, bound, listening, accepted",
                        TYPE(NET_CONNECT) | TYPE(NET_ACCEPT) | TYPE(NET_BIND) | TYPE(NET_LISTEN) },
    [RV_SENSOR_MEMORY] = { "memory", "memory made executable, memory of others touched",
                           TYPE(MEMORY_EXEC) | TYPE(PROCESS_PTRACE) },
    [RV_SENSOR_SIGNAL] = { "signal", "signals across process trees", TYPE(PROCESS_SIGNAL) },
    [RV_SENSOR_KERNEL] = { "kernel", "modules, BPF, kexec, mounts, tampering",
                           TYPE(KERNEL_MODULE) | TYPE(KERNEL_BPF) | TYPE(KERNEL_KEXEC) |
                               TYPE(MOUNT) },
    [RV_SENSOR_DEEP] = { "deep", "system calls of chosen scopes, in order", TYPE(PROCESS_RACE) },
};

const struct rv_sensor_info *rv_sensor_info(enum rv_sensor sensor)
{
    return (unsigned)sensor < RV_SENSOR_COUNT_ ? &infos[sensor] : NULL;
}
