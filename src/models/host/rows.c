/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to try a forest on: read from text, made at its thresholds, kept as golden rows. */
#include "models/forest_model.h"

#define CELLS_MAX      ((size_t)1 << 28)
#define GOLDEN_VERSION 1U

void rv_row_set_done(struct rv_row_set *rows)
{
    free(rows->values);
    *rows = (struct rv_row_set){ 0 };
}

/* ---- Text ---- */

struct text_rows {
    struct rv_row_set set;
    size_t room; /* values */
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '\r';
}

/* One integer at the front of `line`, which shrinks. */
static bool take_integer(struct rv_span *line, int32_t *ret_value)
{
    bool negative = line->len > 0 && line->data[0] == '-';
    size_t at = negative ? 1 : 0, digits = 0;
    int64_t value = 0;

    for (; at < line->len && line->data[at] >= '0' && line->data[at] <= '9'; at++, digits++) {
        value = value * 10 + (line->data[at] - '0');
        if (value > (int64_t)INT32_MAX + 1)
            return false;
    }
    value = negative ? -value : value;
    if (digits == 0 || value > INT32_MAX || (at < line->len && !is_blank(line->data[at])))
        return false;
    *line = rv_span(line->data + at, line->len - at);
    *ret_value = (int32_t)value;
    return true;
}

static int add_value(struct text_rows *rows, size_t at, int32_t value)
{
    if (at >= CELLS_MAX)
        return -EINVAL;
    if (at >= rows->room) {
        size_t room = rows->room ? 2 * rows->room : 1024;
        int32_t *grown = reallocarray(rows->set.values, room, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        rows->set.values = grown;
        rows->room = room;
    }
    rows->set.values[at] = value;
    return 0;
}

/* @return the number of values in the line; -EINVAL for anything that is no integer. */
static int add_line(struct text_rows *rows, struct rv_span line)
{
    size_t start = rows->set.count * rows->set.width, count = 0;

    for (;;) {
        int32_t value;
        int r;

        while (line.len > 0 && is_blank(line.data[0]))
            line = rv_span(line.data + 1, line.len - 1);
        if (line.len == 0)
            return (int)count;
        if (!take_integer(&line, &value) || count >= RV_FOREST_WIDTH_MAX)
            return -EINVAL;
        r = add_value(rows, start + count, value);
        if (r < 0)
            return r;
        count++;
    }
}

static struct rv_span take_line(struct rv_span *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->len);
    size_t len = end ? (size_t)(end - text->data) : text->len;
    struct rv_span line = rv_span(text->data, len);

    *text = rv_span(text->data + len, text->len - len);
    if (end)
        *text = rv_span(text->data + 1, text->len - 1);
    return line;
}

int rv_row_set_parse(struct rv_span text, uint32_t width, struct rv_row_set *ret_rows,
                     size_t *ret_line)
{
    struct text_rows rows = { .set.width = width };

    for (size_t number = 1; text.len > 0; number++) {
        int r = add_line(&rows, take_line(&text));

        if (r == -EINVAL && number == 1)
            continue; /* a header */
        if (r > 0 && rows.set.width == 0)
            rows.set.width = (uint32_t)r;
        if (r > 0 && (uint32_t)r != rows.set.width)
            r = -EINVAL;
        if (r < 0) {
            *ret_line = number;
            rv_row_set_done(&rows.set);
            return r;
        }
        rows.set.count += r > 0;
    }
    *ret_rows = rows.set;
    return 0;
}

/* ---- Boundaries ---- */

/* The `pick`-th threshold on `feature`, counted over all nodes. */
struct threshold_list {
    int32_t *values;  /* by feature, one after another */
    uint32_t *starts; /* width + 1 */
};

static void list_done(struct threshold_list *list)
{
    free(list->values);
    free(list->starts);
}

