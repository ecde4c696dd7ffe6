/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: Documentation/networking/proc_net_tcp.rst; unix and packet as their seq_show print. */
#include "act/sockets.h"

#include "base/json.h"

#include <arpa/inet.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

static const char *const states[] = {
    "none",      "established", "syn-sent",   "syn-received", "fin-wait-1", "fin-wait-2",
    "time-wait", "closed",      "close-wait", "last-ack",     "listen",     "closing",
};

static bool is_wanted(const struct rv_socket_inodes *wanted, uint64_t inode)
{
    size_t low = 0, high = wanted->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (wanted->inodes[middle] == inode)
            return true;
        if (wanted->inodes[middle] < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void begin(struct rv_buf *buf, const char *protocol, uint64_t inode, size_t *count)
{
    rv_buf_addf(buf, "%s{\"protocol\":\"%s\",\"inode\":%llu", (*count)++ ? "," : "", protocol,
                (unsigned long long)inode);
}

/** "0100007F:1F90", 8 or 32 digits: words of an address as the kernel holds them in memory. */
static bool add_address(struct rv_buf *buf, const char *name, const char *text)
{
    const size_t digits = strcspn(text, ":");
    uint32_t words[4] = { 0 };
    char shown[INET6_ADDRSTRLEN];
    unsigned port;

    if (digits != 8 && digits != 32)
        return false;
    for (size_t i = 0; i < digits / 8; i++) {
        char word[9] = "";

        memcpy(word, text + 8 * i, 8);
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    if (sscanf(text + digits, ":%4x", &port) != 1 ||
        !inet_ntop(digits == 8 ? AF_INET : AF_INET6, words, shown, sizeof(shown)))
        return false;
    rv_buf_addf(buf, digits == 8 ? ",\"%s\":\"%s:%u\"" : ",\"%s\":\"[%s]:%u\"", name, shown, port);
    return true;
}

static void add_internet(struct rv_buf *buf, const char *line, bool has_states,
                         const char *protocol, const struct rv_socket_inodes *wanted, size_t *count)
{
    char local[40], remote[40];
    unsigned long long inode;
    unsigned state;
    size_t len = buf->len, before = *count;

    if (sscanf(line, " %*u: %39s %39s %x %*s %*s %*s %*u %*u %llu", local, remote, &state,
               &inode) != 4 ||
        !is_wanted(wanted, inode))
        return;
    begin(buf, protocol, inode, count);
    if (!add_address(buf, "local", local) || !add_address(buf, "remote", remote)) {
        buf->len = len; /* as if it had never begun */
        *count = before;
        return;
    }
    if (has_states && state < RV_COUNT(states))
        rv_buf_addf(buf, ",\"state\":\"%s\"", states[state]);
    rv_buf_add_char(buf, '}');
}

/** A name is the rest of the line, and may hold anything but a newline. '@' begins an abstract one.
 */
static void add_unix(struct rv_buf *buf, const char *line, const struct rv_socket_inodes *wanted,
                     size_t *count)
{
    static const char *const connected[] = { "free", "unconnected", "connecting", "connected",
                                             "disconnecting" };
    unsigned long long inode;
    unsigned flags, state;
    int at = 0;

    if (sscanf(line, "%*x: %*x %*x %x %*x %x %llu%n", &flags, &state, &inode, &at) != 3 ||
        !is_wanted(wanted, inode))
        return;
    begin(buf, "unix", inode, count);
    if (line[at] == ' ') {
        rv_buf_add_str(buf, ",\"local\":");
        rv_json_add_string(buf, rv_span(line + at + 1, strlen(line + at + 1)));
    }
    rv_buf_addf(buf, ",\"state\":\"%s\"}",
                flags & 0x10000               ? "listen"
                : state < RV_COUNT(connected) ? connected[state]
                                              : "unknown");
}

static void add_packet(struct rv_buf *buf, const char *line, const struct rv_socket_inodes *wanted,
                       size_t *count)
{
    unsigned long long inode;
    unsigned protocol;

    if (sscanf(line, "%*x %*d %*d %x %*d %*d %*u %*u %llu", &protocol, &inode) != 2 ||
        !is_wanted(wanted, inode))
        return;
    begin(buf, "packet", inode, count);
    rv_buf_addf(buf, ",\"local\":\"ethertype 0x%04x\"}", protocol & 0xffff);
}

void rv_sockets_add(struct rv_buf *buf, const char *text, enum rv_socket_table table,
                    const char *protocol, const struct rv_socket_inodes *wanted, size_t *count,
                    size_t max)
{
    while (*text && *count < max) {
        size_t len = strcspn(text, "\n");
        char line[LINE_MAX_BYTES];

        if (len < sizeof(line)) {
            memcpy(line, text, len);
            line[len] = '\0';
            if (table == RV_SOCKETS_UNIX)
                add_unix(buf, line, wanted, count);
            else if (table == RV_SOCKETS_PACKET)
                add_packet(buf, line, wanted, count);
            else
                add_internet(buf, line, table == RV_SOCKETS_TCP, protocol, wanted, count);
        }
        text += len + (text[len] == '\n');
    }
}
