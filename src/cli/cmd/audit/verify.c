/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit verify: a log, a proof file or an exported folder, with nothing trusted but keys. */
#include "log.h"

#include "audit/proof.h"
#include "audit/verify.h"
#include "audit/witness.h"
#include "base/clock.h"
#include "base/fd.h"
#include "export.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PROOF_FILE_MAX ((size_t)256 * 1024)

struct question {
    const char *what; /* DIR, URL or FILE */
    struct audit_keys keys;
    const char *older_path, *entry_path, *policy_path;
    bool population;
    enum audit_style style;
};

static void print_head(const struct rv_checkpoint *checkpoint)
{
    char root[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&checkpoint->head.root, root);
    printf("%llu entries, root %s, signed by %s\n", (unsigned long long)checkpoint->head.size, root,
           checkpoint->origin);
}

static int load_older(const struct question *question, struct rv_checkpoint *ret_older)
{
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, question->older_path, RV_NOTE_LEN_MAX, &bytes, &len);

    if (r == 0)
        r = rv_checkpoint_open(ret_older, &finding, rv_span(bytes, len), question->keys.keys,
                               question->keys.count);
    if (r < 0) {
        fprintf(stderr, "reeve: cannot use the earlier checkpoint %s: %s\n", question->older_path,
                r == -EBADMSG ? "it is not a checkpoint" : strerror(-r));
        return r;
    }
    if (finding != RV_NOTE_GOOD) {
        fprintf(stderr, "reeve: the earlier checkpoint %s is not signed by the given key\n",
                question->older_path);
        return -EKEYREJECTED;
    }
    return 0;
}

/* ---- The quorum of witnesses ---- */

/** @return an enum rv_exit; says why not. */
static int check_quorum(const struct question *question, struct rv_span note)
{
    RV_AUTO(rv_log_policy_free) struct rv_log_policy *policy = NULL;
    enum rv_quorum quorum = RV_QUORUM_MISSING;
    struct rv_clock clock = rv_clock_system();
    struct rv_checkpoint checkpoint;

    if (!question->policy_path)
        return RV_EXIT_YES;
    if (audit_load_policy(&policy, question->policy_path) < 0 ||
        rv_log_policy_judge(policy, note, question->keys.keys, question->keys.count,
                            clock.unix_ns(clock.context) / RV_NS_PER_S, &quorum, &checkpoint) < 0)
        return RV_EXIT_ERROR;
    if (quorum == RV_QUORUM_REACHED)
        return RV_EXIT_YES;
    printf("NOT VERIFIED: too few witnesses cosigned the checkpoint\n");
    return RV_EXIT_NO;
}

/* ---- A log ---- */

static void print_report(const struct rv_verify_report *report, enum audit_style style)
{
    char root[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&report->checkpoint.head.root, root);
    if (style == AUDIT_JSON) {
        json_t *object = json_pack("{sb ss sI ss}", "verified", report->finding == RV_VERIFY_RIGHT,
                                   "origin", report->checkpoint.origin, "size",
                                   (json_int_t)report->checkpoint.head.size, "root", root);

        if (report->finding != RV_VERIFY_RIGHT)
            (void)json_object_set_new(object, "what", json_string(report->what));
        if (report->entry_known)
            (void)json_object_set_new(object, "entry", json_integer((json_int_t)report->entry));
        (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_SORT_KEYS);
        printf("\n");
        json_decref(object);
    } else if (report->finding == RV_VERIFY_RIGHT) {
        printf("verified: ");
        print_head(&report->checkpoint);
    } else if (!report->entry_known) {
        printf("NOT VERIFIED: %s\n", report->what);
    } else if (report->entry_end == report->entry + 1) {
        printf("NOT VERIFIED: entry %llu: %s\n", (unsigned long long)report->entry, report->what);
    } else {
        printf("NOT VERIFIED: entry %llu (or one up to %llu): %s\n",
               (unsigned long long)report->entry, (unsigned long long)report->entry_end - 1,
               report->what);
    }
}

