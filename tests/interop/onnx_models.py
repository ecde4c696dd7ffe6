#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes ONNX tree ensembles of every form that Reeve imports into a folder: needs python3-onnx."""
import random
import sys

import numpy
from onnx import TensorProto, helper, numpy_helper

WIDTH = 12


def tree(rng, depth, modes):
    """A random tree: ("leaf", weight) or (feature, threshold, mode, yes, no)."""
    if depth == 0 or rng.random() < 0.1:
        return ("leaf", rng.uniform(-1, 1))
    threshold = rng.choice([rng.uniform(0, 50), float(rng.randrange(50))])
    return (rng.randrange(WIDTH), threshold, rng.choice(modes),
            tree(rng, depth - 1, modes), tree(rng, depth - 1, modes))


def old_form(trees, prefix, targets):
    """Attributes of versions 1 to 3. `targets(weight)` lists (id, weight) of a leaf."""
    nodes = {"nodes_" + key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes",
                                            "truenodeids", "falsenodeids", "hitrates")}
    leaves = {prefix + key: [] for key in ("_treeids", "_nodeids", "_ids", "_weights")}

    def add(number, node, count):
        at = len(nodes["nodes_treeids"])
        name = count[0]
        count[0] += 1
        row = [number, name, 0, 0.0, "LEAF", 0, 0, 1.0]
        for key, value in zip(nodes, row):
            nodes[key].append(value)
        if node[0] == "leaf":
            for target, weight in targets(node[1]):
                for key, value in zip(leaves, [number, name, target, weight]):
                    leaves[key].append(value)
        else:
            nodes["nodes_featureids"][at] = node[0]
            nodes["nodes_values"][at] = node[1]
            nodes["nodes_modes"][at] = "BRANCH_" + node[2]
            nodes["nodes_truenodeids"][at] = add(number, node[3], count)
            nodes["nodes_falsenodeids"][at] = add(number, node[4], count)
        return name

    for number, root in enumerate(trees):
        add(number, root, [0])
    return {**nodes, **leaves}


MODES_5 = ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"]


def new_form(trees):
    """Attributes of version 5."""
    split = {key: [] for key in ("feature", "value", "mode", "yes", "no", "yes_leaf", "no_leaf")}
    roots, weights = [], []

    def add(node):
        if node[0] == "leaf":
            weights.append(node[1])
            return len(weights) - 1, 1
        at = len(split["feature"])
        for key, value in zip(split, [node[0], node[1], MODES_5.index(node[2]), 0, 0, 0, 0]):
            split[key].append(value)
        split["yes"][at], split["yes_leaf"][at] = add(node[3])
        split["no"][at], split["no_leaf"][at] = add(node[4])
        return at, 0

    for root in trees:
        if root[0] == "leaf":
            root = (0, 0.0, "LT", root, root)
        roots.append(add(root)[0])
    tensor = lambda name, values, kind: numpy_helper.from_array(numpy.array(values, kind), name)
    return dict(tree_roots=roots, nodes_featureids=split["feature"],
                nodes_splits=tensor("s", split["value"], numpy.float32),
                nodes_modes=tensor("m", split["mode"], numpy.uint8),
                nodes_truenodeids=split["yes"], nodes_falsenodeids=split["no"],
                nodes_trueleafs=split["yes_leaf"], nodes_falseleafs=split["no_leaf"],
                leaf_targetids=[0] * len(weights),
                leaf_weights=tensor("w", weights, numpy.float32), n_targets=1)


def save(path, nodes, outputs, version=3, initializers=()):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, WIDTH])], outputs,
        initializer=list(initializers))
    model = helper.make_model(graph, ir_version=8, opset_imports=[
        helper.make_opsetid("ai.onnx.ml", version), helper.make_opsetid("", 17)])
    with open(path, "wb") as to:
        to.write(model.SerializeToString())


def main(folder):
    rng = random.Random(7)
    y = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])]
    both = [helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2])]
    many = lambda count, depth, modes: [tree(rng, depth, modes) for _ in range(count)]
    one = lambda weight: [(0, weight)]
    regress = lambda trees, **more: helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        **old_form(trees, "target", one), **more)
    classify = lambda trees, targets, **more: helper.make_node(
        "TreeEnsembleClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml",
        classlabels_int64s=[0, 1], **old_form(trees, "class", targets), **more)

    # The file's name says how its last output relates to our margin.
    save(f"{folder}/margin-sum.onnx", [regress(many(10, 4, ["LT", "LEQ", "GT", "GTE"]),
                                               base_values=[0.25])], y)
    save(f"{folder}/margin-average.onnx", [regress(many(7, 3, ["LEQ"]),
                                                   aggregate_function="AVERAGE")], y)
    save(f"{folder}/margin-equal.onnx", [regress(many(5, 3, ["EQ", "NEQ", "LT"]))], y)
    save(f"{folder}/margin-five.onnx",
         [helper.make_node("TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml",
                           **new_form(many(6, 4, MODES_5)))], y, version=5)
    save(f"{folder}/logistic-binary.onnx",
         [classify(many(9, 4, ["LT"]), one, post_transform="LOGISTIC")], both)
    save(f"{folder}/share-binary.onnx",
         [classify([("leaf", 0.1)] + many(1, 0, ["LT"]) + [
             (1, 20.0, "LEQ", ("leaf", 0.2), ("leaf", 0.7))], lambda w: [(1, abs(w))])], both)
    save(f"{folder}/softmax-two.onnx",
         [classify(many(8, 4, ["LEQ"]), lambda w: [(0, -w / 2), (1, w)],
                   post_transform="SOFTMAX")], both)
    add = numpy_helper.from_array(numpy.array([0.5], numpy.float32), "c")
    node = regress(many(4, 3, ["LT"]))
    node.output[0] = "z"
    save(f"{folder}/margin-added.onnx", [node, helper.make_node("Add", ["z", "c"], ["y"])], y,
         initializers=[add])

    # Dense networks: as Gemm and as MatMul and Add.
    rand = numpy.random.RandomState(5)
    constant = lambda name, *shape: numpy_helper.from_array(
        rand.uniform(-0.3, 0.3, shape).astype(numpy.float32), name)
    save(f"{folder}/dense-gemm.onnx",
         [helper.make_node("Gemm", ["x", "w1", "b1"], ["h1"], transB=1),
          helper.make_node("Relu", ["h1"], ["h2"]),
          helper.make_node("Gemm", ["h2", "w2", "b2"], ["h3"]),
          helper.make_node("Tanh", ["h3"], ["h4"]),
          helper.make_node("Gemm", ["h4", "w3", "b3"], ["h5"], transB=1),
          helper.make_node("Sigmoid", ["h5"], ["y"])], y,
         initializers=[constant("w1", 16, WIDTH), constant("b1", 16), constant("w2", 16, 8),
                       constant("b2", 8), constant("w3", 1, 8), constant("b3", 1)])
    save(f"{folder}/dense-matmul.onnx",
         [helper.make_node("MatMul", ["x", "w1"], ["h1"]),
          helper.make_node("Add", ["h1", "b1"], ["h2"]),
          helper.make_node("Sigmoid", ["h2"], ["h3"]),
          helper.make_node("MatMul", ["h3", "w2"], ["h4"]),
          helper.make_node("Add", ["b2", "h4"], ["h5"]),
          helper.make_node("Sigmoid", ["h5"], ["y"])], y,
         initializers=[constant("w1", WIDTH, 10), constant("b1", 10), constant("w2", 10, 1),
                       constant("b2", 1)])


if __name__ == "__main__":
    main(sys.argv[1])
