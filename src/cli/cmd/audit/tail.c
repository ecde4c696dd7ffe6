/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit tail: the last entries, and on request those to come. */
#include "log.h"

#include <unistd.h>

static int print_range(struct audit_log *log, uint64_t from, uint64_t to, enum audit_style style)
{
    for (uint64_t index = from; index < to; index++) {
        struct rv_span entry;
        int r = rv_tiles_entry(log->tiles, index, &entry);

        if (r < 0) {
            fprintf(stderr, "reeve: cannot read entry %llu: %s\n", (unsigned long long)index,
                    strerror(-r));
            return r;
        }
        audit_print_entry(index, entry, style);
    }
    return fflush(stdout) == 0 ? 0 : -errno;
}

static int follow(const char *where, const struct audit_keys *keys, uint64_t next,
                  enum audit_style style)
{
    for (;;) {
        RV_AUTO(audit_log_done) struct audit_log log = { 0 };
        int r;

        (void)sleep(1);
        r = audit_log_open(&log, where, keys);
        if (r == 0)
            r = print_range(&log, next, log.checkpoint.head.size, style);
        if (r < 0)
            return RV_EXIT_ERROR;
        next = rv_max_u64(next, log.checkpoint.head.size);
    }
}

static int tail(const char *where, const struct audit_keys *keys, uint64_t lines, bool onwards,
                enum audit_style style)
{
    RV_AUTO(audit_log_done) struct audit_log log = { 0 };
    uint64_t size;

    if (audit_log_open(&log, where, keys) < 0)
        return RV_EXIT_ERROR;
    size = log.checkpoint.head.size;
    if (print_range(&log, size - rv_min_u64(size, lines), size, style) < 0)
        return RV_EXIT_ERROR;
    return onwards ? follow(where, keys, size, style) : RV_EXIT_YES;
}

int cmd_audit_tail(int argc, char **argv)
{
    bool help = false, json = false, onwards = false;
    struct rv_option_list key_paths = { 0 };
    uint64_t lines = 10;
    const struct rv_option options[] = {
        { RV_OPTION_U64, 'n', "lines", "COUNT", "how many of the last entries (10)", &lines, 0, 0 },
        { RV_OPTION_FLAG, 'f', "follow", NULL, "go on with what is published from now on", &onwards,
          0, 0 },
        { RV_OPTION_LIST, 'k', "key", "KEY.pub", "also check each checkpoint's signature",
          &key_paths, 0, 0 },
        { RV_OPTION_FLAG, 'j', "json", NULL, "print JSON, an entry a line", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands = 0, result = RV_EXIT_ERROR;
    struct audit_keys keys;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("tail", "[DIR|URL] [-n COUNT] [--follow]", "Print the last entries of a log",
                   options);
        result = RV_EXIT_YES;
    } else if (audit_load_keys(&keys, &key_paths) == 0) {
        result = tail(operands > 0 ? argv[1] : AUDIT_DEFAULT_LOG, &keys, lines, onwards,
                      json ? AUDIT_JSON : AUDIT_PLAIN);
    }
    free(key_paths.items);
    return result;
}
