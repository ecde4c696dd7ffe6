/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/bundle.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

enum kind {
    KIND_NONE,
    KIND_POLICY,
    KIND_SCHEMA,
    KIND_SCHEMA_JSON,
    KIND_ENTITIES,
    KIND_MANIFEST,
    KIND_TESTS,
    KIND_COUNT_
};

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len >= end_len && rv_streq(name + len - end_len, end);
}

static enum kind kind_of(const char *name)
{
    static const struct {
        const char *end;
        enum kind kind;
    } ends[] = {
        { ".cedarschema.json", KIND_SCHEMA_JSON },
        { ".cedarschema", KIND_SCHEMA },
        { ".cedar", KIND_POLICY },
        { ".tests.json", KIND_TESTS },
    };

    if (rv_streq(name, "entities.json"))
        return KIND_ENTITIES;
    if (rv_streq(name, "manifest.json"))
        return KIND_MANIFEST;
    for (size_t i = 0; i < RV_COUNT(ends); i++) {
        if (ends_with(name, ends[i].end))
            return ends[i].kind;
    }
    return KIND_NONE;
}

bool rv_bundle_wants(const char *name)
{
    return kind_of(name) != KIND_NONE;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct rv_bundle_file *)a)->name,
                  ((const struct rv_bundle_file *)b)->name);
}

RV_PRINTF(3, 4)
static int refuse(struct rv_diags *diags, const char *file, const char *format, ...)
{
    struct rv_source source = { .name = rv_text_str(file) };
    char message[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    rv_diag_add(diags, RV_DIAG_ERROR, "bundle", (struct rv_diag_at){ .source = &source }, NULL,
                "%s", message);
    return -EINVAL;
}

/* ---- The parts ---- */

static int load_schema(struct rv_bundle *bundle, const struct rv_bundle_file *file, enum kind kind,
                       struct rv_diags *diags)
{
    if (bundle->schema)
        return refuse(diags, file->name, "a bundle holds one schema, and there is one already");
    return kind == KIND_SCHEMA
               ? rv_schema_read(file->name, file->text, &bundle->schema, diags)
               : rv_schema_read_json(file->name, file->text, &bundle->schema, diags);
}

static int load_manifest(struct rv_bundle *bundle, const struct rv_bundle_file *file,
                         struct rv_diags *diags)
{
    RV_AUTO(rv_json_freep) json_t *manifest = NULL;
    struct rv_json_error error;
    const char *name, *version;

    if (rv_json_parse(file->text, &manifest, &error) < 0)
        return refuse(diags, file->name, "line %u: %s", error.line, error.message);
    name = json_string_value(json_object_get(manifest, "name"));
    version = json_string_value(json_object_get(manifest, "version"));
    if (!name || !version || strlen(name) >= sizeof(bundle->name) ||
        strlen(version) >= sizeof(bundle->version))
        return refuse(diags, file->name, "expected {\"name\": \"...\", \"version\": \"...\"}");
    (void)snprintf(bundle->name, sizeof(bundle->name), "%s", name);
    (void)snprintf(bundle->version, sizeof(bundle->version), "%s", version);
    return 0;
}

static int add_entities(struct rv_bundle *bundle, struct rv_entities_builder *builder,
                        const struct rv_bundle_file *file, struct rv_diags *diags)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    struct rv_type_lookup types;
    struct rv_json_error error;

    if (rv_json_parse(file->text, &value, &error) < 0)
        return refuse(diags, file->name, "line %u: %s", error.line, error.message);
    if (bundle->schema)
        types = rv_schema_lookup(bundle->schema);
    return rv_entities_read_json(builder, value, bundle->schema ? &types : NULL, diags);
}

