/* SPDX-License-Identifier: Apache-2.0 */
/* Every flipped bit of a log of 10,000 entries is found, and the entry that is named is the one
 * whose bytes it hit. Bits are sampled over all bytes of all files; `flips all` takes every one. */
#include "scratch.h"

#include "audit/tile.h"
#include "audit/verify.h"

#define ENTRIES   10000
#define FILES_MAX 256
#define SAMPLES   3000

struct file {
    char path[RV_TILE_PATH_MAX];
    struct rv_buf bytes;
};

/** The whole log in memory: a flip costs no I/O. */
static struct log {
    struct file files[FILES_MAX];
    size_t count, total_bytes;
    struct rv_note_key key;
} whole;

static int memory_read(void *context, const char *path, size_t len_max, struct rv_buf *ret_bytes)
{
    for (size_t i = 0; i < whole.count; i++) {
        if (!rv_streq(whole.files[i].path, path))
            continue;
        if (whole.files[i].bytes.len > len_max)
            return -EFBIG;
        rv_buf_add(ret_bytes, whole.files[i].bytes.data, whole.files[i].bytes.len);
        return 0;
    }
    return -ENOENT;
}

static int memory_list(void *context, const char *path,
                       int (*each)(void *context, const char *name), void *each_context)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < whole.count; i++) {
        if (strncmp(whole.files[i].path, path, len) == 0 && whole.files[i].path[len] == '/') {
            int r = each(each_context, whole.files[i].path + len + 1);

            if (r != 0)
                return r;
        }
    }
    return 0;
}

static const struct rv_source_ops memory_ops = { .read = memory_read, .list = memory_list };

static char root_path[64];

static int load_file(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    const char *below = path + strlen(root_path) + 1;
    struct file *file = &whole.files[whole.count];
    FILE *from;
    int c;

    if (!S_ISREG(status->st_mode) || strncmp(below, ".state", 6) == 0)
        return 0;
    assert_true(whole.count < FILES_MAX);
    (void)snprintf(file->path, sizeof(file->path), "%s", below);
    from = fopen(path, "re");
    while ((c = fgetc(from)) != EOF)
        rv_buf_add_char(&file->bytes, (char)c);
    (void)fclose(from);
    whole.total_bytes += file->bytes.len;
    whole.count++;
    return 0;
}

/** A log made in several publishes, so that partial tiles of earlier sizes are there too. */
static int make_log(void **state)
{
    static const unsigned sizes[] = { 1000, 9990, 9995, ENTRIES };
    RV_AUTO(rv_signer_free) struct rv_signer *signer = test_signer();
    struct rv_audit_options options = { .signers = &signer, .signer_count = 1 };
    struct rv_audit *audit = NULL;
    struct scratch scratch;
    struct hand_clock clock;
    unsigned i = 0;

    scratch_make(&scratch);
    options.clock = hand_clock(&clock);
    rv_assert_ok(rv_audit_open(&audit, scratch.fd, &options));
    for (size_t s = 0; s < RV_COUNT(sizes); s++) {
        for (; i < sizes[s]; i++) {
            char entry[32];
            int len = snprintf(entry, sizeof(entry), "entry %u", i);

            rv_assert_ok(
                rv_audit_append(audit, rv_span(entry, (size_t)len), NULL, NULL, NULL, NULL));
        }
        rv_assert_ok(rv_audit_publish(audit));
    }
    rv_audit_free(&audit);
    whole.key = *rv_signer_key(signer);
    memcpy(root_path, scratch.path, sizeof(root_path));
    (void)nftw(scratch.path, load_file, 16, FTW_PHYS);
    scratch_done(&scratch);
    return 0;
}

static int drop_log(void **state)
{
    for (size_t i = 0; i < whole.count; i++)
        rv_buf_done(&whole.files[i].bytes);
    return 0;
}

static struct rv_verify_report verify(void)
{
    const struct rv_verify_request request = { .keys = &whole.key, .key_count = 1 };
    const struct rv_source source = { .ops = &memory_ops };
    struct rv_verify_report report;

    rv_assert_ok(rv_verify_log(&source, &request, &report));
    return report;
}

