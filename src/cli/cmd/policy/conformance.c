/* SPDX-License-Identifier: Apache-2.0 */
/* reeve policy conformance: an unpacked corpus of Cedar cases, each judged in all that it says. */
#include "load.h"

#include <dirent.h>
#include <sys/stat.h>

#define FOLDER_DEPTH_MAX 8

struct run {
    const char *root;
    bool quiet, json;
    size_t passed, failed;
};

/** One case while it is judged. */
struct judge {
    const char *root, *name;
    const json_t *value;      /* the case */
    const json_t *validation; /* what validation should say, or NULL */
    struct rv_schema *schema;
    struct rv_policy_set set;
    struct rv_entities *entities;
    struct rv_program *program;
    struct rv_evaluator *evaluator;
    struct rv_diags diags;
    struct rv_buf failures; /* a line each */
};

static void judge_done(struct judge *judge)
{
    rv_evaluator_free(&judge->evaluator);
    rv_program_free(&judge->program);
    rv_entities_free(&judge->entities);
    rv_policy_set_done(&judge->set);
    rv_schema_free(&judge->schema);
    rv_diags_done(&judge->diags);
    rv_buf_done(&judge->failures);
}

static void note(struct judge *judge, const char *format, ...) RV_PRINTF(2, 3);

static void note(struct judge *judge, const char *format, ...)
{
    char line[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    rv_buf_addf(&judge->failures, "  %s", line);
    if (judge->diags.count > 0)
        rv_buf_addf(&judge->failures, " (%s)", judge->diags.items[judge->diags.count - 1].message);
    rv_buf_add_char(&judge->failures, '\n');
}

static char *path_of(const struct judge *judge, const char *path)
{
    struct rv_buf buf = { 0 };

    rv_buf_addf(&buf, "%s/%s", judge->root, path);
    return rv_buf_take(&buf);
}

static char *member_path(const struct judge *judge, const char *member)
{
    const char *path = json_string_value(json_object_get(judge->value, member));

    return path ? path_of(judge, path) : NULL;
}

/* ---- Schema and policies ---- */
static bool same_json(const struct rv_schema *a, const struct rv_schema *b)
{
    RV_AUTO(rv_json_freep) json_t *one = rv_schema_to_json(a), *other = rv_schema_to_json(b);
    RV_AUTO(rv_buf_done) struct rv_buf first = { 0 }, second = { 0 };

    return one && other && rv_json_canonical(&first, one) == 0 &&
           rv_json_canonical(&second, other) == 0 &&
           rv_span_eq(rv_buf_span(&first), rv_buf_span(&second));
}

/** The same schema in JSON form lies beside some corpora. */
static void judge_json_schema(struct judge *judge, const char *base)
{
    RV_AUTO(rv_schema_free) struct rv_schema *schema = NULL;
    RV_AUTO(rv_freep) char *path = NULL;
    struct rv_buf buf = { 0 };
    struct stat status;

    rv_buf_addf(&buf, "%s/corpus-tests-json-schemas/%s.cedarschema.json", judge->root, base);
    path = rv_buf_take(&buf);
    if (!path || stat(path, &status) < 0)
        return;
    if (policy_load_schema(path, &schema, &judge->diags) < 0)
        note(judge, "the JSON form of the schema is refused");
    else if (!same_json(judge->schema, schema))
        note(judge, "the JSON form of the schema differs from the human one");
}

/* Policies must say the same after a trip through JSON form, and through canonical text. */
static void print_all(const struct rv_policy_set *set, struct rv_buf *ret_text)
{
    for (size_t i = 0; i < set->count; i++) {
        rv_policy_print(ret_text, set->items[i]);
        rv_buf_add_char(ret_text, '\n');
    }
}

static bool json_trip(struct judge *judge, struct rv_policy_set *ret_set)
{
    RV_AUTO(rv_json_freep) json_t *value = rv_policy_set_to_json(&judge->set);

    return value && rv_policy_set_read_json(ret_set, value, &judge->diags) == 0;
}

static void judge_forms(struct judge *judge)
{
    RV_AUTO(rv_policy_set_done) struct rv_policy_set from_json = { 0 }, from_text = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 }, one = { 0 }, other = { 0 };

    print_all(&judge->set, &text);
    if (text.failed ||
        rv_policy_read(&from_text, judge->name, rv_buf_span(&text), &judge->diags) < 0) {
        note(judge, "the policies as printed cannot be read");
        return;
    }
    if (!json_trip(judge, &from_json)) {
        note(judge, "the policies in JSON form cannot be read");
        return;
    }
    print_all(&from_text, &one);
    print_all(&from_json, &other);
    if (!rv_span_eq(rv_buf_span(&text), rv_buf_span(&one)))
        note(judge, "the policies change when printed and read");
    if (!rv_span_eq(rv_buf_span(&text), rv_buf_span(&other)))
        note(judge, "the policies change in JSON form");
}