static void print_population(const struct rv_population *population)
{
    char first[32], last[32];

    audit_format_time(first, population->first_time_us);
    audit_format_time(last, population->last_time_us);
    printf("population: %llu entries", (unsigned long long)population->entries);
    if (population->first_time_us > 0)
        printf(", %s to %s", first, last);
    printf("; %llu summaries agree\n", (unsigned long long)population->summaries);
    for (size_t i = 0; i < population->type_count; i++)
        printf("%12llu %s\n", (unsigned long long)population->types[i].count,
               population->types[i].type);
    if (population->other > 0)
        printf("%12llu of no type\n", (unsigned long long)population->other);
    if (population->finding != RV_VERIFY_RIGHT)
        printf("NOT VERIFIED: entry %llu: %s\n", (unsigned long long)population->entry,
               population->what);
}

static int verify_population(const struct rv_source *source, const struct rv_tree_head *head)
{
    RV_AUTO(rv_freep) struct rv_population *population = calloc(1, sizeof(*population));
    int r = population ? rv_verify_population(source, head, population) : -ENOMEM;

    if (r < 0) {
        fprintf(stderr, "reeve: cannot count the entries: %s\n", strerror(-r));
        return RV_EXIT_ERROR;
    }
    print_population(population);
    return population->finding == RV_VERIFY_RIGHT ? RV_EXIT_YES : RV_EXIT_NO;
}

static int verify_quorum_of(const struct question *question, const struct rv_source *source)
{
    RV_AUTO(rv_buf_done) struct rv_buf note = { 0 };

    if (!question->policy_path)
        return RV_EXIT_YES;
    if (rv_source_read(source, RV_CHECKPOINT_PATH, RV_NOTE_LEN_MAX, &note) < 0)
        return RV_EXIT_ERROR;
    return check_quorum(question, rv_buf_span(&note));
}

static int verify_log(const struct question *question)
{
    struct rv_verify_request request = { .keys = question->keys.keys,
                                         .key_count = question->keys.count };
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    struct rv_verify_report report;
    struct rv_checkpoint older;
    int r;

    if (question->older_path) {
        r = load_older(question, &older);
        if (r < 0)
            return r == -EKEYREJECTED ? RV_EXIT_NO : RV_EXIT_ERROR;
        request.older = &older.head;
    }
    if (audit_open_source(&source, question->what) < 0)
        return RV_EXIT_ERROR;
    r = rv_verify_log(&source, &request, &report);
    if (r < 0) {
        fprintf(stderr, "reeve: cannot read the log %s: %s\n", question->what, strerror(-r));
        return RV_EXIT_ERROR;
    }
    print_report(&report, question->style);
    if (report.finding != RV_VERIFY_RIGHT)
        return RV_EXIT_NO;
    r = verify_quorum_of(question, &source);
    if (r != RV_EXIT_YES || !question->population)
        return r;
    return verify_population(&source, &report.checkpoint.head);
}

/* ---- A proof file ---- */

static int load_entry(const struct question *question, const struct rv_proof_file *proof,
                      struct rv_buf *extra)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len = 0;
    int r;

    if (!question->entry_path) {
        if (proof->has_extra)
            return 0;
        fprintf(stderr, "reeve: the proof does not hold the entry itself; give it with --entry\n");
        return -EINVAL;
    }
    r = rv_read_file(AT_FDCWD, question->entry_path, RV_AUDIT_ENTRY_MAX, &bytes, &len);
    if (r < 0) {
        fprintf(stderr, "reeve: cannot read %s: %s\n", question->entry_path, strerror(-r));
        return r;
    }
    rv_buf_clear(extra);
    rv_buf_add(extra, bytes, len);
    return extra->failed ? -ENOMEM : 0;
}