static int list_thresholds(struct rv_forest_spec spec, struct threshold_list *list)
{
    RV_AUTO(rv_freep) uint32_t *next = calloc(spec.width + 1, sizeof(*next));

    list->values = calloc(spec.node_count + 1, sizeof(*list->values));
    list->starts = calloc(spec.width + 1, sizeof(*list->starts));
    if (!next || !list->values || !list->starts)
        return -ENOMEM;
    for (size_t i = 0; i < spec.node_count; i++) {
        if (spec.nodes[i].feature != RV_FOREST_LEAF)
            list->starts[spec.nodes[i].feature + 1]++;
    }
    for (uint32_t f = 0; f < spec.width; f++) {
        list->starts[f + 1] += list->starts[f];
        next[f] = list->starts[f];
    }
    for (size_t i = 0; i < spec.node_count; i++) {
        if (spec.nodes[i].feature != RV_FOREST_LEAF)
            list->values[next[spec.nodes[i].feature]++] = spec.nodes[i].value;
    }
    return 0;
}

static int32_t near(int32_t threshold, uint32_t which)
{
    int64_t value = (int64_t)threshold + which - 1;

    if (value > INT32_MAX)
        return INT32_MAX;
    return value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

int rv_row_set_at_boundaries(const struct rv_forest *forest, uint64_t seed, size_t count,
                             struct rv_row_set *ret_rows)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);
    RV_AUTO(list_done) struct threshold_list list = { 0 };
    RV_AUTO(rv_freep) int32_t *values = calloc(count * spec.width + 1, sizeof(*values));
    int r = list_thresholds(spec, &list);

    if (r < 0 || !values)
        return -ENOMEM;
    for (size_t i = 0; i < count * spec.width; i++) {
        uint32_t feature = (uint32_t)(i % spec.width);
        uint32_t choices = list.starts[feature + 1] - list.starts[feature];
        uint64_t draw = rv_mix64(seed * 0x9e3779b97f4a7c15ULL + i);

        if (choices)
            values[i] = near(list.values[list.starts[feature] + (draw >> 8) % choices],
                             (uint32_t)(draw & 0xff) % 3);
    }
    *ret_rows = (struct rv_row_set){ spec.width, count, RV_TAKE(values) };
    return 0;
}

/* ---- Golden rows: u32 version, u32 width, u32 count, rows, scores ---- */

int rv_golden_encode(const struct rv_forest *forest, const struct rv_row_set *rows,
                     struct rv_buf *buf)
{
    if (rows->width != rv_forest_spec_of(forest).width || rows->count > UINT32_MAX)
        return -EINVAL;
    rv_buf_add_le32(buf, GOLDEN_VERSION);
    rv_buf_add_le32(buf, rows->width);
    rv_buf_add_le32(buf, (uint32_t)rows->count);
    for (size_t i = 0; i < rows->count * rows->width; i++)
        rv_buf_add_le32(buf, (uint32_t)rows->values[i]);
    for (size_t i = 0; i < rows->count; i++)
        rv_buf_add_le64(buf,
                        (uint64_t)rv_forest_score_plain(forest, rows->values + i * rows->width));
    return buf->failed ? -ENOMEM : 0;
}

int rv_golden_check(const struct rv_forest *forest, struct rv_span section,
                    struct rv_row_set *ret_rows)
{
    struct rv_reader reader = rv_reader(section);
    RV_AUTO(rv_row_set_done) struct rv_row_set rows = { 0 };
    uint32_t version = rv_read_le32(&reader);

    rows.width = rv_read_le32(&reader);
    rows.count = rv_read_le32(&reader);
    if (reader.failed || version != GOLDEN_VERSION ||
        rows.width != rv_forest_spec_of(forest).width ||
        reader.rest.len != rows.count * ((size_t)rows.width * 4 + 8))
        return -EINVAL;
    rows.values = calloc(rows.count * rows.width + 1, sizeof(*rows.values));
    if (!rows.values)
        return -ENOMEM;
    for (size_t i = 0; i < rows.count * rows.width; i++)
        rows.values[i] = (int32_t)rv_read_le32(&reader);
    for (size_t i = 0; i < rows.count; i++) {
        int64_t expected = (int64_t)rv_read_le64(&reader);

        if (rv_forest_score(forest, rows.values + i * rows.width) != expected)
            return -EBADMSG;
    }
    *ret_rows = rows;
    rows.values = NULL;
    return 0;
}
