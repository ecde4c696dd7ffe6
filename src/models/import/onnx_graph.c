/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX's messages by their field numbers (onnx.proto3). */
#include "onnx_graph.h"

enum { MODEL_GRAPH = 7 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_OP = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT = 2,
    ATTRIBUTE_INT = 3,
    ATTRIBUTE_STRING = 4,
    ATTRIBUTE_TENSOR = 5,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_STRINGS = 9
};
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLES = 10
};
enum { TYPE_FLOAT = 1, TYPE_UINT8 = 2, TYPE_INT32 = 6, TYPE_INT64 = 7, TYPE_DOUBLE = 11 };

void onnx_list_done(struct onnx_list *list)
{
    free(list->values);
    *list = (struct onnx_list){ 0 };
}

static double float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return (double)value;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* ---- Lists of numbers ---- */

/* A list cannot have more elements than bytes, so `bytes` bounds what is allocated. */
static int start_list(struct onnx_list *list, size_t bytes)
{
    if (list->values)
        return 0;
    list->values = calloc(bytes + 1, sizeof(*list->values));
    return list->values ? 0 : -ENOMEM;
}

static void add_packed_floats(struct onnx_list *list, struct rv_span bytes)
{
    struct rv_reader reader = rv_reader(bytes);

    while (reader.rest.len >= 4)
        list->values[list->count++] = float_of(rv_read_le32(&reader));
}

static void add_packed_doubles(struct onnx_list *list, struct rv_span bytes)
{
    struct rv_reader reader = rv_reader(bytes);

    list->is_double = true;
    while (reader.rest.len >= 8)
        list->values[list->count++] = double_of(rv_read_le64(&reader));
}

static bool add_packed_ints(struct onnx_list *list, struct rv_span bytes)
{
    struct rv_reader reader = rv_reader(bytes);

    while (reader.rest.len > 0 && !reader.failed)
        list->values[list->count++] = (double)(int64_t)pb_varint(&reader);
    return !reader.failed;
}

static int add_raw(struct onnx_list *list, struct rv_span raw, uint64_t type)
{
    struct rv_reader reader = rv_reader(raw);

    switch (type) {
    case TYPE_FLOAT:
        add_packed_floats(list, raw);
        return 0;
    case TYPE_DOUBLE:
        add_packed_doubles(list, raw);
        return 0;
    case TYPE_UINT8:
        while (reader.rest.len > 0)
            list->values[list->count++] = rv_read_u8(&reader);
        return 0;
    case TYPE_INT32:
        while (reader.rest.len >= 4)
            list->values[list->count++] = (int32_t)rv_read_le32(&reader);
        return 0;
    case TYPE_INT64:
        while (reader.rest.len >= 8)
            list->values[list->count++] = (double)(int64_t)rv_read_le64(&reader);
        return 0;
    default:
        return -EINVAL;
    }
}

struct tensor_parts {
    uint64_t type, dims[2];
    size_t dim_count;
    struct rv_span raw;
};

static int add_dim(struct tensor_parts *parts, uint64_t value)
{
    if (parts->dim_count == 2)
        return -EINVAL;
    parts->dims[parts->dim_count++] = value;
    return 0;
}

static int read_dims(struct tensor_parts *parts, const struct pb_field *field)
{
    struct rv_reader reader = rv_reader(field->bytes);

    if (field->type == PB_VARINT)
        return add_dim(parts, field->value);
    while (reader.rest.len > 0 && !reader.failed) {
        if (add_dim(parts, pb_varint(&reader)) < 0)
            return -EINVAL;
    }
    return reader.failed ? -EINVAL : 0;
}

static int read_tensor_field(struct tensor_parts *parts, struct onnx_list *list,
                             const struct pb_field *field)
{
    switch (field->number) {
    case TENSOR_DIMS:
        return read_dims(parts, field);
    case TENSOR_TYPE:
        parts->type = field->value;
        return 0;
    case TENSOR_RAW:
        parts->raw = field->bytes;
        return 0;
    case TENSOR_FLOATS:
        if (field->type == PB_FIXED32)
            list->values[list->count++] = float_of((uint32_t)field->value);
        else
            add_packed_floats(list, field->bytes);
        return 0;
    case TENSOR_DOUBLES:
        if (field->type == PB_FIXED64)
            list->values[list->count++] = double_of(field->value);
        else
            add_packed_doubles(list, field->bytes);
        return 0;
    case TENSOR_INT32S:
    case TENSOR_INT64S:
        if (field->type == PB_VARINT)
            list->values[list->count++] = (double)(int64_t)field->value;
        else if (!add_packed_ints(list, field->bytes))
            return -EINVAL;
        return 0;
    default:
        return 0;
    }
}

