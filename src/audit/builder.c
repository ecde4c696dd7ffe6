/* SPDX-License-Identifier: Apache-2.0 */
#include "builder.h"

#define LEVELS RV_TILE_LEVELS

struct edge {
    uint64_t n;       /* index of the tile being filled */
    unsigned width;   /* hashes in it, 0..255 */
    unsigned written; /* width of the last partial written for it */
    struct rv_sha256 hashes[RV_TILE_WIDTH];
};

struct rv_builder {
    struct rv_store *store;
    struct rv_hasher *hasher;
    uint64_t size;
    struct edge edges[LEVELS];
    struct rv_buf bundle; /* the entries of edges[0] */
    uint64_t
        partials[LEVELS + 1]; /* from which tile on partials may be on disk; [LEVELS]: bundles */
};

int rv_builder_new(struct rv_builder **ret_builder, struct rv_store *store)
{
    RV_AUTO(rv_builder_free) struct rv_builder *builder = calloc(1, sizeof(*builder));
    int r;

    if (!builder)
        return -ENOMEM;
    builder->store = store;
    r = rv_hasher_new(&builder->hasher);
    if (r < 0)
        return r;
    *ret_builder = RV_TAKE(builder);
    return 0;
}

void rv_builder_free(struct rv_builder **builder)
{
    if (!*builder)
        return;
    rv_hasher_free(&(*builder)->hasher);
    rv_buf_done(&(*builder)->bundle);
    free(*builder);
    *builder = NULL;
}

uint64_t rv_builder_size(const struct rv_builder *builder)
{
    return builder->size;
}

/* ---- Continuing a tree ---- */

static int load_edges(struct rv_builder *builder, struct rv_tiles *tiles)
{
    for (int level = 0; level < LEVELS; level++) {
        struct edge *edge = &builder->edges[level];
        uint64_t hashes = builder->size >> (8 * level);
        const struct rv_sha256 *from;
        int r;

        edge->n = hashes / RV_TILE_WIDTH;
        edge->width = edge->written = (unsigned)(hashes % RV_TILE_WIDTH);
        /* A crash may have kept partials of the tile before from being pruned. */
        builder->partials[level] = edge->n > 0 ? edge->n - 1 : 0;
        if (edge->width == 0)
            continue;
        r = rv_tiles_hashes(tiles, level, edge->n, &from);
        if (r < 0)
            return r == -ENOENT ? -EBADMSG : r;
        memcpy(edge->hashes, from, edge->width * sizeof(*from));
    }
    builder->partials[LEVELS] = builder->partials[0];
    return 0;
}

static int load_bundle(struct rv_builder *builder, struct rv_tiles *tiles)
{
    struct edge *edge = &builder->edges[0];
    struct rv_reader reader;
    struct rv_span bundle;
    int r;

    if (edge->width == 0)
        return 0;
    r = rv_tiles_bundle(tiles, edge->n, &bundle);
    if (r < 0)
        return r == -ENOENT ? -EBADMSG : r;
    reader = rv_reader(bundle);
    for (unsigned i = 0; i < edge->width; i++) {
        struct rv_sha256 leaf = rv_tree_leaf(builder->hasher, rv_bundle_next(&reader));

        if (reader.failed || memcmp(&leaf, &edge->hashes[i], sizeof(leaf)) != 0)
            return -EBADMSG;
    }
    rv_buf_add(&builder->bundle, bundle.data, reader.offset);
    return builder->bundle.failed ? -ENOMEM : 0;
}

int rv_builder_load(struct rv_builder *builder, int dir_fd, const struct rv_tree_head *head)
{
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = NULL;
    RV_AUTO(rv_source_done) struct rv_source source = { 0 };
    struct rv_sha256 root;
    int r;

    r = rv_source_dir(&source, dir_fd);
    if (r < 0)
        return r;
    r = rv_tiles_new(&tiles, &source, head->size);
    if (r < 0)
        return r;
    builder->size = head->size;
    r = load_edges(builder, tiles);
    if (r < 0)
        return r;
    root = rv_builder_root(builder);
    if (memcmp(&root, &head->root, sizeof(root)) != 0)
        return -EBADMSG;
    return load_bundle(builder, tiles);
}

