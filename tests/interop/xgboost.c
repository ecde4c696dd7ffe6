/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forests that libxgboost trained, imported: margins, decisions and attributions against its own,
 * on rows it never saw, and the trainer's two engines against each other.
 */
#include "test.h"

#include "base/hash.h"
#include "models/forest_model.h"
#include "models/import.h"
#include "models/trainer.h"

#include <math.h>
#include <xgboost/c_api.h>

#define WIDTH 24
#define ROWS  1500

struct fixture {
    float values[ROWS * WIDTH], labels[ROWS];
    int32_t rows[ROWS * WIDTH];
    DMatrixHandle matrix;
};

static struct fixture *make_fixture(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    for (size_t i = 0; i < ROWS; i++) {
        double score = 0;

        for (size_t f = 0; f < WIDTH; f++) {
            uint64_t draw = rv_mix64(i * WIDTH + f + 1);

            /* Counts, most of them small, some huge: beyond what a float holds exactly. */
            fixture->rows[i * WIDTH + f] = (int32_t)((draw & 0x7fffffff) >> (draw >> 40) % 31);
            fixture->values[i * WIDTH + f] = (float)fixture->rows[i * WIDTH + f];
            score += ((double)(f % 5) - 2) * log2(1 + (double)fixture->values[i * WIDTH + f]);
        }
        fixture->labels[i] = score + (double)(rv_mix64(i + 77) % 30) > 15;
    }
    assert_int_equal(XGDMatrixCreateFromMat(fixture->values, ROWS, WIDTH, NAN, &fixture->matrix),
                     0);
    assert_int_equal(XGDMatrixSetFloatInfo(fixture->matrix, "label", fixture->labels, ROWS), 0);
    return fixture;
}

static void free_fixture(struct fixture *fixture)
{
    XGDMatrixFree(fixture->matrix);
    free(fixture);
}

static BoosterHandle train(DMatrixHandle matrix, const char *depth, int trees)
{
    BoosterHandle booster = NULL;

    assert_int_equal(XGBoosterCreate(&matrix, 1, &booster), 0);
    XGBoosterSetParam(booster, "nthread", "1");
    XGBoosterSetParam(booster, "verbosity", "0");
    XGBoosterSetParam(booster, "objective", "binary:logistic");
    XGBoosterSetParam(booster, "base_score", "0.2");
    XGBoosterSetParam(booster, "max_depth", depth);
    for (int i = 0; i < trees; i++)
        assert_int_equal(XGBoosterUpdateOneIter(booster, i, matrix), 0);
    return booster;
}

static struct rv_forest *import_from(BoosterHandle booster)
{
    struct rv_source_forest *source = NULL;
    struct rv_forest *forest = NULL;
    struct rv_import_error error = { "" };
    const char *json;
    bst_ulong len;

    assert_int_equal(XGBoosterSaveModelToBuffer(booster, "{\"format\": \"json\"}", &len, &json), 0);
    if (rv_import_xgboost(rv_span(json, len), &source, &error) < 0 ||
        rv_source_convert(source, &forest, &error) < 0)
        fail_msg("%s", error.message);
    rv_source_forest_free(&source);
    return forest;
}

static void check_against(const char *depth, int trees)
{
    struct fixture *fixture = make_fixture();
    BoosterHandle booster = train(fixture->matrix, depth, trees);
    struct rv_forest *forest = import_from(booster);
    struct rv_shap *shap = NULL;
    const float *margins, *shares;
    double margin_error = 0, share_error = 0;
    bst_ulong len;

    rv_assert_ok(rv_shap_new(forest, &shap));
    assert_int_equal(XGBoosterPredict(booster, fixture->matrix, 1, 0, 0, &len, &margins), 0);
    for (size_t i = 0; i < ROWS; i++) {
        double ours = (double)rv_forest_score(forest, fixture->rows + i * WIDTH) / 65536;

        margin_error = fmax(margin_error, fabs(ours - (double)margins[i]));
        assert_int_equal(ours > 0, margins[i] > 0);
    }
    assert_int_equal(XGBoosterPredict(booster, fixture->matrix, 4, 0, 0, &len, &shares), 0);
    for (size_t i = 0; i < ROWS; i += 7) {
        int64_t phi[WIDTH + 1];

        rv_shap_explain(shap, fixture->rows + i * WIDTH, phi, &phi[WIDTH]);
        for (size_t f = 0; f <= WIDTH; f++)
            share_error = fmax(share_error,
                               fabs((double)phi[f] / 65536 - (double)shares[i * (WIDTH + 1) + f]));
    }
    fprintf(stdout, "# %d trees of depth %s: margins within %.3g, attributions within %.3g\n",
            trees, depth, margin_error, share_error);
    assert_true(margin_error < 5e-4);
    assert_true(share_error < 1e-4);
    rv_shap_free(&shap);
    rv_forest_free(&forest);
    XGBoosterFree(booster);
    free_fixture(fixture);
}

static void shallow_forests_agree(void **state)
{
    check_against("4", 32);
}

static void deep_forests_agree(void **state)
{
    check_against("12", 20); /* longer paths than one block of the quadrature holds */
}

/* Both engines of the trainer, on the same data, come close. */
static void engines_learn_alike(void **state)
{
    struct fixture *fixture = make_fixture();
    struct rv_rows rows = { WIDTH, ROWS, fixture->rows, fixture->labels, NULL };
    struct rv_train_options options = rv_train_defaults();
    double loss[2] = { 0 };

    for (unsigned engine = 0; engine < 2; engine++) {
        struct rv_forest *forest = NULL;

        options.engine = engine ? RV_TRAIN_XGBOOST : RV_TRAIN_OWN;
        rv_assert_ok(rv_train_forest(&rows, &options, &forest, NULL));
        for (size_t i = 0; i < ROWS; i++) {
            double margin = (double)rv_forest_score(forest, fixture->rows + i * WIDTH) / 65536;

            loss[engine] += log1p(exp(fixture->labels[i] > 0 ? -margin : margin)) / ROWS;
        }
        rv_forest_free(&forest);
    }
    fprintf(stdout, "# log loss after training: ours %.4f, libxgboost %.4f\n", loss[0], loss[1]);
    assert_true(loss[0] < loss[1] * 1.15);
    free_fixture(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shallow_forests_agree),
        cmocka_unit_test(deep_forests_agree),
        cmocka_unit_test(engines_learn_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
