/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model import: somebody else's model into a package, with a report on equality. */
#include "package.h"

#include "base/fd.h"
#include "base/options.h"
#include "command.h"
#include "features/table.h"
#include "models/import.h"
#include "models/mlp.h"

#include <fcntl.h>

#define GOLDEN_ROWS       64
#define ROWS_WITHOUT_FILE 10000

struct request {
    const char *from, *rows, *name, *version, *out, *path;
    bool host, json;
};

static int read_source(const struct request *request, struct rv_span bytes,
                       struct rv_source_forest **ret_source, struct rv_import_error *error)
{
    const char *from = request->from;

    if (!from)
        from = bytes.len > 0 && bytes.data[0] == '{' ? "xgboost" : "onnx";
    if (rv_streq(from, "xgboost"))
        return rv_import_xgboost(bytes, ret_source, error);
    if (rv_streq(from, "onnx"))
        return rv_import_onnx(bytes, ret_source, error);
    (void)snprintf(error->message, sizeof(error->message), "--from is xgboost or onnx, not %s",
                   from);
    return -EINVAL;
}

static json_t *make_manifest(const struct request *request, const struct rv_forest *forest,
                             const struct rv_equality *equality, struct rv_span bytes)
{
    struct rv_manifest_head head = {
        .kind = "forest",
        .name = request->name,
        .version = request->version,
        .intended_use = "",
        .limits = "Imported: how it was trained and tested is known only to whoever made it.",
        .width = rv_forest_spec_of(forest).width,
    };
    struct rv_sha256 digest = rv_sha256(bytes);
    char hex[RV_SHA256_HEX_LEN + 1];
    json_t *manifest;

    if (request->host)
        head.feature_table = rv_feature_table_digest();
    rv_sha256_hex(&digest, hex);
    manifest = rv_manifest_new(&head);
    if (manifest)
        (void)json_object_set_new(manifest, "imported",
                                  json_pack("{s:s, s:I, s:I, s:I}", "sha256", hex, "rows_compared",
                                            (json_int_t)equality->rows, "decisions_changed",
                                            (json_int_t)equality->decisions_changed,
                                            "margin_error_max_ppb",
                                            (json_int_t)(equality->margin_error_max * 1e9)));
    return manifest;
}

static int write_package(const struct request *request, const struct rv_forest *forest,
                         const struct rv_equality *equality, struct rv_span bytes)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_row_set_done) struct rv_row_set golden = { 0 };
    RV_AUTO(rv_json_freep)
    json_t *manifest = make_manifest(request, forest, equality, bytes);
    RV_AUTO(rv_buf_done) struct rv_buf section = { 0 }, rows = { 0 }, file = { 0 };
    int r = manifest ? 0 : -ENOMEM;

    rv_forest_encode(forest, &section);
    if (r == 0)
        r = rv_row_set_at_boundaries(forest, 1, GOLDEN_ROWS, &golden);
    if (r == 0)
        r = rv_golden_encode(forest, &golden, &rows);
    if (r == 0)
        r = rv_package_add(&writer, "forest", rv_buf_span(&section));
    if (r == 0)
        r = rv_package_add(&writer, "golden", rv_buf_span(&rows));
    if (r == 0)
        r = rv_package_add_manifest(&writer, manifest);
    if (r == 0)
        r = rv_package_finish(&writer, rv_span(NULL, 0), &file);
    if (r == 0)
        r = rv_write_file_atomic(AT_FDCWD, request->out, file.data, file.len, 0644);
    return r;
}

static void report(const struct request *request, const struct rv_forest *forest,
                   const struct rv_equality *equality)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);

    if (request->json) {
        model_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f}", "model", request->out,
                                   "trees", (json_int_t)spec.tree_count, "depth",
                                   (json_int_t)rv_forest_depth(forest), "width",
                                   (json_int_t)spec.width, "rows", (json_int_t)equality->rows,
                                   "decisions_changed", (json_int_t)equality->decisions_changed,
                                   "margin_error_max", equality->margin_error_max));
        return;
    }
    printf("%s: %zu trees of depth %u over %u features\n", request->out, spec.tree_count,
           rv_forest_depth(forest), spec.width);
    printf("compared with the source on %llu rows%s: %llu decisions changed, largest margin error "
           "%.3g\n",
           (unsigned long long)equality->rows, request->rows ? "" : " at its own thresholds",
           (unsigned long long)equality->decisions_changed, equality->margin_error_max);
}

/* ---- Networks ---- */

static int write_network(const struct request *request, const struct rv_mlp *mlp,
                         struct rv_span bytes)
{
    RV_AUTO(rv_package_writer_done) struct rv_package_writer writer = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf section = { 0 }, file = { 0 };
    struct rv_manifest_head head = {
        .kind = "mlp",
        .name = request->name,
        .version = request->version,
        .limits = "Imported: how it was trained and tested is known only to whoever made it. "
                  "No exact reasons; not for the kernel.",
        .width = rv_mlp_width(mlp),
    };
    RV_AUTO(rv_json_freep) json_t *manifest = rv_manifest_new(&head);
    struct rv_sha256 digest = rv_sha256(bytes);
    char hex[RV_SHA256_HEX_LEN + 1];
    int r = manifest ? 0 : -ENOMEM;

