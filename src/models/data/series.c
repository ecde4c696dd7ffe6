/* SPDX-License-Identifier: Apache-2.0 */
/* Series from CSV: the separator and the columns for time and label are found in the header. */
#include "private.h"

#include <math.h>
#include <stdio.h>

#define ROWS_MAX ((size_t)1 << 24)

enum role { VALUE, TIME, FLAG, IGNORED };

struct table {
    char separator;
    enum role role[RV_DATASET_COLUMN_MAX];
    size_t fields; /* of a row */
};

static bool same_folded(struct rv_span text, const char *lower)
{
    if (text.len != strlen(lower))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t)lower[i])
            return false;
    }
    return true;
}

static enum role role_of(struct rv_span name)
{
    static const char *const times[] = { "datetime", "time", "timestamp", "date" };
    static const char *const flags[] = { "att_flag", "anomaly", "label", "attack" };

    for (size_t i = 0; i < RV_COUNT(times); i++) {
        if (same_folded(name, times[i]))
            return TIME;
    }
    for (size_t i = 0; i < RV_COUNT(flags); i++) {
        if (same_folded(name, flags[i]))
            return FLAG;
    }
    return same_folded(name, "changepoint") ? IGNORED : VALUE;
}

/** The separator that cuts the header into most fields. */
static char find_separator(struct rv_span head)
{
    static const char candidates[] = { ',', ';', '\t' };
    size_t best = 0, count[RV_COUNT(candidates)] = { 0 };

    for (size_t i = 0; i < head.len; i++) {
        for (size_t c = 0; c < RV_COUNT(candidates); c++)
            count[c] += head.data[i] == (uint8_t)candidates[c];
    }
    for (size_t c = 1; c < RV_COUNT(candidates); c++)
        best = count[c] > count[best] ? c : best;
    return candidates[best];
}

