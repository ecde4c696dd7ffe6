/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/diag.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_SHOWN 200 /* bytes of a source line that are shown */

void rv_diags_done(struct rv_diags *diags)
{
    free(diags->items);
    rv_arena_done(&diags->arena);
    *diags = (struct rv_diags){ 0 };
}

struct position {
    unsigned line, column;
    uint32_t line_start;
};

static struct position position_of(struct rv_text text, uint32_t at)
{
    struct position position = { .line = 1 };

    for (uint32_t i = 0; i < at && i < text.len; i++) {
        if (text.data[i] == '\n') {
            position.line++;
            position.line_start = i + 1;
        }
    }
    position.column = at - position.line_start + 1;
    return position;
}

static const char *copy_text(struct rv_arena *arena, struct rv_text text)
{
    const char *copy = rv_arena_text(arena, text.data, text.len).data;

    return copy ? copy : "";
}

static const char *source_line(struct rv_arena *arena, struct rv_text text, uint32_t start)
{
    uint32_t len = 0;

    while (start + len < text.len && text.data[start + len] != '\n' && len < LINE_MAX_SHOWN)
        len++;
    return copy_text(arena, (struct rv_text){ .data = text.data + start, .len = len });
}

static void fill_place(struct rv_diags *diags, struct rv_diag *diag, const struct rv_source *source,
                       struct rv_loc loc)
{
    struct position start, end;

    if (!source)
        return;
    diag->file = copy_text(&diags->arena, source->name);
    if (loc.start == loc.end || loc.start > source->text.len)
        return;
    start = position_of(source->text, loc.start);
    end = position_of(source->text, loc.end);
    diag->line = start.line;
    diag->column = start.column;
    diag->end_line = end.line;
    diag->end_column = end.column;
    diag->source_line = source_line(&diags->arena, source->text, start.line_start);
}

static bool grow(struct rv_diags *diags)
{
    size_t room = diags->room ? diags->room * 2 : 8;
    struct rv_diag *items;

    if (diags->count < diags->room)
        return true;
    items = realloc(diags->items, room * sizeof(*items));
    if (!items)
        return false;
    diags->items = items;
    diags->room = room;
    return true;
}

void rv_diag_add(struct rv_diags *diags, enum rv_diag_level level, const char *code,
                 struct rv_diag_at at, const char *help, const char *format, ...)
{
    struct rv_diag diag = { .level = level, .code = code, .file = "" };
    const struct rv_source *source = at.source ? at.source : at.policy ? at.policy->source : NULL;
    char message[600];
    va_list args;

    if (!diags)
        return;
    diags->errors += level == RV_DIAG_ERROR;
    diags->warnings += level == RV_DIAG_WARNING;
    if (diags->count >= RV_DIAG_MAX || !grow(diags))
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    diag.message = copy_text(&diags->arena, rv_text_str(message));
    fill_place(diags, &diag, source, at.loc);
    if (at.policy)
        diag.policy_id = copy_text(&diags->arena, at.policy->id);
    if (help)
        diag.help = copy_text(&diags->arena, rv_text_str(help));
    diags->items[diags->count++] = diag;
}

static const char *const level_names[] = {
    [RV_DIAG_ERROR] = "error",
    [RV_DIAG_WARNING] = "warning",
    [RV_DIAG_NOTE] = "note",
};

/** The source line and, under it, a caret with as many waves as the place is long. */
static void render_line(struct rv_buf *buf, const struct rv_diag *diag)
{
    size_t len = strlen(diag->source_line);
    unsigned end = diag->end_line == diag->line ? diag->end_column : (unsigned)len + 1;

    rv_buf_addf(buf, "  %s\n  ", diag->source_line);
    for (unsigned i = 1; i < diag->column && i <= len; i++)
        rv_buf_add_char(buf, diag->source_line[i - 1] == '\t' ? '\t' : ' ');
    rv_buf_add_char(buf, '^');
    for (unsigned i = diag->column + 1; i < end && i <= len; i++)
        rv_buf_add_char(buf, '~');
    rv_buf_add_char(buf, '\n');
}

void rv_diag_render(struct rv_buf *buf, const struct rv_diag *diag)
{
    if (diag->file[0])
        rv_buf_addf(buf, "%s:", diag->file);
    if (diag->line > 0)
        rv_buf_addf(buf, "%u:%u:", diag->line, diag->column);
    rv_buf_addf(buf, "%s%s: ", buf->len > 0 && buf->data[buf->len - 1] == ':' ? " " : "",
                level_names[diag->level]);
    if (diag->policy_id)
        rv_buf_addf(buf, "policy `%s`: ", diag->policy_id);
    rv_buf_addf(buf, "%s\n", diag->message);
    if (diag->source_line)
        render_line(buf, diag);
    if (diag->help)
        rv_buf_addf(buf, "  help: %s\n", diag->help);
}

static json_t *position_json(unsigned line, unsigned column)
{
    return json_pack("{s:i, s:i}", "line", (int)line, "column", (int)column);
}

static json_t *diag_json(const struct rv_diag *diag)
{
    json_t *range = NULL;

    if (diag->line > 0)
        range = json_pack("{s:o, s:o}", "start", position_json(diag->line, diag->column), "end",
                          position_json(diag->end_line, diag->end_column));
    return json_pack("{s:s, s:s, s:s, s:s, s:o*, s:s*, s:s*}", "severity", level_names[diag->level],
                     "code", diag->code, "message", diag->message, "file", diag->file, "range",
                     range, "policy", diag->policy_id, "help", diag->help);
}

json_t *rv_diags_json(const struct rv_diags *diags)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < diags->count; i++) {
        if (json_array_append_new(array, diag_json(&diags->items[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* ---- Suggestions ---- */
#define NEAR_MAX 64 /* bytes of a name that is compared */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/** Edits from one to the other: insert, delete, replace, swap two neighbours; case costs nothing.
 */
static unsigned distance(struct rv_text a, struct rv_text b)
{
    unsigned rows[3][NEAR_MAX + 1];

    for (unsigned k = 0; k <= b.len; k++)
        rows[0][k] = k;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (unsigned k = 1; k <= b.len; k++) {
            bool same = lower(a.data[i - 1]) == lower(b.data[k - 1]);
            unsigned best = above[k - 1] + (same ? 0 : 1);

            if (above[k] + 1 < best)
                best = above[k] + 1;
            if (row[k - 1] + 1 < best)
                best = row[k - 1] + 1;
            if (i > 1 && k > 1 && a.data[i - 1] == b.data[k - 2] &&
                a.data[i - 2] == b.data[k - 1] && two_above[k - 2] + 1 < best)
                best = two_above[k - 2] + 1;
            row[k] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

const char *rv_diag_nearest(struct rv_text name, size_t count,
                            struct rv_text (*at)(const void *context, size_t i),
                            const void *context, char *ret_text, size_t room)
{
    unsigned best = (name.len < NEAR_MAX ? name.len : NEAR_MAX) / 3 + 1;
    const char *found = NULL;

    if (name.len == 0 || name.len > NEAR_MAX || room == 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct rv_text candidate = at(context, i);
        unsigned edits;

        if (candidate.len == 0 || candidate.len > NEAR_MAX || rv_text_eq(candidate, name))
            continue;
        edits = distance(name, candidate);
        if (edits >= best || edits >= candidate.len)
            continue;
        best = edits;
        (void)snprintf(ret_text, room, "%.*s", RV_TEXT_ARGS(candidate));
        found = ret_text;
    }
    return found;
}
