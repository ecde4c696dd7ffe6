/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/host.h  A host event as a Cedar request: who, what, on what, in which context.
 *
 * Entities are built in the struct, on top of nothing but borrowed memory, once per event:
 * policies/baseline/schema.cedarschema says what they look like, docs/policy.md what they mean.
 */
#pragma once

#include "event/event.h"
#include "features/features.h"
#include "models/model.h"
#include "policy/policy.h"

enum {
    RV_HOST_PARENTS_MAX = 120, /* of one entity: ancestors twice, kinds, folders */
    RV_HOST_FIELDS_MAX = 32,
    RV_HOST_ANCESTORS_MAX = 32,
    RV_HOST_ID_MAX = 48, /* "<tgid>.<start>" */
    RV_HOST_TEXT_MAX = 4096,
};

/** An entity with room for all that hangs on it. */
struct rv_host_entity {
    struct rv_entity entity;
    struct rv_field attrs[RV_HOST_FIELDS_MAX];
    struct rv_parent parents[RV_HOST_PARENTS_MAX];
    struct rv_uid uids[RV_HOST_PARENTS_MAX]; /* what the parents point to */
    char ids[RV_HOST_ANCESTORS_MAX + 2][RV_HOST_ID_MAX];
    uint32_t id_count;
};

struct rv_host_request {
    struct rv_host_entity principal, resource;
    const struct rv_entity *overlay[2];
    struct rv_uid action;
    struct rv_field context[RV_HOST_FIELDS_MAX];
    uint32_t context_count;
    struct rv_field features[RV_FEATURE_COUNT];
    struct rv_ip ip;
    char text[RV_HOST_TEXT_MAX]; /* joined arguments, endpoint */
    size_t text_len;
    struct rv_policy_request request;
    const char *action_name;
};

/** Tables that every request shares: names as texts, features in order of name. */
struct rv_host_names;
RV_MUST_CHECK int rv_host_names_new(struct rv_host_names **ret_names);
void rv_host_names_free(struct rv_host_names **names);

/** What a decision knows beside the event. */
struct rv_host_context {
    const struct rv_host_names *names;
    const struct rv_features *features; /* to find the target of ptrace and signals */
    const struct rv_vector *vector;
    uint32_t risk;
    bool novel;
    const char *mode;
    struct rv_text model; /* digest in hex */
};

/** The Cedar action of an event, or NULL when nothing is to be decided. Static. */
const char *rv_host_action(const struct rv_event *event);

/**
 * The acting process. Before rv_features_update() for process.exec, after it for the rest: the
 * principal of an exec is what ran until then. Copies what an update may take away.
 */
void rv_host_principal(struct rv_host_request *host, const struct rv_host_names *names,
                       const struct rv_process *process, const struct rv_event *event);

/** Resource and context; `host->request` is then complete. The action must not be NULL. */
void rv_host_build(struct rv_host_request *host, const struct rv_event *event,
                   const struct rv_host_context *context);
