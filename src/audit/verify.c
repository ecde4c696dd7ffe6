/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the bundles: leaves against level-0 tiles, roots of full tiles against the tiles
 * above, the whole against the checkpoint. */
#include "audit/verify.h"

#include <stdio.h>

struct edge {
    uint64_t n;
    unsigned width;
    struct rv_sha256 hashes[RV_TILE_WIDTH];
};

struct pass {
    const struct rv_source *source;
    struct rv_verify_report *report;
    struct rv_hasher *hasher;
    struct rv_buf bundle, tile;
    struct edge edges[RV_TILE_LEVELS];
};

static void pass_free(struct pass **pass)
{
    if (!*pass)
        return;
    rv_hasher_free(&(*pass)->hasher);
    rv_buf_done(&(*pass)->bundle);
    rv_buf_done(&(*pass)->tile);
    free(*pass);
    *pass = NULL;
}

/** Say what is wrong and end the pass. @return 1, which is "found", not an error. */
static int wrong(struct pass *pass, uint64_t entry, uint64_t entry_end, const char *path,
                 const char *what)
{
    struct rv_verify_report *report = pass->report;

    report->entry_known = true;
    report->entry = entry;
    report->entry_end = rv_min_u64(entry_end, report->checkpoint.head.size);
    (void)snprintf(report->what, sizeof(report->what), "%s %s", path, what);
    return 1;
}

/**
 * Read a tile or bundle at its width in this tree, or a full one that has replaced it.
 * @return 0; 1 when the file is missing or too long, which is a finding; -errno.
 */
static int read_file(struct pass *pass, int level, uint64_t n, struct rv_buf *ret_bytes,
                     char path[RV_TILE_PATH_MAX])
{
    uint64_t size = pass->report->checkpoint.head.size;
    unsigned width = rv_tile_width(level, n, size);
    size_t len_max = level == RV_TILE_ENTRIES ? RV_BUNDLE_LEN_MAX : RV_TILE_WIDTH * RV_SHA256_LEN;
    unsigned shift = level > 0 ? 8 * (unsigned)level : 0;
    uint64_t first = n << 8 << shift;
    int r;

    rv_tile_path(path, level, n, width);
    rv_buf_clear(ret_bytes);
    r = rv_source_read(pass->source, path, len_max, ret_bytes);
    if (r == -ENOENT && width < RV_TILE_WIDTH) {
        char full[RV_TILE_PATH_MAX];

        rv_tile_path(full, level, n, RV_TILE_WIDTH);
        rv_buf_clear(ret_bytes);
        r = rv_source_read(pass->source, full, len_max, ret_bytes);
        if (r == 0)
            memcpy(path, full, sizeof(full));
    }
    if (r == -ENOENT)
        return wrong(pass, first, first + ((uint64_t)width << shift), path, "is missing");
    if (r == -EFBIG)
        return wrong(pass, first, first + ((uint64_t)width << shift), path, "is too long");
    return r;
}

/** Is `path` the full tile, read in place of a partial one? Then more may follow in it. */
static bool is_partial_path(const char *path)
{
    return strstr(path, ".p/") != NULL;
}

/** The leaves of bundle `n` into edges[0], each compared with the level-0 tile. */
static int check_bundle(struct pass *pass, uint64_t n)
{
    struct edge *edge = &pass->edges[0];
    char bundle_path[RV_TILE_PATH_MAX], tile_path[RV_TILE_PATH_MAX];
    unsigned width = rv_tile_width(0, n, pass->report->checkpoint.head.size);
    struct rv_reader reader;
    int r;

    r = read_file(pass, RV_TILE_ENTRIES, n, &pass->bundle, bundle_path);
    if (r == 0)
        r = read_file(pass, 0, n, &pass->tile, tile_path);
    if (r != 0)
        return r;
    edge->n = n;
    reader = rv_reader(rv_buf_span(&pass->bundle));
    for (edge->width = 0; edge->width < width; edge->width++) {
        uint64_t index = n * RV_TILE_WIDTH + edge->width;
        struct rv_span entry = rv_bundle_next(&reader);
        size_t at = edge->width * RV_SHA256_LEN;

        if (reader.failed)
            return wrong(pass, index, index + 1, bundle_path, "ends inside this entry");
        edge->hashes[edge->width] = rv_tree_leaf(pass->hasher, entry);
        if (at + RV_SHA256_LEN > pass->tile.len)
            return wrong(pass, index, index + 1, tile_path, "ends before this entry's hash");
        if (memcmp(edge->hashes[edge->width].bytes, pass->tile.data + at, RV_SHA256_LEN) != 0) {
            (void)wrong(pass, index, index + 1, bundle_path, "");
            (void)snprintf(pass->report->what, sizeof(pass->report->what),
                           "its bytes in %s do not give its hash in %s", bundle_path, tile_path);
            return 1;
        }
        pass->report->verified = index + 1;
    }
    if (reader.rest.len > 0 && (width == RV_TILE_WIDTH || is_partial_path(bundle_path)))
        return wrong(pass, n * RV_TILE_WIDTH + width - 1, n * RV_TILE_WIDTH + width, bundle_path,
                     "goes on after its last entry");
    if (pass->tile.len != width * RV_SHA256_LEN && is_partial_path(tile_path))
        return wrong(pass, n * RV_TILE_WIDTH + width - 1, n * RV_TILE_WIDTH + width, tile_path,
                     "goes on after its last hash");
    return 0;
}

