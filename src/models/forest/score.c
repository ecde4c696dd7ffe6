/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores. Single rows walk trees that were padded to perfect ones: a step is four instructions
 * (load feature, load value, compare, add with carry) and never mispredicts, and since sums are
 * integers, trees may be summed in any order: here by depth, so that each loop's length is a
 * constant. Batches go 16 rows at a time: a tree's splits are compared for all rows at once and
 * its leaves are selected bottom-up, which needs no gather.
 */
#include "forest_private.h"

#define SIGN_BIT    0x80000000U
#define FLIPPED_MAX 512 /* rows wider than this are walked plainly */

/* ---- Packing ---- */

struct packing {
    const struct rv_forest_node *tree;
    struct packed_split *splits;
    int32_t *leaves;
    uint32_t depth;
};

/* Put the subtree of `node` at heap slot `at`, `level` splits below the root. */
static void pack_subtree(const struct packing *packing, uint32_t node, uint32_t at, uint32_t level)
{
    const struct rv_forest_node *from = &packing->tree[node];

    if (level == packing->depth) {
        packing->leaves[at - ((uint32_t)1 << level)] = from->value;
        return;
    }
    if (from->feature == RV_FOREST_LEAF) { /* pad: both ways lead to the same leaf */
        packing->splits[at] = (struct packed_split){ 0, 0 };
        pack_subtree(packing, node, 2 * at, level + 1);
        pack_subtree(packing, node, 2 * at + 1, level + 1);
        return;
    }
    packing->splits[at].value = (uint32_t)from->value ^ SIGN_BIT;
    packing->splits[at].feature = (uint32_t)from->feature;
    pack_subtree(packing, from->right, 2 * at, level + 1);
    pack_subtree(packing, from->left, 2 * at + 1, level + 1);
}

static int pack_group(struct rv_forest *forest, uint32_t depth)
{
    struct packed_group *group = &forest->groups[depth];
    size_t slots = (size_t)1 << depth;
    size_t next = 0;

    for (size_t i = 0; i < forest->tree_count; i++)
        group->tree_count += forest->tree_depths[i] == depth;
    if (group->tree_count == 0)
        return 0;
    group->splits =
        aligned_alloc(64, (group->tree_count * slots * sizeof(*group->splits) + 63) & ~(size_t)63);
    group->leaves = calloc(group->tree_count * slots, sizeof(*group->leaves));
    if (!group->splits || !group->leaves)
        return -ENOMEM;
    for (size_t i = 0; i < forest->tree_count; i++) {
        struct packing packing = { forest_tree(forest, i), group->splits + next,
                                   group->leaves + next, depth };

        if (forest->tree_depths[i] != depth)
            continue;
        packing.splits[0] = (struct packed_split){ 0, 0 };
        pack_subtree(&packing, 0, 1, 0);
        next += slots;
    }
    return 0;
}

int forest_pack(struct rv_forest *forest)
{
    for (uint32_t depth = 0; depth <= PACKED_DEPTH_MAX; depth++) {
        int r = pack_group(forest, depth);

        if (r < 0)
            return r;
    }
    forest->deep_trees = calloc(forest->tree_count + 1, sizeof(*forest->deep_trees));
    if (!forest->deep_trees)
        return -ENOMEM;
    for (uint32_t i = 0; i < forest->tree_count; i++) {
        if (forest->tree_depths[i] > PACKED_DEPTH_MAX)
            forest->deep_trees[forest->deep_count++] = i;
    }
    return 0;
}

void forest_unpack(struct rv_forest *forest)
{
    for (size_t i = 0; i < RV_COUNT(forest->groups); i++) {
        free(forest->groups[i].splits);
        free(forest->groups[i].leaves);
    }
    free(forest->deep_trees);
}

/* ---- One row ---- */

int64_t rv_forest_score_plain(const struct rv_forest *forest, const int32_t *row)
{
    int64_t sum = forest->base_q16;

    for (size_t i = 0; i < forest->tree_count; i++)
        sum += forest_leaf(forest_tree(forest, i), row)->value;
    return sum;
}

/*
 * The slot below `at`: 2 * at, plus one if the row goes left. No compiler here makes the carry of
 * an unsigned comparison into the shift's lowest bit by itself, so x86 is told.
 */
static inline __attribute__((always_inline)) uint64_t
step(uint64_t at, const struct packed_split *split, const uint32_t *row)
{
#ifdef __x86_64__
    __asm__("cmpl %[value], %[feature]\n\tadcq %[at], %[at]"
            : [at] "+r"(at)
            : [feature] "r"(row[split->feature]), [value] "m"(split->value)
            : "cc");
    return at;
#else
    return at + at + (row[split->feature] < split->value);
#endif
}

/* `row` has its sign bits flipped. */
static inline __attribute__((always_inline)) int64_t
score_group(const struct packed_group *group, const uint32_t *row, const uint32_t depth)
{
    const struct packed_split *splits = group->splits;
    const int32_t *leaves = group->leaves;
    const size_t slots = (size_t)1 << depth;
    int64_t sum = 0;

    for (uint32_t i = 0; i < group->tree_count; i++) {
        uint64_t at = 1;

#pragma GCC unroll 8
        for (uint32_t level = 0; level < depth; level++)
            at = step(at, &splits[at], row);
        sum += leaves[at - slots];
        splits += slots;
        leaves += slots;
    }
    return sum;
}

