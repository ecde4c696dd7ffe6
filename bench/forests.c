/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forests against those who also evaluate them: XGBoost's C API, ONNX Runtime's C API when it is
 * installed, and compiled if/else; and in the kernel by BPF_PROG_TEST_RUN. Five forests, trained by
 * XGBoost on one data set. Equality on every row comes first; a figure of an unequal peer is not
 * printed. One thread, distinct rows in shuffled order, the median of several rounds.
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "models/import.h"
#include "models/kernel.h"
#include "models/reasons.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <xgboost/c_api.h>

#define WIDTH  64
#define TRAIN  6000
#define ROWS   1024
#define ROUNDS 15

struct workload {
    int32_t values[ROWS * WIDTH];
    float floats[ROWS * WIDTH];
};

struct figures {
    double xgb_inplace, xgb_matrix, xgb_batch, xgb_shap; /* ns a row */
    double ours, ours_batch, ours_shap, plain, compiled, kernel;
    uint32_t kernel_instructions;
    struct rv_equality equality;
    double shap_error_max;
};

static int64_t sink; /* keeps the compiler from dropping what is timed */

static double now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[count / 2];
}

/* ---- Data: skewed counts, a target that needs many features ---- */

static uint64_t random_state = 42;

static uint32_t draw(uint32_t bound)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(rv_mix64(random_state) % bound);
}

static float make_row(int32_t *row)
{
    double score = 0;

    for (uint32_t f = 0; f < WIDTH; f++) {
        row[f] = (int32_t)(draw(1U << (1 + draw(12))) >> draw(3));
        score += ((f % 7) - 3.0) * log2(1.0 + row[f]) * (row[(f * 5) % (f + 1)] > 20 ? 1.5 : 0.5);
    }
    return score + draw(60) - 30.0 > 0 ? 1.0F : 0.0F;
}

static DMatrixHandle make_training(void)
{
    static float values[TRAIN * WIDTH], labels[TRAIN];
    int32_t row[WIDTH];
    DMatrixHandle matrix = NULL;

    for (size_t i = 0; i < TRAIN; i++) {
        labels[i] = make_row(row);
        for (size_t f = 0; f < WIDTH; f++)
            values[i * WIDTH + f] = (float)row[f];
    }
    if (XGDMatrixCreateFromMat(values, TRAIN, WIDTH, NAN, &matrix) != 0 ||
        XGDMatrixSetFloatInfo(matrix, "label", labels, TRAIN) != 0)
        return NULL;
    return matrix;
}

static BoosterHandle train(DMatrixHandle matrix, uint32_t trees, uint32_t depth)
{
    BoosterHandle booster = NULL;
    char text[16];

    if (XGBoosterCreate(&matrix, 1, &booster) != 0)
        return NULL;
    (void)XGBoosterSetParam(booster, "nthread", "1");
    (void)XGBoosterSetParam(booster, "verbosity", "0");
    (void)XGBoosterSetParam(booster, "objective", "binary:logistic");
    (void)XGBoosterSetParam(booster, "tree_method", "hist");
    (void)XGBoosterSetParam(booster, "eta", "0.1");
    (void)XGBoosterSetParam(booster, "colsample_bytree", "0.5");
    (void)snprintf(text, sizeof(text), "%u", depth);
    (void)XGBoosterSetParam(booster, "max_depth", text);
    for (uint32_t i = 0; i < trees; i++) {
        if (XGBoosterUpdateOneIter(booster, (int)i, matrix) != 0)
            return NULL;
    }
    return booster;
}

/* ---- Peers ---- */