int onnx_tensor_numbers(struct rv_span bytes, struct onnx_list *ret_list, uint64_t dims[2])
{
    struct rv_reader reader = rv_reader(bytes);
    RV_AUTO(onnx_list_done) struct onnx_list list = { 0 };
    struct tensor_parts parts = { 0 };
    struct pb_field field;
    int r = start_list(&list, bytes.len);

    if (r < 0)
        return r;
    while (pb_next(&reader, &field)) {
        r = read_tensor_field(&parts, &list, &field);
        if (r < 0)
            return r;
    }
    if (reader.failed)
        return -EINVAL;
    if (parts.raw.data && add_raw(&list, parts.raw, parts.type) < 0)
        return -EINVAL;
    dims[0] = parts.dim_count == 2 ? parts.dims[0] : 1;
    dims[1] = parts.dim_count ? parts.dims[parts.dim_count - 1] : list.count;
    if (dims[0] > RV_FOREST_NODES_MAX || dims[1] > RV_FOREST_NODES_MAX ||
        dims[0] * dims[1] != list.count)
        return -EINVAL;
    *ret_list = list;
    list.values = NULL;
    return 0;
}

/* ---- Attributes ---- */

const struct onnx_attribute *onnx_find(const struct onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->attribute_count; i++) {
        if (onnx_is(node->attributes[i].name, name))
            return &node->attributes[i];
    }
    return NULL;
}

static int add_attribute_field(struct onnx_list *list, const struct pb_field *field)
{
    uint64_t dims[2];

    switch (field->number) {
    case ATTRIBUTE_FLOATS:
        if (field->type == PB_FIXED32)
            list->values[list->count++] = float_of((uint32_t)field->value);
        else
            add_packed_floats(list, field->bytes);
        return 0;
    case ATTRIBUTE_INTS:
        if (field->type == PB_VARINT)
            list->values[list->count++] = (double)(int64_t)field->value;
        else if (!add_packed_ints(list, field->bytes))
            return -EINVAL;
        return 0;
    case ATTRIBUTE_TENSOR:
        onnx_list_done(list);
        return onnx_tensor_numbers(field->bytes, list, dims);
    default:
        return 0;
    }
}

int onnx_numbers(const struct onnx_node *node, const char *name, struct onnx_list *ret_list)
{
    const struct onnx_attribute *attribute = onnx_find(node, name);
    struct rv_reader reader = rv_reader(attribute ? attribute->bytes : rv_span(NULL, 0));
    RV_AUTO(onnx_list_done) struct onnx_list list = { 0 };
    struct pb_field field;
    bool tensor = false;

    while (pb_next(&reader, &field)) {
        int r = start_list(&list, attribute->bytes.len);

        /* A tensor replaces the list and must stand alone. */
        if (r == 0 && tensor && field.number >= ATTRIBUTE_TENSOR && field.number <= ATTRIBUTE_INTS)
            r = -EINVAL;
        if (r == 0)
            r = add_attribute_field(&list, &field);
        if (r < 0)
            return r;
        tensor = tensor || field.number == ATTRIBUTE_TENSOR;
    }
    if (reader.failed)
        return -EINVAL;
    *ret_list = list;
    list.values = NULL;
    return 0;
}

static bool find_field(const struct onnx_node *node, const char *name, uint32_t number,
                       enum pb_type type, struct pb_field *ret_field)
{
    const struct onnx_attribute *attribute = onnx_find(node, name);
    struct rv_reader reader = rv_reader(attribute ? attribute->bytes : rv_span(NULL, 0));
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == number && field.type == type) {
            *ret_field = field;
            return true;
        }
    }
    return false;
}

int64_t onnx_integer(const struct onnx_node *node, const char *name, int64_t otherwise)
{
    struct pb_field field;

    return find_field(node, name, ATTRIBUTE_INT, PB_VARINT, &field) ? (int64_t)field.value
                                                                    : otherwise;
}

double onnx_float(const struct onnx_node *node, const char *name, double otherwise)
{
    struct pb_field field;

    return find_field(node, name, ATTRIBUTE_FLOAT, PB_FIXED32, &field)
               ? float_of((uint32_t)field.value)
               : otherwise;
}

struct rv_span onnx_string(const struct onnx_node *node, const char *name)
{
    struct pb_field field;

    return find_field(node, name, ATTRIBUTE_STRING, PB_BYTES, &field) ? field.bytes
                                                                      : rv_span(NULL, 0);
}

struct rv_reader onnx_strings(const struct onnx_node *node, const char *name)
{
    const struct onnx_attribute *attribute = onnx_find(node, name);

    return rv_reader(attribute ? attribute->bytes : rv_span(NULL, 0));
}

bool onnx_next_string(struct rv_reader *reader, struct rv_span *ret_string)
{
    struct pb_field field;

    while (pb_next(reader, &field)) {
        if (field.number == ATTRIBUTE_STRINGS && field.type == PB_BYTES) {
            *ret_string = field.bytes;
            return true;
        }
    }
    return false;
}

/* ---- Graph ---- */

