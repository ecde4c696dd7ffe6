/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit export: a time range of a log as a folder that needs nothing else to be checked. */
#include "export.h"

#include "audit/entry.h"
#include "audit/proof.h"
#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST       "export.json"
#define PROOF_FILE_MAX ((size_t)256 * 1024)

static const char readme[] =
    "An excerpt of a transparency log (C2SP tlog-tiles), made by 'reeve audit export'.\n"
    "\n"
    "  entries/N                what the log holds at index N, byte for byte\n"
    "  proofs/N.tlog-proof      that it is there (c2sp.org/tlog-proof)\n"
    "  checkpoint               the signed state of the log that all proofs lead to\n"
    "  key.pub                  the key(s) it was checked with; compare with the one you trust\n"
    "  export.json              the range: every index in it has an entry and a proof\n"
    "\n"
    "Check it, offline, with the key you trust:  reeve audit verify FOLDER --key KEY.pub\n"
    "or with any tool that reads tlog-proof files.\n";

struct range {
    uint64_t from, to;           /* indexes */
    uint64_t since_us, until_us; /* 0: no bound */
};

static void entry_path(char path[64], const char *folder, uint64_t index, const char *suffix)
{
    (void)snprintf(path, 64, "%s/%012llu%s", folder, (unsigned long long)index, suffix);
}

/* ---- Writing ---- */

/** A new file; not synced one by one: an export that a crash cut short is made again. */
static int write_new(int folder_fd, const char *path, struct rv_span bytes)
{
    RV_AUTO(rv_closep)
    int fd = openat(folder_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

    return fd < 0 ? -errno : rv_write_all(fd, bytes.data, bytes.len);
}

static uint64_t time_of(struct rv_span entry, uint64_t index)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;

    return rv_entry_read(entry, index, &object) == RV_ENTRY_OTHER ? 0 : rv_entry_time_us(object);
}

/**
 * From the first entry at or after `since` to the last before `until`, with all between: what has
 * no time of its own, or a clock that jumped, is not left out.
 */
static int find_range(struct audit_log *log, struct range *range)
{
    uint64_t size = log->checkpoint.head.size, first = size, end = 0;

    range->from = 0;
    range->to = size;
    if (range->since_us == 0 && range->until_us == 0)
        return 0;
    for (uint64_t index = 0; index < size; index++) {
        struct rv_span entry;
        uint64_t time_us;
        int r = rv_tiles_entry(log->tiles, index, &entry);

        if (r < 0)
            return r;
        time_us = time_of(entry, index);
        if (time_us == 0 || time_us < range->since_us ||
            (range->until_us > 0 && time_us >= range->until_us))
            continue;
        first = rv_min_u64(first, index);
        end = index + 1;
    }
    range->from = rv_min_u64(first, end);
    range->to = end;
    return 0;
}

static int export_entry(struct audit_log *log, int folder_fd, uint64_t index)
{
    struct rv_proof_file proof = { .index = index, .checkpoint = rv_buf_span(&log->note) };
    const struct rv_tree_head *head = &log->checkpoint.head;
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct rv_sha256 leaf;
    struct rv_span entry;
    char path[64];
    int r = rv_tiles_prove_inclusion(log->tiles, index, head->size, &proof.inclusion);

    if (r == 0)
        r = rv_tiles_entry(log->tiles, index, &entry);
    if (r < 0)
        return r;
    proof.has_extra = entry.len <= RV_PROOF_EXTRA_MAX;
    leaf = rv_tree_leaf(NULL, entry);
    if (rv_proof_check_inclusion(&proof.inclusion, index, &leaf, head->size, &head->root) !=
        RV_PROOF_RIGHT)
        return -EBADMSG;
    rv_proof_file_format(&bytes, &proof, entry);
    if (bytes.failed)
        return -ENOMEM;
    entry_path(path, "entries", index, "");
    r = write_new(folder_fd, path, entry);
    entry_path(path, "proofs", index, ".tlog-proof");
    return r < 0 ? r : write_new(folder_fd, path, rv_buf_span(&bytes));
}

static int export_keys(const struct audit_keys *keys, int folder_fd)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    for (size_t i = 0; i < keys->count; i++) {
        rv_note_key_format(&text, &keys->keys[i]);
        rv_buf_add_char(&text, '\n');
    }
    return text.failed ? -ENOMEM
                       : rv_write_file_atomic(folder_fd, "key.pub", text.data, text.len, 0644);
}

