/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/succession.h  Who speaks next: a model that steps down, the return to the last good
 * one, what a person promoted meanwhile; the kernel's slots with it. Each change is an entry of the
 * log, and which model speaks is one line of the folder's history (models/alias.h), replaced
 * atomically before anything follows it. The judge's, once a second and when told.
 */
#pragma once

#include "agent/pipeline.h"
#include "base/clock.h"
#include "channel.h"
#include "model_store.h"

struct rv_succession {
    struct rv_model_store *store; /* borrowed, as the pipeline is */
    struct rv_pipeline *pipeline;
    struct rv_clock clock;
    bool may_return; /* model.return */
    bool trained;    /* a package speaks, not the built-in model */
    /** An entry of the log; takes `members` over. */
    void (*log)(void *context, const char *type, json_t *members);
    int (*tell)(void *context, enum rv_channel_type type, struct rv_span payload); /* the guard */
    void *context;
};

/** The guard is told which packages the kernel's slots follow: none that stepped down. */
void rv_succession_tell(const struct rv_succession *succession);
/** Has the model that speaks stepped down, or up? */
void rv_succession_follow(struct rv_succession *succession);
/** The history was changed by `reeve model promote` or `quarantine`: speak as it says. */
void rv_succession_take_up(struct rv_succession *succession);
