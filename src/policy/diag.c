/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/diag.h"

#include <stdarg.h>
#include <stdio.h>

void rv_diags_done(struct rv_diags *diags)
{
    free(diags->items);
    rv_arena_done(&diags->arena);
    *diags = (struct rv_diags){ 0 };
}

struct place {
    unsigned line, column;
    size_t line_start;
};

static struct place find_place(struct rv_text text, uint32_t offset)
{
    struct place place = { .line = 1 };

    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.data[i] == '\n') {
            place.line++;
            place.line_start = i + 1;
        }
    }
    place.column = (unsigned)(offset - place.line_start) + 1;
    return place;
}

static void fill_place(struct rv_diags *diags, struct rv_diag *diag, const struct rv_source *source,
                       struct rv_loc loc)
{
    struct place start = find_place(source->text, loc.start);
    struct place end = find_place(source->text, loc.end);
    const char *line = source->text.data + start.line_start;
    size_t left = source->text.len - start.line_start;
    const char *newline = left ? memchr(line, '\n', left) : NULL;

    diag->line = start.line;
    diag->column = start.column;
    diag->end_line = end.line;
    diag->end_column = end.column;
    diag->source_line =
        rv_arena_text(&diags->arena, line, newline ? (size_t)(newline - line) : left).data;
}

static const char *copy(struct rv_diags *diags, const char *text)
{
    return text ? rv_arena_text(&diags->arena, text, strlen(text)).data : NULL;
}

static bool make_room(struct rv_diags *diags)
{
    size_t room = diags->room ? diags->room * 2 : 8;
    struct rv_diag *grown;

    if (diags->count < diags->room)
        return true;
    grown = reallocarray(diags->items, room, sizeof(*grown));
    if (!grown)
        return false;
    diags->items = grown;
    diags->room = room;
    return true;
}

void rv_diag_add(struct rv_diags *diags, enum rv_diag_level level, const char *code,
                 struct rv_diag_at at, const char *help, const char *format, ...)
{
    const struct rv_source *source = at.source;
    struct rv_diag diag = { .level = level, .code = code, .file = "" };
    char message[512];
    va_list args;

    if (!diags)
        return;
    diags->errors += level == RV_DIAG_ERROR;
    diags->warnings += level == RV_DIAG_WARNING;
    if (diags->count >= RV_DIAG_MAX || !make_room(diags))
        return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);

    if (!source && at.policy)
        source = at.policy->source;
    if (source && source->name.data)
        diag.file = copy(diags, source->name.data);
    if (source && source->text.data && at.loc.end > 0)
        fill_place(diags, &diag, source, at.loc);
    if (at.policy && at.policy->id.data)
        diag.policy_id = rv_arena_text(&diags->arena, at.policy->id.data, at.policy->id.len).data;
    diag.message = copy(diags, message);
    diag.help = copy(diags, help);
    if (!diags->arena.failed)
        diags->items[diags->count++] = diag;
}

static const char *level_name(enum rv_diag_level level)
{
    return level == RV_DIAG_ERROR ? "error" : level == RV_DIAG_WARNING ? "warning" : "note";
}

/** The source line and carets under what is meant; tabs kept, so that the carets stand right. */
static void render_line(struct rv_buf *buf, const struct rv_diag *diag)
{
    size_t len = strlen(diag->source_line);
    size_t carets = diag->end_line == diag->line && diag->end_column > diag->column
                        ? diag->end_column - diag->column
                        : 1;

    rv_buf_addf(buf, "  %s\n  ", diag->source_line);
    for (size_t i = 0; i + 1 < diag->column; i++)
        rv_buf_add_char(buf, i < len && diag->source_line[i] == '\t' ? '\t' : ' ');
    for (size_t i = 0; i < carets && i < len + 1; i++)
        rv_buf_add_char(buf, '^');
    rv_buf_add_char(buf, '\n');
}

void rv_diag_render(struct rv_buf *buf, const struct rv_diag *diag)
{
    if (diag->line > 0)
        rv_buf_addf(buf, "%s:%u:%u: ", diag->file, diag->line, diag->column);
    else if (diag->file[0])
        rv_buf_addf(buf, "%s: ", diag->file);
    rv_buf_addf(buf, "%s: %s", level_name(diag->level), diag->message);
    if (diag->policy_id && diag->line == 0)
        rv_buf_addf(buf, " (in %s)", diag->policy_id);
    rv_buf_add_char(buf, '\n');
    if (diag->source_line)
        render_line(buf, diag);
    if (diag->help)
        rv_buf_addf(buf, "  help: %s\n", diag->help);
}

json_t *rv_diags_json(const struct rv_diags *diags)
{
    json_t *array = json_array();

    for (size_t i = 0; i < diags->count; i++) {
        const struct rv_diag *diag = &diags->items[i];
        json_t *item =
            json_pack("{ss ss ss ss s{s{sI sI} s{sI sI}} ss* ss*}", "file", diag->file, "severity",
                      level_name(diag->level), "code", diag->code, "message", diag->message,
                      "range", "start", "line", (json_int_t)diag->line, "column",
                      (json_int_t)diag->column, "end", "line", (json_int_t)diag->end_line, "column",
                      (json_int_t)diag->end_column, "policy", diag->policy_id, "help", diag->help);

        if (json_array_append_new(array, item) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/** Edits from `a` to `b`: letters put in, left out, replaced, or two neighbours swapped. Upper and
 * lower case are the same. `limit` + 1 for names too long to be compared. */
static size_t distance(struct rv_text a, struct rv_text b, size_t limit)
{
    enum { LONGEST = 64 };
    size_t rows[3][LONGEST + 1];

    if (a.len > LONGEST || b.len > LONGEST)
        return limit + 1;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = lower(a.data[i - 1]) == lower(b.data[j - 1]);

            row[j] = rv_min_u64(above[j - 1] + (same ? 0 : 1),
                                rv_min_u64(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1])
                row[j] = rv_min_u64(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

const char *rv_diag_nearest(struct rv_text name, size_t count,
                            struct rv_text (*at)(const void *context, size_t i),
                            const void *context, char *ret_text, size_t room)
{
    size_t best = name.len / 3 + 1;
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        struct rv_text candidate = at(context, i);
        size_t wrong = distance(name, candidate, best);

        if (wrong < best || (wrong == best && !found && wrong <= name.len / 3)) {
            best = wrong;
            found = true;
            (void)snprintf(ret_text, room, "%.*s", RV_TEXT_ARGS(candidate));
        }
    }
    return found ? ret_text : NULL;
}
