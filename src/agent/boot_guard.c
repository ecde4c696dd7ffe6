/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_guard.h"

#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define BOOT_ID_LEN 36
#define FILE_MAX    4096
#define MARKS_MAX   8

/* The file: a line a mark, "<boot id> <seconds since 1970>". What cannot be read is no mark. */

static bool is_boot_id(const char *text)
{
    return strlen(text) == BOOT_ID_LEN && strspn(text, "0123456789abcdef-") == BOOT_ID_LEN;
}

int rv_boot_guard_begin(int dir_fd, const char *boot_id, uint64_t unix_ns,
                        enum rv_boot_finding *ret_finding)
{
    RV_AUTO(rv_freep) char *old = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf marks = { 0 };
    unsigned others = 0, kept = 0;
    bool ours = false;
    size_t len;
    char *rest, *line;
    int r;

    if (!is_boot_id(boot_id))
        return -EINVAL;
    r = rv_read_file(dir_fd, RV_BOOT_GUARD_NAME, FILE_MAX, &old, &len);
    if (r < 0 && r != -ENOENT)
        return r;
    rest = old;
    while (r == 0 && kept < MARKS_MAX && (line = strsep(&rest, "\n"))) {
        char id[BOOT_ID_LEN + 1];
        uint64_t second;

        if (sscanf(line, "%36s %" SCNu64, id, &second) != 2 || !is_boot_id(id))
            continue;
        ours |= rv_streq(id, boot_id);
        others += !rv_streq(id, boot_id);
        kept++;
        rv_buf_addf(&marks, "%s %" PRIu64 "\n", id, second);
    }
    if (!ours && others < RV_BOOT_GUARD_UNCLEAN)
        rv_buf_addf(&marks, "%s %" PRIu64 "\n", boot_id, unix_ns / RV_NS_PER_S);
    if (marks.failed)
        return -ENOMEM;
    r = rv_write_file_atomic(dir_fd, RV_BOOT_GUARD_NAME, marks.data, marks.len, 0600);
    if (r < 0)
        return r;
    *ret_finding = others < RV_BOOT_GUARD_UNCLEAN ? RV_BOOT_ENFORCE : RV_BOOT_OBSERVE;
    return 0;
}

int rv_boot_guard_clear(int dir_fd)
{
    if (unlinkat(dir_fd, RV_BOOT_GUARD_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}