static void predict_inplace(BoosterHandle booster, DMatrixHandle proxy, const float *rows,
                            size_t count, const float **ret_margins)
{
    char array[160];
    bst_ulong dim;
    const bst_ulong *shape;

    (void)snprintf(array, sizeof(array),
                   "{\"data\": [%zu, true], \"shape\": [%zu, %d], \"typestr\": \"<f4\", "
                   "\"version\": 3}",
                   (size_t)(uintptr_t)rows, count, WIDTH);
    if (XGBoosterPredictFromDense(booster, array,
                                  "{\"type\": 1, \"missing\": NaN, \"training\": false, "
                                  "\"iteration_begin\": 0, \"iteration_end\": 0, "
                                  "\"strict_shape\": false, \"cache_id\": 0}",
                                  proxy, &shape, &dim, ret_margins) != 0) {
        fprintf(stderr, "XGBoosterPredictFromDense: %s\n", XGBGetLastError());
        exit(2);
    }
}

static const float *predict_matrix(BoosterHandle booster, const float *rows, size_t count, int mask)
{
    DMatrixHandle matrix;
    const float *out;
    bst_ulong len;

    if (XGDMatrixCreateFromMat(rows, count, WIDTH, NAN, &matrix) != 0 ||
        XGBoosterPredict(booster, matrix, mask, 0, 0, &len, &out) != 0) {
        fprintf(stderr, "XGBoosterPredict: %s\n", XGBGetLastError());
        exit(2);
    }
    (void)XGDMatrixFree(matrix);
    return out;
}

/* Median over rounds of the mean time of one row. */
#define TIME_ROWS(statement, count)                                                                \
    ({                                                                                             \
        double rounds_[ROUNDS];                                                                    \
        for (size_t round_ = 0; round_ < ROUNDS; round_++) {                                       \
            double from_ = now_ns();                                                               \
            for (size_t i = 0; i < (count); i++) {                                                 \
                statement;                                                                         \
            }                                                                                      \
            rounds_[round_] = (now_ns() - from_) / (double)(count);                                \
        }                                                                                          \
        median(rounds_, ROUNDS);                                                                   \
    })

static void time_xgboost(BoosterHandle booster, const struct workload *load,
                         struct figures *figures)
{
    DMatrixHandle proxy;
    const float *margins;

    if (XGProxyDMatrixCreate(&proxy) != 0)
        exit(2);
    figures->xgb_inplace =
        TIME_ROWS(predict_inplace(booster, proxy, load->floats + i * WIDTH, 1, &margins), 100);
    figures->xgb_matrix =
        TIME_ROWS((void)predict_matrix(booster, load->floats + i * WIDTH, 1, 1), 50);
    figures->xgb_batch =
        TIME_ROWS(predict_inplace(booster, proxy, load->floats, ROWS, &margins), 1) / ROWS;
    figures->xgb_shap =
        TIME_ROWS((void)predict_matrix(booster, load->floats + i * WIDTH, 1, 4), 20);
    (void)XGDMatrixFree(proxy);
}

/* ---- Compiled if/else ---- */

static void write_tree(FILE *to, const struct rv_forest_node *tree, uint32_t index)
{
    const struct rv_forest_node *node = &tree[index];

    if (node->feature == RV_FOREST_LEAF) {
        fprintf(to, "s+=%d;", node->value);
        return;
    }
    fprintf(to, "if(x[%d]<%d){", node->feature, node->value);
    write_tree(to, tree, node->left);
    fprintf(to, "}else{");
    write_tree(to, tree, node->right);
    fprintf(to, "}");
}

typedef int64_t (*compiled_fn)(const int32_t *);

