/* SPDX-License-Identifier: Apache-2.0 */
/* What a process was, before it is killed: read from /proc, bounded, without secrets. */
#include "enforce/act.h"

#include "act/sockets.h"

#include "base/fd.h"
#include "base/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LIST_MAX     1024
#define ANCESTRY_MAX 64
#define FILE_MAX     ((size_t)4 << 20)

static void add_link(struct rv_buf *buf, pid_t pid, const char *name)
{
    char path[64], target[4096];
    ssize_t len;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    len = readlink(path, target, sizeof(target));
    rv_json_add_string(buf, rv_span(target, len > 0 ? (size_t)len : 0));
}

static void add_files(struct rv_buf *buf, pid_t pid)
{
    char path[64];
    struct dirent *entry;
    size_t n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    rv_buf_add_str(buf, ",\"files\":[");
    while (dir && n < LIST_MAX && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "fd/%.16s", entry->d_name);
        rv_buf_addf(buf, "%s{\"fd\":%ld,\"target\":", n++ ? "," : "",
                    strtol(entry->d_name, NULL, 10));
        add_link(buf, pid, path);
        rv_buf_add_char(buf, '}');
    }
    rv_buf_addf(buf, "],\"files_cut\":%s", n == LIST_MAX ? "true" : "false");
    if (dir)
        (void)closedir(dir);
}

/** The part of each record that may be shown; an empty span leaves the record out. */
typedef struct rv_span (*pick_fn)(struct rv_span record);

static struct rv_span pick_name(struct rv_span record)
{
    const uint8_t *end = record.len ? memchr(record.data, '=', record.len) : NULL;

    /* Without '=' it is no variable: a program may have put anything there. */
    return rv_span(record.data, end ? (size_t)(end - record.data) : 0);
}

static struct rv_span pick_mapped_file(struct rv_span record)
{
    const uint8_t *slash = record.len ? memchr(record.data, '/', record.len) : NULL;

    return slash ? rv_span(slash, (size_t)(record.data + record.len - slash)) : rv_span(NULL, 0);
}

static void add_list(struct rv_buf *buf, pid_t pid, const char *name, uint8_t separator,
                     pick_fn pick)
{
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_span last = { 0 };
    char path[64];
    size_t len = 0, n = 0, at = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    if (rv_read_file(AT_FDCWD, path, FILE_MAX, &text, &len) < 0)
        len = 0;
    rv_buf_addf(buf, ",\"%s\":[", name);
    while (at < len && n < LIST_MAX) {
        const char *end = memchr(text + at, separator, len - at);
        size_t size = end ? (size_t)(end - text) - at : len - at;
        struct rv_span item = pick(rv_span(text + at, size));

        at += size + 1;
        if (item.len == 0 || rv_span_eq(item, last))
            continue; /* a library is mapped several times in a row */
        if (n++)
            rv_buf_add_char(buf, ',');
        rv_json_add_string(buf, item);
        last = item;
    }
    rv_buf_addf(buf, "],\"%s_cut\":%s", name, at < len ? "true" : "false");
}

/* ---- Sockets ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/** The sockets among its files. @return how many are in `inodes`. */
static size_t list_sockets(pid_t pid, uint64_t inodes[LIST_MAX])
{
    char path[64], target[64];
    struct dirent *entry;
    size_t n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    while (dir && n < LIST_MAX && (entry = readdir(dir))) {
        unsigned long long inode;
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        target[len > 0 ? len : 0] = '\0';
        if (sscanf(target, "socket:[%llu]", &inode) == 1)
            inodes[n++] = inode;
    }
    if (dir)
        (void)closedir(dir);
    qsort(inodes, n, sizeof(*inodes), by_number);
    return n;
}

/** The tables are those of the process's own network namespace. */
static void add_sockets(struct rv_buf *buf, pid_t pid)
{
    static const struct {
        const char *name;
        enum rv_socket_table table;
    } tables[] = {
        { "tcp", RV_SOCKETS_TCP },       { "tcp6", RV_SOCKETS_TCP },    { "udp", RV_SOCKETS_UDP },
        { "udp6", RV_SOCKETS_UDP },      { "udplite", RV_SOCKETS_UDP }, { "raw", RV_SOCKETS_UDP },
        { "raw6", RV_SOCKETS_UDP },      { "icmp", RV_SOCKETS_UDP },    { "unix", RV_SOCKETS_UNIX },
        { "packet", RV_SOCKETS_PACKET },
    };
    RV_AUTO(rv_freep) uint64_t *inodes = calloc(LIST_MAX, sizeof(*inodes));
    const struct rv_socket_inodes wanted = { inodes, inodes ? list_sockets(pid, inodes) : 0 };
    size_t n = 0;

    rv_buf_add_str(buf, ",\"sockets\":[");
    for (size_t i = 0; i < RV_COUNT(tables) && wanted.count > 0; i++) {
        RV_AUTO(rv_freep) char *text = NULL;
        char path[64];
        size_t len;

        (void)snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, tables[i].name);
        if (rv_read_file(AT_FDCWD, path, FILE_MAX, &text, &len) == 0)
            rv_sockets_add(buf, text, tables[i].table, tables[i].name, &wanted, &n, LIST_MAX);
    }
    rv_buf_addf(buf, "],\"sockets_cut\":%s", wanted.count == LIST_MAX ? "true" : "false");
}

static pid_t parent_of(pid_t pid)
{
    RV_AUTO(rv_freep) char *text = NULL;
    char path[32];
    const char *line;
    size_t len;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    if (rv_read_file(AT_FDCWD, path, 8192, &text, &len) < 0)
        return 0;
    line = strstr(text, "\nPPid:");
    return line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
}

static void add_ancestry(struct rv_buf *buf, pid_t pid)
{
    rv_buf_add_str(buf, ",\"ancestry\":[");
    for (int depth = 0; depth < ANCESTRY_MAX && (pid = parent_of(pid)) > 0; depth++) {
        rv_buf_addf(buf, "%s{\"pid\":%d,\"program\":", depth ? "," : "", pid);
        add_link(buf, pid, "exe");
        rv_buf_add_char(buf, '}');
    }
    rv_buf_add_char(buf, ']');
}

int rv_act_snapshot(struct rv_process_key process, struct rv_buf *buf)
{
    struct rv_process_key now;
    pid_t pid = (pid_t)process.tgid;

    if (rv_process_key_of(pid, &now) < 0)
        return -ESRCH;
    rv_buf_addf(buf, "{\"pid\":%d,\"start_boot_ns\":%llu,\"program\":", pid,
                (unsigned long long)now.start_boot_ns);
    add_link(buf, pid, "exe");
    rv_buf_add_str(buf, ",\"folder\":");
    add_link(buf, pid, "cwd");
    add_ancestry(buf, pid);
    add_files(buf, pid);
    add_sockets(buf, pid);
    add_list(buf, pid, "maps", '\n', pick_mapped_file);
    add_list(buf, pid, "environ", '\0', pick_name);
    rv_buf_add_char(buf, '}');
    return buf->failed ? -ENOMEM : 0;
}