/** Compare a tile above level 0, full or at the right edge, with what lies below it. */
static int check_tile(struct pass *pass, int level)
{
    struct edge *edge = &pass->edges[level];
    unsigned shift = 8 * (unsigned)level;
    char path[RV_TILE_PATH_MAX];
    int r;

    r = read_file(pass, level, edge->n, &pass->tile, path);
    if (r != 0)
        return r;
    for (unsigned i = 0; i < edge->width; i++) {
        uint64_t first = (edge->n * RV_TILE_WIDTH + i) << shift;
        size_t at = i * RV_SHA256_LEN;

        if (at + RV_SHA256_LEN > pass->tile.len ||
            memcmp(edge->hashes[i].bytes, pass->tile.data + at, RV_SHA256_LEN) != 0)
            return wrong(pass, first, first + ((uint64_t)1 << shift), path,
                         "does not hold the root of these entries");
    }
    if (pass->tile.len != edge->width * RV_SHA256_LEN && is_partial_path(path))
        return wrong(pass, 0, pass->report->checkpoint.head.size, path,
                     "goes on after its last hash");
    return 0;
}

/** A full level-0 tile: its root goes up, and so do those of the tiles it fills. */
static int carry_up(struct pass *pass)
{
    for (int level = 0; level + 1 < RV_TILE_LEVELS; level++) {
        struct edge *edge = &pass->edges[level], *above = &pass->edges[level + 1];
        int r;

        if (edge->width < RV_TILE_WIDTH)
            return 0;
        if (level > 0) {
            r = check_tile(pass, level);
            if (r != 0)
                return r;
        }
        above->hashes[above->width++] = rv_tree_root(pass->hasher, edge->hashes, RV_TILE_WIDTH);
        edge->width = 0;
        edge->n++;
    }
    return 0;
}

/** The root of what the edges hold, taking `width` hashes of level 0. */
static struct rv_sha256 edges_root(struct pass *pass, unsigned width)
{
    struct rv_sha256 hash = { 0 }, part;
    bool empty = true;

    for (int level = 0; level < RV_TILE_LEVELS; level++) {
        unsigned high = level == 0 ? width : pass->edges[level].width;

        while (high > 0) {
            unsigned count = 1U << __builtin_ctz(high);

            high -= count;
            part = rv_tree_root(pass->hasher, pass->edges[level].hashes + high, count);
            hash = empty ? part : rv_tree_node(pass->hasher, &part, &hash);
            empty = false;
        }
    }
    return empty ? rv_tree_empty() : hash;
}

/** If the older checkpoint ends in or just after the tile in edges[0], compare its root. */
static int check_older(struct pass *pass, const struct rv_tree_head *older)
{
    uint64_t low = pass->edges[0].n * RV_TILE_WIDTH;
    struct rv_sha256 root;

    if (!older || older->size <= low || older->size > low + pass->edges[0].width)
        return 0;
    root = edges_root(pass, (unsigned)(older->size - low));
    if (memcmp(&root, &older->root, sizeof(root)) == 0)
        return 0;
    return wrong(pass, 0, older->size, "the earlier checkpoint",
                 "is of another history: its root is not that of these entries");
}

static int check_partial_edges(struct pass *pass)
{
    for (int level = 1; level < RV_TILE_LEVELS; level++) {
        int r = pass->edges[level].width > 0 ? check_tile(pass, level) : 0;

        if (r != 0)
            return r;
    }
    return 0;
}

static int check_tree(struct pass *pass, const struct rv_verify_request *request)
{
    const struct rv_tree_head *head = &pass->report->checkpoint.head;
    struct rv_sha256 root;
    int r;

    for (uint64_t n = 0; n * RV_TILE_WIDTH < head->size; n++) {
        r = check_bundle(pass, n);
        if (r == 0)
            r = check_older(pass, request->older);
        if (r == 0)
            r = carry_up(pass);
        if (r != 0)
            return r;
    }
    r = check_partial_edges(pass);
    if (r != 0)
        return r;
    root = edges_root(pass, pass->edges[0].width);
    if (memcmp(&root, &head->root, sizeof(root)) != 0)
        return wrong(pass, 0, head->size, RV_CHECKPOINT_PATH,
                     "signs another root than the entries'");
    return 0;
}

/* ---- Partial tiles of earlier sizes, where the source can list them ---- */

struct listing {
    struct pass *pass;
    int level;
    uint64_t n;
    struct rv_span now; /* the same tile at its present width */
    int result;
};

