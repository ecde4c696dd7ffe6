/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy check: are policies, schema and entities right, and if not, where and why. */
#include "load.h"

struct check {
    const char *schema_path, *entities_path;
    bool permissive, json;
    struct rv_schema *schema;
    struct rv_policy_set set;
    struct rv_entities *entities;
    struct rv_diags diags;
};

static void check_done(struct check *check)
{
    rv_entities_free(&check->entities);
    rv_policy_set_done(&check->set);
    rv_schema_free(&check->schema);
    rv_diags_done(&check->diags);
}

/** Messages are the answer; only what is no message (no such file, no memory) is an error. */
static int load(struct check *check, int count, char **paths)
{
    RV_AUTO(rv_freep) char *found = NULL;
    int r = 0;

    if (!check->schema_path && count == 1)
        found = policy_find_schema(paths[0]);
    if (check->schema_path || found)
        r = policy_load_schema(found ? found : check->schema_path, &check->schema, &check->diags);
    for (int i = 0; r == 0 && i < count; i++)
        r = policy_load_policies(paths[i], &check->set, &check->diags);
    if (r == 0 && check->entities_path)
        r = policy_load_entities(check->entities_path, check->schema, &check->entities,
                                 &check->diags);
    return r == -EINVAL && check->diags.errors > 0 ? 0 : r;
}

static int validate(struct check *check)
{
    enum rv_validity validity;
    int r = 0;

    if (check->schema && check->diags.errors == 0)
        r = rv_validate_policies(check->schema, &check->set,
                                 check->permissive ? RV_VALIDATE_PERMISSIVE : RV_VALIDATE_STRICT,
                                 &check->diags, &validity);
    if (r == 0 && check->schema && check->entities)
        r = rv_validate_entities(check->schema, check->entities, &check->diags, &validity);
    return r;
}

static void show(const struct check *check)
{
    RV_AUTO(rv_json_freep) json_t *list = check->json ? rv_diags_json(&check->diags) : NULL;

    if (list) {
        (void)json_dumpf(list, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        return;
    }
    policy_show(&check->diags);
    if (check->diags.errors > 0)
        printf("%zu errors, %zu warnings\n", check->diags.errors, check->diags.warnings);
    else
        printf("%zu %s right%s\n", check->set.count,
               check->set.count == 1 ? "policy is" : "policies are",
               check->schema ? "" : " in form; give --schema to check what they mean");
}

int cmd_policy_check(int argc, char **argv)
{
    RV_AUTO(check_done) struct check check = { 0 };
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_STRING, 's', "schema", "FILE", "validate against this schema",
          &check.schema_path, 0, 0 },
        { RV_OPTION_STRING, 'e', "entities", "FILE", "check these entities as well",
          &check.entities_path, 0, 0 },
        { RV_OPTION_FLAG, 0, "permissive", NULL, "allow mixing types, as Cedar's permissive mode",
          &check.permissive, 0, 0 },
        { RV_OPTION_FLAG, 0, "json", NULL, "print messages as JSON, for editors", &check.json, 0,
          0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("check", "FILE|DIR...",
                    "Check policies, and with a schema their types; a folder's own schema is found",
                    options);
        return RV_EXIT_YES;
    }
    if (operands < 1 && !check.schema_path) {
        fprintf(stderr, "reeve: name the policies to check, files or folders\n");
        return RV_EXIT_ERROR;
    }
    r = load(&check, operands, argv + 1);
    if (r == 0)
        r = validate(&check);
    if (r < 0) {
        fprintf(stderr, "reeve: nothing was checked: %s\n", strerror(-r));
        return RV_EXIT_ERROR;
    }
    show(&check);
    return check.diags.errors == 0 ? RV_EXIT_YES : RV_EXIT_NO;
}
