/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to somebody who listens. */
#include "attempts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in to_loopback(uint32_t address)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(PORT),
                                 .sin_addr.s_addr = htonl(address) };
}

static int connect_by(int type, uint32_t to)
{
    struct sockaddr_in address = to_loopback(to);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    return rv_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int by_tcp(void)
{
    return connect_by(SOCK_STREAM, INADDR_LOOPBACK);
}

static int by_udp(void)
{
    return connect_by(SOCK_DGRAM, INADDR_LOOPBACK);
}

static int by_no_address(void)
{
    return connect_by(SOCK_STREAM, INADDR_ANY);
}

static int by_mapped(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    return rv_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int by_sendto(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return rv_result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

static int by_mapped_sendto(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    return rv_result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

/** A peer of no family, which UDP takes for one of IPv4. */
static int by_no_family(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_family = AF_UNSPEC;
    return rv_result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

/** An address without its last member, as RFC 2133 had it: 24 bytes. */
static int by_short_address(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    return rv_result(connect(fd, (struct sockaddr *)&address, 24));
}

static int by_no_mapped_address(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET6, "::ffff:0.0.0.0", &address.sin6_addr);
    return rv_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int by_sendmmsg(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    struct iovec data = { (char *)"x", 1 };
    struct mmsghdr message = { .msg_hdr = { .msg_name = &address,
                                            .msg_namelen = sizeof(address),
                                            .msg_iov = &data,
                                            .msg_iovlen = 1 } };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return rv_result(sendmmsg(fd, &message, 1, 0));
}

/** A first segment with the SYN: no connect(2) at all. */
static int by_fast_open(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return rv_result(
        sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof(address)));
}

static int by_uring_connect(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return rv_uring(&(struct io_uring_sqe){ .opcode = IORING_OP_CONNECT,
                                            .fd = fd,
                                            .addr = (uint64_t)(uintptr_t)&address,
                                            .off = sizeof(address) });
}

static int by_uring_send(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    struct iovec data = { (char *)"x", 1 };
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &data, .msg_iovlen = 1
    };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = rv_uring(&(struct io_uring_sqe){
        .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uint64_t)(uintptr_t)&message, .len = 1 });

    return r < 0 ? r : 0;
}

/* socketcall(2) of 32-bit programs: connect is its third. */
static int by_32_bit_call(void)
{
#ifdef __x86_64__
    char *low =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(low + 64);
    uint32_t *args = (uint32_t *)(void *)low;
    long r = 102;

    *address = to_loopback(INADDR_LOOPBACK);
    args[0] = (uint32_t)socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    args[1] = (uint32_t)(uintptr_t)address;
    args[2] = sizeof(*address);
    __asm__ volatile("int $0x80"
                     : "+a"(r)
                     : "b"(3L), "c"(args)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)r;
#else
    return -ENOTSUP;
#endif
}

static struct sockaddr_in racing;
static volatile bool racing_ends;

static void *flip(void *context)
{
    (void)context;
    while (!racing_ends) {
        racing.sin_addr.s_addr = htonl(0x0a000001);
        racing.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sched_yield();
    }
    return NULL;
}

static int by_racing_memory(void)
{
    pthread_t thread;
    int r = -EACCES;

    racing = to_loopback(INADDR_LOOPBACK);
    if (pthread_create(&thread, NULL, flip, NULL) != 0)
        return -EAGAIN;
    for (int i = 0; r != 0 && i < 500; i++) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in peer = { 0 };
        socklen_t len = sizeof(peer);

        if (connect(fd, (struct sockaddr *)&racing, sizeof(racing)) == 0 &&
            getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
            ntohl(peer.sin_addr.s_addr) == INADDR_LOOPBACK)
            r = 0;
        close(fd);
        if (i % 16 == 0)
            sched_yield();
    }
    racing_ends = true;
    (void)pthread_join(thread, NULL);
    return r;
}

/** An IPv4 header of our own; whom it is for is said twice. */
static int by_raw_socket(void)
{
    struct sockaddr_in address = to_loopback(INADDR_LOOPBACK);
    struct {
        struct iphdr ip;
        struct udphdr udp;
        char data;
    } packet = { .ip = { .version = 4,
                         .ihl = 5,
                         .ttl = 64,
                         .protocol = IPPROTO_UDP,
                         .saddr = htonl(INADDR_LOOPBACK),
                         .daddr = htonl(INADDR_LOOPBACK) },
                 .udp = { .dest = htons(PORT), .len = htons(9) } };
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

    if (fd < 0)
        return -errno;
    return rv_result(
        sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&address, sizeof(address)));
}

/** A whole frame onto the loopback: no address that a hook could see. */
static int by_packet_socket(void)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(0x0800),
                                   .sll_ifindex = (int)if_nametoindex("lo"),
                                   .sll_halen = 6 };
    char frame[64] = { 0x45 };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(0x0800));

    if (fd < 0)
        return -errno;
    return rv_result(
        sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&address, sizeof(address)));
}

