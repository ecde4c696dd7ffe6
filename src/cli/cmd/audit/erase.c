/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit erase: personal data that entries only commit to; the log stays as it is, and gains
 * an entry that says what was erased. */
#include "log.h"

#include "audit/personal.h"
#include "base/fd.h"

#include <fcntl.h>

/** One "audit.erase" entry holds at most this many commitments; more make more entries. */
#define COMMITMENTS_MAX ((size_t)500)

static int record_erasure(struct rv_audit *audit, json_t *erased)
{
    for (size_t from = 0; from < json_array_size(erased); from += COMMITMENTS_MAX) {
        RV_AUTO(rv_json_freep) json_t *members = json_object();
        json_t *some = json_array();
        int r;

        for (size_t i = from; i < json_array_size(erased) && i < from + COMMITMENTS_MAX; i++)
            (void)json_array_append(some, json_array_get(erased, i));
        if (!members || json_object_set_new(members, "erased", some) < 0)
            return -ENOMEM;
        r = rv_audit_append_json_wait(audit, "audit.erase", members, NULL);
        if (r < 0)
            return r;
    }
    return rv_audit_publish(audit);
}

static int erase(int dir_fd, struct rv_signer *signer, const struct rv_personal_match *match)
{
    const struct rv_audit_options options = {
        .mode = RV_AUDIT_INLINE, .signers = &signer, .signer_count = 1, .clock = rv_clock_system()
    };
    RV_AUTO(rv_personal_free) struct rv_personal *personal = NULL;
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    RV_AUTO(rv_json_freep) json_t *erased = NULL;
    int r = rv_audit_open(&audit, dir_fd, &options);

    if (r == -EBUSY) {
        fprintf(stderr, "reeve: a program writes this log; stop it, or ask it to erase\n");
        return r;
    }
    if (r == 0)
        r = rv_personal_open(&personal, dir_fd);
    if (r == 0)
        r = rv_personal_erase(personal, match, &erased);
    if (r == 0)
        r = record_erasure(audit, erased);
    if (r < 0)
        fprintf(stderr, "reeve: cannot erase: %s\n", strerror(-r));
    else
        printf("erased %zu values; the log says so in its last entries\n", json_array_size(erased));
    return r;
}

static int erase_in(const char *where, const char *key_path, const struct rv_personal_match *match)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    RV_AUTO(rv_closep) int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = rv_signer_load(&signer, AT_FDCWD, key_path);

    if (r < 0)
        fprintf(stderr, "reeve: cannot use the key %s: %s\n", key_path, strerror(-r));
    if (fd < 0)
        fprintf(stderr, "reeve: cannot open the log %s: %s\n", where, strerror(errno));
    return r < 0 || fd < 0 || erase(fd, signer, match) < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

int cmd_audit_erase(int argc, char **argv)
{
    const char *key_path = NULL, *before = NULL;
    struct rv_personal_match match = { 0 };
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'k', "key", "KEY", "secret key of the log, to record the erasure",
          &key_path, 0, 0 },
        { RV_OPTION_STRING, 's', "subject", "SUBJECT", "whose data, such as uid:1000",
          &match.subject, 0, 0 },
        { RV_OPTION_STRING, 'b', "before", "TIME", "only what is older than this", &before, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("erase", "[DIR] --key KEY (--subject SUBJECT | --before TIME)",
                   "Erase personal data that entries commit to; every proof stays valid", options);
        return RV_EXIT_YES;
    }
    if (!key_path || (!match.subject && !before)) {
        fprintf(stderr, "reeve: say --key KEY, and --subject SUBJECT or --before TIME\n");
        return RV_EXIT_ERROR;
    }
    if (before && audit_parse_time(&match.before_us, before) < 0)
        return RV_EXIT_ERROR;
    return erase_in(operands > 0 ? argv[1] : AUDIT_DEFAULT_LOG, key_path, &match);
}
