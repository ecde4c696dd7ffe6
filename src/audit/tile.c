/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles as files or resources, and a Merkle tree seen through them. */
#include "audit/tile.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- Names ---- */

void rv_tile_path(char path[RV_TILE_PATH_MAX], int level, uint64_t n, unsigned width)
{
    char groups[40] = "", level_name[12] = "entries", partial[8] = "";
    uint64_t high = n / 1000;
    char *at = groups + sizeof(groups) - 1;

    /* Groups of three digits from the right; all but the last begin with an x. */
    at -= 3;
    (void)snprintf(at, 4, "%03u", (unsigned)(n % 1000));
    for (; high > 0; high /= 1000) {
        char group[6];

        (void)snprintf(group, sizeof(group), "x%03u/", (unsigned)(high % 1000));
        at -= 5;
        memcpy(at, group, 5);
    }
    if (level >= 0)
        (void)snprintf(level_name, sizeof(level_name), "%d", level);
    if (width < RV_TILE_WIDTH)
        (void)snprintf(partial, sizeof(partial), ".p/%u", width & 0xffU);
    (void)snprintf(path, RV_TILE_PATH_MAX, "tile/%s/%s%s", level_name, at, partial);
}

unsigned rv_tile_width(int level, uint64_t n, uint64_t size)
{
    uint64_t hashes = level > 0 ? size >> (8 * level) : size;

    if (level >= RV_TILE_LEVELS || n > hashes / RV_TILE_WIDTH)
        return 0;
    return (unsigned)rv_min_u64(RV_TILE_WIDTH, hashes - n * RV_TILE_WIDTH);
}

/* ---- A directory as a source ---- */

