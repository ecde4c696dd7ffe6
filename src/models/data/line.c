/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: one a line, or JSON lines with a member "cmd" or "code". */
#include "private.h"

#include "base/json.h"

#include <stdio.h>

/** A command line keeps its bytes; only what ends a C string or a line is replaced. */
static char *command_dup(struct rv_span text)
{
    char *copy = rv_span_dup(text);

    for (char *c = copy; c && *c; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
    return copy;
}

static int add(struct rv_lines *set, char *id, struct rv_span text)
{
    struct rv_line line = { .id = id, .text = command_dup(text) };

    if (!line.id || !line.text ||
        rv_dataset_grow(&set->items, &set->room, set->count, sizeof(*set->items)) < 0) {
        free(line.id);
        free(line.text);
        return -ENOMEM;
    }
    set->items[set->count++] = line;
    return 0;
}

static char *number_id(const char *prefix, size_t number)
{
    char *id = NULL;

    if (asprintf(&id, "%s%s%zu", prefix, *prefix ? ":" : "", number) < 0)
        return NULL;
    return id;
}

static int add_json(struct rv_lines *set, struct rv_span text, size_t number,
                    struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    struct rv_json_error error;
    const json_t *command;
    const char *session;
    int r = rv_json_parse(text, &object, &error);

    if (r < 0)
        return r == -EINVAL ? rv_dataset_refuse(reterr, number, "not JSON: %s", error.message) : r;
    command = json_object_get(object, "cmd");
    if (!command)
        command = json_object_get(object, "code");
    if (!json_is_string(command))
        return 0; /* an alias or a comment: nothing to score */
    session = json_string_value(json_object_get(object, "session"));
    return add(set, number_id(session ? session : "", number),
               rv_span(json_string_value(command), json_string_length(command)));
}

int rv_lines_parse(struct rv_lines *set, struct rv_span bytes, struct rv_dataset_error *reterr)
{
    struct rv_line_reader lines = { .rest = bytes };
    bool json = bytes.len > 1 && bytes.data[0] == '{' && bytes.data[1] == '"';
    struct rv_span line;

    while (rv_line_next(&lines, &line)) {
        int r;

        if (line.len == 0)
            continue;
        if (line.len > RV_DATASET_LINE_MAX)
            return rv_dataset_refuse(reterr, lines.number, "longer than %zu bytes",
                                     RV_DATASET_LINE_MAX);
        r = json ? add_json(set, line, lines.number, reterr)
                 : add(set, number_id("", lines.number), line);
        if (r < 0)
            return r;
    }
    return 0;
}

int rv_lines_read(struct rv_lines *set, int dir_fd, const char *path,
                  struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    int r = rv_dataset_load(dir_fd, path, &bytes, reterr);

    return r < 0 ? r : rv_lines_parse(set, rv_buf_span(&bytes), reterr);
}
