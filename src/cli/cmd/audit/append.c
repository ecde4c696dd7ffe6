/* SPDX-License-Identifier: Apache-2.0 */
/* reeve audit append: one entry per line of standard input, all durable and published at the end.
 */
#include "log.h"

#include "base/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

static int open_log(struct rv_audit **ret_audit, const char *path, struct rv_signer *const *signers,
                    size_t signer_count)
{
    const struct rv_audit_options options = { .mode = RV_AUDIT_THREAD,
                                              .signers = signers,
                                              .signer_count = signer_count,
                                              .clock = rv_clock_system() };
    RV_AUTO(rv_closep) int fd = -1;
    int r;

    if (mkdir(path, 0750) < 0 && errno != EEXIST) {
        fprintf(stderr, "reeve: cannot make %s: %s\n", path, strerror(errno));
        return -errno;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = fd < 0 ? -errno : rv_audit_open(ret_audit, fd, &options);
    if (r == -EBUSY)
        fprintf(stderr, "reeve: another program writes %s; a log has one writer\n", path);
    else if (r == -EBADMSG)
        fprintf(stderr,
                "reeve: %s is damaged or signed by another key; it was not touched. Run 'reeve "
                "audit verify %s --key KEY.pub'\n",
                path, path);
    else if (r < 0)
        fprintf(stderr, "reeve: cannot open the log %s: %s\n", path, strerror(-r));
    return r;
}

static int append_line(struct rv_audit *audit, struct rv_span line)
{
    int r = rv_audit_append(audit, line, NULL, NULL, NULL, NULL);

    if (r == -EAGAIN) {
        r = rv_audit_publish(audit);
        if (r == 0)
            r = rv_audit_append(audit, line, NULL, NULL, NULL, NULL);
    }
    return r;
}

static int append_lines(struct rv_audit *audit, FILE *input, uint64_t *ret_count)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    int r = 0;

    while (r == 0 && (len = getline(&line, &room, input)) >= 0) {
        size_t bytes = (size_t)len;

        if (bytes > 0 && line[bytes - 1] == '\n')
            bytes--;
        r = append_line(audit, rv_span(line, bytes));
        if (r == -EMSGSIZE)
            fprintf(stderr,
                    "reeve: line %llu is longer than %zu bytes; it and what follows was "
                    "not appended\n",
                    (unsigned long long)*ret_count + 1, RV_AUDIT_ENTRY_MAX);
        if (r == 0)
            ++*ret_count;
    }
    free(line);
    return r;
}

static void print_result(const struct rv_audit_opening *opening, uint64_t count,
                         const struct rv_audit_status *status, enum audit_style style)
{
    char root[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&status->root, root);
    if (style == AUDIT_JSON)
        printf("{\"first\":%llu,\"count\":%llu,\"size\":%llu,\"root\":\"%s\"}\n",
               (unsigned long long)opening->size, (unsigned long long)count,
               (unsigned long long)status->published, root);
    else
        printf("appended %llu entries from %llu on; published %llu entries, root %s\n",
               (unsigned long long)count, (unsigned long long)opening->size,
               (unsigned long long)status->published, root);
}

static int append_all(struct rv_audit *audit, enum audit_style style)
{
    struct rv_audit_opening opening = rv_audit_opening(audit);
    struct rv_audit_status status;
    uint64_t count = 0;
    int r, published;

    if (opening.recovered > 0)
        fprintf(stderr, "reeve: %llu durable entries of an interrupted writer were recovered\n",
                (unsigned long long)opening.recovered);
    r = append_lines(audit, stdin, &count);
    published = rv_audit_publish(audit);
    rv_audit_status(audit, &status);
    if (status.state == RV_AUDIT_SEALED)
        fprintf(stderr,
                "reeve: the log is sealed: %s failed: %s; %llu entries are durable. Mend the disk "
                "and append again\n",
                status.failed, strerror(-status.error), (unsigned long long)status.durable);
    else if (published == 0)
        print_result(&opening, count, &status, style);
    return r < 0 || published < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
}

int cmd_audit_append(int argc, char **argv)
{
    struct rv_option_list key_paths = { 0 };
    bool help = false, json = false;
    const struct rv_option options[] = {
        { RV_OPTION_LIST, 'k', "key", "KEY",
          "secret key that signs; twice while a key is rotated, the new one first", &key_paths, 0,
          0 },
        { RV_OPTION_FLAG, 'j', "json", NULL, "print the result as JSON", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    struct rv_signer *signers[RV_AUDIT_SIGNERS_MAX] = { NULL };
    RV_AUTO(rv_audit_free) struct rv_audit *audit = NULL;
    int operands = 0, result = RV_EXIT_ERROR, r = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        audit_help("append", "--key KEY DIR",
                   "Append one entry per line of standard input; return when all are durable and "
                   "published",
                   options);
        free(key_paths.items);
        return RV_EXIT_YES;
    }
    if (operands != 1 || key_paths.count == 0 || key_paths.count > RV_AUDIT_SIGNERS_MAX) {
        fprintf(stderr, "reeve: say --key KEY and one DIR; 'reeve audit append --help'\n");
        r = -EINVAL;
    }
    for (size_t i = 0; r == 0 && i < key_paths.count; i++) {
        r = rv_signer_load(&signers[i], AT_FDCWD, key_paths.items[i]);
        if (r < 0)
            fprintf(stderr, "reeve: cannot use the key %s: %s\n", key_paths.items[i],
                    r == -EPERM ? "others may read it; chmod 600 it" : strerror(-r));
    }
    if (r == 0)
        r = open_log(&audit, argv[1], signers, key_paths.count);
    if (r == 0)
        result = append_all(audit, json ? AUDIT_JSON : AUDIT_PLAIN);
    rv_audit_free(&audit);
    for (size_t i = 0; i < RV_COUNT(signers); i++)
        rv_signer_free(&signers[i]);
    free(key_paths.items);
    return result;
}