static void judge_policy(struct judge *judge, const struct rv_policy *policy,
                         enum rv_validation_mode mode, const char *mode_name, bool *all_valid)
{
    const json_t *each =
        json_object_get(json_object_get(judge->validation, "policyValidation"), "perPolicy");
    const json_t *expected =
        json_object_get(json_object_getn(each, policy->id.data, policy->id.len), mode_name);
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity validity = RV_INVALID;

    if (rv_validate_policy(judge->schema, policy, mode, &diags, &validity) < 0)
        note(judge, "out of memory");
    *all_valid &= validity == RV_VALID;
    if (expected && json_is_true(expected) != (validity == RV_VALID))
        note(judge, "%s validation of %.*s: expected %s: %s", mode_name, RV_TEXT_ARGS(policy->id),
             json_is_true(expected) ? "valid" : "invalid",
             diags.count > 0 ? diags.items[0].message : "no error found");
}

static void judge_validation(struct judge *judge)
{
    static const char *const modes[] = {
        [RV_VALIDATE_STRICT] = "strict",
        [RV_VALIDATE_PERMISSIVE] = "permissive",
    };
    const json_t *all = json_object_get(judge->validation, "policyValidation");
    const json_t *should = json_object_get(judge->value, "shouldValidate");

    for (int mode = RV_VALIDATE_STRICT; mode <= RV_VALIDATE_PERMISSIVE; mode++) {
        const json_t *expected = json_object_get(all, modes[mode]);
        bool valid = true;

        for (size_t i = 0; i < judge->set.count; i++)
            judge_policy(judge, judge->set.items[i], (enum rv_validation_mode)mode, modes[mode],
                         &valid);
        if (expected && json_is_true(expected) != valid)
            note(judge, "%s validation of all policies: expected %s", modes[mode],
                 valid ? "invalid" : "valid");
        if (mode == RV_VALIDATE_STRICT && should && json_is_true(should) != valid)
            note(judge, "shouldValidate is %s", valid ? "false" : "true");
    }
}

/* ---- Entities ---- */
static const json_t *expected_entity(const struct judge *judge, const struct rv_uid *uid)
{
    const json_t *each =
        json_object_get(json_object_get(judge->validation, "entityValidation"), "perEntity");
    RV_AUTO(rv_buf_done) struct rv_buf key = { 0 };

    rv_buf_add(&key, uid->type.data, uid->type.len);
    rv_buf_add_str(&key, "::");
    rv_buf_add(&key, uid->id.data, uid->id.len);
    return key.failed ? NULL : json_object_getn(each, key.data, key.len);
}

static void judge_entities(struct judge *judge)
{
    for (size_t i = 0; i < rv_entities_count(judge->entities); i++) {
        const struct rv_entity *entity = rv_entities_at(judge->entities, i);
        const json_t *expected = expected_entity(judge, &entity->uid);
        RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
        enum rv_validity validity = RV_INVALID;
        bool errors = json_array_size(json_object_get(expected, "errors")) > 0;

        if (!expected)
            continue;
        if (rv_validate_entity(judge->schema, entity, &diags, &validity) < 0)
            note(judge, "out of memory");
        if ((validity == RV_VALID) == errors)
            note(judge, "entity %.*s::\"%.*s\": expected %s", RV_TEXT_ARGS(entity->uid.type),
                 RV_TEXT_ARGS(entity->uid.id), errors ? "invalid" : "valid");
    }
}

/* ---- Requests ---- */
static bool has_text(const json_t *list, struct rv_text text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        if (json_string_length(item) == text.len &&
            memcmp(json_string_value(item), text.data, text.len) == 0)
            return true;
    }
    return false;
}

