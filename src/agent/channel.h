/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/channel.h  What guard and judge say to each other, over one SOCK_SEQPACKET pair.
 * A packet is a head and a payload of at most RV_CHANNEL_PAYLOAD_MAX bytes; a packet of any other
 * shape ends the peer. The guard trusts nothing in it: every request is looked up in its table.
 */
#pragma once

#include "base/bytes.h"

#define RV_CHANNEL_PAYLOAD_MAX ((size_t)16 * 1024)

enum rv_channel_type {
    RV_CHANNEL_NONE = 0,
    /* guard to judge */
    RV_CHANNEL_SENSORS,   /* payload: struct rv_sensors_fds; first of all, descriptors RV_JUDGE_FD_*
                           */
    RV_CHANNEL_EVENT,     /* payload: one event (found in /proc, a gap, a loss) */
    RV_CHANNEL_SCAN_DONE, /* every process that was running has been reported */
    RV_CHANNEL_STOP,      /* finish, answer by leaving */
    /* judge to guard */
    RV_CHANNEL_READY,  /* rings are being read */
    RV_CHANNEL_RESCAN, /* events were lost: report the running processes again */
    RV_CHANNEL_ROOT,   /* payload: uint32_t process id; it may see files under another root: watch
                          them */
    RV_CHANNEL_TYPE_COUNT_,
};

struct rv_channel_head {
    uint32_t type; /* enum rv_channel_type */
    uint32_t len;  /* bytes of payload */
};

/** @return 0; -EAGAIN when a non-blocking peer is full; -EPIPE when it is gone. */
RV_MUST_CHECK int rv_channel_send(int fd, enum rv_channel_type type, struct rv_span payload);

/**
 * Receive one packet.
 * @param buffer      8-byte aligned, RV_CHANNEL_PAYLOAD_MAX bytes: the payload.
 * @param ret_payload points into `buffer`.
 * @return 0; -EAGAIN; -EPIPE at the end; -EBADMSG for a malformed packet.
 */
RV_MUST_CHECK int rv_channel_receive(int fd, void *buffer, enum rv_channel_type *ret_type,
                                     struct rv_span *ret_payload);
