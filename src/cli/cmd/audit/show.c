/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit show: one entry, and on request the verdict it records computed again. */
#include "log.h"

#include "audit/entry.h"
#include "recompute.h"

/** @param out where the comparison is told. */
static int recompute(uint64_t index, struct rv_span entry, const char *model, FILE *out)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf report = { 0 };
    enum audit_recompute finding = AUDIT_RECOMPUTE_UNKNOWN;
    const struct audit_recomputer *recomputer;
    int r;

    if (rv_entry_read(entry, index, &object) != RV_ENTRY_GOOD) {
        fprintf(stderr, "reeve: entry %llu records no decision; nothing can be computed again\n",
                (unsigned long long)index);
        return RV_EXIT_ERROR;
    }
    recomputer = audit_recomputer_for(rv_entry_type(object));
    if (!recomputer) {
        fprintf(stderr,
                "reeve: an entry of type %s records no verdict that could be computed "
                "again\n",
                rv_entry_type(object));
        return RV_EXIT_ERROR;
    }
    r = recomputer->recompute(object, model, &report, &finding);
    if (report.len > 0)
        fprintf(out, "%s", report.data);
    if (r < 0)
        fprintf(stderr, "reeve: cannot compute entry %llu again: %s\n", (unsigned long long)index,
                strerror(-r));
    if (r < 0 || finding == AUDIT_RECOMPUTE_UNKNOWN)
        return RV_EXIT_ERROR;
    return finding == AUDIT_RECOMPUTE_SAME ? RV_EXIT_YES : RV_EXIT_NO;
}

/** Is the entry under the checkpoint's root? A tile changed on disk must not be shown as fact. */
static int check_included(struct audit_log *log, uint64_t index, const struct rv_sha256 *leaf)
{
    const struct rv_tree_head *head = &log->checkpoint.head;
    struct rv_proof proof;
    int r = rv_tiles_prove_inclusion(log->tiles, index, head->size, &proof);

    if (r < 0)
        return r;
    return rv_proof_check_inclusion(&proof, index, leaf, head->size, &head->root) == RV_PROOF_RIGHT
               ? 0
               : -EBADMSG;
}

static int show(struct audit_log *log, uint64_t index, enum audit_style style, const char *model,
                bool again)
{
    RV_AUTO(rv_buf_done) struct rv_buf copy = { 0 };
    struct rv_sha256 leaf;
    struct rv_span entry;
    int r = rv_tiles_entry(log->tiles, index, &entry);

    if (r == 0) {
        rv_buf_add(&copy, entry.data, entry.len);
        entry = rv_buf_span(&copy);
        leaf = rv_tree_leaf(NULL, entry);
        r = copy.failed ? -ENOMEM : check_included(log, index, &leaf);
    }
    if (r == -ENOENT && index >= log->checkpoint.head.size)
        fprintf(stderr, "reeve: the log has %llu entries; there is no entry %llu\n",
                (unsigned long long)log->checkpoint.head.size, (unsigned long long)index);
    else if (r == -EBADMSG || r == -ENOENT)
        fprintf(stderr,
                "reeve: entry %llu is not what the checkpoint signed; run 'reeve audit "
                "verify'\n",
                (unsigned long long)index);
    else if (r < 0)
        fprintf(stderr, "reeve: cannot read entry %llu: %s\n", (unsigned long long)index,
                strerror(-r));
    if (r < 0)
        return r == -EBADMSG ? RV_EXIT_NO : RV_EXIT_ERROR;
    audit_print_entry(index, entry, style);
    /* Whoever reads JSON from standard output finds nothing else there. */
    return again ? recompute(index, entry, model, style == AUDIT_JSON ? stderr : stdout)
                 : RV_EXIT_YES;
}

int cmd_audit_show(int argc, char **argv)
{
    bool help = false, json = false, again = false;
    struct rv_option_list key_paths = { 0 };
    const char *model = NULL;
    const struct rv_option options[] = {
        { RV_OPTION_LIST, 'k', "key", "KEY.pub", "also check the checkpoint's signature",
          &key_paths, 0, 0 },
        { RV_OPTION_FLAG, 'r', "recompute", NULL, "compute the recorded verdict again and compare",
          &again, 0, 0 },
        { RV_OPTION_STRING, 'm', "model", "FILE", "the model package to compute with", &model, 0,
          0 },
        { RV_OPTION_FLAG, 'j', "json", NULL, "print JSON", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    RV_AUTO(audit_log_done) struct audit_log log = { 0 };
    struct audit_keys keys;
    int operands = 0, result = RV_EXIT_ERROR;
    uint64_t index = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("show", "N [DIR|URL] [--recompute [--model FILE]]", "Print entry N", options);
        result = RV_EXIT_YES;
    } else if (audit_take_index(&operands, argv, &index) == 0 &&
               audit_load_keys(&keys, &key_paths) == 0 &&
               audit_log_open(&log, operands > 0 ? argv[1] : AUDIT_DEFAULT_LOG, &keys) == 0) {
        result = show(&log, index, json ? AUDIT_JSON : AUDIT_PLAIN, model, again);
    }
    free(key_paths.items);
    return result;
}
