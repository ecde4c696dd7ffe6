/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit prove: one entry's proof as a file that 'verify' checks with nothing but a key. */
#include "log.h"

#include "audit/proof.h"
#include "base/fd.h"

#include <fcntl.h>

static int make_proof(struct audit_log *log, uint64_t index, struct rv_buf *ret_bytes)
{
    struct rv_proof_file proof = { .index = index, .checkpoint = rv_buf_span(&log->note) };
    const struct rv_tree_head *head = &log->checkpoint.head;
    struct rv_sha256 leaf;
    struct rv_span entry;
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
    rv_proof_file_format(ret_bytes, &proof, entry);
    return ret_bytes->failed ? -ENOMEM : 0;
}

static bool log_entry_is_long(const struct rv_buf *proof_file)
{
    return !strstr(proof_file->data, "\nextra ");
}

static int prove(struct audit_log *log, uint64_t index, const char *output)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    char name[48];
    int r = make_proof(log, index, &bytes);

    if (r == -ENOENT)
        fprintf(stderr, "reeve: the log has %llu entries; there is no entry %llu\n",
                (unsigned long long)log->checkpoint.head.size, (unsigned long long)index);
    else if (r == -EBADMSG)
        fprintf(stderr,
                "reeve: entry %llu cannot be proven: the log was changed; run 'reeve audit "
                "verify'\n",
                (unsigned long long)index);
    if (r < 0)
        return r == -EBADMSG ? RV_EXIT_NO : RV_EXIT_ERROR;
    if (output && rv_streq(output, "-"))
        return fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len ? RV_EXIT_YES : RV_EXIT_ERROR;
    (void)snprintf(name, sizeof(name), "%llu.tlog-proof", (unsigned long long)index);
    output = output ? output : name;
    r = rv_write_file_atomic(AT_FDCWD, output, bytes.data, bytes.len, 0644);
    if (r < 0) {
        fprintf(stderr, "reeve: cannot write %s: %s\n", output, strerror(-r));
        return RV_EXIT_ERROR;
    }
    if (log_entry_is_long(&bytes))
        fprintf(stderr, "the entry is too long to be in it; give it to 'verify' with --entry\n");
    fprintf(stderr, "wrote %s; check it anywhere with 'reeve audit verify %s --key KEY.pub'\n",
            output, output);
    return RV_EXIT_YES;
}

int cmd_audit_prove(int argc, char **argv)
{
    struct rv_option_list key_paths = { 0 };
    const char *output = NULL;
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'o', "output", "FILE", "where to (N.tlog-proof); - is standard output",
          &output, 0, 0 },
        { RV_OPTION_LIST, 'k', "key", "KEY.pub", "also check the checkpoint's signature",
          &key_paths, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    RV_AUTO(audit_log_done) struct audit_log log = { 0 };
    int operands = 0, result = RV_EXIT_ERROR;
    struct audit_keys keys;
    uint64_t index = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("prove", "N [DIR|URL] [-o FILE]",
                   "Write a proof that entry N is in the log, with the entry", options);
        result = RV_EXIT_YES;
    } else if (audit_take_index(&operands, argv, &index) == 0 &&
               audit_load_keys(&keys, &key_paths) == 0 &&
               audit_log_open(&log, operands > 0 ? argv[1] : AUDIT_DEFAULT_LOG, &keys) == 0) {
        result = prove(&log, index, output);
    }
    free(key_paths.items);
    return result;
}