/** A copy that does not steer a terminal and holds no tab or line end. */
static char *dup_shown(struct rv_span text)
{
    char *copy = rv_span_dup(text);

    for (char *c = copy; c && *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    return copy;
}

static int read_head(struct rv_series *series, struct table *table, struct rv_span head,
                     struct rv_dataset_error *reterr)
{
    struct rv_span field;

    if (head.len >= 3 && memcmp(head.data, "\xef\xbb\xbf", 3) == 0) /* byte order mark */
        head = rv_span(head.data + 3, head.len - 3);
    table->separator = find_separator(head);
    table->fields = 0;
    series->column = calloc(RV_DATASET_COLUMN_MAX, sizeof(*series->column));
    if (!series->column)
        return -ENOMEM;
    while (rv_field_next(&head, table->separator, &field)) {
        enum role role = role_of(rv_span_trim(field));

        if (table->fields == RV_DATASET_COLUMN_MAX)
            return rv_dataset_refuse(reterr, 1, "more than %zu columns", RV_DATASET_COLUMN_MAX);
        table->role[table->fields++] = role;
        series->labelled |= role == FLAG;
        if (role != VALUE)
            continue;
        series->column[series->columns] = dup_shown(rv_span_trim(field));
        if (!series->column[series->columns])
            return -ENOMEM;
        for (size_t i = 0; i < series->columns; i++) {
            if (rv_streq(series->column[i], series->column[series->columns])) {
                series->columns++;
                return rv_dataset_refuse(reterr, 1, "two columns are named '%.60s'",
                                         series->column[i]);
            }
        }
        series->columns++;
    }
    if (series->columns == 0)
        return rv_dataset_refuse(reterr, 1, "no column of readings in the header");
    return 0;
}

/** What programs write where a reading is missing. */
static bool is_missing(struct rv_span cell)
{
    static const char *const words[] = { "", "nan", "na", "n/a", "null", "none", "-", "?" };

    for (size_t i = 0; i < RV_COUNT(words); i++) {
        if (same_folded(cell, words[i]))
            return true;
    }
    return false;
}

/** Decimal, as in CSV: strtod() alone would take hexadecimal and infinity too. */
static int read_number(double *ret_value, struct rv_span cell)
{
    char text[64], *end;

    cell = rv_span_trim(cell);
    if (is_missing(cell)) {
        *ret_value = NAN;
        return 0;
    }
    if (cell.len >= sizeof(text))
        return -EBADMSG;
    memcpy(text, cell.data, cell.len);
    text[cell.len] = '\0';
    if (strspn(text, "0123456789+-.eE") != cell.len)
        return -EBADMSG;
    *ret_value = strtod(text, &end);
    return *end == '\0' && isfinite(*ret_value) && fabs(*ret_value) < 1e30 ? 0 : -EBADMSG;
}

/** BATADAL marks hours that nobody labelled by -999. */
static enum rv_label label_of(double flag)
{
    return flag < 0 || isnan(flag) ? RV_LABEL_UNKNOWN
           : flag > 0              ? RV_LABEL_ATTACK
                                   : RV_LABEL_NORMAL;
}

static int grow_rows(struct rv_series *series, size_t *room)
{
    size_t wanted = *room ? *room * 2 : 256;
    double *value;
    char **row_id;
    enum rv_label *label;

    if (series->rows < *room)
        return 0;
    if (wanted > ROWS_MAX || wanted > RV_DATASET_BYTES_MAX / sizeof(double) / series->columns)
        return -EFBIG;
    value = reallocarray(series->value, wanted * series->columns, sizeof(*value));
    if (value)
        series->value = value;
    row_id = reallocarray(series->row_id, wanted, sizeof(*row_id));
    if (row_id)
        series->row_id = row_id;
    label = reallocarray(series->label, wanted, sizeof(*label));
    if (label)
        series->label = label;
    if (!value || !row_id || !label)
        return -ENOMEM;
    *room = wanted;
    return 0;
}

static int read_row(struct rv_series *series, const struct table *table, struct rv_span line,
                    size_t number, struct rv_dataset_error *reterr)
{
    double *value = series->value + series->rows * series->columns, flag;
    struct rv_span field, id = { 0 };
    char fallback[24];
    size_t at = 0, filled = 0;

    series->label[series->rows] = RV_LABEL_UNKNOWN;
    for (; rv_field_next(&line, table->separator, &field); at++) {
        if (at == table->fields)
            return rv_dataset_refuse(reterr, number, "more cells than the header has columns");
        if (table->role[at] == TIME)
            id = rv_span_trim(field);
        if (table->role[at] == VALUE && read_number(&value[filled++], field) < 0)
            return rv_dataset_refuse(reterr, number, "'%.60s', cell %zu, is not a number",
                                     series->column[filled - 1], at + 1);
        if (table->role[at] == FLAG) {
            if (read_number(&flag, field) < 0)
                return rv_dataset_refuse(reterr, number, "the label is not a number");
            series->label[series->rows] = label_of(flag);
        }
    }
    if (at != table->fields)
        return rv_dataset_refuse(reterr, number, "%zu cells, but the header has %zu columns", at,
                                 table->fields);
    (void)snprintf(fallback, sizeof(fallback), "%zu", series->rows);
    series->row_id[series->rows] = dup_shown(id.len ? id : rv_span_str(fallback));
    if (!series->row_id[series->rows])
        return -ENOMEM;
    series->rows++;
    return 0;
}

static int read_table(struct rv_series *series, struct table *table, struct rv_span bytes,
                      struct rv_dataset_error *reterr)
{
    struct rv_line_reader lines = { .rest = bytes };
    struct rv_span line;
    size_t room = 0;
    int r;

    if (!rv_line_next(&lines, &line))
        return rv_dataset_refuse(reterr, 0, "it is empty");
    r = read_head(series, table, line, reterr);
    while (r == 0 && rv_line_next(&lines, &line)) {
        if (line.len == 0)
            continue;
        r = grow_rows(series, &room);
        if (r == 0)
            r = read_row(series, table, line, lines.number, reterr);
    }
    return r;
}

static int parse_csv(struct rv_series_set *set, const char *name, struct rv_span bytes,
                     struct rv_dataset_error *reterr)
{
    struct rv_series series = { 0 };
    RV_AUTO(rv_freep) struct table *table = calloc(1, sizeof(*table));
    int r;

    series.name = strdup(name);
    if (!table || !series.name ||
        rv_dataset_grow(&set->items, &set->room, set->count, sizeof(*set->items)) < 0) {
        rv_series_done(&series);
        return -ENOMEM;
    }
    r = read_table(&series, table, bytes, reterr);
    if (r < 0) {
        rv_series_done(&series);
        return r;
    }
    set->items[set->count++] = series;
    return 0;
}

/* ---- tar (POSIX ustar): members that end in .csv ---- */

#define TAR_BLOCK ((size_t)512)

static bool is_tar(struct rv_span bytes)
{
    return bytes.len >= TAR_BLOCK && memcmp(bytes.data + 257, "ustar", 5) == 0;
}

static int tar_size(struct rv_span block, size_t *ret_size)
{
    size_t size = 0;

    for (size_t i = 124; i < 136 && block.data[i] != '\0' && block.data[i] != ' '; i++) {
        if (block.data[i] < '0' || block.data[i] > '7')
            return -EBADMSG;
        size = size << 3 | (size_t)(block.data[i] - '0');
    }
    *ret_size = size;
    return 0;
}

static void tar_name(struct rv_span block, char name[101])
{
    memcpy(name, block.data, 100);
    name[100] = '\0';
}

static bool ends_in_csv(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && rv_streq(name + len - 4, ".csv");
}

static int parse_tar(struct rv_series_set *set, struct rv_span bytes,
                     struct rv_dataset_error *reterr)
{
    struct rv_reader reader = rv_reader(bytes);

    while (reader.rest.len >= TAR_BLOCK) {
        struct rv_span block = rv_read_bytes(&reader, TAR_BLOCK), content;
        char name[101], kind = (char)block.data[156];
        size_t size, padding;
        int r = tar_size(block, &size);

        if (block.data[0] == '\0')
            break;
        if (r < 0 || size > reader.rest.len)
            return rv_dataset_refuse(reterr, 0, "the tar is damaged at byte %zu",
                                     reader.offset - TAR_BLOCK);
        tar_name(block, name);
        content = rv_read_bytes(&reader, size);
        padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
        (void)rv_read_bytes(&reader, padding < reader.rest.len ? padding : reader.rest.len);
        if ((kind != '0' && kind != '\0') || !ends_in_csv(name))
            continue;
        r = parse_csv(set, name, content, reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

int rv_series_parse(struct rv_series_set *set, const char *name, struct rv_span bytes,
                    struct rv_dataset_error *reterr)
{
    return is_tar(bytes) ? parse_tar(set, bytes, reterr) : parse_csv(set, name, bytes, reterr);
}

int rv_series_read(struct rv_series_set *set, int dir_fd, const char *path,
                   struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    const char *slash = strrchr(path, '/');
    int r = rv_dataset_load(dir_fd, path, &bytes, reterr);

    return r < 0 ? r : rv_series_parse(set, slash ? slash + 1 : path, rv_buf_span(&bytes), reterr);
}
