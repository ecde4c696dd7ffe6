/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons: exact sums, Shapley by definition, paths, reach. */
#include "forests.h"

#include "models/reasons.h"

#include <math.h>

#define WIDTH 6

/* The mean of one tree when only the features in `known` are told (path-dependent). */
static double tree_value(const struct rv_forest_node *tree, const struct rv_forest_node *node,
                         const int32_t *row, unsigned known)
{
    const struct rv_forest_node *left = &tree[node->left], *right = &tree[node->right];

    if (node->feature == RV_FOREST_LEAF)
        return (double)node->value;
    if (known & (1U << node->feature))
        return tree_value(tree, row[node->feature] < node->value ? left : right, row, known);
    return (tree_value(tree, left, row, known) * (double)left->cover +
            tree_value(tree, right, row, known) * (double)right->cover) /
           ((double)left->cover + (double)right->cover);
}

static double forest_value(const struct rv_forest *forest, const int32_t *row, unsigned known)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);
    const struct rv_forest_node *tree = spec.nodes;
    double sum = (double)spec.base_q16;

    for (size_t i = 0; i < spec.tree_count; i++) {
        sum += tree_value(tree, tree, row, known);
        tree += spec.tree_sizes[i];
    }
    return sum;
}

static double shapley(const struct rv_forest *forest, const int32_t *row, unsigned feature)
{
    double sum = 0;

    for (unsigned set = 0; set < 1U << WIDTH; set++) {
        unsigned members = (unsigned)__builtin_popcount(set);

        if (set & (1U << feature))
            continue;
        sum += tgamma(members + 1) * tgamma(WIDTH - members) / tgamma(WIDTH + 1) *
               (forest_value(forest, row, set | 1U << feature) - forest_value(forest, row, set));
    }
    return sum;
}

static void attributions_are_shapley_values(void **state)
{
    static const struct test_shape shapes[] = { { 3, 3, WIDTH, 10, 0 },
                                                { 4, 6, WIDTH, 20, 6 },
                                                { 2, 10, WIDTH, 50, 9 } };

    for (size_t i = 0; i < RV_COUNT(shapes); i++) {
        struct rv_forest *forest = test_forest(i + 40, shapes[i]);
        struct test_random random = { i };
        struct rv_shap *shap = NULL;
        int32_t row[WIDTH];
        int64_t phi[WIDTH], base;

        rv_assert_ok(rv_shap_new(forest, &shap));
        for (unsigned round = 0; round < 10; round++) {
            test_row(&random, shapes[i], row);
            rv_shap_explain(shap, row, phi, &base);
            assert_true(fabs((double)base - forest_value(forest, row, 0)) < 1);
            for (unsigned f = 0; f < WIDTH; f++) {
                if (fabs((double)phi[f] - shapley(forest, row, f)) > 1.001)
                    fail_msg("shape %zu feature %u: %lld, not %f", i, f, (long long)phi[f],
                             shapley(forest, row, f));
            }
        }
        rv_shap_free(&shap);
        rv_forest_free(&forest);
    }
}

static void sums_are_exact(void **state)
{
    static const struct test_shape shapes[] = {
        { 64, 5, 96, 1000, 7 }, { 5, 11, 30, 4000, 9 }, { 7, 0, 4, 4, 0 }, { 100, 6, 8, 30, 9 }
    };

    for (size_t i = 0; i < RV_COUNT(shapes); i++) {
        struct rv_forest *forest = test_forest(i, shapes[i]);
        struct test_random random = { i };
        struct rv_shap *shap = NULL;

        rv_assert_ok(rv_shap_new(forest, &shap));
        for (unsigned round = 0; round < 50; round++) {
            int32_t row[96];
            int64_t phi[96], sum;

            test_row(&random, shapes[i], row);
            rv_shap_explain(shap, row, phi, &sum);
            for (uint32_t f = 0; f < shapes[i].width; f++)
                sum += phi[f];
            assert_int_equal(sum, rv_forest_score(forest, row));
        }
        rv_shap_free(&shap);
        rv_forest_free(&forest);
    }
}

static void paths_lead_to_the_leaves_that_were_summed(void **state)
{
    const struct test_shape shape = { 30, 5, 20, 100, 8 };
    struct rv_forest *forest = test_forest(3, shape);
    struct test_random random = { 5 };
    struct rv_path paths[30];
    int32_t row[20];
    int64_t sum = rv_forest_spec_of(forest).base_q16;
    size_t count;

    test_row(&random, shape, row);
    count = rv_forest_paths(forest, row, paths, RV_COUNT(paths));
    assert_int_equal(count, 30);
    for (size_t i = 0; i < count; i++) {
        sum += paths[i].leaf_q16;
        assert_true(i == 0 || llabs(paths[i - 1].weight_q16) >= llabs(paths[i].weight_q16));
        for (uint32_t j = 0; j < paths[i].depth; j++)
            assert_int_equal(paths[i].steps[j].value, row[paths[i].steps[j].feature]);
    }
    assert_int_equal(sum, rv_forest_score(forest, row));
    assert_int_equal(rv_forest_paths(forest, row, paths, 5), 5);
    rv_forest_free(&forest);
}

/* Every row that the rights allow, in a space small enough to try all. */
static void reach_bounds_every_row_that_can_be_made(void **state)
{
    const struct test_shape shape = { 6, 4, 3, 6, 6 };
    const enum rv_reach_right rights[] = { RV_REACH_RAISE, RV_REACH_FIXED, RV_REACH_FREE };

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rv_forest *forest = test_forest(seed, shape);
        struct test_random random = { seed };
        int32_t row[3], moved[3];
        int64_t least, most;

        test_row(&random, shape, row);
        rv_forest_reach(forest, row, rights, &least, &most);
        moved[1] = row[1];
        for (moved[0] = row[0]; moved[0] < 9; moved[0]++) {
            for (moved[2] = -2; moved[2] < 9; moved[2]++) {
                int64_t score = rv_forest_score(forest, moved);

                assert_true(score >= least && score <= most);
            }
        }
        rv_forest_free(&forest);
    }
}

static void reach_without_rights_is_the_score(void **state)
{
    const struct test_shape shape = { 20, 6, 4, 60, 6 };
    const enum rv_reach_right fixed[] = { RV_REACH_FIXED, RV_REACH_FIXED, RV_REACH_FIXED,
                                          RV_REACH_FIXED };
    struct rv_forest *forest = test_forest(1, shape);
    struct test_random random = { 1 };
    int32_t row[4];
    int64_t least, most;

    test_row(&random, shape, row);
    rv_forest_reach(forest, row, fixed, &least, &most);
    assert_int_equal(least, rv_forest_score(forest, row));
    assert_int_equal(most, least);
    rv_forest_free(&forest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributions_are_shapley_values),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(paths_lead_to_the_leaves_that_were_summed),
        cmocka_unit_test(reach_bounds_every_row_that_can_be_made),
        cmocka_unit_test(reach_without_rights_is_the_score),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
