/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_guard.h"

#include "base/bytes.h"
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

struct marks {
    struct rv_buf lines; /* those that can be read, as they stand */
    unsigned others;     /* of other boots */
    bool ours;
};

static void marks_done(struct marks *marks)
{
    rv_buf_done(&marks->lines);
}

static int read_marks(int dir_fd, const char *boot_id, struct marks *ret_marks)
{
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len;
    char *rest, *line;
    int r;

    if (!is_boot_id(boot_id))
        return -EINVAL;
    r = rv_read_file(dir_fd, RV_BOOT_GUARD_NAME, FILE_MAX, &text, &len);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    rest = text;
    for (unsigned kept = 0; kept < MARKS_MAX && (line = strsep(&rest, "\n"));) {
        char id[BOOT_ID_LEN + 1];
        uint64_t second;

        if (sscanf(line, "%36s %" SCNu64, id, &second) != 2 || !is_boot_id(id))
            continue;
        ret_marks->ours |= rv_streq(id, boot_id);
        ret_marks->others += !rv_streq(id, boot_id);
        rv_buf_addf(&ret_marks->lines, "%s %" PRIu64 "\n", id, second);
        kept++;
    }
    return ret_marks->lines.failed ? -ENOMEM : 0;
}

int rv_boot_guard_look(int dir_fd, const char *boot_id, enum rv_boot_finding *ret_finding)
{
    RV_AUTO(marks_done) struct marks marks = { 0 };
    int r = read_marks(dir_fd, boot_id, &marks);

    if (r == 0)
        *ret_finding = marks.others < RV_BOOT_GUARD_UNCLEAN ? RV_BOOT_ENFORCE : RV_BOOT_OBSERVE;
    return r;
}

int rv_boot_guard_mark(int dir_fd, const char *boot_id, uint64_t unix_ns)
{
    RV_AUTO(marks_done) struct marks marks = { 0 };
    int r = read_marks(dir_fd, boot_id, &marks);

    if (r < 0 || marks.ours)
        return r;
    rv_buf_addf(&marks.lines, "%s %" PRIu64 "\n", boot_id, unix_ns / RV_NS_PER_S);
    return marks.lines.failed ? -ENOMEM
                              : rv_write_file_atomic(dir_fd, RV_BOOT_GUARD_NAME, marks.lines.data,
                                                     marks.lines.len, 0600);
}

int rv_boot_guard_clear(int dir_fd)
{
    if (unlinkat(dir_fd, RV_BOOT_GUARD_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}