static void judge_decision(struct judge *judge, size_t at, const json_t *value,
                           const struct rv_policy_request *request)
{
    const json_t *reasons = json_object_get(value, "reason");
    const json_t *errors = json_object_get(value, "errors");
    const char *expected = json_string_value(json_object_get(value, "decision"));
    struct rv_policy_decision decision;
    bool allow;

    rv_evaluate(judge->evaluator, judge->entities, request, &decision);
    allow = decision.effect == RV_EFFECT_ALLOW;
    if (expected && rv_streq(expected, "allow") != allow)
        note(judge, "request %zu: expected %s", at, expected);
    if (reasons && json_array_size(reasons) != decision.reason_count)
        note(judge, "request %zu: expected %zu reasons, found %u", at, json_array_size(reasons),
             decision.reason_count);
    if (errors && json_array_size(errors) != decision.error_count)
        note(judge, "request %zu: expected %zu errors, found %u", at, json_array_size(errors),
             decision.error_count);
    for (uint32_t i = 0; reasons && i < decision.reason_count; i++) {
        if (!has_text(reasons, rv_program_policy(judge->program, decision.reasons[i])->id))
            note(judge, "request %zu: an unexpected reason", at);
    }
    for (uint32_t i = 0; errors && i < decision.error_count; i++) {
        if (!has_text(errors, rv_program_policy(judge->program, decision.errors[i].policy)->id))
            note(judge, "request %zu: an unexpected error", at);
    }
}

static void judge_request_validation(struct judge *judge, size_t at, bool read,
                                     const struct rv_policy_request *request)
{
    const json_t *expected =
        json_array_get(json_object_get(judge->validation, "requestValidation"), at);
    static const char *const modes[] = { "strict", "permissive" };
    enum rv_validity validity = RV_INVALID;

    if (!expected)
        return;
    if (read && rv_validate_request(judge->schema, request, NULL, &validity) < 0)
        note(judge, "out of memory");
    for (size_t i = 0; i < RV_COUNT(modes); i++) {
        const json_t *mode = json_object_get(expected, modes[i]);

        if (mode && json_is_true(mode) != (validity == RV_VALID))
            note(judge, "%s validation of request %zu: expected %s", modes[i], at,
                 json_is_true(mode) ? "valid" : "invalid");
    }
}

static void judge_request(struct judge *judge, size_t at, const json_t *value)
{
    RV_AUTO(policy_request_done) struct policy_request request = { 0 };
    RV_AUTO(policy_request_done) struct policy_request plain = { 0 };
    struct policy_request *asked = &request;
    bool read = policy_read_request(&request, value, judge->schema, NULL) == 0;

    judge_request_validation(judge, at, read, &request.request);
    if (!read) { /* the schema refuses it: it is decided all the same */
        asked = &plain;
        if (policy_read_request(&plain, value, NULL, &judge->diags) < 0) {
            note(judge, "request %zu cannot be read", at);
            return;
        }
    }
    judge_decision(judge, at, value, &asked->request);
}

/* ---- Cases ---- */
static bool load_parts(struct judge *judge, const char *base)
{
    RV_AUTO(rv_freep) char *schema = member_path(judge, "schema");
    RV_AUTO(rv_freep) char *policies = member_path(judge, "policies");
    RV_AUTO(rv_freep) char *entities = member_path(judge, "entities");

    if (!schema || policy_load_schema(schema, &judge->schema, &judge->diags) < 0) {
        note(judge, "the schema cannot be read");
        return false;
    }
    judge_json_schema(judge, base);
    if (!policies || policy_load_policies(policies, &judge->set, &judge->diags) < 0) {
        note(judge, "the policies cannot be read");
        return false;
    }
    if (!entities ||
        (policy_load_entities(entities, judge->schema, &judge->entities, &judge->diags) < 0 &&
         policy_load_entities(entities, NULL, &judge->entities, &judge->diags) < 0)) {
        note(judge, "the entities cannot be read");
        return false;
    }
    if (rv_program_compile(&judge->set, &judge->program, NULL) < 0 ||
        rv_evaluator_new(&judge->evaluator, judge->program) < 0) {
        note(judge, "the policies cannot be compiled");
        return false;
    }
    return true;
}

static json_t *load_validation(const char *root, const char *base)
{
    RV_AUTO(rv_freep) char *path = NULL;
    struct rv_buf buf = { 0 };
    struct stat status;
    json_t *value = NULL;

    rv_buf_addf(&buf, "%s/corpus-tests-validation/%s.validation.json", root, base);
    path = rv_buf_take(&buf);
    if (path && stat(path, &status) == 0 && policy_read_json_file(path, &value, NULL) < 0)
        return NULL;
    return value;
}

