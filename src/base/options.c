/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <ctype.h>

static const struct rv_option *find_long(const struct rv_option *options, const char *name,
                                         size_t len)
{
    for (; options->kind != RV_OPTION_END; options++) {
        if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
            return options;
    }
    return NULL;
}

static const struct rv_option *find_letter(const struct rv_option *options, char letter)
{
    for (; options->kind != RV_OPTION_END; options++) {
        if (options->letter && options->letter == letter)
            return options;
    }
    return NULL;
}

static int store_u64(const struct rv_option *option, const char *text)
{
    uint64_t max = option->max ? option->max : UINT64_MAX;
    unsigned long long value;
    char *end;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || value < option->min ||
        value > max) {
        if (max == UINT64_MAX)
            fprintf(stderr, "--%s takes a whole number of at least %llu, not '%s'\n", option->name,
                    (unsigned long long)option->min, text);
        else
            fprintf(stderr, "--%s takes a whole number from %llu to %llu, not '%s'\n", option->name,
                    (unsigned long long)option->min, (unsigned long long)max, text);
        return -EINVAL;
    }
    *(uint64_t *)option->value = value;
    return 0;
}

static int store_list(const struct rv_option *option, const char *text)
{
    struct rv_option_list *list = option->value;
    const char **grown = reallocarray(list->items, list->count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    list->items = grown;
    list->items[list->count++] = text;
    return 0;
}

static int store(const struct rv_option *option, const char *text)
{
    switch (option->kind) {
    case RV_OPTION_FLAG:
        *(bool *)option->value = true;
        return 0;
    case RV_OPTION_STRING:
        *(const char **)option->value = text;
        return 0;
    case RV_OPTION_U64:
        return store_u64(option, text);
    case RV_OPTION_LIST:
        return store_list(option, text);
    case RV_OPTION_END:
        break;
    }
    return -EINVAL;
}

/** The option that `word` names, and the value glued to it, if any. */
static const struct rv_option *recognise(const struct rv_option *options, const char *word,
                                         const char **ret_glued)
{
    const char *equals;

    *ret_glued = NULL;
    if (word[1] != '-') {
        if (word[2] != '\0')
            *ret_glued = word + 2;
        return find_letter(options, word[1]);
    }
    equals = strchr(word, '=');
    if (equals)
        *ret_glued = equals + 1;
    return find_long(options, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word + 2));
}

int rv_options_parse(const struct rv_option *options, enum rv_options_mode mode, int argc,
                     char **argv, int *ret_operands)
{
    int operands = 0;
    bool only_operands = false;

    for (int i = 1; i < argc; i++) {
        const struct rv_option *option;
        const char *glued;
        char *word = argv[i];
        int r;

        if (only_operands || word[0] != '-' || word[1] == '\0') {
            argv[1 + operands++] = word;
            only_operands |= mode == RV_OPTIONS_BEFORE_OPERANDS;
            continue;
        }
        if (rv_streq(word, "--")) {
            only_operands = true;
            continue;
        }
        option = recognise(options, word, &glued);
        if (!option) {
            fprintf(stderr, "unknown option '%s'; --help lists the options\n", word);
            return -EINVAL;
        }
        if (option->kind == RV_OPTION_FLAG && glued) {
            fprintf(stderr, "--%s takes no value\n", option->name);
            return -EINVAL;
        }
        if (option->kind != RV_OPTION_FLAG && !glued) {
            if (i + 1 == argc) {
                fprintf(stderr, "--%s needs a value: --%s %s\n", option->name, option->name,
                        option->argument);
                return -EINVAL;
            }
            glued = argv[++i];
        }
        r = store(option, glued);
        if (r < 0)
            return r;
    }
    *ret_operands = operands;
    return 0;
}

void rv_options_help(const struct rv_option *options, FILE *to)
{
    for (; options->kind != RV_OPTION_END; options++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", options->letter ? '-' : ' ',
                       options->letter ? options->letter : ' ', options->letter ? ", " : "  ",
                       options->name, options->argument ? " " : "",
                       options->argument ? options->argument : "");
        fprintf(to, "  %-30s %s\n", left, options->help);
    }
}
