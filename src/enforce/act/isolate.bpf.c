/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Isolation of a cgroup: nothing is sent, received, connected or bound. Attached: isolated. */
#include "kernel.h"

SEC("cgroup_skb/egress")
int rv_egress(void *ctx)
{
    return 0;
}

SEC("cgroup_skb/ingress")
int rv_ingress(void *ctx)
{
    return 0;
}

SEC("cgroup/connect4")
int rv_connect4(void *ctx)
{
    return 0;
}

SEC("cgroup/connect6")
int rv_connect6(void *ctx)
{
    return 0;
}

SEC("cgroup/sendmsg4")
int rv_sendmsg4(void *ctx)
{
    return 0;
}

SEC("cgroup/sendmsg6")
int rv_sendmsg6(void *ctx)
{
    return 0;
}

SEC("cgroup/bind4")
int rv_bind4(void *ctx)
{
    return 0;
}

SEC("cgroup/bind6")
int rv_bind6(void *ctx)
{
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
