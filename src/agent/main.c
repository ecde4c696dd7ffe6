/* SPDX-License-Identifier: Apache-2.0 */
/* reeve-agent: reads what it was told, then becomes the guard, or the judge that the guard starts.
 */
#include "process.h"

#include "base/log.h"
#include "base/options.h"

#include <unistd.h>

static bool help, version, check, dump, manual, judge;
static const char *config_path;
static struct rv_option_list sets;

static const struct rv_option options[] = {
    { RV_OPTION_STRING, 'c', "config", "FILE", "read FILE, not /etc/reeve/reeve-agent.conf",
      &config_path, 0, 0 },
    { RV_OPTION_LIST, 's', "set", "KEY=VALUE", "set one key, over the file", &sets, 0, 0 },
    { RV_OPTION_FLAG, 0, "check", NULL, "check the configuration and leave", &check, 0, 0 },
    { RV_OPTION_FLAG, 0, "dump", NULL, "print the configuration in effect and leave", &dump, 0, 0 },
    { RV_OPTION_FLAG, 0, "manual", NULL, "print the keys as mdoc and leave", &manual, 0, 0 },
    { RV_OPTION_FLAG, 0, "judge", NULL, "be the judge (started by the guard alone)", &judge, 0, 0 },
    { RV_OPTION_FLAG, 'V', "version", NULL, "print the version", &version, 0, 0 },
    { RV_OPTION_FLAG, 'h', "help", NULL, "this text", &help, 0, 0 },
    { 0 },
};

static int print_usage(void)
{
    printf("usage: reeve-agent [OPTION...]\n\n"
           "Watches what programs do on this host, scores it, decides by policy, keeps a log.\n"
           "Stays in the foreground; SIGTERM or Ctrl-C ends it and leaves nothing behind.\n\n");
    rv_options_help(options, stdout);
    return 0;
}

static int print_buf(void (*fill)(struct rv_buf *buf, const struct rv_agent_config *config),
                     const struct rv_agent_config *config)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };

    fill(&buf, config);
    fwrite(buf.data, 1, buf.len, stdout);
    return fflush(stdout) == 0 && !buf.failed ? 0 : 2;
}

static void fill_dump(struct rv_buf *buf, const struct rv_agent_config *config)
{
    rv_config_dump(rv_agent_config_keys, config, buf);
}

static void fill_manual(struct rv_buf *buf, const struct rv_agent_config *config)
{
    (void)config;
    rv_config_manual(rv_agent_config_keys, buf);
}

static int run(struct rv_agent_config *config, int argc, char **argv)
{
    struct rv_agent_args args = { config, argc, argv };

    if (dump)
        return print_buf(fill_dump, config);
    if (manual)
        return print_buf(fill_manual, config);
    if (check) {
        printf("the configuration is fine\n");
        return 0;
    }
    rv_log_set_level((enum rv_log_level)config->log_level);
    if (geteuid() != 0) {
        fprintf(stderr, "reeve-agent needs root to load its sensors; run it with sudo\n");
        return 2;
    }
    return judge ? rv_judge_main(&args) : rv_guard_main(&args);
}

int main(int argc, char **argv)
{
    struct rv_agent_config config;
    char **given = calloc((size_t)argc + 1, sizeof(*given));
    int operands, status;

    if (!given)
        return 2;
    memcpy(given, argv, (size_t)argc * sizeof(*given));
    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return 2;
    if (operands > 0) {
        fprintf(stderr, "reeve-agent takes no operands, only options; --help lists them\n");
        return 2;
    }
    if (help)
        return print_usage();
    if (version) {
        printf("reeve-agent " RV_VERSION "\n");
        return 0;
    }
    if (rv_agent_config_load(&config, config_path, sets.items, sets.count) < 0)
        return 2;
    status = run(&config, argc, given);
    rv_agent_config_done(&config);
    free(sets.items);
    free(given);
    return status;
}