/* One call a depth: each is compiled with its own constant. */
static int64_t score_packed(const struct packed_group *groups, const uint32_t *row)
{
    return score_group(&groups[0], row, 0) + score_group(&groups[1], row, 1) +
           score_group(&groups[2], row, 2) + score_group(&groups[3], row, 3) +
           score_group(&groups[4], row, 4) + score_group(&groups[5], row, 5) +
           score_group(&groups[6], row, 6) + score_group(&groups[7], row, 7) +
           score_group(&groups[8], row, 8);
}

int64_t rv_forest_score(const struct rv_forest *forest, const int32_t *row)
{
    uint32_t flipped[FLIPPED_MAX] __attribute__((uninitialized));
    int64_t sum = forest->base_q16;

    if (forest->width > FLIPPED_MAX)
        return rv_forest_score_plain(forest, row);
    for (uint32_t f = 0; f < forest->width; f++)
        flipped[f] = (uint32_t)row[f] ^ SIGN_BIT;
    sum += score_packed(forest->groups, flipped);
    for (size_t i = 0; i < forest->deep_count; i++)
        sum += forest_leaf(forest_tree(forest, forest->deep_trees[i]), row)->value;
    return sum;
}

/* ---- Many rows: BLOCK at a time, a tree's splits compared for all of them at once ---- */

#define BLOCK           16
#define BLOCK_DEPTH_MAX 6 /* deeper trees cost more comparisons than steps */

typedef int32_t block __attribute__((vector_size(BLOCK * sizeof(int32_t))));

/*
 * One depth's trees over a block. `columns` holds the block by feature. The lowest splits choose
 * between leaves, each level above between what the two below chose.
 */
FOREST_WIDEST static void score_block(const struct packed_group *group, uint32_t depth,
                                      const block *columns, int64_t *sums)
{
    const struct packed_split *splits = group->splits;
    const int32_t *leaves = group->leaves;
    const uint32_t slots = 1U << depth, lowest = slots / 2;
    block chosen[1 << (BLOCK_DEPTH_MAX - 1)] __attribute__((uninitialized));

    for (uint32_t i = 0; i < group->tree_count; i++) {
        for (uint32_t n = 0; n < lowest; n++) {
            const struct packed_split *split = &splits[lowest + n];
            block left = columns[split->feature] < (int32_t)(split->value ^ SIGN_BIT);

            chosen[n] = (left & leaves[2 * n + 1]) | (~left & leaves[2 * n]);
        }
        for (uint32_t level = lowest / 2; level > 0; level /= 2) {
            for (uint32_t n = 0; n < level; n++) {
                const struct packed_split *split = &splits[level + n];
                block left = columns[split->feature] < (int32_t)(split->value ^ SIGN_BIT);

                chosen[n] = (left & chosen[2 * n + 1]) | (~left & chosen[2 * n]);
            }
        }
        for (uint32_t lane = 0; lane < BLOCK; lane++)
            sums[lane] += chosen[0][lane];
        splits += slots;
        leaves += slots;
    }
}

/* What is not scored in blocks: single leaves, deeper trees. */
static int64_t score_rest(const struct rv_forest *forest, const uint32_t *flipped,
                          const int32_t *row)
{
    int64_t sum = forest->base_q16 + score_group(&forest->groups[0], flipped, 0) +
                  score_group(&forest->groups[7], flipped, 7) +
                  score_group(&forest->groups[8], flipped, 8);

    for (size_t i = 0; i < forest->deep_count; i++)
        sum += forest_leaf(forest_tree(forest, forest->deep_trees[i]), row)->value;
    return sum;
}

static void score_rows_of_block(const struct rv_forest *forest, const int32_t *rows, block *columns,
                                int64_t *ret_scores)
{
    uint32_t flipped[FLIPPED_MAX] __attribute__((uninitialized));

    for (size_t lane = 0; lane < BLOCK; lane++) {
        const int32_t *row = rows + lane * forest->width;

        for (uint32_t f = 0; f < forest->width; f++) {
            columns[f][lane] = row[f];
            flipped[f] = (uint32_t)row[f] ^ SIGN_BIT;
        }
        ret_scores[lane] = score_rest(forest, flipped, row);
    }
    for (uint32_t depth = 1; depth <= BLOCK_DEPTH_MAX; depth++)
        score_block(&forest->groups[depth], depth, columns, ret_scores);
}

void rv_forest_score_rows(const struct rv_forest *forest, const int32_t *rows, size_t count,
                          int64_t *ret_scores)
{
    block *columns = NULL;
    size_t i = 0;

    if (count >= BLOCK && forest->width <= FLIPPED_MAX)
        columns = aligned_alloc(sizeof(block), forest->width * sizeof(block));
    for (; columns && i + BLOCK <= count; i += BLOCK)
        score_rows_of_block(forest, rows + i * forest->width, columns, ret_scores + i);
    free(columns);
    for (; i < count; i++) /* what does not fill a block, or all without memory for one */
        ret_scores[i] = rv_forest_score(forest, rows + i * forest->width);
}
