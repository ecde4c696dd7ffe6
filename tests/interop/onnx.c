/* SPDX-License-Identifier: Apache-2.0 */
/* Every ONNX form that we import against ONNX Runtime itself, on rows at the splits' thresholds. */
#include "test.h"

#include "base/fd.h"
#include "models/forest_model.h"
#include "models/import.h"
#include "models/mlp.h"
#include "models/onnx_runtime.h"

#include <fcntl.h>
#include <math.h>

#define ROWS 2000

/* How the last output follows from the margin: the first word of the file's name. */
static double output_of(const char *name, double margin)
{
    if (strncmp(name, "margin", 6) == 0)
        return margin;
    if (strncmp(name, "share", 5) == 0)
        return margin + 0.5;
    return 1 / (1 + exp(-margin));
}

/* NULL, with why, for a library or an operator that is not there. */
static struct rv_onnx_session *open_session(const char *name, struct rv_span model,
                                            struct rv_onnx_error *error)
{
    struct rv_onnx_session *session = NULL;
    int r = rv_onnx_open(NULL, model, &session, error);

    if (r < 0 && r != -EOPNOTSUPP && !strstr(error->message, "Could not find an implementation"))
        fail_msg("%s: %s", name, error->message);
    return session;
}

/* @return 0, or -EOPNOTSUPP with why. */
static int compare_file(const char *name, struct rv_onnx_error *onnx_error)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    RV_AUTO(rv_source_forest_free) struct rv_source_forest *source = NULL;
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_onnx_free) struct rv_onnx_session *session = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    static float floats[ROWS * 12], theirs[ROWS];
    struct rv_import_error error = { "" };
    char path[512];
    double worst = 0;
    size_t len;

    (void)snprintf(path, sizeof(path), RV_CORPUS "/onnx/%s", name);
    rv_assert_ok(rv_read_file(AT_FDCWD, path, RV_IMPORT_BYTES_MAX, &bytes, &len));
    session = open_session(name, rv_span(bytes, len), onnx_error);
    if (!session)
        return -EOPNOTSUPP;
    if (rv_import_onnx(rv_span(bytes, len), &source, &error) < 0 ||
        rv_source_convert(source, &forest, &error) < 0)
        fail_msg("%s: %s", name, error.message);
    rv_assert_ok(rv_row_set_at_boundaries(forest, 3, ROWS, &rows));
    for (size_t i = 0; i < (size_t)ROWS * rows.width; i++)
        floats[i] = (float)rows.values[i];
    if (rv_onnx_run(session, floats, ROWS, rows.width, theirs, onnx_error) < 0)
        fail_msg("%s: %s", name, onnx_error->message);
    for (size_t i = 0; i < ROWS; i++) {
        double ours = (double)rv_forest_score(forest, rows.values + i * rows.width) / 65536;

        worst = fmax(worst, fabs(output_of(name, ours) - (double)theirs[i]));
    }
    fprintf(stdout, "# %s: largest difference %.3g (ONNX Runtime %s)\n", name, worst,
            rv_onnx_version(session));
    if (worst > 3e-4)
        fail_msg("%s differs by %g", name, worst);
    return 0;
}

/* A network's last Sigmoid is undone: our score is the margin before it. */
static int compare_network(const char *name, struct rv_onnx_error *onnx_error)
{
    RV_AUTO(rv_freep) char *bytes = NULL;
    RV_AUTO(rv_mlp_free) struct rv_mlp *mlp = NULL;
    RV_AUTO(rv_onnx_free) struct rv_onnx_session *session = NULL;
    static float floats[ROWS * 12], theirs[ROWS];
    static int32_t rows[ROWS * 12];
    struct rv_import_error error = { "" };
    char path[512];
    double worst = 0;
    size_t len;

    (void)snprintf(path, sizeof(path), RV_CORPUS "/onnx/%s", name);
    rv_assert_ok(rv_read_file(AT_FDCWD, path, RV_IMPORT_BYTES_MAX, &bytes, &len));
    session = open_session(name, rv_span(bytes, len), onnx_error);
    if (!session)
        return -EOPNOTSUPP;
    if (rv_import_onnx_mlp(rv_span(bytes, len), &mlp, &error) < 0)
        fail_msg("%s: %s", name, error.message);
    for (size_t i = 0; i < RV_COUNT(rows); i++) {
        rows[i] = (int32_t)(rv_mix64(i) % 10);
        floats[i] = (float)rows[i];
    }
    if (rv_onnx_run(session, floats, ROWS, 12, theirs, onnx_error) < 0)
        fail_msg("%s: %s", name, onnx_error->message);
    for (size_t i = 0; i < ROWS; i++) {
        double ours = (double)rv_mlp_score(mlp, rows + i * 12) / 65536;

        worst = fmax(worst, fabs(1 / (1 + exp(-ours)) - (double)theirs[i]));
        if ((ours > 0) != (theirs[i] > 0.5F))
            fail_msg("%s: a decision changed", name);
    }
    fprintf(stdout, "# %s: largest difference %.3g\n", name, worst);
    assert_true(worst < 2e-5);
    return 0;
}

static void networks(void **state)
{
    struct rv_onnx_error error = { "" };

    if (compare_network("dense-gemm.onnx", &error) < 0 ||
        compare_network("dense-matmul.onnx", &error) < 0)
        rv_skip_because("%s", error.message);
}

static void compare(const char *name)
{
    struct rv_onnx_error error = { "" };

    if (compare_file(name, &error) < 0)
        rv_skip_because("%s: %s", name, error.message);
}

static void sums(void **state)
{
    compare("margin-sum.onnx");
}
static void averages(void **state)
{
    compare("margin-average.onnx");
}
static void equalities(void **state)
{
    compare("margin-equal.onnx");
}
static void version_five(void **state)
{
    compare("margin-five.onnx");
}
static void constants_added(void **state)
{
    compare("margin-added.onnx");
}
static void logistic_classes(void **state)
{
    compare("logistic-binary.onnx");
}
static void shares(void **state)
{
    compare("share-binary.onnx");
}
static void softmax_of_two(void **state)
{
    compare("softmax-two.onnx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(averages),
        cmocka_unit_test(equalities),
        cmocka_unit_test(version_five),
        cmocka_unit_test(constants_added),
        cmocka_unit_test(logistic_classes),
        cmocka_unit_test(shares),
        cmocka_unit_test(softmax_of_two),
        cmocka_unit_test(networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