static int export_manifest(const struct audit_log *log, const struct range *range, int folder_fd)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    char root[RV_SHA256_HEX_LEN + 1];
    int r;

    rv_sha256_hex(&log->checkpoint.head.root, root);
    object = json_pack("{ss ss sI sI sI sI sI}", "origin", log->checkpoint.origin, "root", root,
                       "size", (json_int_t)log->checkpoint.head.size, "from",
                       (json_int_t)range->from, "to", (json_int_t)range->to, "since_us",
                       (json_int_t)range->since_us, "until_us", (json_int_t)range->until_us);
    r = object ? rv_json_canonical(&text, object) : -ENOMEM;
    rv_buf_add_char(&text, '\n');
    if (r < 0 || text.failed)
        return r < 0 ? r : -ENOMEM;
    return rv_write_file_atomic(folder_fd, MANIFEST, text.data, text.len, 0644);
}

static int make_folder(const char *output, int *ret_fd)
{
    RV_AUTO(rv_closep) int fd = -1;

    if (mkdir(output, 0755) < 0) {
        fprintf(stderr, "reeve: cannot make %s: %s; name a folder that does not exist\n", output,
                strerror(errno));
        return -errno;
    }
    fd = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || mkdirat(fd, "entries", 0755) < 0 || mkdirat(fd, "proofs", 0755) < 0)
        return -errno;
    *ret_fd = rv_take_fd(&fd);
    return 0;
}

static int export_range(struct audit_log *log, const struct audit_keys *keys, struct range *range,
                        const char *output)
{
    RV_AUTO(rv_closep) int fd = -1;
    int r = find_range(log, range);

    if (r == 0)
        r = make_folder(output, &fd);
    for (uint64_t index = range->from; r == 0 && index < range->to; index++)
        r = export_entry(log, fd, index);
    if (r == 0)
        r = rv_write_file_atomic(fd, RV_CHECKPOINT_PATH, log->note.data, log->note.len, 0644);
    if (r == 0)
        r = export_keys(keys, fd);
    if (r == 0)
        r = rv_write_file_atomic(fd, "README", readme, sizeof(readme) - 1, 0644);
    return r == 0 ? export_manifest(log, range, fd) : r; /* last: without it, it is no export */
}

/* ---- Checking ---- */

bool audit_export_is(const char *folder)
{
    RV_AUTO(rv_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && faccessat(fd, MANIFEST, F_OK, 0) == 0;
}

static int read_manifest(int fd, struct range *ret_range)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;
    int r = rv_read_file(fd, MANIFEST, 4096, &text, &len);

    if (r == 0)
        r = rv_json_parse(rv_span(text, len), &object, NULL);
    if (r < 0)
        return r;
    if (!json_is_integer(json_object_get(object, "from")) ||
        !json_is_integer(json_object_get(object, "to")))
        return -EBADMSG;
    ret_range->from = (uint64_t)json_integer_value(json_object_get(object, "from"));
    ret_range->to = (uint64_t)json_integer_value(json_object_get(object, "to"));
    return ret_range->from <= ret_range->to && ret_range->to <= INT64_MAX ? 0 : -EBADMSG;
}

static int read_whole(int fd, const char *path, size_t len_max, struct rv_buf *ret_bytes)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len = 0;
    int r = rv_read_file(fd, path, len_max, &bytes, &len);

    rv_buf_clear(ret_bytes);
    if (r == 0)
        rv_buf_add(ret_bytes, bytes, len);
    return r < 0 ? r : ret_bytes->failed ? -ENOMEM : 0;
}

/** NULL: right; else what is wrong with entry `index`. */
static const char *check_entry(int fd, uint64_t index, struct rv_span checkpoint,
                               const struct audit_keys *keys)
{
    RV_AUTO(rv_buf_done) struct rv_buf entry = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf extra = { 0 };
    enum rv_proof_finding finding = RV_PROOF_WRONG;
    enum rv_note_finding note = RV_NOTE_UNSIGNED;
    struct rv_checkpoint head;
    struct rv_proof_file proof;
    char path[64];

    entry_path(path, "entries", index, "");
    if (read_whole(fd, path, RV_AUDIT_ENTRY_MAX, &entry) < 0)
        return "the entry is missing";
    entry_path(path, "proofs", index, ".tlog-proof");
    if (read_whole(fd, path, PROOF_FILE_MAX, &bytes) < 0)
        return "the proof is missing";
    if (rv_proof_file_parse(&proof, &extra, rv_buf_span(&bytes)) < 0)
        return "the proof is malformed";
    if (proof.index != index)
        return "the proof is another entry's";
    if (!rv_span_eq(proof.checkpoint, checkpoint))
        return "the proof leads to another checkpoint";
    if (proof.has_extra && !rv_span_eq(rv_buf_span(&extra), rv_buf_span(&entry)))
        return "the proof holds another entry";
    if (rv_proof_file_check(&proof, rv_buf_span(&entry), keys->keys, keys->count, &note, &finding,
                            &head) < 0 ||
        note != RV_NOTE_GOOD)
        return "the checkpoint is not signed by the given key";
    return finding == RV_PROOF_RIGHT ? NULL : "the proof does not lead from it to the root";
}

