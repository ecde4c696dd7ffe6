/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model inspect: what is in the file, and whether it is whole. */
#include "package.h"

#include "base/options.h"
#include "command.h"
#include "enforce/score_package.h"
#include "models/language.h"

static json_t *describe_forest(const struct rv_package *package, const char *section)
{
    struct rv_forest *forest = NULL;
    struct rv_forest_spec spec;
    json_t *out;

    if (rv_package_forest(package, section, &forest, NULL) < 0)
        return json_null();
    spec = rv_forest_spec_of(forest);
    out = json_pack("{s:I, s:I, s:I, s:I, s:f}", "trees", (json_int_t)spec.tree_count, "depth",
                    (json_int_t)rv_forest_depth(forest), "nodes", (json_int_t)spec.node_count,
                    "width", (json_int_t)spec.width, "base", model_decimal(spec.base_q16));
    rv_forest_free(&forest);
    return out;
}

static json_t *describe_language(const struct rv_package *package)
{
    RV_AUTO(rv_language_free) struct rv_language *language = NULL;
    size_t normal = 0, attack = 0;

    if (rv_language_load(&language, rv_package_section(package, "language")) < 0)
        return json_null();
    rv_language_size(language, &normal, &attack);
    return json_pack("{s:I, s:I, s:i, s:I}", "normal_ngrams", (json_int_t)normal, "attack_ngrams",
                     (json_int_t)attack, "alpha_share_ppm", (int)rv_language_share_ppm(language),
                     "calibration_scores",
                     (json_int_t)rv_calibration_count(rv_language_calibration(language), 0));
}

static json_t *describe_section(const struct rv_package *package, const char *name)
{
    struct rv_span bytes = rv_package_section(package, name);
    struct rv_sha256 digest = rv_sha256(bytes);
    char hex[RV_SHA256_HEX_LEN + 1];
    json_t *out;

    rv_sha256_hex(&digest, hex);
    out = json_pack("{s:s, s:I, s:s}", "name", name, "bytes", (json_int_t)bytes.len, "sha256", hex);
    if (strncmp(name, "forest", 6) == 0)
        (void)json_object_set_new(out, "forest", describe_forest(package, name));
    if (rv_streq(name, "language"))
        (void)json_object_set_new(out, "language", describe_language(package));
    return out;
}

static json_t *describe(const struct rv_package *package)
{
    struct rv_sha256 digest = rv_package_digest(package);
    char hex[RV_SHA256_HEX_LEN + 1];
    json_t *sections = json_array();

    rv_sha256_hex(&digest, hex);
    for (size_t i = 0; i < rv_package_section_count(package); i++)
        (void)json_array_append_new(sections,
                                    describe_section(package, rv_package_section_name(package, i)));
    return json_pack("{s:s, s:b, s:b, s:O, s:o}", "digest", hex, "signed",
                     rv_package_signature(package).len > 0, "of_host", model_is_of_host(package),
                     "manifest", rv_package_manifest(package), "sections", sections);
}

static void print_text(const json_t *all)
{
    const json_t *section;
    size_t index;

    printf("sha256:%s  %s\n", json_string_value(json_object_get(all, "digest")),
           json_is_true(json_object_get(all, "signed")) ? "signed (not checked)" : "not signed");
    json_array_foreach(json_object_get(all, "sections"), index, section)
    {
        const json_t *forest = json_object_get(section, "forest");
        const json_t *language = json_object_get(section, "language");

        printf("  %-18s %10lld bytes", json_string_value(json_object_get(section, "name")),
               (long long)json_integer_value(json_object_get(section, "bytes")));
        if (json_is_object(forest))
            printf("  %lld trees, depth %lld, %lld nodes, %lld features",
                   (long long)json_integer_value(json_object_get(forest, "trees")),
                   (long long)json_integer_value(json_object_get(forest, "depth")),
                   (long long)json_integer_value(json_object_get(forest, "nodes")),
                   (long long)json_integer_value(json_object_get(forest, "width")));
        if (json_is_object(language))
            printf("  %lld n-grams of normal work, %lld of attacks",
                   (long long)json_integer_value(json_object_get(language, "normal_ngrams")),
                   (long long)json_integer_value(json_object_get(language, "attack_ngrams")));
        putchar('\n');
    }
    (void)json_dumpf(json_object_get(all, "manifest"), stdout, JSON_INDENT(2));
    putchar('\n');
}

/* Golden rows, if there are any, must still come out. */
static bool golden_holds(const struct rv_package *package)
{
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    RV_AUTO(rv_forest_free) struct rv_forest *forest = NULL;
    struct rv_span golden = rv_package_section(package, "golden");

    if (!golden.data)
        return true;
    return rv_package_forest(package, "forest", &forest, NULL) == 0 &&
           rv_golden_check(forest, golden, &rows) == 0;
}

/* What is made for the kernel must be what the agent would put there. */
static bool kernel_takes_it(const struct rv_package *package, const char *path)
{
    RV_AUTO(rv_score_package_free) struct rv_score_package *kernel = NULL;
    const char *why = NULL;

    if (!rv_package_section(package, RV_SCORE_SECTION).data ||
        rv_score_package_open(package, &kernel, &why) == 0)
        return true;
    fprintf(stderr, "reeve: %s: not for the kernel: %s\n", path, why);
    return false;
}

int cmd_model_inspect(int argc, char **argv)
{
    bool json = false, help = false;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "json", NULL, "print one JSON object", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    json_t *all;
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1) {
        fprintf(help ? stdout : stderr, "usage: reeve model inspect MODEL [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    package = model_open_package(argv[1]);
    if (!package)
        return RV_EXIT_ERROR;
    if (!golden_holds(package)) {
        fprintf(stderr, "reeve: %s: its golden rows do not come out; do not use it\n", argv[1]);
        return RV_EXIT_NO;
    }
    if (!kernel_takes_it(package, argv[1]))
        return RV_EXIT_NO;
    all = describe(package);
    if (json) {
        model_print_json(all);
        return RV_EXIT_YES;
    }
    print_text(all);
    json_decref(all);
    return RV_EXIT_YES;
}
