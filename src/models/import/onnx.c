/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX tree ensembles: ai.onnx.ml TreeEnsembleRegressor and TreeEnsembleClassifier (1 to 3) and
 * TreeEnsemble (5). What comes before and after them may only be what does not change a decision
 * (casts, a constant added, a logistic function, a map of labels).
 */
#include "onnx_graph.h"

#include <math.h>

struct lists { /* parallel, one entry a node, as attributes name them */
    struct onnx_list tree, id, feature, value, yes, no, cover;
    struct onnx_list leaf_tree, leaf_id, leaf_target, leaf_weight;
};

static void lists_done(struct lists *lists)
{
    struct onnx_list *all = (struct onnx_list *)lists;

    for (size_t i = 0; i < sizeof(*lists) / sizeof(*all); i++)
        onnx_list_done(&all[i]);
}

static int read_lists(const struct onnx_node *node, const char *const names[], size_t count,
                      struct onnx_list *const slots[], struct rv_import_error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        int r;

        if (slots[i]->count) /* the same list under its other name */
            continue;
        onnx_list_done(slots[i]); /* an empty one */
        r = onnx_numbers(node, names[i], slots[i]);
        if (r == -EINVAL)
            return import_refuse(reterr, r, "attribute %s is malformed", names[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool as_index(double value, size_t below, uint32_t *ret_index)
{
    if (!(value >= 0) || value >= (double)below)
        return false;
    *ret_index = (uint32_t)value;
    return true;
}

/* ---- Which tree and node an entry is ---- */

struct place {
    double tree, id;
    uint32_t entry;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;

    if (left->tree < right->tree || left->tree > right->tree)
        return left->tree < right->tree ? -1 : 1;
    if (left->id < right->id || left->id > right->id)
        return left->id < right->id ? -1 : 1;
    return (left->entry > right->entry) - (left->entry < right->entry);
}

static const struct place *find_place(const struct place *places, size_t count, double tree,
                                      double id)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct place *at = &places[middle];

        if (at->tree < tree || (at->tree <= tree && at->id < id))
            low = middle + 1;
        else
            high = middle;
    }
    if (low < count && places[low].tree >= tree && places[low].tree <= tree &&
        places[low].id >= id && places[low].id <= id)
        return &places[low];
    return NULL;
}

/* ---- Versions 1 to 3 ---- */

struct old_form {
    struct lists lists;
    enum rv_split_mode *modes;
    struct place *places;
    bool *is_child;
    double *weights; /* what each leaf entry adds */
    size_t count;
};

static void old_form_done(struct old_form *form)
{
    lists_done(&form->lists);
    free(form->modes);
    free(form->places);
    free(form->is_child);
    free(form->weights);
}

static int read_mode(struct rv_span name, enum rv_split_mode *ret_mode)
{
    static const struct {
        const char *name;
        enum rv_split_mode mode;
    } modes[] = {
        { "LEAF", RV_SPLIT_LEAF },      { "BRANCH_LEQ", RV_SPLIT_LEQ },
        { "BRANCH_LT", RV_SPLIT_LT },   { "BRANCH_GTE", RV_SPLIT_GTE },
        { "BRANCH_GT", RV_SPLIT_GT },   { "BRANCH_EQ", RV_SPLIT_EQ },
        { "BRANCH_NEQ", RV_SPLIT_NEQ },
    };

    for (size_t i = 0; i < RV_COUNT(modes); i++) {
        if (onnx_is(name, modes[i].name)) {
            *ret_mode = modes[i].mode;
            return 0;
        }
    }
    return -EINVAL;
}

static int read_modes(const struct onnx_node *node, struct old_form *form,
                      struct rv_import_error *reterr)
{
    struct rv_reader reader = onnx_strings(node, "nodes_modes");
    struct rv_span name;
    size_t at = 0;

    while (onnx_next_string(&reader, &name)) {
        if (at == form->count || read_mode(name, &form->modes[at++]) < 0)
            return import_refuse(reterr, -EINVAL, "nodes_modes is malformed");
    }
    return at == form->count ? 0 : import_refuse(reterr, -EINVAL, "nodes_modes is too short");
}

static int read_old_lists(const struct onnx_node *node, struct old_form *form, bool classifier,
                          struct rv_import_error *reterr)
{
    static const char *const names[] = {
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_values",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "nodes_hitrates",
        "target_treeids",
        "target_nodeids",
        "target_ids",
        "target_weights",
        "nodes_values_as_tensor",
        "nodes_hitrates_as_tensor",
        "target_weights_as_tensor",
    };
    static const char *const class_names[] = {
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_values",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "nodes_hitrates",
        "class_treeids",
        "class_nodeids",
        "class_ids",
        "class_weights",
        "nodes_values_as_tensor",
        "nodes_hitrates_as_tensor",
        "class_weights_as_tensor",
    };
    struct lists *l = &form->lists;
    struct onnx_list *const slots[] = { &l->tree,        &l->id,          &l->feature,
                                        &l->value,       &l->yes,         &l->no,
                                        &l->cover,       &l->leaf_tree,   &l->leaf_id,
                                        &l->leaf_target, &l->leaf_weight, &l->value,
                                        &l->cover,       &l->leaf_weight };
    int r = read_lists(node, classifier ? class_names : names, RV_COUNT(names), slots, reterr);

    if (r < 0)
        return r;
    form->count = l->tree.count;
    if (form->count == 0 || form->count > RV_FOREST_NODES_MAX || l->id.count != form->count ||
        l->feature.count != form->count || l->value.count != form->count ||
        l->yes.count != form->count || l->no.count != form->count ||
        (l->cover.count && l->cover.count != form->count) ||
        l->leaf_id.count != l->leaf_tree.count || l->leaf_target.count != l->leaf_tree.count ||
        l->leaf_weight.count != l->leaf_tree.count)
        return import_refuse(reterr, -EINVAL, "the tree's lists are missing or of unequal length");
    return 0;
}

static int index_places(struct old_form *form, struct rv_import_error *reterr)
{
    form->modes = calloc(form->count, sizeof(*form->modes));
    form->places = calloc(form->count, sizeof(*form->places));
    form->is_child = calloc(form->count, sizeof(*form->is_child));
    form->weights = calloc(form->count, sizeof(*form->weights));
    if (!form->modes || !form->places || !form->is_child || !form->weights)
        return -ENOMEM;
    for (uint32_t i = 0; i < form->count; i++)
        form->places[i] = (struct place){ form->lists.tree.values[i], form->lists.id.values[i], i };
    qsort(form->places, form->count, sizeof(*form->places), compare_places);
    for (size_t i = 1; i < form->count; i++) {
        if (form->places[i].tree <= form->places[i - 1].tree &&
            form->places[i].id <= form->places[i - 1].id)
            return import_refuse(reterr, -EINVAL, "a node is described twice");
    }
    return 0;
}

/* Leaves' weights. With two classes both given, what counts is class 1 minus class 0. */
static int add_weights(struct old_form *form, bool subtract_first, struct rv_import_error *reterr)
{
    const struct lists *l = &form->lists;

    for (size_t i = 0; i < l->leaf_tree.count; i++) {
        const struct place *place =
            find_place(form->places, form->count, l->leaf_tree.values[i], l->leaf_id.values[i]);
        bool first = !(l->leaf_target.values[i] > 0);

        if (!place)
            return import_refuse(reterr, -EINVAL, "a leaf's weight names no node");
        if (form->modes[place->entry] != RV_SPLIT_LEAF)
            return import_refuse(reterr, -EOPNOTSUPP, "a split adds to the score");
        form->weights[place->entry] +=
            subtract_first && first ? -l->leaf_weight.values[i] : l->leaf_weight.values[i];
    }
    return 0;
}

static int fill_old_node(struct old_form *form, size_t first, size_t last, uint32_t entry,
                         struct rv_source_node *node, struct rv_import_error *reterr)
{
    const struct lists *l = &form->lists;
    const struct place *places = form->places + first;
    const struct place *yes, *no;

    node->mode = form->modes[entry];
    node->cover =
        l->cover.count && l->cover.values[entry] > 0 && isfinite((float)l->cover.values[entry])
            ? (float)l->cover.values[entry]
            : 0.0F;
    node->value = form->weights[entry];
    if (node->mode == RV_SPLIT_LEAF)
        return 0;
    node->value = l->value.values[entry];
    yes = find_place(places, last - first, l->tree.values[entry], l->yes.values[entry]);
    no = find_place(places, last - first, l->tree.values[entry], l->no.values[entry]);
    if (!yes || !no || !as_index(l->feature.values[entry], RV_FOREST_WIDTH_MAX, &node->feature))
        return import_refuse(reterr, -EINVAL, "a split names a child or feature that is not there");
    node->left = (uint32_t)(yes - places);
    node->right = (uint32_t)(no - places);
    form->is_child[yes->entry] = form->is_child[no->entry] = true;
    return 0;
}

/* places[first..last) are one tree; its root is the one node that is nobody's child. */
static int fill_old_tree(struct old_form *form, size_t first, size_t last,
                         struct rv_source_tree *tree, struct rv_import_error *reterr)
{
    size_t roots = 0;

    tree->nodes = calloc(last - first, sizeof(*tree->nodes));
    if (!tree->nodes)
        return -ENOMEM;
    tree->count = (uint32_t)(last - first);
    for (size_t i = first; i < last; i++) {
        int r = fill_old_node(form, first, last, form->places[i].entry, &tree->nodes[i - first],
                              reterr);

        if (r < 0)
            return r;
    }
    for (size_t i = first; i < last; i++) {
        if (form->is_child[form->places[i].entry])
            continue;
        tree->root = (uint32_t)(i - first);
        roots++;
    }
    return roots == 1 ? 0 : import_refuse(reterr, -EINVAL, "a tree has no root, or several");
}

static int fill_old_trees(struct old_form *form, struct rv_source_forest *source,
                          struct rv_import_error *reterr)
{
    size_t first = 0, trees = 0;

    for (size_t i = 0; i < form->count; i++)
        trees += i == 0 || form->places[i].tree > form->places[i - 1].tree;
    source->trees = calloc(trees, sizeof(*source->trees));
    if (!source->trees)
        return -ENOMEM;
    while (first < form->count) {
        size_t last = first + 1;
        int r;

        while (last < form->count && form->places[last].tree <= form->places[first].tree)
            last++;
        r = fill_old_tree(form, first, last, &source->trees[source->tree_count++], reterr);
        if (r < 0)
            return r;
        first = last;
    }
    return 0;
}

/* How a binary classifier turns sums into a decision (as ONNX Runtime does). */
static int read_classes(const struct onnx_node *node, const struct old_form *form,
                        struct rv_source_forest *source, bool *ret_subtract,
                        struct rv_import_error *reterr)
{
    RV_AUTO(onnx_list_done) struct onnx_list labels = { 0 };
    struct rv_reader strings = onnx_strings(node, "classlabels_strings");
    struct rv_span label;
    size_t count = 0;
    bool zero = false, one = false, positive = true;

    if (onnx_numbers(node, "classlabels_int64s", &labels) < 0)
        return import_refuse(reterr, -EINVAL, "classlabels_int64s is malformed");
    while (onnx_next_string(&strings, &label))
        count++;
    if (labels.count + count != 2)
        return import_refuse(reterr, -EOPNOTSUPP, "only classifiers of two classes are imported");
    for (size_t i = 0; i < form->lists.leaf_target.count; i++) {
        zero = zero || form->lists.leaf_target.values[i] <= 0;
        one = one || form->lists.leaf_target.values[i] > 0;
        positive = positive && form->lists.leaf_weight.values[i] >= 0;
    }
    *ret_subtract = zero && one;
    if (!*ret_subtract && positive)
        source->base -= 0.5; /* shares that sum to a probability: decided at one half */
    return 0;
}

static int read_base(const struct onnx_node *node, struct rv_source_forest *source,
                     struct rv_import_error *reterr)
{
    RV_AUTO(onnx_list_done) struct onnx_list base = { 0 };
    struct onnx_list *const slots[] = { &base, &base };
    static const char *const names[] = { "base_values", "base_values_as_tensor" };
    int r = read_lists(node, names, RV_COUNT(names), slots, reterr);

    if (r < 0)
        return r;
    if (base.count > 2)
        return import_refuse(reterr, -EOPNOTSUPP, "base_values has more than two values");
    if (base.count == 1)
        source->base += base.values[0];
    if (base.count == 2)
        source->base += base.values[1] - base.values[0];
    return 0;
}

static int read_old(const struct onnx_node *node, struct rv_source_forest *source, bool classifier,
                    struct rv_import_error *reterr)
{
    RV_AUTO(old_form_done) struct old_form form = { 0 };
    struct rv_span aggregate = onnx_string(node, "aggregate_function");
    bool subtract = false;
    int r = read_old_lists(node, &form, classifier, reterr);

    if (r == 0)
        r = index_places(&form, reterr);
    if (r == 0)
        r = read_modes(node, &form, reterr);
    if (r == 0 && classifier)
        r = read_classes(node, &form, source, &subtract, reterr);
    if (r == 0 && !classifier && onnx_integer(node, "n_targets", 1) != 1)
        r = import_refuse(reterr, -EOPNOTSUPP, "only models with one output are imported");
    if (r == 0)
        r = add_weights(&form, subtract, reterr);
    if (r == 0)
        r = fill_old_trees(&form, source, reterr);
    if (r == 0)
        r = read_base(node, source, reterr);
    if (r < 0)
        return r;
    if (form.lists.value.is_double)
        source->precision = RV_SOURCE_FLOAT64;
    if (onnx_is(aggregate, "AVERAGE"))
        source->scale = 1.0 / (double)source->tree_count;
    else if (aggregate.len && !onnx_is(aggregate, "SUM"))
        return import_refuse(reterr, -EOPNOTSUPP, "only sums and averages of trees are imported");
    return 0;
}

/* ---- Version 5 ---- */

struct new_form {
    struct onnx_list roots, feature, split, mode, yes, no, yes_leaf, no_leaf, cover;
    struct onnx_list leaf_target, leaf_weight;
};

static void new_form_done(struct new_form *form)
{
    struct onnx_list *all = (struct onnx_list *)form;

    for (size_t i = 0; i < sizeof(*form) / sizeof(*all); i++)
        onnx_list_done(&all[i]);
}

/* Splits first, then leaves: leaf i is node `splits + i`. Every tree points into one copy. */
static int fill_new_nodes(const struct new_form *form, struct rv_source_node *nodes,
                          struct rv_import_error *reterr)
{
    static const enum rv_split_mode modes[] = { RV_SPLIT_LEQ, RV_SPLIT_LT, RV_SPLIT_GTE,
                                                RV_SPLIT_GT,  RV_SPLIT_EQ, RV_SPLIT_NEQ };
    size_t splits = form->feature.count, leaves = form->leaf_weight.count;

    for (size_t i = 0; i < splits; i++) {
        bool yes_leaf = form->yes_leaf.values[i] > 0, no_leaf = form->no_leaf.values[i] > 0;
        uint32_t mode;

        if (!as_index(form->mode.values[i], RV_COUNT(modes), &mode))
            return import_refuse(reterr, -EOPNOTSUPP, "a split tests membership in a set");
        if (!as_index(form->feature.values[i], RV_FOREST_WIDTH_MAX, &nodes[i].feature) ||
            !as_index(form->yes.values[i], yes_leaf ? leaves : splits, &nodes[i].left) ||
            !as_index(form->no.values[i], no_leaf ? leaves : splits, &nodes[i].right))
            return import_refuse(reterr, -EINVAL,
                                 "a split names a child or feature that is not there");
        nodes[i].mode = modes[mode];
        nodes[i].value = form->split.values[i];
        nodes[i].left += yes_leaf ? (uint32_t)splits : 0;
        nodes[i].right += no_leaf ? (uint32_t)splits : 0;
    }
    for (size_t i = 0; i < leaves; i++) {
        nodes[splits + i].value = form->leaf_weight.values[i];
        if (form->leaf_target.values[i] > 0)
            return import_refuse(reterr, -EOPNOTSUPP, "only models with one output are imported");
    }
    return 0;
}

/* Copy what `from` reaches into the tree. The depth limit also ends circles. */
static int copy_subtree(const struct rv_source_node *nodes, uint32_t from, uint32_t depth,
                        struct rv_source_tree *tree, uint32_t *ret_index)
{
    struct rv_source_node node = nodes[from];
    struct rv_source_node *grown;
    int r = 0;

    if (depth > RV_FOREST_DEPTH_MAX || tree->count >= RV_FOREST_NODES_MAX)
        return -EINVAL;
    if ((tree->count & (tree->count + 1)) == 0) { /* full at 0, 1, 3, 7, ... */
        grown = reallocarray(tree->nodes, 2 * (size_t)tree->count + 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        tree->nodes = grown;
    }
    *ret_index = tree->count++;
    tree->nodes[*ret_index] = node; /* whole already: an error on the way leaves no hole */
    if (node.mode != RV_SPLIT_LEAF) {
        r = copy_subtree(nodes, nodes[from].left, depth + 1, tree, &node.left);
        if (r == 0)
            r = copy_subtree(nodes, nodes[from].right, depth + 1, tree, &node.right);
        tree->nodes[*ret_index] = node;
    }
    return r;
}

static int fill_new_trees(const struct new_form *form, struct rv_source_forest *source,
                          struct rv_import_error *reterr)
{
    size_t splits = form->feature.count;
    RV_AUTO(rv_freep)
    struct rv_source_node *nodes = calloc(splits + form->leaf_weight.count + 1, sizeof(*nodes));
    size_t total = 0;
    int r;

    source->trees = calloc(form->roots.count + 1, sizeof(*source->trees));
    if (!nodes || !source->trees)
        return -ENOMEM;
    r = fill_new_nodes(form, nodes, reterr);
    for (size_t i = 0; r == 0 && i < form->roots.count; i++) {
        struct rv_source_tree *tree = &source->trees[source->tree_count++];
        uint32_t root;

        if (!as_index(form->roots.values[i], splits, &root))
            return import_refuse(reterr, -EINVAL, "a root is not there");
        r = copy_subtree(nodes, root, 0, tree, &tree->root);
        total += tree->count;
        if (r == -EINVAL || total > RV_FOREST_NODES_MAX)
            return import_refuse(reterr, -EINVAL,
                                 "a tree is deeper than %u splits, too large, or runs in a circle",
                                 RV_FOREST_DEPTH_MAX);
    }
    return r;
}

static int read_new(const struct onnx_node *node, struct rv_source_forest *source,
                    struct rv_import_error *reterr)
{
    static const char *const names[] = {
        "tree_roots",        "nodes_featureids",   "nodes_splits",    "nodes_modes",
        "nodes_truenodeids", "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs",
        "leaf_targetids",    "leaf_weights",
    };
    RV_AUTO(new_form_done) struct new_form form = { 0 };
    struct onnx_list *const slots[] = {
        &form.roots, &form.feature,  &form.split,   &form.mode,        &form.yes,
        &form.no,    &form.yes_leaf, &form.no_leaf, &form.leaf_target, &form.leaf_weight,
    };
    int64_t aggregate = onnx_integer(node, "aggregate_function", 1);
    int r = read_lists(node, names, RV_COUNT(names), slots, reterr);

    if (r < 0)
        return r;
    for (size_t i = 2; i < 8; i++) {
        if (slots[i]->count != form.feature.count)
            return import_refuse(reterr, -EINVAL, "%s is of another length", names[i]);
    }
    if (form.feature.count > RV_FOREST_NODES_MAX || form.leaf_weight.count > RV_FOREST_NODES_MAX ||
        form.roots.count > RV_FOREST_TREES_MAX || form.leaf_target.count != form.leaf_weight.count)
        return import_refuse(reterr, -EINVAL, "the lists are too long or of unequal length");
    if (onnx_integer(node, "n_targets", 1) != 1)
        return import_refuse(reterr, -EOPNOTSUPP, "only models with one output are imported");
    if (aggregate != 0 && aggregate != 1)
        return import_refuse(reterr, -EOPNOTSUPP, "only sums and averages of trees are imported");
    r = fill_new_trees(&form, source, reterr);
    if (form.split.is_double)
        source->precision = RV_SOURCE_FLOAT64;
    if (aggregate == 0 && source->tree_count)
        source->scale = 1.0 / (double)source->tree_count;
    return r;
}

/* ---- The graph around the trees ---- */

/* A constant added after the trees. */
static int read_added(const struct onnx_graph *graph, const struct onnx_node *node,
                      struct rv_source_forest *source, struct rv_import_error *reterr)
{
    RV_AUTO(onnx_list_done) struct onnx_list constant = { 0 };
    const struct onnx_tensor *tensor = NULL;
    uint64_t dims[2];

    for (size_t i = 0; i < node->input_count && !tensor; i++)
        tensor = onnx_find_tensor(graph, node->inputs[i]);
    if (!tensor || onnx_tensor_numbers(tensor->bytes, &constant, dims) < 0 || constant.count != 1)
        return import_refuse(reterr, -EOPNOTSUPP, "an Add is not of one constant");
    source->base += constant.values[0];
    return 0;
}

static const char *const harmless[] = { "Cast",    "Identity", "ZipMap", "Sigmoid",
                                        "Reshape", "Flatten",  "Squeeze" };

static int read_node(const struct onnx_graph *graph, const struct onnx_node *node,
                     struct rv_source_forest *source, struct rv_import_error *reterr)
{
    if (onnx_is(node->op, "TreeEnsembleRegressor") || onnx_is(node->op, "TreeEnsembleClassifier")) {
        if (source->trees)
            return import_refuse(reterr, -EOPNOTSUPP, "the graph holds several ensembles");
        return read_old(node, source, onnx_is(node->op, "TreeEnsembleClassifier"), reterr);
    }
    if (onnx_is(node->op, "TreeEnsemble")) {
        if (source->trees)
            return import_refuse(reterr, -EOPNOTSUPP, "the graph holds several ensembles");
        return read_new(node, source, reterr);
    }
    if (onnx_is(node->op, "Add"))
        return read_added(graph, node, source, reterr);
    for (size_t i = 0; i < RV_COUNT(harmless); i++) {
        if (onnx_is(node->op, harmless[i]))
            return 0;
    }
    return import_refuse(reterr, -EOPNOTSUPP,
                         "the graph has a %.*s that is not imported; it can run through ONNX "
                         "Runtime",
                         (int)rv_min_u64(node->op.len, 40), (const char *)node->op.data);
}

static int settle_width(const struct onnx_graph *graph, struct rv_source_forest *source,
                        struct rv_import_error *reterr)
{
    uint32_t least = 1;

    for (size_t i = 0; i < source->tree_count; i++) {
        for (uint32_t j = 0; j < source->trees[i].count; j++) {
            const struct rv_source_node *node = &source->trees[i].nodes[j];

            if (node->mode != RV_SPLIT_LEAF && node->feature + 1 > least)
                least = node->feature + 1;
        }
    }
    if (graph->input_width > RV_FOREST_WIDTH_MAX ||
        (graph->input_width && graph->input_width < least))
        return import_refuse(reterr, -EINVAL, "the input's width and the splits disagree");
    source->width = graph->input_width ? (uint32_t)graph->input_width : least;
    return 0;
}

int rv_import_onnx(struct rv_span file, struct rv_source_forest **ret_source,
                   struct rv_import_error *reterr)
{
    RV_AUTO(rv_source_forest_free) struct rv_source_forest *source = NULL;
    RV_AUTO(rv_freep) struct onnx_graph *graph = NULL;
    int r;

    if (file.len > RV_IMPORT_BYTES_MAX)
        return import_refuse(reterr, -EINVAL, "the file is too large");
    graph = calloc(1, sizeof(*graph));
    source = calloc(1, sizeof(*source));
    if (!graph || !source)
        return -ENOMEM;
    source->scale = 1.0;
    r = onnx_parse(file, graph, reterr);
    for (size_t i = 0; r == 0 && i < graph->node_count; i++)
        r = read_node(graph, &graph->nodes[i], source, reterr);
    if (r == 0 && !source->trees)
        r = import_refuse(reterr, -EOPNOTSUPP, "the graph holds no tree ensemble");
    if (r == 0)
        r = settle_width(graph, source, reterr);
    if (r < 0)
        return r;
    *ret_source = RV_TAKE(source);
    return 0;
}
