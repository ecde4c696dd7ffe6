/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "audit/entry.h"
#include "audit/http.h"
#include "base/encode.h"
#include "base/fd.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

void audit_help(const char *verb, const char *operands, const char *summary,
                const struct rv_option *options)
{
    printf("usage: reeve audit %s %s\n\n%s.\n\n", verb, operands, summary);
    rv_options_help(options, stdout);
}

/* ---- Keys ---- */

static int add_keys(struct audit_keys *keys, const char *path, struct rv_span text)
{
    struct rv_span line;

    while (text.len > 0) {
        if (rv_line_take(&text, &line) < 0) {
            line = text;
            text.len = 0;
        }
        if (line.len == 0 || line.data[0] == '#')
            continue;
        if (keys->count == AUDIT_KEYS_MAX ||
            rv_note_key_parse(&keys->keys[keys->count], line) < 0) {
            fprintf(stderr,
                    "reeve: %s holds no public key of the form name+hash+base64; give the .pub "
                    "file that 'reeve audit keygen' wrote\n",
                    path);
            return -EINVAL;
        }
        keys->count++;
    }
    return 0;
}

int audit_load_keys(struct audit_keys *ret_keys, const struct rv_option_list *paths)
{
    ret_keys->count = 0;
    for (size_t i = 0; i < paths->count; i++) {
        RV_AUTO(rv_freep) char *text = NULL;
        size_t len = 0;
        int r = rv_read_file(AT_FDCWD, paths->items[i], 16 * 1024, &text, &len);

        if (r < 0) {
            fprintf(stderr, "reeve: cannot read the key %s: %s\n", paths->items[i], strerror(-r));
            return r;
        }
        r = add_keys(ret_keys, paths->items[i], rv_span(text, len));
        if (r < 0)
            return r;
    }
    return 0;
}

int audit_load_policy(struct rv_log_policy **ret_policy, const char *path)
{
    RV_AUTO(rv_freep) char *text = NULL;
    unsigned line = 0;
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, path, RV_POLICY_LEN_MAX, &text, &len);

    if (r == 0)
        r = rv_log_policy_parse(ret_policy, rv_span(text, len), &line);
    if (r == -EBADMSG)
        fprintf(stderr, "reeve: %s:%u: not what a tlog-policy says there\n", path, line);
    else if (r < 0)
        fprintf(stderr, "reeve: cannot use the policy %s: %s\n", path, strerror(-r));
    return r;
}

/* ---- Logs ---- */

static bool is_url(const char *where)
{
    return strncmp(where, "http://", 7) == 0 || strncmp(where, "https://", 8) == 0;
}

int audit_open_source(struct rv_source *ret_source, const char *where)
{
    RV_AUTO(rv_closep) int fd = -1;
    int r;

    if (is_url(where)) {
        r = rv_source_http(ret_source, where);
    } else {
        fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? -errno : rv_source_dir(ret_source, fd);
    }
    if (r < 0)
        fprintf(stderr, "reeve: cannot open the log %s: %s\n", where, strerror(-r));
    return r;
}

static int open_checkpoint(struct audit_log *log, const char *where, const struct audit_keys *keys)
{
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    int r = rv_source_read(&log->source, RV_CHECKPOINT_PATH, RV_NOTE_LEN_MAX, &log->note);

    if (r < 0) {
        fprintf(stderr, "reeve: cannot read the checkpoint of %s: %s\n", where, strerror(-r));
        return r;
    }
    r = rv_checkpoint_open(&log->checkpoint, &finding, rv_buf_span(&log->note), keys->keys,
                           keys->count);
    if (r < 0) {
        fprintf(stderr,
                "reeve: the checkpoint of %s is malformed; 'reeve audit verify' says more\n",
                where);
        return r;
    }
    if (keys->count > 0 && finding != RV_NOTE_GOOD) {
        fprintf(stderr, "reeve: the checkpoint of %s is not signed by the given key\n", where);
        return -EKEYREJECTED;
    }
    return 0;
}

