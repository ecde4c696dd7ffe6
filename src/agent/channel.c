/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

static int send_packet(int fd, enum rv_channel_type type, struct rv_span payload, int flags)
{
    struct rv_channel_head head = { .type = (uint32_t)type, .len = (uint32_t)payload.len };
    struct iovec parts[2] = {
        { &head, sizeof(head) },
        { (void *)(uintptr_t)payload.data, payload.len },
    };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = payload.len ? 2 : 1 };
    ssize_t n;

    if (payload.len > RV_CHANNEL_PAYLOAD_MAX)
        return -EMSGSIZE;
    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL | flags);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int rv_channel_send(int fd, enum rv_channel_type type, struct rv_span payload)
{
    return send_packet(fd, type, payload, 0);
}

int rv_channel_try(int fd, enum rv_channel_type type, struct rv_span payload)
{
    return send_packet(fd, type, payload, MSG_DONTWAIT);
}

int rv_channel_receive(int fd, void *buffer, enum rv_channel_type *ret_type,
                       struct rv_span *ret_payload)
{
    struct rv_channel_head head = { 0 };
    struct iovec parts[2] = { { &head, sizeof(head) }, { buffer, RV_CHANNEL_PAYLOAD_MAX } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t n;

    do {
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        return -EPIPE;
    if ((size_t)n < sizeof(head) || (message.msg_flags & MSG_TRUNC) ||
        head.len != (size_t)n - sizeof(head) || head.type == RV_CHANNEL_NONE ||
        head.type >= RV_CHANNEL_TYPE_COUNT_)
        return -EBADMSG;
    *ret_type = (enum rv_channel_type)head.type;
    *ret_payload = rv_span(buffer, head.len);
    return 0;
}
