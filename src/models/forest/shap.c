/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path-dependent TreeSHAP in O(nodes) a tree.
 *
 * The Shapley value of feature i on one path is  leaf * (o_i - z_i) * INT_0^1 PROD_{j!=i} f_j(t) dt
 * with f_j(t) = o_j*t + z_j*(1-t), where o_j is 1 if the row agrees with the path's splits on j and
 * z_j is the share of training weight that did. The integrand is a polynomial of degree below the
 * path's length d, so Gauss-Legendre with n >= d/2 points is exact. Points are independent, so one
 * pass computes four at once: products go down the tree, sums over leaves come back up, and an edge
 * on feature i adds (o_i - z_i)/f_i times its subtree's sum. A feature met again further down
 * replaces its earlier factor; what the earlier edge adds too much is taken back there.
 */
#include "forest_private.h"

#include "models/reasons.h"

#include <math.h>

#define LANES 4

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* An edge into a node whose feature was not met above it; o is 0 or 1. */
struct edge {
    lanes gain_one; /* weight * (1-z)/f, for o = 1; for o = 0 it is a constant of the points */
    double share;   /* z */
    uint32_t slot;  /* of the split's feature */
    uint32_t again; /* 0, or 1 + index into `repeats` */
};

/* An edge whose feature was met above: by (o above) + (o here). */
struct repeat {
    lanes factor[3], gain[3];
    uint32_t above; /* the node whose edge has the same feature, nearest above */
};

struct block {       /* four points of the quadrature */
    lanes t, u;      /* the point and 1 - point */
    lanes gain_zero; /* -weight/u */
    lanes weight;
    struct edge *edges; /* node_count */
    struct repeat *repeats;
};

struct rv_shap {
    const struct rv_forest *forest;
    uint32_t block_count;
    struct block *blocks;
    uint32_t *slot_of; /* width */
    uint32_t *feature_of;
    uint32_t slot_count;
    double base;
    lanes *sums; /* slot_count */
    lanes *down; /* largest tree */
    lanes *up;
    uint8_t *agree;
    uint64_t *order; /* slot_count: remainders to sort */
};

/* ---- Quadrature ---- */

/* P_n(x) and its derivative. */
static double legendre(uint32_t n, double x, double *ret_slope)
{
    double before = 1, value = x;

    for (uint32_t k = 2; k <= n; k++) {
        double next = ((2.0 * k - 1) * x * value - (k - 1.0) * before) / k;

        before = value;
        value = next;
    }
    *ret_slope = n * (x * value - before) / (x * x - 1);
    return value;
}

/* Point `i` of `n` on [0,1]; Newton from Chebyshev's guess converges in a few steps. */
static void gauss_legendre(uint32_t n, uint32_t i, double *ret_point, double *ret_weight)
{
    double x = cos(3.14159265358979323846 * (i + 0.75) / (n + 0.5));
    double slope = 1;

    for (unsigned round = 0; round < 100; round++) {
        double step = legendre(n, x, &slope) / slope;

        x -= step;
        if (fabs(step) < 1e-16)
            break;
    }
    (void)legendre(n, x, &slope);
    *ret_point = (1 + x) / 2;
    *ret_weight = 1 / ((1 - x * x) * slope * slope);
}

/* ---- Tables ---- */

static const lanes ones = { 1, 1, 1, 1 };

struct edge_walk {
    struct block *block;
    const struct rv_forest_node *tree;
    struct edge *edges; /* of this tree */
    const uint32_t *slot_of;
    const uint32_t *parents; /* of this tree */
    uint32_t *repeat_count;  /* NULL blocks->repeats: only count */
};

/* The node at or above `node` whose incoming edge splits on `feature`; 0 if none. */
static uint32_t find_above(const struct edge_walk *walk, uint32_t node, int32_t feature)
{
    while (node != 0 && walk->tree[walk->parents[node]].feature != feature)
        node = walk->parents[node];
    return node;
}

