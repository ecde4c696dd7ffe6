/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void *member(const struct rv_config_key *key, void *config)
{
    return (char *)config + key->offset;
}

static const void *member_const(const struct rv_config_key *key, const void *config)
{
    return (const char *)config + key->offset;
}

RV_PRINTF(2, 3)
static int refuse(struct rv_config_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error->message, sizeof(error->message), format, args);
    va_end(args);
    return -EINVAL;
}

static void list_clear(struct rv_config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct rv_config_list){ 0 };
}

static int list_add(struct rv_config_list *list, const char *text, size_t len)
{
    char **grown = reallocarray(list->items, list->count + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    list->items = grown;
    list->items[list->count] = strndup(text, len);
    if (!list->items[list->count])
        return -ENOMEM;
    list->count++;
    return 0;
}

static int set_u64(const struct rv_config_key *key, uint64_t *value, const char *text,
                   struct rv_config_error *error)
{
    unsigned long long parsed;
    char *end;

    errno = 0;
    parsed = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno || parsed < key->min || parsed > key->max)
        return refuse(error, "%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not '%.40s'",
                      key->name, key->min, key->max, text);
    *value = parsed;
    return 0;
}

static int set_bool(const struct rv_config_key *key, bool *value, const char *text,
                    struct rv_config_error *error)
{
    if (!rv_streq(text, "yes") && !rv_streq(text, "no"))
        return refuse(error, "%s is yes or no, not '%.40s'", key->name, text);
    *value = text[0] == 'y';
    return 0;
}

static int set_choice(const struct rv_config_key *key, unsigned *value, const char *text,
                      struct rv_config_error *error)
{
    char all[120] = "";

    for (unsigned i = 0; key->choices[i]; i++) {
        size_t used = strlen(all);

        if (rv_streq(text, key->choices[i])) {
            *value = i;
            return 0;
        }
        (void)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", key->choices[i]);
    }
    return refuse(error, "%s is one of %s, not '%.40s'", key->name, all, text);
}

static int set_value(const struct rv_config_key *key, void *config, const char *text,
                     struct rv_config_error *error)
{
    char **string;
    char *copy;

    switch (key->kind) {
    case RV_CONFIG_STRING:
        string = member(key, config);
        copy = strdup(text);
        if (!copy)
            return -ENOMEM;
        free(*string);
        *string = copy;
        return 0;
    case RV_CONFIG_U64:
        return set_u64(key, member(key, config), text, error);
    case RV_CONFIG_BOOL:
        return set_bool(key, member(key, config), text, error);
    case RV_CONFIG_CHOICE:
        return set_choice(key, member(key, config), text, error);
    case RV_CONFIG_LIST: {
        struct rv_config_list *list = member(key, config);

        if (!list->given)
            list_clear(list);
        list->given = true;
        return text[0] ? list_add(list, text, strlen(text)) : 0; /* empty value: an empty list */
    }
    case RV_CONFIG_END:
        break;
    }
    return -EINVAL;
}

static int set_list_default(const struct rv_config_key *key, struct rv_config_list *list)
{
    const char *at = key->fallback;

    while (*at) {
        size_t len = strcspn(at, " ");
        int r = list_add(list, at, len);

        if (r < 0)
            return r;
        at += len;
        at += strspn(at, " ");
    }
    return 0;
}

int rv_config_init(const struct rv_config_key *keys, void *config)
{
    struct rv_config_error error;

    for (const struct rv_config_key *key = keys; key->kind != RV_CONFIG_END; key++) {
        int r = key->kind == RV_CONFIG_LIST ? set_list_default(key, member(key, config))
                                            : set_value(key, config, key->fallback, &error);

        if (r < 0)
            return r;
    }
    return 0;
}

static const struct rv_config_key *find_key(const struct rv_config_key *keys, const char *name)
{
    for (; keys->kind != RV_CONFIG_END; keys++) {
        if (rv_streq(keys->name, name))
            return keys;
    }
    return NULL;
}

/** Number of equal bytes at both ends: enough to guess which key a slip of the finger meant. */
static size_t likeness(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), head = 0, tail = 0;

    while (head < la && head < lb && a[head] == b[head])
        head++;
    while (tail < la - head && tail < lb - head && a[la - 1 - tail] == b[lb - 1 - tail])
        tail++;
    return head + tail;
}

static int refuse_unknown(const struct rv_config_key *keys, const char *name,
                          struct rv_config_error *error)
{
    const struct rv_config_key *near = NULL;
    size_t best = 0;

    for (; keys->kind != RV_CONFIG_END; keys++) {
        size_t alike = likeness(keys->name, name);

        if (alike > best && alike + 3 > strlen(keys->name)) {
            best = alike;
            near = keys;
        }
    }
    if (near)
        return refuse(error, "unknown key '%.60s'; did you mean '%s'?", name, near->name);
    return refuse(error, "unknown key '%.60s'; reeve-agent.conf(5) lists the keys", name);
}