/** Bytes that the first `width` entries or hashes of a bundle or tile take. */
static size_t prefix_len(int level, struct rv_span bytes, unsigned width)
{
    struct rv_reader reader = rv_reader(bytes);

    if (level != RV_TILE_ENTRIES)
        return width * RV_SHA256_LEN;
    for (unsigned i = 0; i < width; i++)
        (void)rv_bundle_next(&reader);
    return reader.offset;
}

/** Where two spans first differ, as an entry's index. */
static uint64_t first_difference(const struct listing *listing, struct rv_span a, struct rv_span b,
                                 unsigned width)
{
    size_t same = 0;
    unsigned i = 0;

    while (same < a.len && same < b.len && a.data[same] == b.data[same])
        same++;
    while (i + 1 < width && prefix_len(listing->level, listing->now, i + 1) <= same)
        i++;
    if (listing->level > 0)
        return (listing->n * RV_TILE_WIDTH + i) << (8 * (unsigned)listing->level);
    return listing->n * RV_TILE_WIDTH + i;
}

static int check_listed(void *context, const char *name)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    struct listing *listing = context;
    char path[RV_TILE_PATH_MAX];
    uint64_t width, entry;
    struct rv_span want;
    int r;

    if (rv_size_parse(&width, rv_span_str(name)) < 0 || width == 0 || width >= RV_TILE_WIDTH ||
        width >
            rv_tile_width(listing->level, listing->n, listing->pass->report->checkpoint.head.size))
        return 0; /* not of this tree: of one that a checkpoint is yet to cover, or not a tile */
    rv_tile_path(path, listing->level, listing->n, (unsigned)width);
    r = rv_source_read(listing->pass->source, path, RV_BUNDLE_LEN_MAX, &bytes);
    if (r < 0)
        return r == -ENOENT ? 0 : r; /* replaced by the full one meanwhile */
    want = rv_span(listing->now.data, prefix_len(listing->level, listing->now, (unsigned)width));
    if (rv_span_eq(rv_buf_span(&bytes), want))
        return 0;
    entry = first_difference(listing, rv_buf_span(&bytes), want, (unsigned)width);
    return wrong(listing->pass, entry, entry + 1, path, "is not a beginning of the tile it became");
}

static int check_partials(struct pass *pass)
{
    uint64_t size = pass->report->checkpoint.head.size;

    if (!pass->source->ops->list)
        return 0;
    for (int level = RV_TILE_ENTRIES; level < RV_TILE_LEVELS; level++) {
        uint64_t n = (level > 0 ? size >> (8 * level) : size) / RV_TILE_WIDTH;
        char path[RV_TILE_PATH_MAX];
        struct listing listing = { .pass = pass, .level = level, .n = n };
        int r;

        if (rv_tile_width(level, n, size) == 0)
            continue;
        r = read_file(pass, level, n, &pass->tile, path);
        if (r != 0)
            return r;
        listing.now = rv_buf_span(&pass->tile);
        rv_tile_path(path, level, n, 1);
        *strrchr(path, '/') = '\0';
        r = pass->source->ops->list(pass->source->context, path, check_listed, &listing);
        if (r != 0 && r != -ENOENT)
            return r;
    }
    return 0;
}

/* ---- The contract ---- */

static int read_checkpoint(struct pass *pass, const struct rv_verify_request *request)
{
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    struct rv_verify_report *report = pass->report;
    const char *problem = NULL;
    int r;

    r = rv_source_read(pass->source, RV_CHECKPOINT_PATH, RV_NOTE_LEN_MAX, &pass->tile);
    if (r == 0)
        r = rv_checkpoint_open(&report->checkpoint, &finding, rv_buf_span(&pass->tile),
                               request->keys, request->key_count);
    if (r == -ENOENT)
        problem = "there is no checkpoint";
    else if (r == -EBADMSG || r == -EFBIG)
        problem = "the checkpoint is malformed";
    else if (r < 0)
        return r;
    else if (finding == RV_NOTE_BAD)
        problem = "the checkpoint's signature is wrong";
    else if (finding == RV_NOTE_UNSIGNED)
        problem = "the checkpoint is not signed by the given key for its origin";
    else if (request->older && request->older->size > report->checkpoint.head.size)
        problem = "the log is shorter than the earlier checkpoint says: entries were removed";
    if (!problem)
        return 0;
    (void)snprintf(report->what, sizeof(report->what), "%s", problem);
    return 1;
}

int rv_verify_log(const struct rv_source *source, const struct rv_verify_request *request,
                  struct rv_verify_report *ret_report)
{
    RV_AUTO(pass_free) struct pass *pass = calloc(1, sizeof(*pass));
    struct rv_verify_report report = { 0 };
    int r;

    if (!pass)
        return -ENOMEM;
    pass->source = source;
    pass->report = &report;
    r = rv_hasher_new(&pass->hasher);
    if (r == 0)
        r = read_checkpoint(pass, request);
    if (r == 0)
        r = check_tree(pass, request);
    if (r == 0)
        r = check_partials(pass);
    if (r < 0)
        return r;
    report.finding = r == 0 ? RV_VERIFY_RIGHT : RV_VERIFY_WRONG;
    *ret_report = report;
    return 0;
}
