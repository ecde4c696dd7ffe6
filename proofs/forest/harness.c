/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No model makes the evaluator read out of bounds, loop or overflow. Every tree of up to three
 * nodes whose fields are at or beside their limits is offered; what rv_forest_make() accepts is
 * evaluated by every evaluator on rows at the limits, in memory of exact size (a sanitizer is the
 * witness of bounds), and all must agree, within 2^48.
 */
#include "models/forest.h"
#include "models/reasons.h"

#include "../nondet.h"

#define WIDTH 2

static int32_t choose_value(unsigned count)
{
    static const int32_t values[] = { INT32_MIN, INT32_MAX, 0 };

    return values[nondet_choice(count)];
}

/* The root has every value; the others fewer, or the combinations would be too many to try. */
static struct rv_forest_node choose_node(uint32_t index, uint32_t size)
{
    static const int32_t features[] = { RV_FOREST_LEAF, 0, WIDTH - 1, WIDTH, -2 };
    struct rv_forest_node node = { .feature = features[nondet_choice(index == 0 ? 5 : 4)],
                                   .value = choose_value(index == 0 ? 3 : 2) };

    node.cover = node.value == INT32_MIN ? 0.0F : 1.0F;
    if (node.feature == RV_FOREST_LEAF) { /* one that has children, too */
        node.left = node.right = nondet_choice(2);
        return node;
    }
    node.left = nondet_choice(size + 1);
    node.right = nondet_choice(size + 1);
    return node;
}

static void prove_row(const struct rv_forest *forest, const int32_t *row)
{
    int64_t score = rv_forest_score_plain(forest, row), batch, base, phi[WIDTH], least, most;
    const enum rv_reach_right rights[WIDTH] = { RV_REACH_RAISE, RV_REACH_FREE };
    struct rv_shap *shap = NULL;

    PROVE(score < (int64_t)1 << 48 && score > -((int64_t)1 << 48));
    PROVE(rv_forest_score(forest, row) == score);
    rv_forest_score_rows(forest, row, 1, &batch);
    PROVE(batch == score);
    rv_forest_reach(forest, row, rights, &least, &most);
    PROVE(least <= score && score <= most);
    if (rv_shap_new(forest, &shap) == 0) {
        rv_shap_explain(shap, row, phi, &base);
        PROVE(base + phi[0] + phi[1] == score);
    }
    rv_shap_free(&shap);
}

void harness(void)
{
    struct rv_forest_node nodes[3];
    uint32_t size = 1 + 2 * nondet_choice(2); /* a tree has an odd number of nodes */
    struct rv_forest_spec spec = { WIDTH, 0, &size, 1, nodes, size };
    struct rv_forest *forest = NULL;
    int32_t *row = NULL;

    spec.base_q16 = size == 1 && nondet_choice(2) ? RV_FOREST_BASE_MAX : -RV_FOREST_BASE_MAX;
    for (uint32_t i = 0; i < size; i++)
        nodes[i] = choose_node(i, size);
    if (rv_forest_make(&spec, &forest, NULL) < 0)
        return;
    row = malloc(WIDTH * sizeof(*row));
    if (row) {
        row[0] = choose_value(3);
        row[1] = choose_value(3);
        prove_row(forest, row);
    }
    free(row);
    rv_forest_free(&forest);
}
