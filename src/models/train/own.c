/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own gradient boosting. Features are binned once (every distinct value when there are few
 * enough: then this is exact greedy). Gradients are rounded to integers before they are summed, and
 * margins are the integer scores of the trees so far, so that the order of summing cannot matter
 * and the result depends on nothing but data, options and seed.
 */
#include "train_private.h"

#include "base/hash.h"

#include <math.h>

struct bin_sum {
    int64_t gradient, hessian;
};

struct training {
    const struct rv_rows *rows;
    const struct rv_train_options *options;

    /* Bins: thresholds[f][b] is the least value of bin b+1. Bins lie by column. */
    int32_t **thresholds;
    uint32_t *threshold_count;
    uint16_t *bins; /* width * count */

    int64_t *margins; /* Q16.16 */
    int64_t *gradients, *hessians;
    double scale; /* of both */

    uint32_t *sample; /* rows of this tree, grouped by node */
    uint32_t *spare;
    size_t sample_count;
    uint32_t *columns; /* features of this tree come first */
    uint32_t column_count;
    struct bin_sum *histogram; /* bins */

    struct rv_forest_node *nodes;
    size_t node_count, node_room;
    uint32_t *tree_sizes;
};

static void training_done(struct training *training)
{
    for (uint32_t f = 0; training->thresholds && f < training->rows->width; f++)
        free(training->thresholds[f]);
    free(training->thresholds);
    free(training->threshold_count);
    free(training->bins);
    free(training->margins);
    free(training->gradients);
    free(training->hessians);
    free(training->sample);
    free(training->spare);
    free(training->columns);
    free(training->histogram);
    free(training->nodes);
    free(training->tree_sizes);
}

/* ---- Bins ---- */

static int compare_values(const void *a, const void *b)
{
    int32_t left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return (left > right) - (left < right);
}

/* Halfway between two neighbours, above the lower one. */
static int32_t between(int32_t low, int32_t high)
{
    return (int32_t)(low + ((int64_t)high - low + 1) / 2);
}

/* Thresholds at equal shares of the rows, between distinct values. `sorted` has `count` values. */
static uint32_t choose_thresholds(const int32_t *sorted, size_t count, uint32_t bins,
                                  int32_t *thresholds)
{
    size_t distinct = 1;
    uint32_t chosen = 0;

    for (size_t i = 1; i < count; i++)
        distinct += sorted[i] != sorted[i - 1];
    for (size_t i = 1; i < count && chosen < bins - 1; i++) {
        bool due = distinct <= bins || i * bins >= (chosen + 1) * count;

        if (due && sorted[i] != sorted[i - 1])
            thresholds[chosen++] = between(sorted[i - 1], sorted[i]);
    }
    return chosen;
}

