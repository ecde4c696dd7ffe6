/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>

#define CONFIG_PATH "/etc/reeve/reeve-agent.conf"

enum { CONFIG_BYTES_MAX = 1 << 20 };

static const char *const rv_mode_names[] = { "observe", "shadow", "enforce", NULL };
static const char *const rv_late_names[] = { "alert", "freeze", "kill", NULL };
static const char *const rv_log_level_names[] = { "error", "warning", "notice",
                                                  "info",  "debug",   NULL };

const struct rv_config_key rv_agent_config_keys[] = {
#define KEY(kind, member, name, fallback, min, max, choices, help)                                 \
    { RV_CONFIG_##kind, name, offsetof(struct rv_agent_config, member), fallback, help, min, max,  \
      choices },
    RV_AGENT_CONFIG(KEY)
#undef KEY
        { 0 },
};

static int load_file(struct rv_agent_config *config, const char *path, bool may_be_absent)
{
    RV_AUTO(rv_freep) char *text = NULL;
    struct rv_config_error error;
    size_t len = 0;
    int r = rv_read_file(AT_FDCWD, path, CONFIG_BYTES_MAX, &text, &len);

    if (r == -ENOENT && may_be_absent)
        return 0;
    if (r < 0) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(-r));
        return r;
    }
    r = rv_config_parse(rv_agent_config_keys, config, rv_span(text, len), &error);
    if (r == -EINVAL)
        fprintf(stderr, "%s:%u: %s\n", path, error.line, error.message);
    return r;
}

/** What no single key can say. */
static int check_together(const struct rv_agent_config *config)
{
    if ((config->ring_kib & (config->ring_kib - 1)) != 0) {
        fprintf(stderr, "ring.size_kib must be a power of two, such as 8192\n");
        return -EINVAL;
    }
    return 0;
}

int rv_agent_config_load(struct rv_agent_config *config, const char *path, const char *const *sets,
                         size_t set_count)
{
    struct rv_config_error error;
    int r;

    memset(config, 0, sizeof(*config));
    r = rv_config_init(rv_agent_config_keys, config);
    if (r == 0)
        r = load_file(config, path ? path : CONFIG_PATH, path == NULL);
    for (size_t i = 0; r == 0 && i < set_count; i++) {
        r = rv_config_set(rv_agent_config_keys, config, sets[i], &error);
        if (r == -EINVAL)
            fprintf(stderr, "--set %s: %s\n", sets[i], error.message);
    }
    if (r == 0)
        r = check_together(config);
    if (r < 0)
        rv_agent_config_done(config);
    return r;
}

void rv_agent_config_done(struct rv_agent_config *config)
{
    rv_config_done(rv_agent_config_keys, config);
}
