/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file load.h  What the policy commands share: reading policies, schemas, entities and requests
 * from files, and showing messages. Functions say on standard error what is wrong.
 */
#pragma once

#include "base/json.h"
#include "base/options.h"
#include "command.h"
#include "policy/read.h"
#include "policy/schema.h"

#define POLICY_FILE_MAX ((size_t)64 * 1024 * 1024) /* bytes of one file */

/** Print "usage: reeve policy VERB OPERANDS", the summary and the options. */
void policy_help(const char *verb, const char *operands, const char *summary,
                 const struct rv_option *options);

/** Print messages, errors first to last, as text on standard error. */
void policy_show(const struct rv_diags *diags);

/** Read a file whole. @return 0 or -errno, said. */
RV_MUST_CHECK int policy_read_text(const char *path, char **ret_text, size_t *ret_len);
/** Read a JSON file. @return 0 or -errno; what is not JSON becomes a message. */
RV_MUST_CHECK int policy_read_json_file(const char *path, json_t **ret_value,
                                        struct rv_diags *diags);

/** A schema in JSON form when the name ends in `.json`, else in human syntax. */
RV_MUST_CHECK int policy_load_schema(const char *path, struct rv_schema **ret_schema,
                                     struct rv_diags *diags);
/** A file in JSON form (EST) when the name ends in `.json`, else in human syntax; of a folder all
 * its `*.cedar`, by name. */
RV_MUST_CHECK int policy_load_policies(const char *path, struct rv_policy_set *set,
                                       struct rv_diags *diags);
/** The path of a folder's only schema, to be freed, or NULL; NULL for what is no folder. */
char *policy_find_schema(const char *folder);
/** Entities, and the actions of the schema, which may be NULL. */
RV_MUST_CHECK int policy_make_entities(const char *name, const json_t *value,
                                       const struct rv_schema *schema,
                                       struct rv_entities **ret_entities, struct rv_diags *diags);
RV_MUST_CHECK int policy_load_entities(const char *path, const struct rv_schema *schema,
                                       struct rv_entities **ret_entities, struct rv_diags *diags);

/** A request and what it borrows. */
struct policy_request {
    struct rv_arena arena;
    struct rv_uid principal, action, resource;
    struct rv_policy_request request;
};

void policy_request_done(struct policy_request *request);
/** {"principal", "action", "resource", "context"}; the context may be left out. */
RV_MUST_CHECK int policy_read_request(struct policy_request *ret_request, const json_t *value,
                                      const struct rv_schema *schema, struct rv_diags *diags);
