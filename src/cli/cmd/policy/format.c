/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy format: policies on tidy lines, in place. */
#include "load.h"

#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

/** Replace what `path` leads to; a link to it stays a link. */
static int replace(const char *path, const struct rv_buf *buf)
{
    char target[PATH_MAX];
    struct stat status;

    if (!realpath(path, target) || stat(target, &status) < 0)
        return -errno;
    return rv_write_file_atomic(AT_FDCWD, target, buf->data, buf->len, status.st_mode & 07777);
}

static int put_out(const struct rv_buf *buf)
{
    return fwrite(buf->data, 1, buf->len, stdout) == buf->len && fflush(stdout) == 0 ? 0 : -EIO;
}

/** @param ret_changes whether the text was not tidy. */
static int format_file(const char *path, bool check, bool *ret_changes)
{
    bool standard = rv_streq(path, "-");
    const char *name = standard ? "standard input" : path;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;
    int r = policy_read_text(standard ? "/dev/stdin" : path, &text, &len);

    if (r < 0)
        return r;
    r = rv_policy_format(&buf, name, rv_span(text, len), &diags);
    policy_show(&diags);
    if (r == 0) {
        *ret_changes = !rv_span_eq(rv_buf_span(&buf), rv_span(text, len));
        if (check && *ret_changes)
            printf("%s\n", name);
        else if (!check && standard)
            r = put_out(&buf);
        else if (!check && *ret_changes)
            r = replace(path, &buf);
    }
    if (r < 0)
        fprintf(stderr, "reeve: %s cannot be formatted%s%s\n", name, diags.errors > 0 ? "" : ": ",
                diags.errors > 0 ? "" : strerror(-r));
    return r;
}

int cmd_policy_format(int argc, char **argv)
{
    bool help = false, check = false, failed = false, untidy = false;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "check", NULL, "write nothing, name the files that would change",
          &check, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("format", "FILE...",
                    "Put policies in human syntax on tidy lines, in place; `-` is standard input "
                    "to standard output",
                    options);
        return RV_EXIT_YES;
    }
    if (operands < 1) {
        fprintf(stderr, "reeve: name the .cedar files to format, or - for standard input\n");
        return RV_EXIT_ERROR;
    }
    for (int i = 1; i <= operands; i++) {
        bool changes = false;

        failed |= format_file(argv[i], check, &changes) < 0;
        untidy |= changes;
    }
    if (failed)
        return RV_EXIT_ERROR;
    return check && untidy ? RV_EXIT_NO : RV_EXIT_YES;
}