static int load_entities(struct rv_bundle *bundle, const struct rv_bundle_file *file,
                         struct rv_diags *diags)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    const struct rv_uid *cycle = NULL;
    int r = rv_entities_builder_new(&builder);

    if (r == 0 && bundle->schema)
        r = rv_schema_add_actions(bundle->schema, builder);
    if (r == 0 && file)
        r = add_entities(bundle, builder, file, diags);
    if (r == 0)
        r = rv_entities_builder_finish(builder, &bundle->entities, &cycle);
    if (r == -ELOOP)
        return refuse(diags, file ? file->name : "", "'%.*s' is its own ancestor",
                      RV_TEXT_ARGS(cycle->id));
    return r;
}

static int validate(const struct rv_bundle *bundle, struct rv_diags *diags)
{
    enum rv_validity validity = RV_INVALID;
    int r;

    if (!bundle->schema)
        return 0;
    r = rv_validate_policies(bundle->schema, &bundle->set, RV_VALIDATE_STRICT, diags, &validity);
    return r < 0 ? r : validity == RV_VALID ? 0 : -EINVAL;
}

static struct rv_sha256 digest_of(const struct rv_bundle_file *files, size_t count)
{
    struct rv_buf list = { 0 };
    struct rv_sha256 digest;

    for (size_t i = 0; i < count; i++) {
        char hex[RV_SHA256_HEX_LEN + 1];
        struct rv_sha256 part = rv_sha256(files[i].text);

        rv_sha256_hex(&part, hex);
        rv_buf_addf(&list, "%s  %s\n", hex, files[i].name);
    }
    digest = rv_sha256(rv_buf_span(&list));
    rv_buf_done(&list);
    return digest;
}

/* ---- The whole ---- */

static int load_files(struct rv_bundle *bundle, const struct rv_bundle_file *files, size_t count,
                      struct rv_diags *diags)
{
    const struct rv_bundle_file *entities = NULL;
    struct rv_text bad = { 0 };
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++) {
        enum kind kind = kind_of(files[i].name);

        if (kind == KIND_POLICY)
            r = rv_policy_read(&bundle->set, files[i].name, files[i].text, diags);
        else if (kind == KIND_SCHEMA || kind == KIND_SCHEMA_JSON)
            r = load_schema(bundle, &files[i], kind, diags);
        else if (kind == KIND_MANIFEST)
            r = load_manifest(bundle, &files[i], diags);
        else if (kind == KIND_ENTITIES)
            entities = &files[i];
    }
    if (r == 0 && bundle->set.count == 0)
        r = refuse(diags, "", "there is no policy in the bundle: no name ends in .cedar");
    if (r == 0)
        r = load_entities(bundle, entities, diags);
    if (r == 0)
        r = validate(bundle, diags);
    if (r == 0)
        r = rv_program_compile(&bundle->set, &bundle->program, &bad);
    if (r == -E2BIG)
        return refuse(diags, "", "policy '%.*s' is beyond the bounds of the compiler",
                      RV_TEXT_ARGS(bad));
    return r;
}

int rv_bundle_load(struct rv_bundle **ret_bundle, struct rv_bundle_file *files, size_t count,
                   struct rv_diags *diags)
{
    RV_AUTO(rv_bundle_free) struct rv_bundle *bundle = calloc(1, sizeof(*bundle));
    int r;

    if (!bundle)
        return -ENOMEM;
    if (count > RV_BUNDLE_FILES_MAX)
        return -E2BIG;
    qsort(files, count, sizeof(*files), compare_files);
    (void)snprintf(bundle->name, sizeof(bundle->name), "unnamed");
    (void)snprintf(bundle->version, sizeof(bundle->version), "0");
    r = load_files(bundle, files, count, diags);
    if (r < 0)
        return r;
    bundle->digest = digest_of(files, count);
    *ret_bundle = RV_TAKE(bundle);
    return 0;
}

void rv_bundle_free(struct rv_bundle **bundle)
{
    if (!*bundle)
        return;
    rv_program_free(&(*bundle)->program);
    rv_entities_free(&(*bundle)->entities);
    rv_schema_free(&(*bundle)->schema);
    rv_policy_set_done(&(*bundle)->set);
    free(*bundle);
    *bundle = NULL;
}
