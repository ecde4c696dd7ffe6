/* SPDX-License-Identifier: Apache-2.0 */
/** @file act/sockets.h  The tables of /proc/PID/net, as JSON of the sockets that a process holds.
 */
#pragma once

#include "base/bytes.h"

/** Numbers of the sockets that are asked for, sorted. */
struct rv_socket_inodes {
    uint64_t *inodes;
    size_t count;
};

enum rv_socket_table { RV_SOCKETS_TCP, RV_SOCKETS_UDP, RV_SOCKETS_UNIX, RV_SOCKETS_PACKET };

/**
 * Append an object for each line of a table whose socket is asked for, with commas before all but
 * the first of the whole list. Lines that are not as the kernel writes them are passed over.
 * @param protocol "tcp", "tcp6", ... as it is named in the record.
 * @param count    of objects so far; at most `max` are written.
 */
void rv_sockets_add(struct rv_buf *buf, const char *text, enum rv_socket_table table,
                    const char *protocol, const struct rv_socket_inodes *wanted, size_t *count,
                    size_t max);
