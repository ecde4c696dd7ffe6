/* SPDX-License-Identifier: Apache-2.0 */
#include "package.h"

#include "base/fd.h"
#include "features/table.h"

#include <fcntl.h>

#define ROWS_BYTES_MAX ((size_t)1 << 30)

struct rv_package *model_open_package(const char *path)
{
    struct rv_package *package = NULL;
    const char *why = NULL;
    int r = rv_package_open_file(AT_FDCWD, path, &package, &why);

    if (r < 0)
        fprintf(stderr, "reeve: %s: %s (%s)\n", path, why ? why : "cannot be opened", strerror(-r));
    return package;
}

struct rv_forest *model_open_forest(const struct rv_package *package, const char *path)
{
    struct rv_forest *forest = NULL;
    const char *why = NULL;
    int r = rv_package_forest(package, "forest", &forest, &why);

    if (r < 0)
        fprintf(stderr, "reeve: %s: %s; this command needs a model of kind forest\n", path,
                why ? why : strerror(-r));
    return forest;
}

int model_read_rows(const char *path, uint32_t width, struct rv_row_set *ret_rows)
{
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len, line = 0;
    int r = rv_read_file(AT_FDCWD, path, ROWS_BYTES_MAX, &text, &len);

    if (r < 0) {
        fprintf(stderr, "reeve: %s: %s\n", path, strerror(-r));
        return -1;
    }
    r = rv_row_set_parse(rv_span(text, len), width, ret_rows, &line);
    if (r == -EINVAL)
        fprintf(stderr, "reeve: %s: line %zu is not a row of %s32-bit integers\n", path, line,
                width ? "the model's number of " : "as many ");
    else if (r < 0)
        fprintf(stderr, "reeve: %s: %s\n", path, strerror(-r));
    return r < 0 ? -1 : 0;
}

bool model_is_of_host(const struct rv_package *package)
{
    struct rv_sha256 table = rv_feature_table_digest();
    const char *named =
        json_string_value(json_object_get(rv_package_manifest(package), "feature_table"));
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&table, hex);
    return named && rv_streq(named, hex);
}

struct model_feature_name model_feature_name(const struct rv_package *package, uint32_t feature)
{
    struct model_feature_name name;
    const struct rv_feature_info *info =
        model_is_of_host(package) ? rv_feature_info(feature) : NULL;

    if (info)
        (void)snprintf(name.text, sizeof(name.text), "%s", info->name);
    else
        (void)snprintf(name.text, sizeof(name.text), "f%u", feature);
    return name;
}

void model_print_json(json_t *value)
{
    (void)json_dumpf(value, stdout, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(value);
}
