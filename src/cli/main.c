/* SPDX-License-Identifier: Apache-2.0 */
/* reeve: the person's hand. Finds the sub-command in one table and runs it. */
#include "command.h"

#include <stdio.h>

#define ROW(noun_, verb_, operands_, summary_)                                                     \
    { #noun_, #verb_, operands_, summary_, cmd_##noun_##_##verb_ },
#define ROW_ALONE(noun_, operands_, summary_) { #noun_, NULL, operands_, summary_, cmd_##noun_ },
static const struct rv_command commands[] = { RV_COMMANDS(ROW, ROW_ALONE) };

int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("reeve " RV_VERSION "\n");
    return RV_EXIT_YES;
}

static void print_usage(FILE *to, const char *noun)
{
    if (!noun)
        fprintf(to, "usage: reeve COMMAND [VERB] [OPTION...]\n\n");
    for (size_t i = 0; i < RV_COUNT(commands); i++) {
        const struct rv_command *command = &commands[i];
        char left[48];

        if (noun && !rv_streq(noun, command->noun))
            continue;
        (void)snprintf(left, sizeof(left), "%s%s%s", command->noun, command->verb ? " " : "",
                       command->verb ? command->verb : "");
        fprintf(to, "  reeve %-22s %s\n", left, command->summary);
    }
    if (!noun)
        fprintf(to, "\n'reeve COMMAND [VERB] --help' says more.\n");
}

static const struct rv_command *find_command(int argc, char **argv, bool *ret_noun_known)
{
    for (size_t i = 0; i < RV_COUNT(commands); i++) {
        if (!rv_streq(commands[i].noun, argv[1]))
            continue;
        *ret_noun_known = true;
        if (!commands[i].verb || (argc > 2 && rv_streq(commands[i].verb, argv[2])))
            return &commands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct rv_command *command;
    bool noun_known = false;
    int skip;

    if (argc < 2) {
        print_usage(stderr, NULL);
        return RV_EXIT_ERROR;
    }
    if (rv_streq(argv[1], "--help") || rv_streq(argv[1], "-h") || rv_streq(argv[1], "help")) {
        print_usage(stdout, NULL);
        return RV_EXIT_YES;
    }
    if (rv_streq(argv[1], "--version"))
        return cmd_version(argc, argv);

    command = find_command(argc, argv, &noun_known);
    if (!command) {
        if (!noun_known)
            fprintf(stderr, "reeve: no command '%s'; 'reeve --help' lists them\n", argv[1]);
        else if (argc > 2 && (rv_streq(argv[2], "--help") || rv_streq(argv[2], "-h")))
            return print_usage(stdout, argv[1]), RV_EXIT_YES;
        else
            print_usage(stderr, argv[1]);
        return RV_EXIT_ERROR;
    }
    skip = command->verb ? 2 : 1;
    return command->run(argc - skip, argv + skip);
}