static compiled_fn compile(const struct rv_forest *forest)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);
    const struct rv_forest_node *tree = spec.nodes;
    char dir[] = "/tmp/reeve-bench-XXXXXX", command[256], path[64];
    compiled_fn fn = NULL;
    void *library = NULL;
    FILE *to;

    if (!mkdtemp(dir))
        return NULL;
    (void)snprintf(path, sizeof(path), "%s/f.c", dir);
    to = fopen(path, "w");
    if (to) {
        fprintf(to, "long f(const int *x){long s=%lld;\n", (long long)spec.base_q16);
        for (size_t i = 0; i < spec.tree_count; i++) {
            write_tree(to, tree, 0);
            fprintf(to, "\n");
            tree += spec.tree_sizes[i];
        }
        fprintf(to, "return s;}\n");
        fclose(to);
        (void)snprintf(command, sizeof(command),
                       "cc -O2 -shared -fPIC -o %s/f.so %s/f.c 2>/dev/null", dir, dir);
        if (system(command) == 0) {
            (void)snprintf(path, sizeof(path), "%s/f.so", dir);
            library = dlopen(path, RTLD_NOW);
        }
    }
    if (library) {
        void *symbol = dlsym(library, "f");

        memcpy(&fn, &symbol, sizeof(fn));
    }
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    (void)!system(command);
    return fn;
}

/* ---- Ours ---- */

static double shap_error(BoosterHandle booster, const struct workload *load, struct rv_shap *shap)
{
    const float *theirs = predict_matrix(booster, load->floats, ROWS, 4);
    double error = 0;

    for (size_t i = 0; i < ROWS; i++) {
        int64_t phi[WIDTH], base;

        rv_shap_explain(shap, load->values + i * WIDTH, phi, &base);
        for (size_t f = 0; f < WIDTH; f++)
            error = fmax(error, fabs((double)phi[f] / 65536 - (double)theirs[i * (WIDTH + 1) + f]));
        error = fmax(error, fabs((double)base / 65536 - (double)theirs[i * (WIDTH + 1) + WIDTH]));
    }
    return error;
}

static void time_ours(const struct rv_forest *forest, struct rv_shap *shap,
                      const struct workload *load, struct figures *figures)
{
    static int64_t scores[ROWS];
    int64_t phi[WIDTH], base;
    compiled_fn fn = compile(forest);

    figures->ours = TIME_ROWS(sink += rv_forest_score(forest, load->values + i * WIDTH), ROWS);
    figures->plain =
        TIME_ROWS(sink += rv_forest_score_plain(forest, load->values + i * WIDTH), ROWS);
    figures->ours_batch =
        TIME_ROWS((rv_forest_score_rows(forest, load->values, ROWS, scores), sink += scores[0]), 1);
    figures->ours_batch /= ROWS;
    figures->ours_shap = TIME_ROWS(
        (rv_shap_explain(shap, load->values + i * WIDTH, phi, &base), sink += phi[0]), 100);
    if (fn) {
        for (size_t i = 0; i < ROWS; i++) {
            if (fn(load->values + i * WIDTH) != rv_forest_score(forest, load->values + i * WIDTH))
                exit(2);
        }
        figures->compiled = TIME_ROWS(sink += fn(load->values + i * WIDTH), ROWS);
    }
}

static void time_kernel(const struct rv_forest *forest, const struct workload *load,
                        struct figures *figures)
{
    struct rv_kernel_model model = { { forest, NULL }, 1 };
    struct rv_kernel_trial trial;
    double rounds[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        int r = rv_kernel_try(&model, load->values, ROWS, &trial);

        if (r < 0 || trial.mismatches) {
            fprintf(stderr, "in the kernel: %s\n", r < 0 ? strerror(-r) : "scores differ");
            return;
        }
        rounds[i] = trial.ns;
    }
    figures->kernel = median(rounds, ROUNDS);
    figures->kernel_instructions = trial.instructions;
}

static void compare_with_xgboost(BoosterHandle booster, const struct rv_forest *forest,
                                 const struct workload *load, struct figures *figures)
{
    const float *margins = predict_matrix(booster, load->floats, ROWS, 1);

    figures->equality.rows = ROWS;
    for (size_t i = 0; i < ROWS; i++) {
        double ours = (double)rv_forest_score(forest, load->values + i * WIDTH) / 65536;

        figures->equality.decisions_changed += (margins[i] > 0) != (ours > 0);
        figures->equality.margin_error_max =
            fmax(figures->equality.margin_error_max, fabs(ours - (double)margins[i]));
    }
}