static void fill_repeat(struct edge_walk *walk, uint32_t above, struct edge *edge, double ratio)
{
    const struct block *block = walk->block;
    const struct edge *first = &walk->edges[above];
    lanes first_one = block->t + first->share * block->u;
    lanes one = block->t + edge->share * block->u;
    struct repeat *repeat = &walk->block->repeats[(*walk->repeat_count)++];

    repeat->above = above;
    repeat->factor[0] = ratio * ones;
    repeat->factor[1] = edge->share * block->u / first_one;
    repeat->factor[2] = one / first_one;
    repeat->gain[0] = 0 * ones; /* both are gain_zero */
    repeat->gain[1] = block->gain_zero - first->gain_one;
    repeat->gain[2] = edge->gain_one - first->gain_one;
    edge->again = *walk->repeat_count;
}

static void fill_edge(struct edge_walk *walk, uint32_t parent, uint32_t child)
{
    const struct rv_forest_node *split = &walk->tree[parent];
    uint32_t above = find_above(walk, parent, split->feature);
    double ratio = forest_share(walk->tree, split, child);
    struct edge *edge = &walk->edges[child];

    edge->slot = walk->slot_of[split->feature];
    edge->share = above ? walk->edges[above].share * ratio : ratio;
    edge->gain_one =
        walk->block->weight * (1 - edge->share) / (walk->block->t + edge->share * walk->block->u);
    if (above)
        fill_repeat(walk, above, edge, ratio);
}

static void fill_parents(const struct rv_forest_node *tree, uint32_t size, uint32_t *parents)
{
    for (uint32_t i = 0; i < size; i++) {
        if (tree[i].feature == RV_FOREST_LEAF)
            continue;
        parents[tree[i].left] = parents[tree[i].right] = i;
    }
}

static void fill_block(struct rv_shap *shap, struct block *block, const uint32_t *parents)
{
    const struct rv_forest *forest = shap->forest;
    uint32_t repeat_count = 0;

    for (size_t i = 0; i < forest->tree_count; i++) {
        uint32_t start = forest->tree_starts[i];
        struct edge_walk walk = { block,         &forest->nodes[start], &block->edges[start],
                                  shap->slot_of, &parents[start],       &repeat_count };

        for (uint32_t j = 0; j < forest->tree_sizes[i]; j++) {
            if (walk.tree[j].feature == RV_FOREST_LEAF)
                continue;
            fill_edge(&walk, j, walk.tree[j].left);
            fill_edge(&walk, j, walk.tree[j].right);
        }
    }
}

static size_t count_repeats(const struct rv_forest *forest, const uint32_t *parents)
{
    size_t count = 0;

    for (size_t i = 0; i < forest->tree_count; i++) {
        uint32_t start = forest->tree_starts[i];
        struct edge_walk walk = { .tree = &forest->nodes[start], .parents = &parents[start] };

        for (uint32_t j = 0; j < forest->tree_sizes[i]; j++) {
            int32_t feature = walk.tree[j].feature;

            if (feature != RV_FOREST_LEAF && find_above(&walk, j, feature))
                count += 2;
        }
    }
    return count;
}

/* ---- Making ---- */

/* Rounded up to whole vectors and aligned for them. */
static void *make_lanes(size_t count, size_t size)
{
    void *memory = aligned_alloc(64, (count * size + 64) & ~(size_t)63);

    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

static int assign_slots(struct rv_shap *shap)
{
    const struct rv_forest *forest = shap->forest;

    shap->slot_of = calloc(forest->width, sizeof(*shap->slot_of));
    shap->feature_of = calloc(forest->width, sizeof(*shap->feature_of));
    if (!shap->slot_of || !shap->feature_of)
        return -ENOMEM;
    for (size_t i = 0; i < forest->node_count; i++) {
        if (forest->nodes[i].feature >= 0)
            shap->slot_of[forest->nodes[i].feature] = 1;
    }
    for (uint32_t f = 0; f < forest->width; f++) {
        if (!shap->slot_of[f])
            continue;
        shap->feature_of[shap->slot_count] = f;
        shap->slot_of[f] = shap->slot_count++;
    }
    return 0;
}

static int make_block(struct rv_shap *shap, uint32_t index, const uint32_t *parents,
                      size_t repeat_count)
{
    struct block *block = &shap->blocks[index];

    block->edges = make_lanes(shap->forest->node_count, sizeof(*block->edges));
    block->repeats = make_lanes(repeat_count, sizeof(*block->repeats));
    if (!block->edges || !block->repeats)
        return -ENOMEM;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        double point, weight;

        gauss_legendre(shap->block_count * LANES, index * LANES + lane, &point, &weight);
        block->t[lane] = point;
        block->u[lane] = 1 - point;
        block->weight[lane] = weight;
    }
    block->gain_zero = -block->weight / block->u;
    fill_block(shap, block, parents);
    return 0;
}

