/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy translate: schemas and policies from human syntax to JSON form, or back. */
#include "load.h"

static bool ends_in(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && rv_streq(path + len - end_len, end);
}

static int put_json(struct rv_buf *buf, const json_t *value)
{
    RV_AUTO(rv_freep)
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;

    if (!text)
        return -ENOMEM;
    rv_buf_add_str(buf, text);
    rv_buf_add_char(buf, '\n');
    return buf->failed ? -ENOMEM : 0;
}

static int translate_schema(const char *path, struct rv_buf *buf, struct rv_diags *diags)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    int r = policy_load_schema(path, &schema, diags);

    if (r < 0)
        return r;
    if (ends_in(path, ".json"))
        return rv_schema_print(buf, schema, diags);
    value = rv_schema_to_json(schema);
    return put_json(buf, value);
}

/** Human syntax has no links: they would be lost. */
static int refuse_links(const struct rv_policy_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->items[i]->link_of) {
            fprintf(stderr, "reeve: human syntax cannot say the link %.*s of a template\n",
                    RV_TEXT_ARGS(set->items[i]->id));
            return -ENOTSUP;
        }
    }
    return 0;
}

static int translate_policies(const char *path, struct rv_buf *buf, struct rv_diags *diags)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set set = { 0 };
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    int r = policy_load_policies(path, &set, diags);

    if (r < 0)
        return r;
    if (!ends_in(path, ".json")) {
        value = rv_policy_set_to_json(&set);
        return put_json(buf, value);
    }
    r = refuse_links(&set);
    for (size_t i = 0; r == 0 && i < set.count; i++) {
        rv_policy_print(buf, set.items[i]);
        rv_buf_add_char(buf, '\n');
    }
    return r < 0 ? r : buf->failed ? -ENOMEM : 0;
}

int cmd_policy_translate(int argc, char **argv)
{
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    bool help = false, schema = false;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 's', "schema", NULL, "the file is a schema, whatever its name", &schema,
          0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("translate", "FILE",
                    "Write what a file says in its other form: `.json` to human syntax, others to "
                    "JSON",
                    options);
        return RV_EXIT_YES;
    }
    if (operands != 1) {
        fprintf(stderr, "reeve: name one file: a .cedar, .cedarschema or .json\n");
        return RV_EXIT_ERROR;
    }
    if (schema || strstr(argv[1], ".cedarschema"))
        r = translate_schema(argv[1], &buf, &diags);
    else
        r = translate_policies(argv[1], &buf, &diags);
    policy_show(&diags);
    if (r < 0) {
        fprintf(stderr, "reeve: %s cannot be translated%s%s\n", argv[1],
                diags.errors > 0 ? "" : ": ", diags.errors > 0 ? "" : strerror(-r));
        return RV_EXIT_ERROR;
    }
    fwrite(buf.data, 1, buf.len, stdout);
    return RV_EXIT_YES;
}
