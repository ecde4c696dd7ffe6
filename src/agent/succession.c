/* SPDX-License-Identifier: Apache-2.0 */
#include "succession.h"

#include "base/log.h"
#include "models/alias.h"

void rv_succession_tell(const struct rv_succession *succession)
{
    const struct rv_models *models = rv_pipeline_models(succession->pipeline);
    struct rv_channel_model packet = { 0 };

    if (succession->trained && rv_models_stands(models))
        packet.live = rv_models_live(models)->digest;
    if (succession->store->shadow)
        packet.shadow = rv_package_digest(succession->store->shadow);
    if (memcmp(&packet.live, &packet.shadow, sizeof(packet.live)) == 0)
        packet.shadow = (struct rv_sha256){ 0 };
    if (succession->tell(succession->context, RV_CHANNEL_MODEL, rv_span(&packet, sizeof(packet))) <
        0)
        rv_warning("the guard could not be told which model speaks; the kernel's stays");
}

static void log_change(const struct rv_succession *succession, const char *change, const char *from,
                       const char *why)
{
    const char *now = rv_models_live_hex(rv_pipeline_models(succession->pipeline));

    succession->log(
        succession->context, "model",
        json_pack("{ss ss ss ss*}", "change", change, "from", from, "digest", now, "why", why));
}

/** Quarantine the model that stepped down and let the last good one speak. */
static void return_to_last_good(struct rv_succession *succession, const char *why)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    struct rv_models *models = rv_pipeline_models(succession->pipeline);
    uint64_t now_ns = succession->clock.unix_ns(succession->clock.context);
    struct rv_alias_note note = { "monitor", why, now_ns / RV_NS_PER_S };
    char from[RV_SHA256_HEX_LEN + 1];
    int r;

    memcpy(from, rv_models_live_hex(models), sizeof(from));
    r = rv_model_store_return(succession->store, &rv_models_live(models)->digest, &note, &package);
    if (r == 0)
        r = rv_models_swap(models, package, NULL);
    if (r < 0) {
        rv_warning("there is no return to an earlier model (%s); this one decides nothing",
                   strerror(-r));
        return;
    }
    succession->trained = package != NULL;
    rv_notice("model %s is quarantined, %s speaks", from, rv_models_live_hex(models));
    log_change(succession, "return", from, why);
}

void rv_succession_follow(struct rv_succession *succession)
{
    json_t *change = rv_models_take_change(rv_pipeline_models(succession->pipeline));
    const char *what = json_string_value(json_object_get(change, "change"));
    bool down;

    if (!change)
        return;
    down = what && rv_streq(what, "step-down");
    rv_warning("the model %s", down ? "steps down: what it says decides nothing; 'reeve status' "
                                      "says why"
                                    : "speaks again");
    succession->log(succession->context, "model", change);
    if (down && succession->may_return)
        return_to_last_good(succession,
                            "its promise is broken or what the host does has moved away");
    rv_succession_tell(succession);
}

void rv_succession_take_up(struct rv_succession *succession)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    struct rv_models *models = rv_pipeline_models(succession->pipeline);
    char from[RV_SHA256_HEX_LEN + 1];
    int r;

    memcpy(from, rv_models_live_hex(models), sizeof(from));
    r = rv_model_store_take(succession->store,
                            succession->trained ? &rv_models_live(models)->digest : NULL, &package);
    if (r == -EALREADY || r == -ENOENT)
        return; /* as it was, or there is no history */
    if (r == 0)
        r = rv_models_swap(models, package, NULL);
    if (r < 0) {
        rv_warning("the model that the history names is not taken up (%s)", strerror(-r));
        return;
    }
    succession->trained = package != NULL;
    rv_notice("model %s speaks now", rv_models_live_hex(models));
    log_change(succession, "promote", from, NULL);
    rv_succession_tell(succession);
}