/* ---- Growing it ---- */

static int put_tile(struct rv_builder *builder, int level, unsigned width)
{
    const struct edge *edge = &builder->edges[level];
    char path[RV_TILE_PATH_MAX];

    rv_tile_path(path, level, edge->n, width);
    return rv_store_put(builder->store, path, rv_span(edge->hashes, width * RV_SHA256_LEN));
}

static int put_bundle(struct rv_builder *builder, unsigned width)
{
    char path[RV_TILE_PATH_MAX];

    rv_tile_path(path, RV_TILE_ENTRIES, builder->edges[0].n, width);
    return rv_store_put(builder->store, path, rv_buf_span(&builder->bundle));
}

/** Put one hash into a level; a tile that fills is written and its root goes one level up. */
static int add_hash(struct rv_builder *builder, struct rv_sha256 hash)
{
    for (int level = 0; level < LEVELS; level++) {
        struct edge *edge = &builder->edges[level];
        int r;

        edge->hashes[edge->width++] = hash;
        if (edge->width < RV_TILE_WIDTH)
            return 0;
        r = put_tile(builder, level, RV_TILE_WIDTH);
        if (r < 0)
            return r;
        hash = rv_tree_root(builder->hasher, edge->hashes, RV_TILE_WIDTH);
        edge->n++;
        edge->width = edge->written = 0;
    }
    return -EFBIG;
}

int rv_builder_add(struct rv_builder *builder, struct rv_span entry)
{
    uint8_t len[2] = { (uint8_t)(entry.len >> 8), (uint8_t)entry.len };
    int r;

    rv_buf_add(&builder->bundle, len, sizeof(len));
    rv_buf_add(&builder->bundle, entry.data, entry.len);
    if (builder->bundle.failed)
        return -ENOMEM;
    if (builder->edges[0].width == RV_TILE_WIDTH - 1) {
        r = put_bundle(builder, RV_TILE_WIDTH);
        if (r < 0)
            return r;
        rv_buf_clear(&builder->bundle);
    }
    builder->size++;
    return add_hash(builder, rv_tree_leaf(builder->hasher, entry));
}

int rv_builder_write_partials(struct rv_builder *builder)
{
    int r;

    if (builder->edges[0].width > builder->edges[0].written) {
        r = put_bundle(builder, builder->edges[0].width);
        if (r < 0)
            return r;
    }
    for (int level = 0; level < LEVELS; level++) {
        struct edge *edge = &builder->edges[level];

        if (edge->width == edge->written)
            continue;
        r = put_tile(builder, level, edge->width);
        if (r < 0)
            return r;
        edge->written = edge->width;
    }
    return 0;
}

struct rv_sha256 rv_builder_root(const struct rv_builder *builder)
{
    struct rv_sha256 hash = { 0 }, part;
    bool empty = true;

    /* Complete subtrees from the right: those of level 0, then what lies left of them. */
    for (int level = 0; level < LEVELS; level++) {
        const struct edge *edge = &builder->edges[level];

        for (unsigned high = edge->width; high > 0;) {
            unsigned count = 1U << __builtin_ctz(high);

            high -= count;
            part = rv_tree_root(builder->hasher, edge->hashes + high, count);
            hash = empty ? part : rv_tree_node(builder->hasher, &part, &hash);
            empty = false;
        }
    }
    return empty ? rv_tree_empty() : hash;
}

static void prune_level(struct rv_builder *builder, size_t slot, int level, uint64_t n)
{
    /* Also the one after: load_edges() starts one tile early. */
    for (unsigned i = 0; i < 2; i++) {
        if (builder->partials[slot] + i < n)
            rv_store_prune_partials(builder->store, level, builder->partials[slot] + i);
    }
    builder->partials[slot] = n;
}

void rv_builder_prune(struct rv_builder *builder)
{
    for (int level = 0; level < LEVELS; level++)
        prune_level(builder, (size_t)level, level, builder->edges[level].n);
    prune_level(builder, LEVELS, RV_TILE_ENTRIES, builder->edges[0].n);
}