/** The entry that a byte of a bundle belongs to; UINT64_MAX for other files. */
static uint64_t entry_at(const struct file *file, size_t offset)
{
    struct rv_reader reader = rv_reader(rv_buf_span(&file->bytes));
    unsigned n, i = 0;

    if (sscanf(file->path, "tile/entries/%u", &n) != 1)
        return UINT64_MAX;
    for (; reader.offset <= offset; i++)
        (void)rv_bundle_next(&reader);
    return n * 256ULL + i - 1;
}

static void flip(struct file *file, size_t offset, unsigned bit)
{
    uint64_t entry = entry_at(file, offset);
    struct rv_verify_report report;

    file->bytes.data[offset] = (char)(file->bytes.data[offset] ^ 1 << bit);
    report = verify();
    file->bytes.data[offset] = (char)(file->bytes.data[offset] ^ 1 << bit);
    if (report.finding != RV_VERIFY_WRONG)
        fail_msg("bit %u of byte %zu of %s went unnoticed", bit, offset, file->path);
    if (entry != UINT64_MAX && (!report.entry_known || report.entry != entry))
        fail_msg("bit %u of byte %zu of %s is entry %llu's, but %llu was named: %s", bit, offset,
                 file->path, (unsigned long long)entry, (unsigned long long)report.entry,
                 report.what);
}

static void the_log_as_it_is_verifies(void **state)
{
    assert_int_equal(verify().finding, RV_VERIFY_RIGHT);
}

static void sampled_flips_are_found(void **state)
{
    uint64_t random = 88172645463325252ULL; /* the same sample every time */

    for (size_t i = 0; i < whole.count; i++) { /* each file's ends, then bytes anywhere */
        flip(&whole.files[i], 0, 0);
        flip(&whole.files[i], whole.files[i].bytes.len - 1, 7);
    }
    for (int i = 0; i < SAMPLES; i++) {
        size_t at;

        random = rv_mix64(random + (uint64_t)i);
        at = random % whole.total_bytes;
        for (size_t f = 0; f < whole.count; f++) {
            if (at < whole.files[f].bytes.len) {
                flip(&whole.files[f], at, (unsigned)(random >> 61));
                break;
            }
            at -= whole.files[f].bytes.len;
        }
    }
}

static void every_bit_of_the_checkpoint_is_found(void **state)
{
    for (size_t f = 0; f < whole.count; f++) {
        if (!rv_streq(whole.files[f].path, "checkpoint"))
            continue;
        for (size_t at = 0; at < whole.files[f].bytes.len; at++) {
            for (unsigned bit = 0; bit < 8; bit++)
                flip(&whole.files[f], at, bit);
        }
    }
}

static void every_flip_is_found(void **state)
{
    for (size_t f = 0; f < whole.count; f++) {
        for (size_t at = 0; at < whole.files[f].bytes.len; at++) {
            for (unsigned bit = 0; bit < 8; bit++)
                flip(&whole.files[f], at, bit);
        }
        print_message("# %s: %zu bits\n", whole.files[f].path, whole.files[f].bytes.len * 8);
    }
}

static void every_missing_file_is_found(void **state)
{
    for (size_t f = 0; f < whole.count; f++) {
        char saved = whole.files[f].path[0];
        bool beginning = false; /* partial tiles of earlier sizes may be gone: they were replaced */

        for (size_t g = 0; g < whole.count; g++) {
            const char *dot = strstr(whole.files[f].path, ".p/");

            beginning |= g != f && dot &&
                         strncmp(whole.files[f].path, whole.files[g].path,
                                 (size_t)(dot + 3 - whole.files[f].path)) == 0 &&
                         whole.files[f].bytes.len < whole.files[g].bytes.len;
        }
        whole.files[f].path[0] = '-';
        assert_int_equal(verify().finding, beginning ? RV_VERIFY_RIGHT : RV_VERIFY_WRONG);
        whole.files[f].path[0] = saved;
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest sampled[] = {
        cmocka_unit_test(the_log_as_it_is_verifies),
        cmocka_unit_test(sampled_flips_are_found),
        cmocka_unit_test(every_bit_of_the_checkpoint_is_found),
        cmocka_unit_test(every_missing_file_is_found),
    };
    const struct CMUnitTest all[] = {
        cmocka_unit_test(every_flip_is_found),
    };

    if (argc > 1 && rv_streq(argv[1], "all"))
        return cmocka_run_group_tests(all, make_log, drop_log);
    return cmocka_run_group_tests(sampled, make_log, drop_log);
}