int audit_export_verify(const char *folder, const struct audit_keys *keys)
{
    RV_AUTO(rv_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    RV_AUTO(rv_buf_done) struct rv_buf checkpoint = { 0 };
    struct range range = { 0 };

    if (fd < 0) {
        fprintf(stderr, "reeve: cannot open %s: %s\n", folder, strerror(errno));
        return RV_EXIT_ERROR;
    }
    if (read_manifest(fd, &range) < 0 ||
        read_whole(fd, RV_CHECKPOINT_PATH, RV_NOTE_LEN_MAX, &checkpoint) < 0) {
        printf("NOT VERIFIED: %s has no readable " MANIFEST " and checkpoint\n", folder);
        return RV_EXIT_NO;
    }
    for (uint64_t index = range.from; index < range.to; index++) {
        const char *problem = check_entry(fd, index, rv_buf_span(&checkpoint), keys);

        if (problem) {
            printf("NOT VERIFIED: entry %llu: %s\n", (unsigned long long)index, problem);
            return RV_EXIT_NO;
        }
    }
    printf("verified: entries %llu to %llu (%llu), each proven\n", (unsigned long long)range.from,
           (unsigned long long)range.to - (range.to > range.from),
           (unsigned long long)(range.to - range.from));
    return RV_EXIT_YES;
}

/* ---- The command ---- */

static int export_log(const char *where, const struct audit_keys *keys, struct range *range,
                      const char *output)
{
    RV_AUTO(audit_log_done) struct audit_log log = { 0 };
    int r = audit_log_open(&log, where, keys);

    if (r < 0)
        return r == -EKEYREJECTED ? RV_EXIT_NO : RV_EXIT_ERROR;
    r = export_range(&log, keys, range, output);
    if (r == -EBADMSG)
        fprintf(stderr, "reeve: the log was changed; nothing was exported. Run 'reeve audit "
                        "verify'\n");
    else if (r < 0)
        fprintf(stderr, "reeve: cannot export to %s: %s\n", output, strerror(-r));
    else
        printf("exported entries %llu up to %llu to %s\n", (unsigned long long)range->from,
               (unsigned long long)range->to, output);
    return r == -EBADMSG ? RV_EXIT_NO : r < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

int cmd_audit_export(int argc, char **argv)
{
    const char *output = NULL, *since = NULL, *until = NULL;
    struct rv_option_list key_paths = { 0 };
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_LIST, 'k', "key", "KEY.pub", "public key of the log; it goes into the folder",
          &key_paths, 0, 0 },
        { RV_OPTION_STRING, 'o', "output", "FOLDER", "a folder to make", &output, 0, 0 },
        { RV_OPTION_STRING, 's', "since", "TIME", "from the first entry at or after this time on",
          &since, 0, 0 },
        { RV_OPTION_STRING, 'u', "until", "TIME", "to the last entry before this time", &until, 0,
          0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands = 0, result = RV_EXIT_ERROR;
    struct range range = { 0 };
    struct audit_keys keys;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("export", "[DIR|URL] --key KEY.pub -o FOLDER [--since TIME] [--until TIME]",
                   "Write the entries of a time range, each with its proof, into a folder",
                   options);
        result = RV_EXIT_YES;
    } else if (key_paths.count == 0 || !output) {
        fprintf(stderr, "reeve: say --key KEY.pub and -o FOLDER; 'reeve audit export --help'\n");
    } else if (audit_load_keys(&keys, &key_paths) == 0 &&
               (!since || audit_parse_time(&range.since_us, since) == 0) &&
               (!until || audit_parse_time(&range.until_us, until) == 0)) {
        result = export_log(operands > 0 ? argv[1] : AUDIT_DEFAULT_LOG, &keys, &range, output);
    }
    free(key_paths.items);
    return result;
}