static struct rv_span bytes_field(struct rv_span message, uint32_t number)
{
    struct rv_reader reader = rv_reader(message);
    struct rv_span found = rv_span(NULL, 0);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == number && field.type == PB_BYTES)
            found = field.bytes;
    }
    return found;
}

static int add_name(struct rv_span *names, size_t room, size_t *count, struct rv_span name)
{
    if (*count == room)
        return -EOPNOTSUPP;
    names[(*count)++] = name;
    return 0;
}

static int parse_node(struct rv_span bytes, struct onnx_node *node)
{
    struct rv_reader reader = rv_reader(bytes);
    struct pb_field field;
    int r = 0;

    while (r == 0 && pb_next(&reader, &field)) {
        if (field.type != PB_BYTES)
            continue;
        switch (field.number) {
        case NODE_INPUT:
            r = add_name(node->inputs, RV_COUNT(node->inputs), &node->input_count, field.bytes);
            break;
        case NODE_OUTPUT:
            r = add_name(node->outputs, RV_COUNT(node->outputs), &node->output_count, field.bytes);
            break;
        case NODE_OP:
            node->op = field.bytes;
            break;
        case NODE_DOMAIN:
            node->domain = field.bytes;
            break;
        case NODE_ATTRIBUTE:
            if (node->attribute_count == ONNX_ATTRIBUTES_MAX)
                return -EOPNOTSUPP;
            node->attributes[node->attribute_count++] =
                (struct onnx_attribute){ bytes_field(field.bytes, ATTRIBUTE_NAME), field.bytes };
            break;
        default:
            break;
        }
    }
    return r == 0 && reader.failed ? -EINVAL : r;
}

/* ValueInfoProto.type.tensor_type.shape.dim[last].dim_value */
static uint64_t width_of(struct rv_span value_info)
{
    struct rv_span tensor_type = bytes_field(bytes_field(value_info, 2), 1);
    struct rv_reader reader = rv_reader(bytes_field(tensor_type, 2));
    struct pb_field dim, field;
    uint64_t width = 0;

    while (pb_next(&reader, &dim)) {
        struct rv_reader inner = rv_reader(dim.bytes);

        width = 0;
        while (dim.number == 1 && pb_next(&inner, &field)) {
            if (field.number == 1 && field.type == PB_VARINT)
                width = field.value;
        }
    }
    return width;
}

const struct onnx_tensor *onnx_find_tensor(const struct onnx_graph *graph, struct rv_span name)
{
    for (size_t i = 0; i < graph->tensor_count; i++) {
        if (rv_span_eq(graph->tensors[i].name, name))
            return &graph->tensors[i];
    }
    return NULL;
}

static int add_graph_field(struct onnx_graph *graph, const struct pb_field *field)
{
    switch (field->number) {
    case GRAPH_NODE:
        if (graph->node_count == ONNX_NODES_MAX)
            return -EOPNOTSUPP;
        return parse_node(field->bytes, &graph->nodes[graph->node_count++]);
    case GRAPH_INITIALIZER:
        if (graph->tensor_count == ONNX_TENSORS_MAX)
            return -EOPNOTSUPP;
        graph->tensors[graph->tensor_count++] =
            (struct onnx_tensor){ bytes_field(field->bytes, TENSOR_NAME), field->bytes };
        return 0;
    default:
        return 0;
    }
}

/* Old files list initializers among the inputs, so inputs are looked at last. */
static void find_input(struct onnx_graph *graph, struct rv_span bytes)
{
    struct rv_reader reader = rv_reader(bytes);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        struct rv_span name;

        if (field.number != GRAPH_INPUT || field.type != PB_BYTES)
            continue;
        name = bytes_field(field.bytes, 1);
        if (onnx_find_tensor(graph, name))
            continue;
        graph->input = name;
        graph->input_width = width_of(field.bytes);
        return;
    }
}

int onnx_parse(struct rv_span file, struct onnx_graph *ret_graph, struct rv_import_error *reterr)
{
    struct rv_span bytes = bytes_field(file, MODEL_GRAPH);
    struct rv_reader reader = rv_reader(bytes);
    struct pb_field field;

    memset(ret_graph, 0, sizeof(*ret_graph));
    if (!bytes.data)
        return import_refuse(reterr, -EINVAL, "not an ONNX model: it holds no graph");
    while (pb_next(&reader, &field)) {
        int r = field.type == PB_BYTES ? add_graph_field(ret_graph, &field) : 0;

        if (r == -EINVAL)
            return import_refuse(reterr, r, "malformed ONNX near byte %zu of its graph",
                                 reader.offset);
        if (r < 0)
            return import_refuse(reterr, r,
                                 "the graph has too many parts; it can run through ONNX Runtime");
    }
    if (reader.failed)
        return import_refuse(reterr, -EINVAL, "malformed ONNX near byte %zu of its graph",
                             reader.offset);
    find_input(ret_graph, bytes);
    return 0;
}
