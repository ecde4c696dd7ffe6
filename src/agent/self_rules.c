/* SPDX-License-Identifier: Apache-2.0 */
#include "self_rules.h"

#include "features/program.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/** The configuration and the tool where packages put them; what is not there is nobody's. */
static const char config_folder[] = "/etc/reeve";
static const char tool[] = "/usr/bin/reeve";
static const char unit[] = "/usr/lib/systemd/system/reeve-agent.service";

size_t rv_self_rules_here(const struct rv_agent_config *config,
                          struct rv_rule ret_rules[RV_SELF_RULES])
{
    static const char *const writers[] = { "/usr/bin/dpkg" };
    const char *folders[] = { config->state_dir, config->runtime_dir, config->policy,
                              config_folder };
    RV_AUTO(rv_freep) char *own = realpath("/proc/self/exe", NULL);
    const char *files[] = { own, tool, unit };
    const char *programs[] = { own, tool, writers[0] };
    size_t folder_count = RV_COUNT(folders) - (access(config_folder, F_OK) < 0);
    struct rv_self self = {
        .folders = folders,
        .files = files,
        .programs = programs,
        .folder_count = folder_count,
        .file_count = RV_COUNT(files),
        .program_count = RV_COUNT(programs),
        .login_kind = RV_KIND_LOGIN,
        .server_kind = RV_KIND_SERVER,
    };

    for (size_t i = 0; i < folder_count; i++) {
        if (folders[i][0] != '/')
            return 0; /* given as it stands from where the agent was started: a checkout */
    }
    return own ? rv_self_rules(&self, ret_rules) : 0;
}
