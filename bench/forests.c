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
#include "models/onnx_runtime.h"
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
#define ROUNDS 9

struct workload {
    int32_t values[ROWS * WIDTH];
    float floats[ROWS * WIDTH];
};

struct figures {
    double xgb_inplace, xgb_matrix, xgb_batch, xgb_shap; /* ns a row */
    double ort_row, ort_batch;                           /* 0: not installed */
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

/* ---- ONNX Runtime: the same forest as a TreeEnsembleRegressor ---- */

static void put_varint(struct rv_buf *buf, uint64_t value)
{
    for (; value >= 128; value >>= 7)
        rv_buf_add_char(buf, (char)(value | 128));
    rv_buf_add_char(buf, (char)value);
}

static void put_bytes(struct rv_buf *buf, uint32_t field, struct rv_span bytes)
{
    put_varint(buf, field << 3 | 2);
    put_varint(buf, bytes.len);
    rv_buf_add(buf, bytes.data, bytes.len);
}

static void put_text(struct rv_buf *buf, uint32_t field, const char *text)
{
    put_bytes(buf, field, rv_span_str(text));
}

static void put_number(struct rv_buf *buf, uint32_t field, uint64_t value)
{
    put_varint(buf, field << 3);
    put_varint(buf, value);
}

enum { AS_FLOATS = 7, AS_INTS = 8, AS_STRINGS = 9 }; /* fields and, less one, types of a list */

static void put_attribute(struct rv_buf *node, const char *name, uint32_t kind,
                          const struct rv_buf *list)
{
    struct rv_buf attribute = { 0 };

    put_text(&attribute, 1, name);
    if (kind == AS_STRINGS)
        rv_buf_add(&attribute, list->data, list->len);
    else
        put_bytes(&attribute, kind, rv_buf_span(list));
    put_number(&attribute, 20, kind - 1);
    put_bytes(node, 5, rv_buf_span(&attribute));
    rv_buf_done(&attribute);
}

static void put_float(struct rv_buf *buf, double value)
{
    float narrow = (float)value;

    rv_buf_add(buf, &narrow, sizeof(narrow));
}

/* Which lists a node of a tree adds to: in the order of the names below. */
enum {
    TREES,
    IDS,
    FEATURES,
    VALUES,
    MODES,
    YES,
    NO,
    LEAF_TREES,
    LEAF_IDS,
    LEAF_TARGETS,
    WEIGHTS,
    LISTS
};

static void put_source_node(struct rv_buf lists[LISTS], size_t tree, uint32_t id,
                            const struct rv_source_node *node)
{
    bool leaf = node->mode == RV_SPLIT_LEAF;

    put_varint(&lists[TREES], tree);
    put_varint(&lists[IDS], id);
    put_varint(&lists[FEATURES], node->feature);
    put_float(&lists[VALUES], leaf ? 0 : node->value);
    put_text(&lists[MODES], 9, leaf ? "LEAF" : "BRANCH_LT");
    put_varint(&lists[YES], node->left);
    put_varint(&lists[NO], node->right);
    if (!leaf)
        return;
    put_varint(&lists[LEAF_TREES], tree);
    put_varint(&lists[LEAF_IDS], id);
    put_varint(&lists[LEAF_TARGETS], 0);
    put_float(&lists[WEIGHTS], node->value);
}

/* A value's name and shape [?, width]. */
static void put_value(struct rv_buf *graph, uint32_t field, const char *name, uint64_t width)
{
    struct rv_buf dim = { 0 }, shape = { 0 }, tensor = { 0 }, type = { 0 }, value = { 0 };

    put_text(&dim, 2, "n");
    put_bytes(&shape, 1, rv_buf_span(&dim));
    rv_buf_clear(&dim);
    put_number(&dim, 1, width);
    put_bytes(&shape, 1, rv_buf_span(&dim));
    put_number(&tensor, 1, 1);
    put_bytes(&tensor, 2, rv_buf_span(&shape));
    put_bytes(&type, 1, rv_buf_span(&tensor));
    put_text(&value, 1, name);
    put_bytes(&value, 2, rv_buf_span(&type));
    put_bytes(graph, field, rv_buf_span(&value));
    rv_buf_done(&dim);
    rv_buf_done(&shape);
    rv_buf_done(&tensor);
    rv_buf_done(&type);
    rv_buf_done(&value);
}

static void put_node(struct rv_buf *graph, const struct rv_source_forest *source)
{
    static const struct {
        const char *name;
        uint32_t kind;
    } names[LISTS] = {
        { "nodes_treeids", AS_INTS },      { "nodes_nodeids", AS_INTS },
        { "nodes_featureids", AS_INTS },   { "nodes_values", AS_FLOATS },
        { "nodes_modes", AS_STRINGS },     { "nodes_truenodeids", AS_INTS },
        { "nodes_falsenodeids", AS_INTS }, { "target_treeids", AS_INTS },
        { "target_nodeids", AS_INTS },     { "target_ids", AS_INTS },
        { "target_weights", AS_FLOATS },
    };
    struct rv_buf lists[LISTS] = { { 0 } }, node = { 0 }, targets = { 0 };

    for (size_t i = 0; i < source->tree_count; i++) {
        for (uint32_t j = 0; j < source->trees[i].count; j++)
            put_source_node(lists, i, j, &source->trees[i].nodes[j]);
    }
    put_text(&node, 1, "x");
    put_text(&node, 2, "y");
    put_text(&node, 4, "TreeEnsembleRegressor");
    put_text(&node, 7, "ai.onnx.ml");
    for (size_t i = 0; i < LISTS; i++) {
        put_attribute(&node, names[i].name, names[i].kind, &lists[i]);
        rv_buf_done(&lists[i]);
    }
    put_text(&targets, 1, "n_targets");
    put_number(&targets, 3, 1);
    put_number(&targets, 20, 2);
    put_bytes(&node, 5, rv_buf_span(&targets));
    put_bytes(graph, 1, rv_buf_span(&node));
    rv_buf_done(&targets);
    rv_buf_done(&node);
}

static void put_opset(struct rv_buf *model, const char *domain, uint64_t version)
{
    struct rv_buf opset = { 0 };

    put_text(&opset, 1, domain);
    put_number(&opset, 2, version);
    put_bytes(model, 8, rv_buf_span(&opset));
    rv_buf_done(&opset);
}

static void put_model(struct rv_buf *model, const struct rv_source_forest *source)
{
    struct rv_buf graph = { 0 };

    put_node(&graph, source);
    put_text(&graph, 2, "g");
    put_value(&graph, 11, "x", WIDTH);
    put_value(&graph, 12, "y", 1);
    put_number(model, 1, 8);
    put_bytes(model, 7, rv_buf_span(&graph));
    put_opset(model, "", 17);
    put_opset(model, "ai.onnx.ml", 3);
    rv_buf_done(&graph);
}

static void time_onnx(const struct rv_source_forest *source, const struct workload *load,
                      struct figures *figures)
{
    struct rv_onnx_session *session = NULL;
    struct rv_onnx_error error = { "" };
    struct rv_buf model = { 0 };
    static float scores[ROWS];
    int r;