    rv_sha256_hex(&digest, hex);
    rv_mlp_encode(mlp, &section);
    if (r == 0 && json_object_set_new(manifest, "imported", json_pack("{s:s}", "sha256", hex)) < 0)
        r = -ENOMEM;
    if (r == 0)
        r = rv_package_add(&writer, "mlp", rv_buf_span(&section));
    if (r == 0)
        r = rv_package_add_manifest(&writer, manifest);
    if (r == 0)
        r = rv_package_finish(&writer, rv_span(NULL, 0), &file);
    if (r == 0)
        r = rv_write_file_atomic(AT_FDCWD, request->out, file.data, file.len, 0644);
    return r;
}

/* @return an exit status, or -EOPNOTSUPP if it is no network either. */
static int convert_network(const struct request *request, struct rv_span bytes)
{
    RV_AUTO(rv_mlp_free) struct rv_mlp *mlp = NULL;
    struct rv_import_error error = { "out of memory" };
    int r = rv_import_onnx_mlp(bytes, &mlp, &error);

    if (r < 0)
        return -EOPNOTSUPP;
    r = write_network(request, mlp, bytes);
    if (r < 0) {
        fprintf(stderr, "reeve: %s cannot be written: %s\n", request->out, strerror(-r));
        return RV_EXIT_ERROR;
    }
    if (request->json)
        model_print_json(json_pack("{s:s, s:I, s:I}", "model", request->out, "layers",
                                   (json_int_t)rv_mlp_layers(mlp), "width",
                                   (json_int_t)rv_mlp_width(mlp)));
    else
        printf("%s: a network of %u layers over %u features\n", request->out, rv_mlp_layers(mlp),
               rv_mlp_width(mlp));
    return RV_EXIT_YES;
}

/* ---- Forests ---- */

static int convert(const struct request *request, struct rv_span bytes)
{
    RV_AUTO(rv_source_forest_free) struct rv_source_forest *source = NULL;
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    struct rv_import_error error = { "out of memory" };
    struct rv_equality equality;
    int r = read_source(request, bytes, &source, &error);

    if (r == -EOPNOTSUPP) {
        int status = convert_network(request, bytes);

        if (status >= 0)
            return status;
    }
    if (r == 0)
        r = rv_source_convert(source, &forest, &error);
    if (r < 0) {
        fprintf(stderr, "reeve: %s: %s\n", request->path, error.message);
        return RV_EXIT_ERROR;
    }
    if (request->host && source->width != RV_FEATURE_COUNT) {
        fprintf(stderr, "reeve: %s reads %u features; a model of the host reads %d\n",
                request->path, source->width, RV_FEATURE_COUNT);
        return RV_EXIT_ERROR;
    }
    if (request->rows ? model_read_rows(request->rows, source->width, &rows) < 0
                      : rv_row_set_at_boundaries(forest, 1, ROWS_WITHOUT_FILE, &rows) < 0)
        return RV_EXIT_ERROR;
    equality = rv_source_compare(source, forest, rows.values, rows.count);
    r = write_package(request, forest, &equality, bytes);
    if (r < 0) {
        fprintf(stderr, "reeve: %s cannot be written: %s\n", request->out, strerror(-r));
        return RV_EXIT_ERROR;
    }
    report(request, forest, &equality);
    return equality.decisions_changed ? RV_EXIT_NO : RV_EXIT_YES;
}

int cmd_model_import(int argc, char **argv)
{
    struct request request = { .name = "imported", .version = "1" };
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 'o', "output", "MODEL", "the package to write (required)", &request.out,
          0, 0 },
        { RV_OPTION_STRING, 0, "from", "FORMAT", "xgboost or onnx (default: by the first byte)",
          &request.from, 0, 0 },
        { RV_OPTION_STRING, 0, "rows", "FILE", "rows to compare on, one a line", &request.rows, 0,
          0 },
        { RV_OPTION_STRING, 0, "name", "NAME", "the model's name", &request.name, 0, 0 },
        { RV_OPTION_STRING, 0, "version", "VERSION", "the model's version", &request.version, 0,
          0 },
        { RV_OPTION_FLAG, 0, "host", NULL, "its features are those of this build's feature table",
          &request.host, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &request.json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    RV_AUTO(rv_freep) char *bytes = NULL;
    size_t len;
    int operands = 0, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1 || !request.out) {
        fprintf(help ? stdout : stderr, "usage: reeve model import FILE -o MODEL [--rows FILE]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    request.path = argv[1];
    r = rv_read_file(AT_FDCWD, request.path, RV_IMPORT_BYTES_MAX, &bytes, &len);
    if (r < 0) {
        fprintf(stderr, "reeve: %s: %s\n", request.path, strerror(-r));
        return RV_EXIT_ERROR;
    }
    return convert(&request, rv_span(bytes, len));
}
