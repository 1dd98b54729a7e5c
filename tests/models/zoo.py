"""What the model scripts share: the table of models, pictures, random weights, and ways to write an ONNX file."""

import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import torch
from torch import nn

Inputs = dict[str, np.ndarray]
# Name -> function that writes the ONNX file at the path it is given and returns what to feed it.
MODELS: dict[str, Callable[[Path], Inputs]] = {}


def model(name: str, **options):
    """Registers a function under a name, with options bound; a function may be registered several times."""

    def register(function):
        assert name not in MODELS, name
        MODELS[name] = functools.partial(function, **options)
        return function

    return register


def seed(name: str) -> None:
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    torch.manual_seed(value)
    np.random.seed(value)


def picture(height: int, width: int, number: int = 0) -> np.ndarray:
    """A structured picture [height, width, 3] u8: gradients, stripes, boxes, discs and a little noise."""
    rng = np.random.default_rng(1000 + number)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = [90 + 120 * x / width, 70 + 110 * y / height, 120 + 60 * np.sin(x / 9 + number) * np.cos(y / 13)]
    image = np.stack(base, axis=-1)
    for _ in range(24):
        colour = rng.integers(0, 256, 3)
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        ry, rx = rng.uniform(3, height / 6 + 4), rng.uniform(3, width / 6 + 4)
        box = (abs(y - cy) < ry) & (abs(x - cx) < rx)
        disc = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        image[box if rng.random() < 0.5 else disc] = colour
    image += rng.normal(0, 4, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def nchw(size, batch: int = 1, scale: float = 1 / 255, mean=0.0, channels: int = 3) -> torch.Tensor:
    """Pictures as [batch, channels, height, width] f32: (picture - mean) * scale."""
    pictures = np.stack([picture(*size, number) for number in range(batch)])[..., :channels]
    values = (torch.tensor(pictures).float() - torch.tensor(mean)) * scale
    return values.permute(0, 3, 1, 2).contiguous()


def randomise(net: nn.Module, x: torch.Tensor) -> nn.Module:
    """Draws the weights, sets the running statistics of every batch norm to what the picture gives, then shakes them
    and gamma and beta, so that values stay near unit size and folding has something to fold."""
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)) and m.weight.requires_grad:
            transposed = isinstance(m, nn.ConvTranspose2d)
            taps = m.in_channels * m.weight[0, 0].numel() / m.groups / np.prod(m.stride) if transposed else m.weight[0].numel()
            nn.init.normal_(m.weight, 0, float(np.sqrt(1.7 / taps)))
            if m.bias is not None:
                nn.init.normal_(m.bias, 0, 0.2)
    with torch.no_grad():  # what starts as zeros or ones: norms, layer scales, PReLU, positions
        for p in net.parameters():
            if p.requires_grad and p.numel() > 1 and p.min() == p.max():
                p += 0.2 * torch.randn_like(p)
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [m.momentum for m in norms]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
        nn.init.uniform_(m.weight, 0.7, 1.4)
        nn.init.normal_(m.bias, 0, 0.25)
    if norms:
        net.train()
        with torch.no_grad():
            net(x if len(x) > 1 else x.repeat(2, 1, 1, 1))
    for m, momentum in zip(norms, momenta):
        m.momentum = momentum
        with torch.no_grad():
            m.running_mean += 0.1 * m.running_var.sqrt() * torch.randn_like(m.running_mean)
            m.running_var *= torch.empty_like(m.running_var).uniform_(0.8, 1.25)
    return net.eval()


def calibrate(net: nn.Module, x: torch.Tensor, targets) -> nn.Module:
    """Rescales layers so that the output of each has about the mean and deviation asked: targets are (layer, mean, std)."""
    seen = {}
    hooks = [m.register_forward_hook(lambda m, _, out: seen.setdefault(m, out)) for m, _, _ in targets]
    with torch.no_grad():
        net(x)
        for m, mean, std in targets:
            values = seen[m].movedim(1 if seen[m].ndim == 4 else -1, 0).flatten(1)  # channels first
            spread = values.std(1).mean() if values.shape[1] > 1 else torch.tensor(0.0)
            gain = std / spread if spread > 1e-2 else 1.0  # a map of one pixel has none
            m.weight *= gain
            if m.bias is not None:
                centre = mean + 0.5 * std * torch.randn_like(m.bias)
                m.bias.copy_(centre - gain * (values.mean(1) - m.bias))
    for hook in hooks:
        hook.remove()
    return net


def export(net, x, path, opset=17, outputs=None, dynamic=None, raw=False, dynamo=False, inputs=("images",), **options):
    """Writes a torch module. `raw` keeps batch norms and constant expressions as they are in the graph."""
    args = x if isinstance(x, tuple) else (x,)
    if outputs is None:
        with torch.no_grad():
            results = net.eval()(*args)
        outputs = [f"out{i}" for i in range(len(results))] if isinstance(results, (tuple, list)) else ["out0"]
    if raw:
        options |= {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(), args, str(path), opset_version=opset, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes=dynamic if not dynamo else None, dynamo=dynamo, **options,
        )  # fmt: skip
    return {name: a.detach().numpy() for name, a in zip(inputs, args)}


def weights(**shapes) -> dict[str, np.ndarray]:
    """Normal values; a kernel [out, in, ...] is divided by the root of its fan-in."""
    make = lambda s: np.random.normal(0, 1 / np.sqrt(max(1, np.prod(s[1:]))) if len(s) > 1 else 0.3, s)
    return {name: make(shape).astype(np.float32) for name, shape in shapes.items()}


def hand(path, text, inputs: Inputs, opset=17, ir=None, tensors=None, outputs=None, listed=False, nodes=False):
    """Writes a graph given as node lines of onnx.parser. `tensors` are its initializers (`listed`: also as inputs, as
    in old files; `nodes`: as Constant nodes instead). Outputs are the names y, y0, y1... unless told."""
    ir = ir or {9: 4, 11: 6, 12: 7, 13: 7, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10}.get(opset, 10)
    body = onnx.parser.parse_graph("g (float x) => (float y) {" + text + "}")
    tensors = {k: onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in (tensors or {}).items()}
    info = lambda k, v: onnx.helper.make_tensor_value_info(k, v[0], v[1])
    ins = [info(k, (onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)) for k, v in inputs.items()]
    if listed:
        ins += [info(t.name, (t.data_type, t.dims)) for t in tensors.values()]
    constants = [onnx.helper.make_node("Constant", [], [k], value=t) for k, t in tensors.items()] if nodes else []
    made = [o for node in body.node for o in node.output]
    outputs = outputs or [o for o in made if o == "y" or (o[0] == "y" and o[1:].isdigit())]
    outs = [onnx.helper.make_empty_tensor_value_info(o) for o in outputs]
    init = [] if nodes else list(tensors.values())
    graph = onnx.helper.make_graph([*constants, *body.node], "graph", ins, outs, init)
    file = onnx.helper.make_model(graph, ir_version=ir, opset_imports=[onnx.helper.make_opsetid("", opset)])
    session = ort.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
    results = zip(outputs, session.run(outputs, inputs))
    file.graph.ClearField("output")
    kind = onnx.helper.np_dtype_to_tensor_dtype
    file.graph.output.extend(info(name, (kind(value.dtype), value.shape)) for name, value in results)
    onnx.save(file, path)
    return inputs