static int make_blocks(struct rv_shap *shap)
{
    const struct rv_forest *forest = shap->forest;
    RV_AUTO(rv_freep) uint32_t *parents = calloc(forest->node_count + 1, sizeof(*parents));
    size_t repeat_count;

    shap->block_count = (forest->depth + 2 * LANES - 1) / (2 * LANES);
    if (shap->block_count == 0)
        shap->block_count = 1;
    shap->blocks = make_lanes(shap->block_count, sizeof(*shap->blocks));
    if (!shap->blocks || !parents)
        return -ENOMEM;
    for (size_t i = 0; i < forest->tree_count; i++)
        fill_parents(forest_tree(forest, i), forest->tree_sizes[i],
                     &parents[forest->tree_starts[i]]);
    repeat_count = count_repeats(forest, parents);
    for (uint32_t i = 0; i < shap->block_count; i++) {
        int r = make_block(shap, i, parents, repeat_count);

        if (r < 0)
            return r;
    }
    return 0;
}

static int make_work(struct rv_shap *shap)
{
    uint32_t largest = 1;

    for (size_t i = 0; i < shap->forest->tree_count; i++) {
        if (shap->forest->tree_sizes[i] > largest)
            largest = shap->forest->tree_sizes[i];
    }
    shap->sums = make_lanes(shap->slot_count, sizeof(*shap->sums));
    shap->down = make_lanes(largest, sizeof(*shap->down));
    shap->up = make_lanes(largest, sizeof(*shap->up));
    shap->agree = calloc(largest, 1);
    shap->order = calloc(shap->slot_count + 1, sizeof(*shap->order));
    return shap->sums && shap->down && shap->up && shap->agree && shap->order ? 0 : -ENOMEM;
}

int rv_shap_new(const struct rv_forest *forest, struct rv_shap **ret_shap)
{
    RV_AUTO(rv_shap_free) struct rv_shap *shap = calloc(1, sizeof(*shap));
    int r;

    if (!shap)
        return -ENOMEM;
    shap->forest = forest;
    shap->base = (double)forest->base_q16;
    for (size_t i = 0; i < forest->tree_count; i++)
        shap->base += forest->tree_means[i];
    r = assign_slots(shap);
    if (r == 0)
        r = make_blocks(shap);
    if (r == 0)
        r = make_work(shap);
    if (r < 0)
        return r;
    *ret_shap = RV_TAKE(shap);
    return 0;
}

void rv_shap_free(struct rv_shap **shap)
{
    if (!*shap)
        return;
    for (uint32_t i = 0; (*shap)->blocks && i < (*shap)->block_count; i++) {
        free((*shap)->blocks[i].edges);
        free((*shap)->blocks[i].repeats);
    }
    free((*shap)->blocks);
    free((*shap)->slot_of);
    free((*shap)->feature_of);
    free((*shap)->sums);
    free((*shap)->down);
    free((*shap)->up);
    free((*shap)->agree);
    free((*shap)->order);
    free(*shap);
    *shap = NULL;
}

/* ---- Explaining ---- */

static inline __attribute__((always_inline)) void descend(struct rv_shap *shap,
                                                          const struct block *block,
                                                          const struct edge *edge, uint32_t parent,
                                                          uint32_t child, uint8_t here)
{
    if (edge->again) {
        const struct repeat *repeat = &block->repeats[edge->again - 1];
        uint8_t above = shap->agree[repeat->above];

        here &= above;
        shap->down[child] = shap->down[parent] * repeat->factor[above + here];
    } else {
        shap->down[child] = shap->down[parent] * ((double)here * block->t + edge->share * block->u);
    }
    shap->agree[child] = here;
}