static int by_raw_tcp(void)
{
    return rv_result(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int by_raw_ipv6(void)
{
    return rv_result(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
}

/* ---- Unix sockets ---- */

static int connect_unix(const char *path, int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return rv_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int unix_by_name(void)
{
    return connect_unix(UNIX_SOCKET, SOCK_STREAM);
}

static int unix_by_symlink(void)
{
    (void)unlink(GROUND "/soft-socket");
    return symlink(UNIX_SOCKET, GROUND "/soft-socket") < 0
               ? -ENOTSUP
               : connect_unix(GROUND "/soft-socket", SOCK_STREAM);
}

static int unix_by_link(void)
{
    (void)unlink(GROUND "/hard-socket");
    return link(UNIX_SOCKET, GROUND "/hard-socket") < 0
               ? -ENOTSUP
               : connect_unix(GROUND "/hard-socket", SOCK_STREAM);
}

static int unix_by_bind_mount(void)
{
    (void)mkdir(GROUND "/bound", 0700);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(BOX, GROUND "/bound", NULL, MS_BIND, NULL) < 0)
        return -ENOTSUP;
    return connect_unix(GROUND "/bound/socket", SOCK_STREAM);
}

static int unix_by_relative_name(void)
{
    return chdir(BOX) < 0 ? -errno : connect_unix("socket", SOCK_STREAM);
}

static int unix_by_uring(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = UNIX_SOCKET };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return rv_uring(&(struct io_uring_sqe){ .opcode = IORING_OP_CONNECT,
                                            .fd = fd,
                                            .addr = (uint64_t)(uintptr_t)&address,
                                            .off = sizeof(address) });
}

static int unix_by_abstract_name(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0" UNIX_HIDDEN };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return rv_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int unix_by_datagram(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = UNIX_DGRAM };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return rv_result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

const struct rv_way rv_ways_network[] = {
    { "connect: TCP", RV_AIM_CONNECT, by_tcp },
    { "connect: UDP", RV_AIM_CONNECT, by_udp },
    { "connect: 0.0.0.0, which is 127.0.0.1", RV_AIM_CONNECT, by_no_address },
    { "connect: IPv4-mapped IPv6", RV_AIM_CONNECT, by_mapped },
    { "connect: ::ffff:0.0.0.0", RV_AIM_CONNECT, by_no_mapped_address },
    { "connect: an IPv6 address of 24 bytes", RV_AIM_CONNECT, by_short_address },
    { "connect: UDP sendto", RV_AIM_CONNECT, by_sendto },
    { "connect: UDP sendto, no family", RV_AIM_CONNECT, by_no_family },
    { "connect: UDP sendto, IPv4-mapped", RV_AIM_CONNECT, by_mapped_sendto },
    { "connect: sendmmsg", RV_AIM_CONNECT, by_sendmmsg },
    { "connect: TCP fast open", RV_AIM_CONNECT, by_fast_open },
    { "connect: io_uring connect", RV_AIM_CONNECT, by_uring_connect },
    { "connect: io_uring sendmsg", RV_AIM_CONNECT, by_uring_send },
    { "connect: 32-bit socketcall", RV_AIM_CONNECT, by_32_bit_call },
    { "connect: an address that another thread changes", RV_AIM_CONNECT, by_racing_memory },
    { "connect: raw socket", RV_AIM_CONNECT, by_raw_socket },
    { "connect: packet socket", RV_AIM_CONNECT, by_packet_socket },
    { "raw: raw socket", RV_AIM_RAW, by_raw_socket },
    { "raw: raw TCP", RV_AIM_RAW, by_raw_tcp },
    { "raw: raw IPv6", RV_AIM_RAW, by_raw_ipv6 },
    { "raw: packet socket", RV_AIM_RAW, by_packet_socket },
    { "unix: by its name", RV_AIM_UNIX, unix_by_name },
    { "unix: symbolic link", RV_AIM_UNIX, unix_by_symlink },
    { "unix: hard link", RV_AIM_UNIX, unix_by_link },
    { "unix: bind mount", RV_AIM_UNIX, unix_by_bind_mount },
    { "unix: relative name", RV_AIM_UNIX, unix_by_relative_name },
    { "unix: io_uring connect", RV_AIM_UNIX, unix_by_uring },
    { "unix: the same daemon's abstract name", RV_AIM_UNIX, unix_by_abstract_name },
    { "unix, any: by its name", RV_AIM_UNIX_ALL, unix_by_name },
    { "unix, any: abstract name", RV_AIM_UNIX_ALL, unix_by_abstract_name },
    { "unix, any: datagram", RV_AIM_UNIX_ALL, unix_by_datagram },
};
const size_t rv_ways_network_count = RV_COUNT(rv_ways_network);