/** Cut blanks at both ends, in place. */
static char *trim(char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

int rv_config_set(const struct rv_config_key *keys, void *config, const char *line,
                  struct rv_config_error *reterr)
{
    RV_AUTO(rv_freep) char *copy = strdup(line);
    const struct rv_config_key *key;
    char *equals;

    reterr->line = 0;
    if (!copy)
        return -ENOMEM;
    equals = strchr(copy, '=');
    if (!equals)
        return refuse(reterr, "'%.60s' is not of the form key = value", line);
    *equals = '\0';
    key = find_key(keys, trim(copy));
    if (!key)
        return refuse_unknown(keys, trim(copy), reterr);
    return set_value(key, config, trim(equals + 1), reterr);
}

/** One line of a file: blank, comment or setting. `seen` has a bit for each key set before. */
static int parse_line(const struct rv_config_key *keys, void *config, const char *text, bool seen[],
                      struct rv_config_error *reterr)
{
    RV_AUTO(rv_freep) char *copy = strdup(text);
    const struct rv_config_key *key;
    char *line, *equals;

    if (!copy)
        return -ENOMEM;
    line = trim(copy);
    if (line[0] == '\0' || line[0] == '#')
        return 0;
    equals = strchr(line, '=');
    if (equals) {
        *equals = '\0';
        key = find_key(keys, trim(line));
        if (key && key->kind != RV_CONFIG_LIST && seen[key - keys])
            return refuse(reterr, "%s is set a second time", key->name);
        if (key)
            seen[key - keys] = true;
    }
    return rv_config_set(keys, config, text, reterr);
}

int rv_config_parse(const struct rv_config_key *keys, void *config, struct rv_span text,
                    struct rv_config_error *reterr)
{
    RV_AUTO(rv_freep) bool *seen = NULL;
    size_t count = 0, at = 0;
    unsigned number = 0;

    while (keys[count].kind != RV_CONFIG_END)
        count++;
    seen = calloc(count + 1, sizeof(*seen));
    if (!seen)
        return -ENOMEM;

    while (at < text.len) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t len = end ? (size_t)(end - text.data) - at : text.len - at;
        RV_AUTO(rv_freep) char *line = strndup((const char *)text.data + at, len);
        int r;

        number++;
        if (!line)
            return -ENOMEM;
        r = strlen(line) == len ? parse_line(keys, config, line, seen, reterr)
                                : refuse(reterr, "a NUL byte");
        reterr->line = number;
        if (r < 0)
            return r;
        at += len + 1;
    }
    return 0;
}

void rv_config_done(const struct rv_config_key *keys, void *config)
{
    for (; keys->kind != RV_CONFIG_END; keys++) {
        if (keys->kind == RV_CONFIG_STRING)
            rv_freep(member(keys, config));
        else if (keys->kind == RV_CONFIG_LIST)
            list_clear(member(keys, config));
    }
}

void rv_config_dump(const struct rv_config_key *keys, const void *config, struct rv_buf *buf)
{
    for (; keys->kind != RV_CONFIG_END; keys++) {
        const void *at = member_const(keys, config);
        const struct rv_config_list *list = at;

        switch (keys->kind) {
        case RV_CONFIG_STRING:
            rv_buf_addf(buf, "%s = %s\n", keys->name, *(char *const *)at);
            break;
        case RV_CONFIG_U64:
            rv_buf_addf(buf, "%s = %" PRIu64 "\n", keys->name, *(const uint64_t *)at);
            break;
        case RV_CONFIG_BOOL:
            rv_buf_addf(buf, "%s = %s\n", keys->name, *(const bool *)at ? "yes" : "no");
            break;
        case RV_CONFIG_CHOICE:
            rv_buf_addf(buf, "%s = %s\n", keys->name, keys->choices[*(const unsigned *)at]);
            break;
        case RV_CONFIG_LIST:
            if (list->count == 0)
                rv_buf_addf(buf, "%s =\n", keys->name);
            for (size_t i = 0; i < list->count; i++)
                rv_buf_addf(buf, "%s = %s\n", keys->name, list->items[i]);
            break;
        case RV_CONFIG_END:
            break;
        }
    }
}

/** Sentences, each on a line of its own, as mdoc wants them. */
static void add_sentences(struct rv_buf *buf, const char *text)
{
    for (; *text; text++) {
        bool between = text[0] == '.' && text[1] == ' ';

        rv_buf_add_char(buf, *text);
        if (between) {
            rv_buf_add_char(buf, '\n');
            text++;
        }
    }
    rv_buf_add_char(buf, '\n');
}

void rv_config_manual(const struct rv_config_key *keys, struct rv_buf *buf)
{
    for (; keys->kind != RV_CONFIG_END; keys++) {
        rv_buf_addf(buf, ".It Ic %s\n", keys->name);
        add_sentences(buf, keys->help);
        if (keys->kind == RV_CONFIG_U64)
            rv_buf_addf(buf, "From %" PRIu64 " to %" PRIu64 ".\n", keys->min, keys->max);
        if (keys->kind == RV_CONFIG_LIST)
            rv_buf_add_str(buf, "May be given many times.\n");
        for (size_t i = 0; keys->kind == RV_CONFIG_CHOICE && keys->choices[i]; i++)
            rv_buf_addf(buf, "%s\n.Cm %s%s\n", i ? "or" : "One of", keys->choices[i],
                        keys->choices[i + 1] ? "" : " .");
        if (keys->fallback[0])
            rv_buf_addf(buf, "Default:\n.Li %s .\n", keys->fallback);
    }
}
