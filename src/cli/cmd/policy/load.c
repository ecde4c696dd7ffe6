/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

void policy_help(const char *verb, const char *operands, const char *summary,
                 const struct rv_option *options)
{
    printf("usage: reeve policy %s %s\n\n%s.\n\n", verb, operands, summary);
    rv_options_help(options, stdout);
}

void policy_show(const struct rv_diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

        rv_diag_render(&buf, &diags->items[i]);
        fprintf(stderr, "%s", buf.data ? buf.data : "");
    }
    if (diags->errors + diags->warnings > diags->count)
        fprintf(stderr, "... and more: %zu errors, %zu warnings in all\n", diags->errors,
                diags->warnings);
}

int policy_read_text(const char *path, char **ret_text, size_t *ret_len)
{
    int r = rv_read_file(AT_FDCWD, path, POLICY_FILE_MAX, ret_text, ret_len);

    if (r < 0)
        fprintf(stderr, "reeve: cannot read %s: %s\n", path, strerror(-r));
    return r;
}

static struct rv_source named(const char *path)
{
    return (struct rv_source){ .name = rv_text_str(path) };
}

int policy_read_json_file(const char *path, json_t **ret_value, struct rv_diags *diags)
{
    struct rv_source source = named(path);
    struct rv_json_error error = { 0 };
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;
    int r = policy_read_text(path, &text, &len);

    if (r < 0)
        return r;
    r = rv_json_parse(rv_span(text, len), ret_value, &error);
    if (r == -EINVAL)
        rv_diag_add(diags, RV_DIAG_ERROR, "json", (struct rv_diag_at){ .source = &source }, NULL,
                    "line %u, column %u: this is not JSON: %s", error.line, error.column,
                    error.message);
    return r;
}

static bool ends_in(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && rv_streq(path + len - end_len, end);
}

int policy_load_schema(const char *path, struct rv_schema **ret_schema, struct rv_diags *diags)
{
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len = 0;
    int r = policy_read_text(path, &text, &len);

    if (r < 0)
        return r;
    return ends_in(path, ".json") ? rv_schema_read_json(path, rv_span(text, len), ret_schema, diags)
                                  : rv_schema_read(path, rv_span(text, len), ret_schema, diags);
}

static int is_schema_file(const struct dirent *entry)
{
    const char *dot = strstr(entry->d_name, ".cedarschema");

    return dot && (rv_streq(dot, ".cedarschema") || rv_streq(dot, ".cedarschema.json"));
}

char *policy_find_schema(const char *folder)
{
    struct dirent **names = NULL;
    struct rv_buf path = { 0 };
    int count = scandir(folder, &names, is_schema_file, alphasort); /* -1 of what is no folder */

    if (count == 1)
        rv_buf_addf(&path, "%s/%s", folder, names[0]->d_name);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return count == 1 ? rv_buf_take(&path) : NULL;
}

static int is_policy_file(const struct dirent *entry)
{
    return ends_in(entry->d_name, ".cedar");
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static int load_folder(const char *path, struct rv_policy_set *set, struct rv_diags *diags)
{
    struct dirent **names = NULL;
    int count = scandir(path, &names, is_policy_file, alphasort), r = 0;

    if (count < 0)
        return -errno;
    for (int i = 0; r == 0 && i < count; i++) {
        RV_AUTO(rv_buf_done) struct rv_buf file = { 0 };

        rv_buf_addf(&file, "%s/%s", path, names[i]->d_name);
        r = file.failed ? -ENOMEM : policy_load_policies(file.data, set, diags);
    }
    free_names(names, count);
    return r;
}

static int load_json(const char *path, struct rv_policy_set *set, struct rv_diags *diags)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    int r = policy_read_json_file(path, &value, diags);

    return r < 0 ? r : rv_policy_set_read_json(set, value, diags);
}

int policy_load_policies(const char *path, struct rv_policy_set *set, struct rv_diags *diags)
{
    RV_AUTO(rv_freep) char *text = NULL;
    struct stat status;
    size_t len = 0;
    int r;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return load_folder(path, set, diags);
    if (ends_in(path, ".json"))
        return load_json(path, set, diags);
    r = policy_read_text(path, &text, &len);
    return r < 0 ? r : rv_policy_read(set, path, rv_span(text, len), diags);
}

int policy_make_entities(const char *name, const json_t *value, const struct rv_schema *schema,
                         struct rv_entities **ret_entities, struct rv_diags *diags)
{
    RV_AUTO(rv_entities_builder_free) struct rv_entities_builder *builder = NULL;
    struct rv_type_lookup types;
    struct rv_source source = named(name);
    const struct rv_uid *loop = NULL;
    int r = rv_entities_builder_new(&builder);

    if (schema)
        types = rv_schema_lookup(schema);
    if (r == 0)
        r = rv_entities_read_json(builder, value, schema ? &types : NULL, diags);
    if (r == 0 && schema)
        r = rv_schema_add_actions(schema, builder);
    if (r == 0)
        r = rv_entities_builder_finish(builder, ret_entities, &loop);
    if (r == -ELOOP)
        rv_diag_add(diags, RV_DIAG_ERROR, "entity-cycle", (struct rv_diag_at){ .source = &source },
                    "take one of the parents away", "entity \"%.*s\" is above itself",
                    RV_TEXT_ARGS(loop->id));
    return r;
}

int policy_load_entities(const char *path, const struct rv_schema *schema,
                         struct rv_entities **ret_entities, struct rv_diags *diags)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    int r = policy_read_json_file(path, &value, diags);

    return r < 0 ? r : policy_make_entities(path, value, schema, ret_entities, diags);
}

void policy_request_done(struct policy_request *request)
{
    rv_arena_done(&request->arena);
}

static int read_uid(struct policy_request *request, const json_t *value, const char *name,
                    struct rv_uid *ret, struct rv_diags *diags)
{
    const json_t *member = json_object_get(value, name);

    if (member)
        return rv_uid_read_json(&request->arena, member, ret, diags);
    rv_diag_add(diags, RV_DIAG_ERROR, "request", (struct rv_diag_at){ 0 },
                "write it as {\"type\": \"User\", \"id\": \"alice\"} or \"User::\\\"alice\\\"\"",
                "the request lacks `%s`", name);
    return -EINVAL;
}

int policy_read_request(struct policy_request *ret_request, const json_t *value,
                        const struct rv_schema *schema, struct rv_diags *diags)
{
    const json_t *context = json_object_get(value, "context");
    struct rv_type_lookup types;
    int r = read_uid(ret_request, value, "principal", &ret_request->principal, diags);

    if (r == 0)
        r = read_uid(ret_request, value, "action", &ret_request->action, diags);
    if (r == 0)
        r = read_uid(ret_request, value, "resource", &ret_request->resource, diags);
    if (schema)
        types = rv_schema_lookup(schema);
    ret_request->request = (struct rv_policy_request){
        .principal = &ret_request->principal,
        .action = &ret_request->action,
        .resource = &ret_request->resource,
    };
    if (r < 0 || !context)
        return r;
    return rv_context_read_json(&ret_request->arena, context, &ret_request->action,
                                schema ? &types : NULL, &ret_request->request.context, diags);
}