static int dir_read(void *context, const char *path, size_t len_max, struct rv_buf *ret_bytes)
{
    RV_AUTO(rv_closep)
    int fd = openat((int)(intptr_t)context, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t total = 0;

    if (fd < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    for (;;) {
        size_t chunk = rv_min_u64(64 * 1024, len_max + 1 - total);
        char *to = rv_buf_reserve(ret_bytes, chunk);
        ssize_t len;

        if (!to)
            return -ENOMEM;
        len = read(fd, to, chunk);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return -errno;
        if (len == 0)
            return 0;
        ret_bytes->len += (size_t)len;
        total += (size_t)len;
        if (total > len_max)
            return -EFBIG;
    }
}

static int dir_list(void *context, const char *path, int (*each)(void *context, const char *name),
                    void *each_context)
{
    int fd = openat((int)(intptr_t)context, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *item;
    int r = 0;

    if (!directory) {
        r = -errno;
        rv_closep(&fd);
        return r;
    }
    while (r == 0 && (item = readdir(directory)))
        r = each(each_context, item->d_name);
    (void)closedir(directory);
    return r;
}

static void dir_free(void *context)
{
    (void)close((int)(intptr_t)context);
}

static const struct rv_source_ops dir_ops = { dir_read, dir_list, dir_free };

int rv_source_dir(struct rv_source *ret_source, int dir_fd)
{
    int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    *ret_source = (struct rv_source){ &dir_ops, (void *)(intptr_t)fd };
    return 0;
}

void rv_source_done(struct rv_source *source)
{
    if (source->ops && source->ops->free)
        source->ops->free(source->context);
    *source = (struct rv_source){ 0 };
}

/* ---- Bundles ---- */

struct rv_span rv_bundle_next(struct rv_reader *bundle)
{
    uint16_t len = rv_read_be16(bundle);

    return rv_read_bytes(bundle, len);
}

/* ---- A tree over tiles ---- */

struct cached_tile {
    bool valid;
    uint64_t n;
    struct rv_sha256 hashes[RV_TILE_WIDTH];
};

struct rv_tiles {
    struct rv_source source;
    bool source_borrowed;
    uint64_t size;
    struct rv_hasher *hasher;
    struct cached_tile levels[RV_TILE_LEVELS];
    struct rv_buf bundle;
    bool bundle_valid;
    uint64_t bundle_n;
};

int rv_tiles_borrow(struct rv_tiles **ret_tiles, const struct rv_source *source, uint64_t size)
{
    RV_AUTO(rv_tiles_free) struct rv_tiles *tiles = calloc(1, sizeof(*tiles));
    int r;

    if (!tiles)
        return -ENOMEM;
    tiles->size = size;
    r = rv_hasher_new(&tiles->hasher);
    if (r < 0)
        return r;
    tiles->source = *source;
    tiles->source_borrowed = true;
    *ret_tiles = RV_TAKE(tiles);
    return 0;
}

int rv_tiles_new(struct rv_tiles **ret_tiles, struct rv_source *source, uint64_t size)
{
    int r = rv_tiles_borrow(ret_tiles, source, size);

    if (r < 0)
        return r;
    (*ret_tiles)->source_borrowed = false;
    *source = (struct rv_source){ 0 };
    return 0;
}

void rv_tiles_free(struct rv_tiles **tiles)
{
    if (!*tiles)
        return;
    if (!(*tiles)->source_borrowed)
        rv_source_done(&(*tiles)->source);
    rv_hasher_free(&(*tiles)->hasher);
    rv_buf_done(&(*tiles)->bundle);
    free(*tiles);
    *tiles = NULL;
}

/** Read a tile of the tree's width, or the full one that has since replaced a partial one. */
static int read_tile(struct rv_tiles *tiles, int level, uint64_t n, size_t len_max,
                     struct rv_buf *ret_bytes)
{
    unsigned width = rv_tile_width(level, n, tiles->size);
    char path[RV_TILE_PATH_MAX];
    int r;

    if (width == 0)
        return -ENOENT;
    rv_tile_path(path, level, n, width);
    rv_buf_clear(ret_bytes);
    r = rv_source_read(&tiles->source, path, len_max, ret_bytes);
    if (r != -ENOENT || width == RV_TILE_WIDTH)
        return r;
    rv_tile_path(path, level, n, RV_TILE_WIDTH);
    rv_buf_clear(ret_bytes);
    return rv_source_read(&tiles->source, path, len_max, ret_bytes);
}

int rv_tiles_hashes(struct rv_tiles *tiles, int level, uint64_t n,
                    const struct rv_sha256 **ret_hashes)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    size_t want = rv_tile_width(level, n, tiles->size) * RV_SHA256_LEN;
    size_t full = RV_TILE_WIDTH * RV_SHA256_LEN;
    struct cached_tile *tile;
    int r;

    if (level < 0 || level >= RV_TILE_LEVELS || want == 0)
        return -ENOENT;
    tile = &tiles->levels[level];
    if (!tile->valid || tile->n != n) {
        r = read_tile(tiles, level, n, full, &bytes);
        if (r < 0)
            return r == -EFBIG ? -EBADMSG : r;
        if (bytes.len != want && bytes.len != full)
            return -EBADMSG;
        memcpy(tile->hashes, bytes.data, want);
        tile->valid = true;
        tile->n = n;
    }
    *ret_hashes = tile->hashes;
    return 0;
}

int rv_tiles_bundle(struct rv_tiles *tiles, uint64_t n, struct rv_span *ret_bundle)
{
    int r;

    if (!tiles->bundle_valid || tiles->bundle_n != n) {
        tiles->bundle_valid = false;
        r = read_tile(tiles, RV_TILE_ENTRIES, n, RV_BUNDLE_LEN_MAX, &tiles->bundle);
        if (r < 0)
            return r == -EFBIG ? -EBADMSG : r;
        tiles->bundle_valid = true;
        tiles->bundle_n = n;
    }
    *ret_bundle = rv_buf_span(&tiles->bundle);
    return 0;
}

int rv_tiles_entry(struct rv_tiles *tiles, uint64_t index, struct rv_span *ret_entry)
{
    struct rv_span bundle, entry = { 0 };
    struct rv_reader reader;
    int r;

    if (index >= tiles->size)
        return -ENOENT;
    r = rv_tiles_bundle(tiles, index / RV_TILE_WIDTH, &bundle);
    if (r < 0)
        return r;
    reader = rv_reader(bundle);
    for (unsigned i = 0; i <= index % RV_TILE_WIDTH; i++)
        entry = rv_bundle_next(&reader);
    if (reader.failed)
        return -EBADMSG;
    *ret_entry = entry;
    return 0;
}

/** The hash of the complete subtree of 2^height leaves that begins at leaf `n` << height. */
static int node_hash(struct rv_tiles *tiles, unsigned height, uint64_t n,
                     struct rv_sha256 *ret_hash)
{
    int level = (int)(height / 8);
    unsigned within = height % 8;
    uint64_t first = n << within;
    const struct rv_sha256 *hashes;
    int r;

    r = rv_tiles_hashes(tiles, level, first / RV_TILE_WIDTH, &hashes);
    if (r < 0)
        return r;
    *ret_hash = rv_tree_root(tiles->hasher, hashes + first % RV_TILE_WIDTH, (size_t)1 << within);
    return 0;
}

/**
 * MTH(D[low:high]) where low is a multiple of the smallest power of two >= high - low, as every
 * range that RFC 6962 asks for is: complete subtrees from the right, folded into one.
 */
static int range_hash(struct rv_tiles *tiles, uint64_t low, uint64_t high,
                      struct rv_sha256 *ret_hash)
{
    struct rv_sha256 hash = { 0 }, left;
    bool empty = true;

    while (high > low) {
        unsigned height = (unsigned)__builtin_ctzll(high - low);
        int r;

        high -= (uint64_t)1 << height;
        r = node_hash(tiles, height, high >> height, &left);
        if (r < 0)
            return r;
        hash = empty ? left : rv_tree_node(tiles->hasher, &left, &hash);
        empty = false;
    }
    *ret_hash = empty ? rv_tree_empty() : hash;
    return 0;
}

int rv_tiles_root(struct rv_tiles *tiles, uint64_t size, struct rv_sha256 *ret_root)
{
    if (size > tiles->size)
        return -ENOENT;
    return range_hash(tiles, 0, size, ret_root);
}

static void reverse(struct rv_proof *proof)
{
    for (size_t i = 0; i < proof->count / 2; i++) {
        struct rv_sha256 swap = proof->hashes[i];

        proof->hashes[i] = proof->hashes[proof->count - 1 - i];
        proof->hashes[proof->count - 1 - i] = swap;
    }
}

int rv_tiles_prove_inclusion(struct rv_tiles *tiles, uint64_t index, uint64_t size,
                             struct rv_proof *ret_proof)
{
    struct rv_proof proof = { 0 };
    uint64_t low = 0, high = size;
    int r;

    if (index >= size || size > tiles->size)
        return -ENOENT;
    while (high - low > 1) { /* from the root down; each step halves, so at most 63 */
        uint64_t middle = low + rv_tree_split(high - low);

        if (index < middle) {
            r = range_hash(tiles, middle, high, &proof.hashes[proof.count]);
            high = middle;
        } else {
            r = range_hash(tiles, low, middle, &proof.hashes[proof.count]);
            low = middle;
        }
        if (r < 0)
            return r;
        proof.count++;
    }
    reverse(&proof);
    *ret_proof = proof;
    return 0;
}

/* RFC 6962, section 2.1.2, SUBPROOF(m, D[n], b) walked from the root down. */
int rv_tiles_prove_consistency(struct rv_tiles *tiles, uint64_t older, uint64_t newer,
                               struct rv_proof *ret_proof)
{
    struct rv_proof proof = { 0 };
    uint64_t low = 0, high = newer;
    int r;

    if (older > newer || newer > tiles->size)
        return -ENOENT;
    if (older == 0 || older == newer) {
        *ret_proof = proof;
        return 0;
    }
    while (high != older) {
        uint64_t middle = low + rv_tree_split(high - low);

        if (older <= middle) {
            r = range_hash(tiles, middle, high, &proof.hashes[proof.count]);
            high = middle;
        } else {
            r = range_hash(tiles, low, middle, &proof.hashes[proof.count]);
            low = middle;
        }
        if (r < 0)
            return r;
        proof.count++;
    }
    if (low != 0) { /* the older tree's last part is not the older tree itself: say its hash */
        r = range_hash(tiles, low, high, &proof.hashes[proof.count]);
        if (r < 0)
            return r;
        proof.count++;
    }
    reverse(&proof);
    *ret_proof = proof;
    return 0;
}
