/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash or a hand left in the writer's private files: input bytes laid over a journal that
 * holds three records; opening must answer, and what it accepts must verify.
 * Input: le32 offset, u8 which segment, u8 whether to mend the first record's checksum, bytes.
 */
#include "audit/audit.h"
#include "audit/verify.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define SEGMENT      ((size_t)192 * 1024)
#define FIRST_RECORD ((size_t)8192)

static const char skey[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

/** Made at the first input, removed when the process ends. */
static struct {
    char path[64];
    int fd;
    struct rv_signer *signer;
    uint8_t segments[2][SEGMENT];
    char *checkpoint;
    size_t checkpoint_len;
} at = { .fd = -1 };

static void remove_all(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf %s", at.path);
    (void)!system(command);
    rv_signer_free(&at.signer);
    free(at.checkpoint);
}

static int open_log(struct rv_audit **ret_audit)
{
    const struct rv_audit_options options = { .signers = &at.signer,
                                              .signer_count = 1,
                                              .clock = rv_clock_system(),
                                              .journal_bytes = SEGMENT };

    return rv_audit_open(ret_audit, at.fd, &options);
}

static void set_up(void)
{
    static const char *const names[] = { ".state/journal.0", ".state/journal.1" };
    struct rv_audit *audit = NULL;

    (void)snprintf(at.path, sizeof(at.path), "/dev/shm/reeve-fuzz-XXXXXX");
    if (!mkdtemp(at.path) || (at.fd = open(at.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
        rv_signer_parse(&at.signer, rv_span_str(skey)) < 0 || open_log(&audit) < 0)
        abort();
    (void)atexit(remove_all);
    for (int i = 0; i < 3; i++) {
        if (rv_audit_append_wait(audit, rv_span_str("an entry"), NULL, NULL) < 0)
            abort();
    }
    rv_audit_free(&audit);
    for (int i = 0; i < 2; i++) {
        char *bytes = NULL;
        size_t len = 0;

        if (rv_read_file(at.fd, names[i], SEGMENT, &bytes, &len) < 0 || len != SEGMENT)
            abort();
        memcpy(at.segments[i], bytes, SEGMENT);
        free(bytes);
    }
    if (rv_read_file(at.fd, RV_CHECKPOINT_PATH, 4096, &at.checkpoint, &at.checkpoint_len) < 0)
        abort();
}

/** Tiles of the input before are of another log. */
static void remove_tiles(void)
{
    char command[128];

    if (faccessat(at.fd, "tile", F_OK, 0) < 0)
        return;
    (void)snprintf(command, sizeof(command), "rm -rf %s/tile", at.path);
    (void)!system(command);
}

static void put(const char *name, const void *bytes, size_t len)
{
    RV_AUTO(rv_closep) int fd = openat(at.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || rv_write_all(fd, bytes, len) < 0)
        abort();
}

/** The checksum of the record at FIRST_RECORD, so that what lies behind it is reached. */
static void mend(uint8_t *segment)
{
    struct rv_reader reader = rv_reader(rv_span(segment + FIRST_RECORD + 28, 4));
    uint32_t body_len = rv_read_le32(&reader), crc;

    if (body_len > SEGMENT - FIRST_RECORD - 32)
        return;
    crc = rv_crc32c(0, segment + FIRST_RECORD + 8, 24 + body_len);
    for (unsigned i = 0; i < 4; i++)
        segment[FIRST_RECORD + 4 + i] = (uint8_t)(crc >> (8 * i));
}

static void expect_verified(void)
{
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    struct rv_verify_request request = { .keys = rv_signer_key(at.signer), .key_count = 1 };
    struct rv_verify_report report;

    if (rv_source_dir(&source, at.fd) < 0 || rv_verify_log(&source, &request, &report) < 0 ||
        report.finding != RV_VERIFY_RIGHT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t segments[2][SEGMENT];
    struct rv_reader input = rv_reader(rv_span(data, len));
    struct rv_audit *audit = NULL;
    size_t offset = rv_read_le32(&input) % SEGMENT;
    unsigned which = rv_read_u8(&input) & 1, mended = rv_read_u8(&input) & 1;

    if (input.failed)
        return 0;
    if (at.fd < 0)
        set_up();
    memcpy(segments, at.segments, sizeof(segments));
    memcpy(segments[which] + offset, input.rest.data, rv_min_u64(input.rest.len, SEGMENT - offset));
    if (mended)
        mend(segments[which]);
    remove_tiles();
    put(".state/journal.0", segments[0], SEGMENT);
    put(".state/journal.1", segments[1], SEGMENT);
    put(RV_CHECKPOINT_PATH, at.checkpoint, at.checkpoint_len);
    if (open_log(&audit) == 0)
        expect_verified();
    rv_audit_free(&audit);
    return 0;
}
