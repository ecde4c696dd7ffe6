/* SPDX-License-Identifier: Apache-2.0 */
/** @file onnx_graph.h  The parts of an ONNX file that the importers look at. */
#pragma once

#include "protobuf.h"

#include "import_private.h"

#define ONNX_NODES_MAX      64
#define ONNX_ATTRIBUTES_MAX 48
#define ONNX_TENSORS_MAX    64

/** Numbers of one list, whichever way they were written. */
struct onnx_list {
    double *values;
    size_t count;
    bool is_double; /* 64-bit floats */
};
void onnx_list_done(struct onnx_list *list);

struct onnx_attribute {
    struct rv_span name;
    struct rv_span bytes; /* the whole AttributeProto */
};

struct onnx_node {
    struct rv_span op, domain;
    struct rv_span inputs[8], outputs[8];
    size_t input_count, output_count;
    struct onnx_attribute attributes[ONNX_ATTRIBUTES_MAX];
    size_t attribute_count;
};

struct onnx_tensor {
    struct rv_span name;
    struct rv_span bytes; /* the whole TensorProto */
};

struct onnx_graph {
    struct onnx_node nodes[ONNX_NODES_MAX];
    size_t node_count;
    struct onnx_tensor tensors[ONNX_TENSORS_MAX]; /* initializers */
    size_t tensor_count;
    struct rv_span input; /* name of the first input that is no initializer */
    uint64_t input_width; /* its last dimension; 0: not said */
};

/** Parse the graph of a model. @return 0; -EINVAL; -EOPNOTSUPP for one with too many parts. */
RV_MUST_CHECK int onnx_parse(struct rv_span file, struct onnx_graph *ret_graph,
                             struct rv_import_error *reterr);

/** The attribute of a name, or NULL. */
const struct onnx_attribute *onnx_find(const struct onnx_node *node, const char *name);
/** Numbers of an attribute: floats, ints or a tensor. Absent: an empty list. @return 0; -errno. */
RV_MUST_CHECK int onnx_numbers(const struct onnx_node *node, const char *name,
                               struct onnx_list *ret_list);
/** Numbers of a tensor with its dimensions (at most 2; a vector is 1 x n). */
RV_MUST_CHECK int onnx_tensor_numbers(struct rv_span bytes, struct onnx_list *ret_list,
                                      uint64_t dims[2]);
/** A single integer, `otherwise` if absent or malformed. */
int64_t onnx_integer(const struct onnx_node *node, const char *name, int64_t otherwise);
/** A single float, likewise. */
double onnx_float(const struct onnx_node *node, const char *name, double otherwise);
/** A single string, empty if absent. */
struct rv_span onnx_string(const struct onnx_node *node, const char *name);
/** The `index`-th of a list of strings, walked from the front: call in order through a reader. */
struct rv_reader onnx_strings(const struct onnx_node *node, const char *name);
bool onnx_next_string(struct rv_reader *reader, struct rv_span *ret_string);
/** The initializer of a name, or NULL. */
const struct onnx_tensor *onnx_find_tensor(const struct onnx_graph *graph, struct rv_span name);

static inline bool onnx_is(struct rv_span span, const char *text)
{
    return rv_span_eq(span, rv_span_str(text));
}