static void judge_case(struct run *run, const char *name, const char *base, const json_t *value)
{
    RV_AUTO(rv_json_freep) json_t *validation = load_validation(run->root, base);
    RV_AUTO(judge_done)
    struct judge judge = {
        .root = run->root, .name = name, .value = value, .validation = validation
    };
    const json_t *requests = json_object_get(value, "requests");

    if (load_parts(&judge, base)) {
        judge_forms(&judge);
        judge_validation(&judge);
        judge_entities(&judge);
        for (size_t i = 0; i < json_array_size(requests); i++)
            judge_request(&judge, i, json_array_get(requests, i));
    }
    if (judge.failures.len == 0 && !judge.failures.failed) {
        run->passed++;
        return;
    }
    run->failed++;
    printf("FAILED %s\n%s", name, judge.failures.data ? judge.failures.data : "");
}

static bool is_case(const json_t *value)
{
    return json_is_array(json_object_get(value, "requests")) &&
           json_is_string(json_object_get(value, "policies"));
}

/** `name` is below the root; a case is a JSON object with policies and requests. */
static void visit_file(struct run *run, const char *name)
{
    RV_AUTO(rv_json_freep) json_t *value = NULL;
    RV_AUTO(rv_freep) char *path = NULL, *base = NULL;
    const char *slash = strrchr(name, '/');
    struct rv_buf buf = { 0 };

    if (strstr(name, ".entities.json") || strstr(name, ".validation.json") ||
        strstr(name, ".cedarschema.json"))
        return;
    rv_buf_addf(&buf, "%s/%s", run->root, name);
    path = rv_buf_take(&buf);
    if (!path || policy_read_json_file(path, &value, NULL) < 0 || !is_case(value))
        return;
    base = strdup(slash ? slash + 1 : name);
    if (!base)
        return;
    base[strlen(base) - strlen(".json")] = '\0';
    judge_case(run, name, base, value);
}

static int visit_folder(struct run *run, const char *name, unsigned depth);

static int visit(struct run *run, const char *folder, const struct dirent *entry, unsigned depth)
{
    RV_AUTO(rv_buf_done) struct rv_buf name = { 0 }, path = { 0 };
    size_t len = strlen(entry->d_name);
    struct stat status;

    if (entry->d_name[0] == '.')
        return 0;
    rv_buf_addf(&name, "%s%s%s", folder, folder[0] ? "/" : "", entry->d_name);
    rv_buf_addf(&path, "%s/%s", run->root, name.data ? name.data : "");
    if (name.failed || path.failed)
        return -ENOMEM;
    if (stat(path.data, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return visit_folder(run, name.data, depth + 1);
    if (len > 5 && rv_streq(entry->d_name + len - 5, ".json"))
        visit_file(run, name.data);
    return 0;
}

static int visit_folder(struct run *run, const char *name, unsigned depth)
{
    RV_AUTO(rv_buf_done) struct rv_buf path = { 0 };
    struct dirent **entries = NULL;
    int count, r = 0;

    rv_buf_addf(&path, "%s/%s", run->root, name);
    if (path.failed)
        return -ENOMEM;
    if (depth > FOLDER_DEPTH_MAX)
        return 0;
    count = scandir(path.data, &entries, NULL, alphasort);
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        if (r == 0)
            r = visit(run, name, entries[i], depth);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int cmd_policy_conformance(int argc, char **argv)
{
    struct run run = { 0 };
    bool help = false;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "json", NULL, "end with one JSON object", &run.json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "say this", &help, 0, 0 },
        { 0 },
    };
    int operands, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help) {
        policy_help("conformance", "DIR",
                    "Run every case of an unpacked Cedar corpus: decisions, reasons, errors, "
                    "validation",
                    options);
        return RV_EXIT_YES;
    }
    if (operands != 1) {
        fprintf(stderr, "reeve: name the folder that the corpus was unpacked into\n");
        return RV_EXIT_ERROR;
    }
    run.root = argv[1];
    r = visit_folder(&run, "", 0);
    if (r < 0) {
        fprintf(stderr, "reeve: cannot read %s: %s\n", run.root, strerror(-r));
        return RV_EXIT_ERROR;
    }
    if (run.passed + run.failed == 0) {
        fprintf(stderr, "reeve: no case in %s: a case is a JSON file with policies and requests\n",
                run.root);
        return RV_EXIT_ERROR;
    }
    if (run.json)
        printf("{\"passed\":%zu,\"failed\":%zu}\n", run.passed, run.failed);
    else
        printf("%zu passed, %zu failed\n", run.passed, run.failed);
    return run.failed == 0 ? RV_EXIT_YES : RV_EXIT_NO;
}