static void print_figures(uint32_t trees, uint32_t depth, const struct figures *f)
{
    printf("{\"bench\": \"forest\", \"trees\": %u, \"depth\": %u, \"rows\": %llu, "
           "\"decisions_changed\": %llu, \"margin_error_max\": %.3g, \"shap_error_max\": %.3g, "
           "\"score_ns\": %.0f, \"walk_ns\": %.0f, \"batch_ns\": %.0f, \"if_else_ns\": %.0f, "
           "\"kernel_ns\": %.0f, \"kernel_instructions\": %u, \"shap_ns\": %.0f, "
           "\"xgb_inplace_ns\": %.0f, \"xgb_matrix_ns\": %.0f, \"xgb_batch_ns\": %.0f, "
           "\"xgb_shap_ns\": %.0f, \"x_inplace\": %.1f, \"x_matrix\": %.1f, \"x_batch\": %.1f, "
           "\"x_shap\": %.1f}\n",
           trees, depth, (unsigned long long)f->equality.rows,
           (unsigned long long)f->equality.decisions_changed, f->equality.margin_error_max,
           f->shap_error_max, f->ours, f->plain, f->ours_batch, f->compiled, f->kernel,
           f->kernel_instructions, f->ours_shap, f->xgb_inplace, f->xgb_matrix, f->xgb_batch,
           f->xgb_shap, f->xgb_inplace / f->ours, f->xgb_matrix / f->ours,
           f->xgb_batch / f->ours_batch, f->xgb_shap / f->ours_shap);
    (void)fflush(stdout);
}

static int bench(DMatrixHandle matrix, const struct workload *load, uint32_t trees, uint32_t depth)
{
    BoosterHandle booster = train(matrix, trees, depth);
    struct rv_source_forest *source = NULL;
    struct rv_forest *forest = NULL;
    struct rv_shap *shap = NULL;
    struct figures figures = { 0 };
    struct rv_import_error error = { "" };
    const char *json;
    bst_ulong len;

    if (!booster || XGBoosterSaveModelToBuffer(booster, "{\"format\": \"json\"}", &len, &json) != 0)
        return -1;
    if (rv_import_xgboost(rv_span(json, len), &source, &error) < 0 ||
        rv_source_convert(source, &forest, &error) < 0 || rv_shap_new(forest, &shap) < 0) {
        fprintf(stderr, "import: %s\n", error.message);
        return -1;
    }
    compare_with_xgboost(booster, forest, load, &figures);
    figures.shap_error_max = shap_error(booster, load, shap);
    if (figures.equality.decisions_changed == 0 && figures.shap_error_max < 1e-4) {
        time_ours(forest, shap, load, &figures);
        time_kernel(forest, load, &figures);
        time_xgboost(booster, load, &figures);
    }
    print_figures(trees, depth, &figures);
    rv_shap_free(&shap);
    rv_forest_free(&forest);
    rv_source_forest_free(&source);
    (void)XGBoosterFree(booster);
    return figures.ours > 0 ? 0 : -1;
}

int main(void)
{
    static const struct {
        uint32_t trees, depth;
    } forests[] = { { 16, 4 }, { 32, 4 }, { 64, 5 }, { 100, 6 }, { 300, 6 } };
    static struct workload load;
    DMatrixHandle matrix = make_training();
    int failed = 0;

    if (!matrix)
        return 2;
    for (size_t i = 0; i < ROWS; i++)
        (void)make_row(load.values + i * WIDTH);
    for (size_t i = 0; i < RV_COUNT(load.values); i++)
        load.floats[i] = (float)load.values[i];
    for (size_t i = 0; i < RV_COUNT(forests); i++)
        failed |= bench(matrix, &load, forests[i].trees, forests[i].depth);
    (void)XGDMatrixFree(matrix);
    return failed ? 1 : 0;
}