static uint16_t bin_of(const int32_t *thresholds, uint32_t count, int32_t value)
{
    uint32_t low = 0, high = count; /* thresholds below `low` are <= value */

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (thresholds[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint16_t)low;
}

static int bin_feature(struct training *training, uint32_t feature, int32_t *column)
{
    const struct rv_rows *rows = training->rows;
    uint32_t bins = training->options->bins;
    int32_t *thresholds = calloc(bins, sizeof(*thresholds));

    if (!thresholds)
        return -ENOMEM;
    training->thresholds[feature] = thresholds;
    for (size_t i = 0; i < rows->count; i++)
        column[i] = rows->values[i * rows->width + feature];
    qsort(column, rows->count, sizeof(*column), compare_values);
    training->threshold_count[feature] = choose_thresholds(column, rows->count, bins, thresholds);
    for (size_t i = 0; i < rows->count; i++)
        training->bins[(size_t)feature * rows->count + i] =
            bin_of(thresholds, training->threshold_count[feature],
                   rows->values[i * rows->width + feature]);
    return 0;
}

static int make_bins(struct training *training)
{
    const struct rv_rows *rows = training->rows;
    RV_AUTO(rv_freep) int32_t *column = calloc(rows->count, sizeof(*column));

    if (!column)
        return -ENOMEM;
    for (uint32_t f = 0; f < rows->width; f++) {
        int r = bin_feature(training, f, column);

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- Gradients ---- */

static void loss_of(const struct training *training, size_t row, double *ret_gradient,
                    double *ret_hessian)
{
    double weight = training->rows->weights ? (double)training->rows->weights[row] : 1.0;
    double target = (double)training->rows->targets[row];
    double margin = (double)training->margins[row] / 65536.0;

    if (training->options->loss == RV_TRAIN_SQUARED) {
        *ret_gradient = (margin - target) * weight;
        *ret_hessian = weight;
    } else {
        double p = train_sigmoid(margin);

        *ret_gradient = (p - target) * weight;
        *ret_hessian = fmax(p * (1 - p), 1e-12) * weight;
    }
}

/* Sums of all rows must fit 62 bits, so the scale follows from the largest term. */
static double choose_scale(const struct training *training)
{
    double largest = 1e-6;
    int exponent;

    for (size_t i = 0; i < training->rows->count; i++) {
        double gradient, hessian;

        loss_of(training, i, &gradient, &hessian);
        largest = fmax(largest, fmax(fabs(gradient), hessian));
    }
    (void)frexp(largest * (double)training->rows->count, &exponent);
    return ldexp(1, 61 - exponent < 40 ? 61 - exponent : 40);
}

static void fill_gradients(struct training *training)
{
    training->scale = choose_scale(training);
    for (size_t i = 0; i < training->rows->count; i++) {
        double gradient, hessian;

        loss_of(training, i, &gradient, &hessian);
        training->gradients[i] = llround(gradient * training->scale);
        training->hessians[i] = llround(hessian * training->scale);
    }
}

/* ---- Sampling ---- */

static uint64_t draw(const struct training *training, uint64_t tree, uint64_t stream, uint64_t at)
{
    return rv_mix64(rv_mix64(training->options->seed * 0x9e3779b97f4a7c15ULL + tree) +
                    rv_mix64(stream << 40 | at));
}

static void sample_rows(struct training *training, uint32_t tree)
{
    double share = training->options->subsample;

    training->sample_count = 0;
    for (uint32_t i = 0; i < training->rows->count; i++) {
        if (share >= 1 || (double)(draw(training, tree, 1, i) >> 11) * 0x1p-53 < share)
            training->sample[training->sample_count++] = i;
    }
}

static void sample_columns(struct training *training, uint32_t tree)
{
    uint32_t width = training->rows->width, usable = 0;

    for (uint32_t f = 0; f < width; f++) {
        if (training->threshold_count[f] > 0)
            training->columns[usable++] = f;
    }
    training->column_count = (uint32_t)ceil(training->options->colsample * usable);
    for (uint32_t i = 0; i < training->column_count && i + 1 < usable; i++) {
        uint32_t other = i + (uint32_t)(draw(training, tree, 2, i) % (usable - i));
        uint32_t feature = training->columns[i];

        training->columns[i] = training->columns[other];
        training->columns[other] = feature;
    }
}

/* ---- Splits ---- */

struct limits { /* on a node's weight, from monotone splits above */
    double low, high;
};

struct split {
    bool found;
    double gain;
    uint32_t feature, bin; /* rows in bins up to `bin` go left */
    double left_weight, right_weight;
};

/* A range of `sample` that makes up one node. */
struct group {
    size_t start, count;
    struct bin_sum sum;
    struct limits limits;
};

static double weight_of(const struct training *training, struct bin_sum sum, struct limits limits)
{
    double hessian = (double)sum.hessian + training->options->lambda * training->scale;
    double weight = hessian > 0 ? -(double)sum.gradient / hessian : 0;

    return fmin(fmax(weight, limits.low), limits.high);
}

/* What the loss falls by when the node's weight is `weight`, times two. */
static double gain_of(const struct training *training, struct bin_sum sum, double weight)
{
    double hessian = (double)sum.hessian / training->scale + training->options->lambda;

    return -(2 * (double)sum.gradient / training->scale + hessian * weight) * weight;
}

static void fill_histogram(struct training *training, uint32_t feature, const struct group *group)
{
    const uint16_t *bins = &training->bins[(size_t)feature * training->rows->count];
    const uint32_t *rows = &training->sample[group->start];

    memset(training->histogram, 0,
           (training->threshold_count[feature] + 1) * sizeof(*training->histogram));
    for (size_t i = 0; i < group->count; i++) {
        struct bin_sum *sum = &training->histogram[bins[rows[i]]];

        sum->gradient += training->gradients[rows[i]];
        sum->hessian += training->hessians[rows[i]];
    }
}

static void try_split(const struct training *training, const struct group *group,
                      struct bin_sum left, uint32_t feature, uint32_t bin, struct split *best)
{
    double least = training->options->child_weight_min * training->scale;
    struct bin_sum right = { group->sum.gradient - left.gradient,
                             group->sum.hessian - left.hessian };
    int direction = training->options->monotone ? training->options->monotone[feature] : 0;
    double left_weight, right_weight, gain;

    if (left.hessian <= 0 || right.hessian <= 0 || (double)left.hessian < least ||
        (double)right.hessian < least)
        return;
    left_weight = weight_of(training, left, group->limits);
    right_weight = weight_of(training, right, group->limits);
    if ((direction > 0 && left_weight > right_weight) ||
        (direction < 0 && left_weight < right_weight))
        return;
    gain = gain_of(training, left, left_weight) + gain_of(training, right, right_weight);
    if (best->found && gain <= best->gain)
        return;
    *best = (struct split){ true, gain, feature, bin, left_weight, right_weight };
}

static struct split find_split(struct training *training, const struct group *group)
{
    struct split best = { 0 };
    double now = gain_of(training, group->sum, weight_of(training, group->sum, group->limits));

    for (uint32_t i = 0; i < training->column_count; i++) {
        uint32_t feature = training->columns[i];
        struct bin_sum left = { 0 };

        fill_histogram(training, feature, group);
        for (uint32_t bin = 0; bin < training->threshold_count[feature]; bin++) {
            if (training->histogram[bin].hessian == 0)
                continue; /* the same rows as before */
            left.gradient += training->histogram[bin].gradient;
            left.hessian += training->histogram[bin].hessian;
            try_split(training, group, left, feature, bin, &best);
        }
    }
    if (best.found && best.gain - now <= fmax(training->options->gamma, 1e-9))
        best.found = false;
    return best;
}

/* Rows that go left first, order kept. @return how many those are. */
static size_t partition(struct training *training, const struct group *group,
                        const struct split *split)
{
    const uint16_t *bins = &training->bins[(size_t)split->feature * training->rows->count];
    uint32_t *rows = &training->sample[group->start];
    size_t left = 0, right = 0;

    for (size_t i = 0; i < group->count; i++) {
        if (bins[rows[i]] <= split->bin)
            rows[left++] = rows[i];
        else
            training->spare[right++] = rows[i];
    }
    memcpy(rows + left, training->spare, right * sizeof(*rows));
    return left;
}

static struct group make_group(const struct training *training, size_t start, size_t count,
                               struct limits limits)
{
    struct group group = { start, count, { 0 }, limits };

    for (size_t i = start; i < start + count; i++) {
        group.sum.gradient += training->gradients[training->sample[i]];
        group.sum.hessian += training->hessians[training->sample[i]];
    }
    return group;
}

/* ---- Trees ---- */

static int add_node(struct training *training, size_t tree_start, uint32_t *ret_index)
{
    if (training->node_count >= RV_FOREST_NODES_MAX)
        return -E2BIG;
    if (training->node_count == training->node_room) {
        size_t room = training->node_room ? 2 * training->node_room : 4096;
        struct rv_forest_node *grown = reallocarray(training->nodes, room, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        training->nodes = grown;
        training->node_room = room;
    }
    *ret_index = (uint32_t)(training->node_count - tree_start);
    training->nodes[training->node_count++] = (struct rv_forest_node){ .feature = RV_FOREST_LEAF };
    return 0;
}

static int32_t leaf_of(const struct training *training, const struct group *group)
{
    double value = training->options->eta * weight_of(training, group->sum, group->limits);

    return (int32_t)lround(fmin(fmax(value, -32767), 32767) * 65536.0);
}

static int grow(struct training *training, size_t tree_start, const struct group *group,
                uint32_t depth, uint32_t *ret_index)
{
    struct split split = { 0 };
    struct limits left_limits = group->limits, right_limits = group->limits;
    struct group left, right;
    struct rv_forest_node node = { .feature = RV_FOREST_LEAF };
    size_t left_count;
    int r = add_node(training, tree_start, ret_index);

    if (r < 0)
        return r;
    node.cover = (float)((double)group->sum.hessian / training->scale);
    if (depth < training->options->depth)
        split = find_split(training, group);
    if (!split.found) {
        node.value = leaf_of(training, group);
        training->nodes[tree_start + *ret_index] = node;
        return 0;
    }
    if (training->options->monotone && training->options->monotone[split.feature] != 0) {
        double middle = (split.left_weight + split.right_weight) / 2;

        if (training->options->monotone[split.feature] > 0)
            left_limits.high = right_limits.low = middle;
        else
            left_limits.low = right_limits.high = middle;
    }
    left_count = partition(training, group, &split);
    left = make_group(training, group->start, left_count, left_limits);
    right =
        make_group(training, group->start + left_count, group->count - left_count, right_limits);
    node.feature = (int32_t)split.feature;
    node.value = training->thresholds[split.feature][split.bin];
    r = grow(training, tree_start, &left, depth + 1, &node.left);
    if (r == 0)
        r = grow(training, tree_start, &right, depth + 1, &node.right);
    training->nodes[tree_start + *ret_index] = node;
    return r;
}

static int grow_tree(struct training *training, uint32_t tree)
{
    size_t tree_start = training->node_count;
    struct group all;
    uint32_t root;
    int r;

    fill_gradients(training);
    sample_rows(training, tree);
    sample_columns(training, tree);
    all = make_group(training, 0, training->sample_count, (struct limits){ -HUGE_VAL, HUGE_VAL });
    r = grow(training, tree_start, &all, 0, &root);
    if (r < 0)
        return r;
    training->tree_sizes[tree] = (uint32_t)(training->node_count - tree_start);
    return 0;
}

/* Every row's margin, sampled or not, moves by the leaf that it reaches. */
static void add_tree_to_margins(struct training *training, size_t tree_start)
{
    const struct rv_forest_node *tree = &training->nodes[tree_start];

    for (size_t i = 0; i < training->rows->count; i++) {
        const int32_t *row = &training->rows->values[i * training->rows->width];
        const struct rv_forest_node *node = tree;

        while (node->feature != RV_FOREST_LEAF)
            node = &tree[row[node->feature] < node->value ? node->left : node->right];
        training->margins[i] += node->value;
    }
}

static int allocate(struct training *training)
{
    size_t count = training->rows->count;
    uint32_t width = training->rows->width;

    training->thresholds = calloc(width, sizeof(*training->thresholds));
    training->threshold_count = calloc(width, sizeof(*training->threshold_count));
    training->bins = calloc(width * count, sizeof(*training->bins));
    training->margins = calloc(count, sizeof(*training->margins));
    training->gradients = calloc(count, sizeof(*training->gradients));
    training->hessians = calloc(count, sizeof(*training->hessians));
    training->sample = calloc(count, sizeof(*training->sample));
    training->spare = calloc(count, sizeof(*training->spare));
    training->columns = calloc(width, sizeof(*training->columns));
    training->histogram = calloc(training->options->bins, sizeof(*training->histogram));
    training->tree_sizes = calloc(training->options->trees, sizeof(*training->tree_sizes));
    return training->thresholds && training->threshold_count && training->bins &&
                   training->margins && training->gradients && training->hessians &&
                   training->sample && training->spare && training->columns &&
                   training->histogram && training->tree_sizes
               ? 0
               : -ENOMEM;
}

/* The weighted mean of the targets; as log-odds for logistic. */
static int64_t base_score(const struct training *training)
{
    double sum = 0, weights = 0, mean;

    for (size_t i = 0; i < training->rows->count; i++) {
        double weight = training->rows->weights ? (double)training->rows->weights[i] : 1.0;

        sum += weight * (double)training->rows->targets[i];
        weights += weight;
    }
    mean = weights > 0 ? sum / weights : 0.5;
    if (training->options->loss == RV_TRAIN_LOGISTIC) {
        mean = fmin(fmax(mean, 1e-4), 1 - 1e-4);
        mean = log(mean / (1 - mean));
    }
    return llround(mean * 65536.0);
}

static int boost(struct training *training, int64_t base, size_t *ret_trees)
{
    const struct rv_train_options *options = training->options;
    uint32_t tree = 0;

    for (size_t i = 0; i < training->rows->count; i++)
        training->margins[i] = base;
    while (tree < options->trees) {
        size_t tree_start = training->node_count;
        int r = grow_tree(training, tree);

        if (r < 0)
            return r;
        add_tree_to_margins(training, tree_start);
        tree++;
        if (options->progress && options->progress(options->user, tree, options->trees))
            break;
    }
    *ret_trees = tree;
    return 0;
}

int train_own(const struct rv_rows *rows, const struct rv_train_options *options,
              struct rv_forest **ret_forest, const char **reterr)
{
    RV_AUTO(training_done) struct training training = { .rows = rows, .options = options };
    struct rv_forest_spec spec = { .width = rows->width };
    int r = allocate(&training);

    if (r == 0)
        r = make_bins(&training);
    if (r < 0)
        return r;
    spec.base_q16 = base_score(&training);
    r = boost(&training, spec.base_q16, &spec.tree_count);
    if (r == -E2BIG)
        return train_refuse(reterr, -EINVAL, "the forest would have too many nodes");
    if (r < 0)
        return r;
    spec.tree_sizes = training.tree_sizes;
    spec.nodes = training.nodes;
    spec.node_count = training.node_count;
    return rv_forest_make(&spec, ret_forest, reterr);
}