static int verify_proof(const struct question *question)
{
    enum rv_proof_finding finding = RV_PROOF_WRONG;
    enum rv_note_finding note = RV_NOTE_UNSIGNED;
    RV_AUTO(rv_buf_done) struct rv_buf entry = { .len_max = PROOF_FILE_MAX };
    RV_AUTO(rv_freep) char *bytes = NULL;
    struct rv_checkpoint checkpoint;
    struct rv_proof_file proof;
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, question->what, PROOF_FILE_MAX, &bytes, &len);

    if (r < 0) {
        fprintf(stderr, "reeve: cannot read %s: %s\n", question->what, strerror(-r));
        return RV_EXIT_ERROR;
    }
    r = rv_proof_file_parse(&proof, &entry, rv_span(bytes, len));
    if (r == 0 && load_entry(question, &proof, &entry) < 0)
        return RV_EXIT_ERROR;
    if (r == 0)
        r = rv_proof_file_check(&proof, rv_buf_span(&entry), question->keys.keys,
                                question->keys.count, &note, &finding, &checkpoint);
    if (r < 0) {
        printf("NOT VERIFIED: %s is not a tlog-proof\n", question->what);
        return RV_EXIT_NO;
    }
    if (note != RV_NOTE_GOOD || finding != RV_PROOF_RIGHT) {
        printf("NOT VERIFIED: entry %llu: %s\n", (unsigned long long)proof.index,
               note != RV_NOTE_GOOD ? "the checkpoint is not signed by the given key"
                                    : "the proof does not lead from this entry to the root");
        return RV_EXIT_NO;
    }
    r = check_quorum(question, proof.checkpoint);
    if (r == RV_EXIT_YES) {
        printf("verified: entry %llu is in the log of ", (unsigned long long)proof.index);
        print_head(&checkpoint);
        audit_print_entry(proof.index, rv_buf_span(&entry), question->style);
    }
    return r;
}

/* ---- What is it? ---- */

static int verify(const struct question *question)
{
    struct stat status;

    if (stat(question->what, &status) == 0) {
        if (S_ISREG(status.st_mode))
            return verify_proof(question);
        if (audit_export_is(question->what))
            return audit_export_verify(question->what, &question->keys);
    }
    return verify_log(question);
}

int cmd_audit_verify(int argc, char **argv)
{
    struct rv_option_list key_paths = { 0 };
    struct question question = { .what = AUDIT_DEFAULT_LOG };
    bool help = false, json = false;
    const struct rv_option options[] = {
        { RV_OPTION_LIST, 'k', "key", "KEY.pub",
          "public key of the log; give several if it rotated", &key_paths, 0, 0 },
        { RV_OPTION_STRING, 'f', "from", "CHECKPOINT",
          "an earlier checkpoint that the log must have grown from", &question.older_path, 0, 0 },
        { RV_OPTION_FLAG, 'p', "population", NULL,
          "count the entries by type and hold each summary against them", &question.population, 0,
          0 },
        { RV_OPTION_STRING, 'w', "policy", "FILE", "require the witnesses of this tlog-policy",
          &question.policy_path, 0, 0 },
        { RV_OPTION_STRING, 'e', "entry", "FILE", "the entry, for a proof that does not hold it",
          &question.entry_path, 0, 0 },
        { RV_OPTION_FLAG, 'j', "json", NULL, "print the result as JSON", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands = 0, result = RV_EXIT_ERROR;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (operands > 0)
        question.what = argv[1];
    question.style = json ? AUDIT_JSON : AUDIT_PLAIN;
    if (help) {
        audit_help("verify", "DIR|URL|FILE.tlog-proof|FOLDER --key KEY.pub [--from CHECKPOINT]",
                   "Re-derive a log, a proof or an export from its entries; trust only the key",
                   options);
        result = RV_EXIT_YES;
    } else if (key_paths.count == 0) {
        fprintf(stderr, "reeve: verified by whose key? give --key KEY.pub\n");
    } else if (audit_load_keys(&question.keys, &key_paths) == 0) {
        result = verify(&question);
    }
    free(key_paths.items);
    return result;
}
