/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file policy/bundle.h  What is deployed together: policies, schema, entities, tests, a manifest.
 *
 * A bundle is a set of named texts; where they come from (a folder, an archive) is the caller's
 * business. By the end of its name a text is
 *   *.cedar               policies and templates
 *   *.cedarschema(.json)  the schema, at most one
 *   entities.json         entities beside the schema's actions, at most one
 *   manifest.json         {"name": "...", "version": "..."}, at most one
 *   *.tests.json          cases for `reeve policy test`; kept as they are
 * and anything else is left alone. Loading is all or nothing: one text that cannot be read, one
 * policy that its schema refuses, and there is no bundle.
 */
#pragma once

#include "policy/diag.h"
#include "policy/read.h"
#include "policy/schema.h"

#define RV_BUNDLE_FILES_MAX 4096

struct rv_bundle_file {
    const char *name; /* without folders */
    struct rv_span text;
};

struct rv_bundle {
    struct rv_policy_set set;
    struct rv_schema *schema;     /* NULL: none, so nothing was validated */
    struct rv_entities *entities; /* actions of the schema, entities of the bundle */
    struct rv_program *program;
    struct rv_sha256 digest; /* of names and bytes of all texts, in order of name */
    char name[64], version[32];
};

/**
 * @param files sorted by name in place.
 * @return 0; -EINVAL with messages in `diags`; -E2BIG past RV_BUNDLE_FILES_MAX; -ENOMEM.
 */
RV_MUST_CHECK int rv_bundle_load(struct rv_bundle **ret_bundle, struct rv_bundle_file *files,
                                 size_t count, struct rv_diags *diags);
void rv_bundle_free(struct rv_bundle **bundle);

/** Whether a name belongs to a bundle at all: a caller need not read the others. */
bool rv_bundle_wants(const char *name);
