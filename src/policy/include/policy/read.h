/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/read.h  Texts to policies and back: human syntax, JSON (EST), entities, requests.
 * Readers are bounded (RV_POLICY_TEXT_MAX, RV_EXPR_DEPTH_MAX) and add what is wrong to `diags`,
 * which may be NULL. On failure the set is as it was before.
 */
#pragma once

#include "policy/diag.h"
#include "policy/policy.h"
#include "policy/type.h"

#define RV_POLICY_TEXT_MAX ((size_t)32 * 1024 * 1024) /* bytes of one text */

/** Add the policies and templates of a human-syntax text. `name` is for messages.
 * @return 0; -EINVAL with messages; -EFBIG; -ENOMEM. */
RV_MUST_CHECK int rv_policy_read(struct rv_policy_set *set, const char *name, struct rv_span text,
                                 struct rv_diags *diags);

/** Parse one expression, such as `User::"a"` or `1 + context.n`. For tests and the CLI. */
RV_MUST_CHECK int rv_expr_read(struct rv_arena *arena, struct rv_span text,
                               const struct rv_expr **ret_expr, struct rv_diags *diags);

/** Add one policy or template in JSON form (EST) under `id`, or a generated one when NULL. */
RV_MUST_CHECK int rv_policy_read_json(struct rv_policy_set *set, const char *id,
                                      const json_t *value, struct rv_diags *diags);
/** Add a JSON policy set: {"staticPolicies", "templates", "templateLinks"}. */
RV_MUST_CHECK int rv_policy_set_read_json(struct rv_policy_set *set, const json_t *value,
                                          struct rv_diags *diags);

/** @return a new reference, or NULL when out of memory. */
json_t *rv_policy_to_json(const struct rv_policy *policy);
json_t *rv_policy_set_to_json(const struct rv_policy_set *set);

/** Append a policy or an expression in human syntax on canonical lines. */
void rv_policy_print(struct rv_buf *buf, const struct rv_policy *policy);
void rv_expr_print(struct rv_buf *buf, const struct rv_expr *expr);

/** Append a human-syntax text on tidy lines, its comments kept, its policies the same; what is tidy
 * stays as it is. Nothing is appended on failure.
 * @return 0; -EINVAL with messages; -EFBIG; -ENOMEM. */
RV_MUST_CHECK int rv_policy_format(struct rv_buf *buf, const char *name, struct rv_span text,
                                   struct rv_diags *diags);

/** Entities from JSON. `types` may be NULL. Actions of a schema are the caller's to add.
 * @return 0; -EINVAL with messages; -ENOMEM. */
RV_MUST_CHECK int rv_entities_read_json(struct rv_entities_builder *builder, const json_t *value,
                                        const struct rv_type_lookup *types,
                                        struct rv_diags *diags);

/** A context (a JSON object) into `arena`. `types` may be NULL. */
RV_MUST_CHECK int rv_context_read_json(struct rv_arena *arena, const json_t *value,
                                       const struct rv_uid *action,
                                       const struct rv_type_lookup *types,
                                       struct rv_fields *ret_context, struct rv_diags *diags);
/** {"type","id"}, {"__entity": {...}} or a string `Type::"id"` into `arena`. */
RV_MUST_CHECK int rv_uid_read_json(struct rv_arena *arena, const json_t *value,
                                   struct rv_uid *ret_uid, struct rv_diags *diags);