    put_model(&model, source);
    r = rv_onnx_open(NULL, rv_buf_span(&model), &session, &error);
    rv_buf_done(&model);
    if (r < 0 || rv_onnx_run(session, load->floats, ROWS, WIDTH, scores, &error) < 0) {
        fprintf(stderr, "ONNX Runtime: %s\n", error.message);
        rv_onnx_free(&session);
        return;
    }
    for (size_t i = 0; i < ROWS; i++) {
        double theirs = (double)scores[i] + source->base;

        if (fabs(theirs - rv_source_margin(source, load->values + i * WIDTH)) > 1e-4)
            exit(2);
    }
    figures->ort_row = TIME_ROWS(
        (void)!rv_onnx_run(session, load->floats + i * WIDTH, 1, WIDTH, scores, &error), 100);
    figures->ort_batch =
        TIME_ROWS((void)!rv_onnx_run(session, load->floats, ROWS, WIDTH, scores, &error), 1) / ROWS;
    rv_onnx_free(&session);
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
           "\"x_shap\": %.1f, \"ort_row_ns\": %.0f, \"ort_batch_ns\": %.0f, \"x_ort\": %.1f, "
           "\"x_ort_batch\": %.1f}\n",
           trees, depth, (unsigned long long)f->equality.rows,
           (unsigned long long)f->equality.decisions_changed, f->equality.margin_error_max,
           f->shap_error_max, f->ours, f->plain, f->ours_batch, f->compiled, f->kernel,
           f->kernel_instructions, f->ours_shap, f->xgb_inplace, f->xgb_matrix, f->xgb_batch,
           f->xgb_shap, f->xgb_inplace / f->ours, f->xgb_matrix / f->ours,
           f->xgb_batch / f->ours_batch, f->xgb_shap / f->ours_shap, f->ort_row, f->ort_batch,
           f->ort_row / f->ours, f->ort_batch / f->ours_batch);
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
        time_onnx(source, load, &figures);
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
