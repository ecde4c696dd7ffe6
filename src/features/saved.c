/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was learnt, as bytes, little-endian:
 *   "REEVEBAS" | u32 format 1 | u32 week | u32 programs | u32 edges | u32 normal classes |
 *   u32 words of the filter | classes: u32 seen, u32 strange, u32 armed | the filter's words |
 *   programs: u64 hash, u32 first seen, u32 runs, u32 observed, 5 x (u16 mean, u16 high) |
 *   edges: u64 | u32 crc32c of all before
 */
#include "state.h"

#define MAGIC         "REEVEBAS"
#define FORMAT        1U
#define HEAD_BYTES    32U
#define PROGRAM_BYTES (20U + 4U * RV_USUAL_COUNT_)

static void save_program(struct rv_buf *buf, const struct rv_program_slot *program)
{
    rv_buf_add_le64(buf, program->pub.hash);
    rv_buf_add_le32(buf, program->first_seen_s);
    rv_buf_add_le32(buf, program->runs);
    rv_buf_add_le32(buf, program->observed);
    for (size_t i = 0; i < RV_USUAL_COUNT_; i++) {
        rv_buf_add_le16(buf, program->usual[i].mean_q8);
        rv_buf_add_le16(buf, program->usual[i].high_q8);
    }
}

/* A program that was seen and learnt from, so that it is worth keeping. */
static bool worth_saving(const struct rv_program_slot *program)
{
    return program->pub.hash != 0 && program->first_seen_s != 0;
}

static uint32_t programs_worth_saving(const struct rv_features *features)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < features->program_unused; i++)
        count += worth_saving(&features->programs[i]);
    return count;
}

void rv_features_save(const struct rv_features *features, struct rv_buf *buf)
{
    size_t start = buf->len;
    size_t edge_slots = (size_t)features->edges.sets * RV_EDGE_WAYS;

    rv_buf_add(buf, MAGIC, 8);
    rv_buf_add_le32(buf, FORMAT);
    rv_buf_add_le32(buf, features->week);
    rv_buf_add_le32(buf, programs_worth_saving(features));
    rv_buf_add_le32(buf, features->edges.used);
    rv_buf_add_le32(buf, RV_NORMAL_CLASSES);
    rv_buf_add_le32(buf, RV_BLOOM_WORDS);
    for (size_t i = 0; i < RV_NORMAL_CLASSES; i++) {
        rv_buf_add_le32(buf, features->acquaintance[i].seen);
        rv_buf_add_le32(buf, features->acquaintance[i].strange);
        rv_buf_add_le32(buf, features->acquaintance[i].armed);
    }
    for (size_t i = 0; i < RV_BLOOM_WORDS; i++)
        rv_buf_add_le64(buf, features->bloom.words[i]);
    for (uint32_t i = 1; i < features->program_unused; i++) {
        if (worth_saving(&features->programs[i]))
            save_program(buf, &features->programs[i]);
    }
    for (size_t i = 0; i < edge_slots; i++) {
        if (features->edges.slots[i] != 0)
            rv_buf_add_le64(buf, features->edges.slots[i]);
    }
    if (!buf->failed)
        rv_buf_add_le32(buf, rv_crc32c(0, buf->data + start, buf->len - start));
}

static int refuse(const char **reterr, const char *why, int code)
{
    if (reterr)
        *reterr = why;
    return code;
}

static void load_program(struct rv_features *features, struct rv_reader *reader)
{
    struct rv_program_slot *program = rv_program_remember(features, rv_read_le64(reader));
    struct rv_program_slot scratch;

    if (!program)
        program = &scratch; /* the table here is smaller: the rest is forgotten */
    program->first_seen_s = rv_read_le32(reader);
    program->runs = rv_read_le32(reader);
    program->observed = (uint32_t)rv_max_u64(rv_read_le32(reader), 1);
    for (size_t i = 0; i < RV_USUAL_COUNT_; i++) {
        program->usual[i].mean_q8 = (uint16_t)rv_min_u64(rv_read_le16(reader), 32 * 256);
        program->usual[i].high_q8 = (uint16_t)rv_min_u64(rv_read_le16(reader), 32 * 256);
    }
}

static int check(struct rv_span bytes, const char **reterr)
{
    struct rv_reader reader = rv_reader(bytes);
    struct rv_span magic = rv_read_bytes(&reader, 8);
    uint64_t programs, edges, classes, words, size;
    uint32_t format, crc = 0;

    if (!rv_span_eq(magic, rv_span_str(MAGIC)))
        return refuse(reterr, "not a saved baseline", -EBADMSG);
    format = rv_read_le32(&reader);
    (void)rv_read_le32(&reader);
    programs = rv_read_le32(&reader);
    edges = rv_read_le32(&reader);
    classes = rv_read_le32(&reader);
    words = rv_read_le32(&reader);
    if (reader.failed)
        return refuse(reterr, "the saved baseline ends within its head", -EBADMSG);
    if (format != FORMAT || classes != RV_NORMAL_CLASSES || words != RV_BLOOM_WORDS)
        return refuse(reterr, "the saved baseline is of another version", -EPROTONOSUPPORT);
    size = HEAD_BYTES + classes * 12 + words * 8 + programs * PROGRAM_BYTES + edges * 8 + 4;
    if (size != bytes.len)
        return refuse(reterr, "the saved baseline is shorter or longer than it says", -EBADMSG);
    for (unsigned i = 0; i < 4; i++)
        crc |= (uint32_t)bytes.data[bytes.len - 4 + i] << (8 * i);
    if (crc != rv_crc32c(0, bytes.data, bytes.len - 4))
        return refuse(reterr, "the saved baseline is damaged: its checksum is wrong", -EBADMSG);
    return 0;
}

int rv_features_load(struct rv_features *features, struct rv_span bytes, const char **reterr)
{
    struct rv_reader reader = rv_reader(bytes);
    uint32_t programs, edges;
    int r = check(bytes, reterr);

    if (r < 0)
        return r;
    (void)rv_read_bytes(&reader, 12);
    features->week = rv_read_le32(&reader);
    programs = rv_read_le32(&reader);
    edges = rv_read_le32(&reader);
    (void)rv_read_bytes(&reader, 8);
    for (size_t i = 0; i < RV_NORMAL_CLASSES; i++) {
        features->acquaintance[i].seen = rv_read_le32(&reader);
        features->acquaintance[i].strange = (uint32_t)rv_min_u64(rv_read_le32(&reader), 1 << 20);
        features->acquaintance[i].armed = rv_read_le32(&reader) != 0;
    }
    for (size_t i = 0; i < RV_BLOOM_WORDS; i++)
        features->bloom.words[i] = rv_read_le64(&reader);
    for (uint32_t i = 0; i < programs; i++)
        load_program(features, &reader);
    for (uint32_t i = 0; i < edges; i++)
        rv_edges_restore(&features->edges, rv_read_le64(&reader));
    return 0;
}
