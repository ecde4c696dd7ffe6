/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forest as a package section, little endian:
 *   u32 version 1, u32 width, u64 base_q16, u32 trees, u32 nodes, u32 size of each tree,
 *   then each node: s32 feature, s32 value, u32 left, u32 right, u32 cover (IEEE 754 bits).
 */
#include "models/forest.h"

#define FOREST_VERSION 1U
#define NODE_BYTES     ((size_t)20)

void rv_forest_encode(const struct rv_forest *forest, struct rv_buf *buf)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);

    rv_buf_add_le32(buf, FOREST_VERSION);
    rv_buf_add_le32(buf, spec.width);
    rv_buf_add_le64(buf, (uint64_t)spec.base_q16);
    rv_buf_add_le32(buf, (uint32_t)spec.tree_count);
    rv_buf_add_le32(buf, (uint32_t)spec.node_count);
    for (size_t i = 0; i < spec.tree_count; i++)
        rv_buf_add_le32(buf, spec.tree_sizes[i]);
    for (size_t i = 0; i < spec.node_count; i++) {
        const struct rv_forest_node *node = &spec.nodes[i];
        uint32_t cover_bits;

        memcpy(&cover_bits, &node->cover, sizeof(cover_bits));
        rv_buf_add_le32(buf, (uint32_t)node->feature);
        rv_buf_add_le32(buf, (uint32_t)node->value);
        rv_buf_add_le32(buf, node->left);
        rv_buf_add_le32(buf, node->right);
        rv_buf_add_le32(buf, cover_bits);
    }
}

static struct rv_forest_node read_node(struct rv_reader *reader)
{
    struct rv_forest_node node;
    uint32_t cover_bits;

    node.feature = (int32_t)rv_read_le32(reader);
    node.value = (int32_t)rv_read_le32(reader);
    node.left = rv_read_le32(reader);
    node.right = rv_read_le32(reader);
    cover_bits = rv_read_le32(reader);
    memcpy(&node.cover, &cover_bits, sizeof(node.cover));
    return node;
}

static int refuse(const char **reterr, const char *why)
{
    if (reterr)
        *reterr = why;
    return -EINVAL;
}

int rv_forest_decode(struct rv_span bytes, struct rv_forest **ret_forest, const char **reterr)
{
    struct rv_reader reader = rv_reader(bytes);
    RV_AUTO(rv_freep) uint32_t *sizes = NULL;
    RV_AUTO(rv_freep) struct rv_forest_node *nodes = NULL;
    struct rv_forest_spec spec = { 0 };
    uint32_t version = rv_read_le32(&reader);

    spec.width = rv_read_le32(&reader);
    spec.base_q16 = (int64_t)rv_read_le64(&reader);
    spec.tree_count = rv_read_le32(&reader);
    spec.node_count = rv_read_le32(&reader);
    if (reader.failed || version != FOREST_VERSION)
        return refuse(reterr, "the forest's head is cut short or of another version");
    /* The length settles the counts, so nothing is allocated that the bytes do not fill. */
    if (reader.rest.len != spec.tree_count * 4 + spec.node_count * NODE_BYTES)
        return refuse(reterr, "the forest's length and its counts disagree");

    sizes = calloc(spec.tree_count + 1, sizeof(*sizes));
    nodes = calloc(spec.node_count + 1, sizeof(*nodes));
    if (!sizes || !nodes)
        return -ENOMEM;
    for (size_t i = 0; i < spec.tree_count; i++)
        sizes[i] = rv_read_le32(&reader);
    for (size_t i = 0; i < spec.node_count; i++)
        nodes[i] = read_node(&reader);
    spec.tree_sizes = sizes;
    spec.nodes = nodes;
    return rv_forest_make(&spec, ret_forest, reterr);
}
