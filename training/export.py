"""Write a checkpoint as the project's model file (docs/MODEL_FORMAT.md) and as ONNX."""

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import nn

from evaluate import load_checkpoint
from losses import FOCUS_IGNORE_PX, FOCUS_MAX_PX, FOCUS_MIN_PX
from model import BINS, FOCUS_STRIDE, PIXEL_MEAN, PIXEL_STD, STRIDES, ConvUnit, Detector

LICENCE = "CC-BY-4.0"
"""Of weights trained on HIT-UAV, unless `--licence` says otherwise."""
SOURCE = "trained by training/train.py on HIT-UAV (Suo et al., Scientific Data 2023, CC BY 4.0)"
OPSET = 13


class Builder:
    """Nodes and tensors of the folded network, in order of use."""

    def __init__(self):
        self.nodes: list[dict] = []
        self.tensors: dict[str, np.ndarray] = {}

    def conv(
        self,
        name: str,
        source: str,
        module: ConvUnit | nn.Conv2d,
        activation: str | None = None,
        residual: str | None = None,
        scales: tuple[float, float] = (1.0, 1.0),
    ) -> str:
        """A convolution, folded if it is a unit; `residual` is added. `scales` multiply its kernel and its bias."""
        if isinstance(module, ConvUnit):
            weight, bias = module.folded()
            activation, stride = module.activation, module.stride
        else:
            weight, bias, stride = module.weight.detach(), module.bias.detach(), 1
        side = weight.shape[2]
        # safetensors writes an array's memory as it lies, so channels must not lie last.
        self.tensors[f"{name}.weight"] = (weight * scales[0]).contiguous().numpy().astype(np.float16)
        self.tensors[f"{name}.bias"] = (bias * scales[1]).numpy().astype(np.float16)
        node = {
            "name": name,
            "inputs": [source] if residual is None else [source, residual],
            "op": "conv",
            "weight": f"{name}.weight",
            "bias": f"{name}.bias",
            "stride": [stride, stride],
            "padding": [side // 2] * 4,
            "dilation": [1, 1],
            "groups": 1,
        }
        if activation is not None:
            node["activation"] = {"kind": activation}
        if residual is not None:
            node["residual"] = "before_activation"
        self.nodes.append(node)
        return name

    def doubled(self, name: str, source: str, size: list[int]) -> str:
        self.nodes.append({"name": name, "inputs": [source], "op": "resize", "kind": "nearest_asymmetric_floor", "size": size})
        return name


def document(model: Detector, classes: list[str], height: int, width: int, about: dict) -> tuple[dict, dict[str, np.ndarray]]:
    """The model document and its f16 tensors. `about` is merged into the document: name, licence, source, recommendations.

    A fusion factor is folded: `layer(inner + a * up)` is `(a * layer)(inner / a + up)`.
    """
    model.eval()
    b = Builder()
    x = b.conv("stem", "picture", model.stem)
    features = []
    for level, stage in enumerate(model.stages):
        for place, unit in enumerate(stage):
            x = b.conv(f"stage{level}.{place}", x, unit)
        features.append(x)
    alphas = model.alphas.tolist()
    top = len(alphas)
    p, pyramid = b.conv(f"inner{top}", features[top], model.inner[top]), []
    for level in reversed(range(top)):
        alpha = alphas[level]
        if abs(alpha) < 1e-3:
            raise ValueError(f"fusion factor {alpha} of edge {level} cannot be folded")
        up = b.doubled(f"up{level}", p, [height >> (level + 2), width >> (level + 2)])
        p = b.conv(f"inner{level}", features[level], model.inner[level], residual=up, scales=(1 / alpha, 1 / alpha))
        p = b.conv(f"layer{level}", p, model.layer[level], scales=(alpha, 1.0))
        pyramid.insert(0, p)
    levels = []
    for level, (head, stride) in enumerate(zip(model.heads, STRIDES, strict=True)):
        unit = b.conv(f"class_unit{level}", pyramid[level], head.class_unit)
        scores = b.conv(f"classes{level}", unit, head.class_out, "sigmoid")
        unit = b.conv(f"distance_unit{level}", pyramid[level], head.distance_unit)
        distances = b.conv(f"distances{level}", unit, head.distance_out)
        levels.append({"stride": stride, "classes": scores, "distances": distances})
    unit = b.conv("focus_unit", pyramid[STRIDES.index(FOCUS_STRIDE)], model.focus_unit)
    focus = b.conv("focus", unit, model.focus_out, "sigmoid")
    result = {
        "version": 1,
        **about,
        "input": {
            "width": width,
            "height": height,
            "order": "rgb",
            "mean": [PIXEL_MEAN] * 3,
            "std": [PIXEL_STD] * 3,
            "resize": "letterbox_top_left",
            "pad": PIXEL_MEAN,
        },
        "classes": classes,
        "head": {"kind": "gfl", "bins": BINS, "centre": 0.5, "levels": levels},
        "focus": {"map": focus, "stride": FOCUS_STRIDE, "a": FOCUS_MIN_PX, "b": FOCUS_MAX_PX, "c": FOCUS_IGNORE_PX},
        "fusion": [{"edge": f"inner{level}", "alpha": alpha} for level, alpha in enumerate(alphas)],
        "graph": {"input": "picture", "nodes": b.nodes},
    }
    return result, b.tensors


def to_onnx(doc: dict, tensors: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The same network in f32 with the f16 values: `picture`, normalised [1, 3, h, w], to all maps that the heads read."""
    nodes, constants = [], [numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()]
    constants.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "double"))
    for node in doc["graph"]["nodes"]:
        name, inputs = node["name"], node["inputs"]
        if node["op"] == "resize":
            modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            nodes.append(helper.make_node("Resize", [inputs[0], "", "double"], [name], name, **modes))
            continue
        act = node.get("activation", {}).get("kind")
        raw = f"{name}.raw" if act or len(inputs) > 1 else name
        sides = {"strides": node["stride"], "pads": node["padding"], "group": node["groups"]}
        nodes.append(helper.make_node("Conv", [inputs[0], node["weight"], node["bias"]], [raw], raw, **sides))
        if len(inputs) > 1:
            nodes.append(helper.make_node("Add", [raw, inputs[1]], [name], name))
        elif act:
            nodes += _activation(act, raw, name)
    outputs = [level[key] for level in doc["head"]["levels"] for key in ("classes", "distances")] + [doc["focus"]["map"]]
    shape = [1, 3, doc["input"]["height"], doc["input"]["width"]]
    graph = helper.make_graph(
        nodes,
        doc["name"],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model


def _activation(kind: str, source: str, name: str) -> list[onnx.NodeProto]:
    """Nodes of an activation; the product ones take two, as importers know them from PyTorch."""
    if kind == "hard_swish":
        gate = helper.make_node("HardSigmoid", [source], [f"{name}.gate"], f"{name}.gate", alpha=1 / 6, beta=0.5)
        return [gate, helper.make_node("Mul", [source, f"{name}.gate"], [name], name)]
    if kind == "silu":
        gate = helper.make_node("Sigmoid", [source], [f"{name}.gate"], f"{name}.gate")
        return [gate, helper.make_node("Mul", [source, f"{name}.gate"], [name], name)]
    return [helper.make_node({"relu": "Relu", "sigmoid": "Sigmoid"}[kind], [source], [name], name)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="NAME.safetensors or NAME.onnx; NAME is the model's name")
    parser.add_argument("--weights", choices=["ema", "model"], default="ema")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=320)
    parser.add_argument("--licence", default=LICENCE)
    parser.add_argument("--source", default=SOURCE)
    parser.add_argument("--recommended", type=json.loads, help='JSON, such as {"tile": [256, 256], "overlap": 0.2}')
    arguments = parser.parse_args()
    if arguments.width % 32 or arguments.height % 32:
        parser.error("sides must be multiples of 32")
    model, checkpoint = load_checkpoint(arguments.checkpoint, arguments.weights)
    about = {"name": arguments.out.stem, "licence": arguments.licence, "source": arguments.source}
    if arguments.recommended:
        about["recommended"] = arguments.recommended
    doc, tensors = document(model, checkpoint["classes"], arguments.height, arguments.width, about)
    if arguments.out.suffix == ".onnx":
        onnx.save(to_onnx(doc, tensors), arguments.out)
    else:
        save_file(tensors, arguments.out, metadata={"tilehawk": json.dumps(doc, separators=(",", ":"))})
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes, after {checkpoint['seen']:,} patches")


if __name__ == "__main__":
    main()
