/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX graphs that are one chain of dense layers. */
#include "mlp.h"
#include "onnx_graph.h"

struct chain {
    const struct onnx_graph *graph;
    struct rv_mlp *mlp;
    struct mlp_layer *last; /* NULL before the first layer */
    bool biased, activated; /* what the last layer already has */
    struct rv_span name;    /* what flows: the next node must take it */
    struct rv_import_error *reterr;
};

static int refuse(struct chain *chain, int code, const char *why)
{
    return import_refuse(chain->reterr, code, "%s; it can run through ONNX Runtime", why);
}

/* A weight matrix; with `by_output` a row is an output, else a column is. */
static int add_layer(struct chain *chain, struct rv_span name, bool by_output)
{
    const struct onnx_tensor *tensor = onnx_find_tensor(chain->graph, name);
    RV_AUTO(onnx_list_done) struct onnx_list list = { 0 };
    uint64_t dims[2] = { 0 };
    uint32_t inputs, outputs;

    if (!tensor || onnx_tensor_numbers(tensor->bytes, &list, dims) < 0)
        return refuse(chain, -EOPNOTSUPP, "a layer's weights are not a constant matrix");
    if (dims[0] > RV_FOREST_WIDTH_MAX || dims[1] > RV_FOREST_WIDTH_MAX)
        return refuse(chain, -EOPNOTSUPP, "a layer is too wide");
    inputs = (uint32_t)dims[by_output ? 1 : 0];
    outputs = (uint32_t)dims[by_output ? 0 : 1];
    chain->last = mlp_add_layer(chain->mlp, inputs, outputs);
    if (!chain->last)
        return refuse(chain, -EOPNOTSUPP, "there are too many layers, or one is too wide");
    for (uint32_t o = 0; o < outputs; o++) {
        for (uint32_t i = 0; i < inputs; i++)
            chain->last->weights[(size_t)o * inputs + i] =
                (float)list.values[by_output ? (size_t)o * inputs + i : (size_t)i * outputs + o];
    }
    chain->biased = chain->activated = false;
    return 0;
}

static int add_bias(struct chain *chain, struct rv_span name)
{
    const struct onnx_tensor *tensor = onnx_find_tensor(chain->graph, name);
    RV_AUTO(onnx_list_done) struct onnx_list list = { 0 };
    uint64_t dims[2];

    if (!chain->last || chain->biased || chain->activated || !tensor ||
        onnx_tensor_numbers(tensor->bytes, &list, dims) < 0 ||
        (list.count != chain->last->outputs && list.count != 1))
        return refuse(chain, -EOPNOTSUPP, "an Add is not the bias of a layer");
    for (uint32_t o = 0; o < chain->last->outputs; o++)
        chain->last->biases[o] = (float)list.values[list.count == 1 ? 0 : o];
    chain->biased = true;
    return 0;
}

static int read_gemm(struct chain *chain, const struct onnx_node *node)
{
    double alpha = onnx_float(node, "alpha", 1), beta = onnx_float(node, "beta", 1);
    int r;

    if (node->input_count < 2 || alpha < 1 || alpha > 1 || beta < 1 || beta > 1 ||
        onnx_integer(node, "transA", 0) != 0)
        return refuse(chain, -EOPNOTSUPP, "a Gemm scales or transposes its input");
    r = add_layer(chain, node->inputs[1], onnx_integer(node, "transB", 0) != 0);
    if (r == 0 && node->input_count > 2)
        r = add_bias(chain, node->inputs[2]);
    return r;
}

static int read_activation(struct chain *chain, enum rv_mlp_activation activation)
{
    if (!chain->last || chain->activated)
        return refuse(chain, -EOPNOTSUPP, "an activation does not follow a layer");
    chain->last->activation = activation;
    chain->activated = true;
    return 0;
}

static int read_node(struct chain *chain, const struct onnx_node *node)
{
    static const struct {
        const char *op;
        enum rv_mlp_activation activation;
    } activations[] = { { "Relu", RV_MLP_RELU },
                        { "Sigmoid", RV_MLP_SIGMOID },
                        { "Tanh", RV_MLP_TANH } };
    bool first = node->input_count > 0 && rv_span_eq(node->inputs[0], chain->name);
    bool second = node->input_count > 1 && rv_span_eq(node->inputs[1], chain->name);

    if ((!first && !second) || node->output_count != 1)
        return refuse(chain, -EOPNOTSUPP, "the graph is not one chain");
    chain->name = node->outputs[0];
    if (onnx_is(node->op, "Add") && node->input_count == 2)
        return add_bias(chain, node->inputs[first ? 1 : 0]);
    if (!first)
        return refuse(chain, -EOPNOTSUPP, "the graph is not one chain");
    if (onnx_is(node->op, "Gemm"))
        return read_gemm(chain, node);
    if (onnx_is(node->op, "MatMul") && node->input_count == 2)
        return add_layer(chain, node->inputs[1], false);
    for (size_t i = 0; i < RV_COUNT(activations); i++) {
        if (onnx_is(node->op, activations[i].op))
            return read_activation(chain, activations[i].activation);
    }
    if (onnx_is(node->op, "Cast") || onnx_is(node->op, "Identity"))
        return 0;
    return refuse(chain, -EOPNOTSUPP, "the graph has an operator that is not imported");
}

int rv_import_onnx_mlp(struct rv_span file, struct rv_mlp **ret_mlp, struct rv_import_error *reterr)
{
    RV_AUTO(rv_freep) struct onnx_graph *graph = calloc(1, sizeof(*graph));
    RV_AUTO(rv_mlp_free) struct rv_mlp *mlp = calloc(1, sizeof(*mlp));
    struct chain chain = { .graph = graph, .mlp = mlp, .reterr = reterr };
    const char *wrong;
    int r;

    if (file.len > RV_IMPORT_BYTES_MAX)
        return import_refuse(reterr, -EINVAL, "the file is too large");
    if (!graph || !mlp)
        return -ENOMEM;
    r = onnx_parse(file, graph, reterr);
    chain.name = graph->input;
    for (size_t i = 0; r == 0 && i < graph->node_count; i++)
        r = read_node(&chain, &graph->nodes[i]);
    if (r < 0)
        return r;
    wrong = mlp_check(mlp);
    if (wrong)
        return import_refuse(reterr, -EOPNOTSUPP, "%s", wrong);
    if (chain.last->activation == RV_MLP_SIGMOID)
        chain.last->activation = RV_MLP_LINEAR;
    *ret_mlp = RV_TAKE(mlp);
    return 0;
}