static inline __attribute__((always_inline)) void
ascend(struct rv_shap *shap, const struct block *block, const struct edge *edge, uint32_t child)
{
    lanes gain;

    if (edge->again) {
        const struct repeat *repeat = &block->repeats[edge->again - 1];

        gain = repeat->gain[shap->agree[repeat->above] + shap->agree[child]];
    } else {
        gain = shap->agree[child] ? edge->gain_one : block->gain_zero;
    }
    shap->sums[edge->slot] += gain * shap->up[child];
}

FOREST_WIDEST static void explain_tree(struct rv_shap *shap, const struct block *block,
                                       size_t index, const int32_t *row)
{
    const struct rv_forest *forest = shap->forest;
    const struct rv_forest_node *tree = forest_tree(forest, index);
    const struct edge *edges = &block->edges[forest->tree_starts[index]];
    uint32_t size = forest->tree_sizes[index];

    shap->down[0] = ones;
    for (uint32_t i = 0; i < size; i++) {
        const struct rv_forest_node *node = &tree[i];
        uint8_t left;

        if (node->feature == RV_FOREST_LEAF)
            continue;
        left = row[node->feature] < node->value;
        descend(shap, block, &edges[node->left], i, node->left, left);
        descend(shap, block, &edges[node->right], i, node->right, !left);
    }
    for (uint32_t i = size; i-- > 0;) {
        const struct rv_forest_node *node = &tree[i];

        if (node->feature == RV_FOREST_LEAF) {
            shap->up[i] = (double)node->value * shap->down[i];
            continue;
        }
        shap->up[i] = shap->up[node->left] + shap->up[node->right];
        ascend(shap, block, &edges[node->left], node->left);
        ascend(shap, block, &edges[node->right], node->right);
    }
}

/* The largest remainders first; equal ones by lower feature. */
static void sort_remainders(uint64_t *order, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t key = order[i];
        uint32_t j = i;

        for (; j > 0 && order[j - 1] < key; j--)
            order[j] = order[j - 1];
        order[j] = key;
    }
}

/* Round down, then hand out `missing` units by largest remainder, so that the sum is exact. */
static void round_exactly(struct rv_shap *shap, int64_t missing, int64_t *attribution)
{
    for (uint32_t i = 0; i < shap->slot_count; i++) {
        lanes sum = shap->sums[i];
        double exact = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        double down = floor(exact);

        attribution[shap->feature_of[i]] = (int64_t)down;
        missing -= (int64_t)down;
        shap->order[i] = (uint64_t)((exact - down) * 0x1p40) << 16 | (UINT16_MAX - i);
    }
    sort_remainders(shap->order, shap->slot_count);
    for (uint32_t i = 0; missing != 0; i = i + 1 < shap->slot_count ? i + 1 : 0) {
        int64_t unit = missing > 0 ? 1 : -1;

        attribution[shap->feature_of[UINT16_MAX - (shap->order[i] & UINT16_MAX)]] += unit;
        missing -= unit;
    }
}

void rv_shap_explain(struct rv_shap *shap, const int32_t *row, int64_t *ret_attribution_q16,
                     int64_t *ret_base_q16)
{
    const struct rv_forest *forest = shap->forest;
    int64_t score = rv_forest_score(forest, row);
    int64_t base = shap->slot_count ? (int64_t)llround(shap->base) : score;

    memset(ret_attribution_q16, 0, forest->width * sizeof(*ret_attribution_q16));
    *ret_base_q16 = base;
    if (shap->slot_count == 0)
        return;
    memset(shap->sums, 0, shap->slot_count * sizeof(*shap->sums));
    for (uint32_t i = 0; i < shap->block_count; i++) {
        for (size_t j = 0; j < forest->tree_count; j++)
            explain_tree(shap, &shap->blocks[i], j, row);
    }
    round_exactly(shap, score - base, ret_attribution_q16);
}
