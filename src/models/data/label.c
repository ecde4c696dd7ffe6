/* SPDX-License-Identifier: Apache-2.0 */
/* What people judged: JSON lines with a vector and a verdict each. */
#include "private.h"

#include "base/json.h"
#include "features/program.h"
#include "features/table.h"
#include "models/labels.h"

#include <inttypes.h>
#include <stdio.h>

#define NAMES_MAX 4096U

void rv_labels_done(struct rv_labels *labels)
{
    for (size_t i = 0; i < labels->host_count; i++)
        free(labels->hosts[i]);
    for (size_t i = 0; i < labels->source_count; i++)
        free(labels->sources[i]);
    free(labels->hosts);
    free(labels->sources);
    free(labels->items);
    *labels = (struct rv_labels){ 0 };
}

/** The number of a name, new or known. @return 0; -EFBIG; -ENOMEM. */
static int number_of(char ***names, size_t *room, size_t *count, const char *name,
                     uint32_t *ret_number)
{
    for (size_t i = *count; i > 0; i--) { /* neighbours in a file have the same */
        if (rv_streq((*names)[i - 1], name)) {
            *ret_number = (uint32_t)(i - 1);
            return 0;
        }
    }
    if (*count == NAMES_MAX)
        return -EFBIG;
    if (rv_dataset_grow(names, room, *count, sizeof(**names)) < 0)
        return -ENOMEM;
    (*names)[*count] = strdup(name);
    if (!(*names)[*count])
        return -ENOMEM;
    *ret_number = (uint32_t)(*count)++;
    return 0;
}

static bool read_vector(const json_t *array, struct rv_vector *ret_vector)
{
    if (json_array_size(array) != RV_FEATURE_COUNT)
        return false;
    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        const json_t *item = json_array_get(array, i);
        json_int_t value = json_integer_value(item);

        if (!json_is_integer(item) || value < INT32_MIN || value > INT32_MAX)
            return false;
        ret_vector->value[i] = (int32_t)value;
    }
    return true;
}

static bool read_judgement(const json_t *object, enum rv_judgement *ret_judgement)
{
    const char *label = json_string_value(json_object_get(object, "label"));

    if (!label || !(rv_streq(label, "benign") || rv_streq(label, "malicious")))
        return false;
    *ret_judgement = rv_streq(label, "benign") ? RV_JUDGED_NORMAL : RV_JUDGED_BAD;
    return true;
}

static bool of_our_table(const json_t *object)
{
    const char *table = json_string_value(json_object_get(object, "feature_table"));
    struct rv_sha256 ours = rv_feature_table_digest();
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&ours, hex);
    return table && rv_streq(table, hex);
}

/** Whose word it is. */
static int read_source(struct rv_labels *labels, const json_t *object, struct rv_labelled *item)
{
    const json_t *host = json_object_get(object, "host");
    json_int_t uid = json_integer_value(json_object_get(object, "uid"));
    char source[RV_LABEL_HOST_MAX + 32];
    int r;

    if (!json_is_string(host) || json_string_length(host) > RV_LABEL_HOST_MAX ||
        strlen(json_string_value(host)) != json_string_length(host) ||
        !json_is_integer(json_object_get(object, "uid")) || uid < 0 || uid > UINT32_MAX)
        return -EBADMSG;
    (void)snprintf(source, sizeof(source), "uid %" PRId64 " of %s", (int64_t)uid,
                   json_string_value(host));
    r = number_of(&labels->hosts, &labels->host_room, &labels->host_count, json_string_value(host),
                  &item->host);
    return r < 0 ? r
                 : number_of(&labels->sources, &labels->source_room, &labels->source_count, source,
                             &item->source);
}

/** In the place of an earlier judgement of the same entry, else at the end. */
static int put(struct rv_labels *labels, const struct rv_labelled *item)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (labels->items[i].host == item->host && labels->items[i].entry == item->entry) {
            labels->items[i] = *item;
            return 0;
        }
    }
    if (labels->count == RV_LABELS_MAX)
        return -EFBIG;
    if (rv_dataset_grow(&labels->items, &labels->room, labels->count, sizeof(*labels->items)) < 0)
        return -ENOMEM;
    labels->items[labels->count++] = *item;
    return 0;
}

static int add_line(struct rv_labels *labels, struct rv_span text, size_t number,
                    struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_json_freep) json_t *object = NULL;
    struct rv_json_error error;
    struct rv_labelled item = { 0 };
    json_int_t class, entry;
    int r = rv_json_parse(text, &object, &error);

    if (r < 0)
        return r == -EINVAL ? rv_dataset_refuse(reterr, number, "not JSON: %s", error.message) : r;
    class = json_integer_value(json_object_get(object, "class"));
    entry = json_integer_value(json_object_get(object, "entry"));
    if (!of_our_table(object))
        return rv_dataset_refuse(reterr, number, "the vector is of another feature table");
    if (!read_vector(json_object_get(object, "vector"), &item.vector))
        return rv_dataset_refuse(reterr, number, "no vector of %d integers", RV_FEATURE_COUNT);
    if (!read_judgement(object, &item.judgement))
        return rv_dataset_refuse(reterr, number, "the label is neither benign nor malicious");
    if (class < 0 || class >= RV_KIND_COUNT_ || entry < 0)
        return rv_dataset_refuse(reterr, number, "no such class or entry");
    item.class = (uint32_t) class;
    item.entry = (uint64_t)entry;
    r = read_source(labels, object, &item);
    if (r == -EBADMSG)
        return rv_dataset_refuse(reterr, number, "it does not say whose word it is (host, uid)");
    return r < 0 ? r : put(labels, &item);
}

int rv_labels_parse(struct rv_labels *labels, struct rv_span bytes, struct rv_dataset_error *reterr)
{
    struct rv_line_reader lines = { .rest = bytes };
    struct rv_span line;

    while (rv_line_next(&lines, &line)) {
        int r;

        if (line.len == 0)
            continue;
        if (line.len > RV_DATASET_LINE_MAX)
            return rv_dataset_refuse(reterr, lines.number, "longer than %zu bytes",
                                     RV_DATASET_LINE_MAX);
        r = add_line(labels, line, lines.number, reterr);
        if (r == -EFBIG)
            return rv_dataset_refuse(reterr, lines.number, "too many labels, hosts or users"), r;
        if (r < 0)
            return r;
    }
    return 0;
}

int rv_labels_read(struct rv_labels *labels, int dir_fd, const char *path,
                   struct rv_dataset_error *reterr)
{
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };
    int r = rv_dataset_load(dir_fd, path, &bytes, reterr);

    return r < 0 ? r : rv_labels_parse(labels, rv_buf_span(&bytes), reterr);
}