int audit_log_open(struct audit_log *ret_log, const char *where, const struct audit_keys *keys)
{
    RV_AUTO(audit_log_done) struct audit_log log = { 0 };
    int r = audit_open_source(&log.source, where);

    if (r == 0)
        r = open_checkpoint(&log, where, keys);
    if (r == 0)
        r = rv_tiles_borrow(&log.tiles, &log.source, log.checkpoint.head.size);
    if (r < 0)
        return r;
    *ret_log = log;
    /* The tiles hold a copy of the source, which stays the log's. */
    log = (struct audit_log){ 0 };
    return 0;
}

void audit_log_done(struct audit_log *log)
{
    rv_tiles_free(&log->tiles);
    rv_source_done(&log->source);
    rv_buf_done(&log->note);
}

/* ---- Operands ---- */

int audit_take_index(int *operands, char **argv, uint64_t *ret_index)
{
    for (int i = 1; i <= *operands; i++) {
        if (rv_size_parse(ret_index, rv_span_str(argv[i])) < 0)
            continue;
        for (int k = i; k < *operands; k++)
            argv[k] = argv[k + 1];
        --*operands;
        return 0;
    }
    fprintf(stderr, "reeve: which entry? give its number, such as 'reeve audit show 17'\n");
    return -EINVAL;
}

void audit_format_time(char text[32], uint64_t unix_us)
{
    time_t seconds = (time_t)(unix_us / 1000000);
    struct tm utc;

    if (!gmtime_r(&seconds, &utc) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        memcpy(text, "?", 2);
}

int audit_parse_time(uint64_t *ret_unix_us, const char *text)
{
    static const char *const formats[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%s" };

    for (size_t i = 0; i < RV_COUNT(formats); i++) {
        struct tm utc = { 0 };
        const char *end = strptime(text, formats[i], &utc);

        if (!end || *end)
            continue;
        *ret_unix_us =
            (uint64_t)(rv_streq(formats[i], "%s") ? strtoll(text, NULL, 10) : timegm(&utc)) *
            1000000;
        return 0;
    }
    fprintf(stderr, "reeve: '%s' is no time; write 2026-11-22T04:00:00Z, 2026-11-22 or seconds\n",
            text);
    return -EINVAL;
}

/* ---- Printing ---- */

/** Text as it stands; what could move a terminal's cursor as \xHH. */
static void print_escaped(struct rv_span bytes)
{
    for (size_t i = 0; i < bytes.len;) {
        size_t len = rv_utf8_sequence(bytes.data + i, bytes.len - i);
        uint8_t c = bytes.data[i];

        if (len == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && bytes.data[i + 1] < 0xa0)) {
            printf("\\x%02x", c);
            len = 1;
        } else {
            (void)fwrite(bytes.data + i, 1, len, stdout);
        }
        i += len;
    }
}

static void print_json(uint64_t index, struct rv_span entry, bool is_json)
{
    RV_AUTO(rv_buf_done) struct rv_buf line = { 0 };

    rv_buf_addf(&line, "{\"index\":%llu,", (unsigned long long)index);
    if (is_json) {
        rv_buf_add_str(&line, "\"entry\":");
        rv_buf_add(&line, entry.data, entry.len);
    } else {
        rv_buf_add_str(&line, "\"base64\":\"");
        rv_base64_add(&line, entry);
        rv_buf_add_char(&line, '"');
    }
    rv_buf_add_str(&line, "}\n");
    if (line.data)
        (void)fwrite(line.data, 1, line.len, stdout);
}

void audit_print_entry(uint64_t index, struct rv_span entry, enum audit_style style)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    enum rv_entry_finding finding = rv_entry_read(entry, index, &object);
    char time_text[32];

    if (style == AUDIT_JSON) {
        print_json(index, entry, finding != RV_ENTRY_OTHER);
        return;
    }
    printf("%llu ", (unsigned long long)index);
    if (finding != RV_ENTRY_OTHER) {
        audit_format_time(time_text, rv_entry_time_us(object));
        printf("%s %s ", time_text, rv_entry_type(object));
    }
    print_escaped(entry);
    printf("\n");
}
