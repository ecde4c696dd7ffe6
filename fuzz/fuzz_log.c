/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiles, bundles and entries as a hostile server gives them, under a checkpoint that is signed: the
 * verifier, proofs and the count of the population. Input: u8 size, 32 bytes of root, then files:
 * u8 path, le16 length, bytes.
 */
#include "audit/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FILES_MAX 16

static const char skey[] =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

struct files {
    struct rv_buf checkpoint;
    size_t count;
    struct {
        char path[RV_TILE_PATH_MAX];
        struct rv_span bytes;
    } items[FILES_MAX];
};

static int read_file(void *context, const char *path, size_t len_max, struct rv_buf *ret_bytes)
{
    struct files *files = context;
    struct rv_span bytes = rv_buf_span(&files->checkpoint);
    size_t i = 0;

    if (!rv_streq(path, RV_CHECKPOINT_PATH)) {
        while (i < files->count && !rv_streq(path, files->items[i].path))
            i++;
        if (i == files->count)
            return -ENOENT;
        bytes = files->items[i].bytes;
    }
    if (bytes.len > len_max)
        return -EFBIG;
    rv_buf_add(ret_bytes, bytes.data, bytes.len);
    return 0;
}

static void read_input(struct files *files, struct rv_reader *input, uint64_t size)
{
    while (input->rest.len > 3 && files->count < FILES_MAX) {
        uint8_t which = rv_read_u8(input);
        size_t len = rv_min_u64(rv_read_le16(input), input->rest.len);
        int level = (int)(which & 3) - 1;

        rv_tile_path(files->items[files->count].path, level, which >> 2 & 1,
                     rv_tile_width(level, which >> 2 & 1, size));
        files->items[files->count++].bytes = rv_read_bytes(input, len);
    }
}

static void sign(struct rv_buf *note, const struct rv_checkpoint *checkpoint)
{
    RV_AUTO(rv_signer_free) struct rv_signer *signer = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    rv_checkpoint_format(&text, checkpoint);
    rv_buf_add(note, text.data, text.len);
    rv_buf_add_char(note, '\n');
    if (rv_signer_parse(&signer, rv_span_str(skey)) < 0 ||
        rv_note_sign(note, rv_buf_span(&text), signer, 0) < 0)
        abort();
}

static void use(const struct rv_source *source, const struct rv_tree_head *head)
{
    static struct rv_population population;
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    struct rv_proof proof;
    struct rv_span entry;

    if (rv_tiles_borrow(&tiles, source, head->size) < 0)
        abort();
    for (uint64_t i = 0; i < head->size; i += 1 + head->size / 7) {
        (void)!rv_tiles_entry(tiles, i, &entry);
        (void)!rv_tiles_prove_inclusion(tiles, i, head->size, &proof);
        (void)!rv_tiles_prove_consistency(tiles, i, head->size, &proof);
    }
    (void)!rv_verify_population(source, head, &population);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct rv_source_ops ops = { .read = read_file };
    struct rv_checkpoint checkpoint = { .origin = "PeterNeumann" };
    struct rv_reader input = rv_reader(rv_span(data, len));
    struct files files = { 0 };
    const struct rv_source source = { &ops, &files };
    struct rv_verify_request request = { .key_count = 1 };
    struct rv_verify_report report;
    struct rv_span root;
    struct rv_note_key key;

    checkpoint.head.size = (uint64_t)rv_read_u8(&input) * 2;
    root = rv_read_bytes(&input, RV_SHA256_LEN);
    if (input.failed)
        return 0;
    memcpy(checkpoint.head.root.bytes, root.data, RV_SHA256_LEN);
    read_input(&files, &input, checkpoint.head.size);
    sign(&files.checkpoint, &checkpoint);
    if (rv_note_key_parse(&key, rv_span_str("PeterNeumann+c74f20a3+"
                                            "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")) < 0)
        abort();
    request.keys = &key;
    if (rv_verify_log(&source, &request, &report) < 0)
        abort();
    use(&source, &checkpoint.head);
    rv_buf_done(&files.checkpoint);
    return 0;
}
