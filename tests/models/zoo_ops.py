"""Small nets, one topic of the importer each: an operator and its attributes, or a way of writing a file."""

import itertools

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn
from zoo import MODELS, export, hand, model, nchw, randomise, weights

SIZE = (96, 128)


class Soup(nn.Module):
    """Two convolutions to a signed map [N, 16, H/4, W/4], then a function of the layers and the map."""

    def __init__(self, body, layers):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU(), nn.Conv2d(12, 16, 3, 2, 1), nn.BatchNorm2d(16))
        self.body = body
        for name, make in layers.items():
            setattr(self, name, make())

    def forward(self, x):
        return self.body(self, self.stem(x))


def soup(name, opsets=(17,), size=SIZE, batch=1, how=None, **layers):
    """Registers a Soup with the decorated function as its body; several opsets make several models."""

    def register(body):
        for opset in opsets:

            def write(path, opset=opset):
                x = nchw(size, batch, scale=1 / 64, mean=110.0)
                net = randomise(Soup(body, layers), x)
                return export(net, x, path, opset, **(how or {}))

            model(name if len(opsets) == 1 else f"{name}_op{opset}")(write)
        return body

    return register


conv = lambda *a, **k: lambda: nn.Conv2d(*a, **k)

# --- convolutions and pools -------------------------------------------------------------------------------------------


@soup(
    "op_conv_transpose",
    a=lambda: nn.ConvTranspose2d(16, 24, 2, 2),
    b=lambda: nn.ConvTranspose2d(24, 16, 4, 2, 1, groups=4, bias=False),
    c=lambda: nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1),
    d=lambda: nn.ConvTranspose2d(16, 8, 3, 1, 2, dilation=2),
    e=lambda: nn.ConvTranspose2d(16, 8, (2, 5), (2, 1), (0, 2)),
)
def _(m, x):
    y = F.relu(m.a(x))
    return y, m.b(y), m.c(x), m.d(x), m.e(x)


@soup(
    "op_conv_dilation",
    a=conv(16, 16, 3, padding=2, dilation=2),
    b=conv(16, 16, 3, padding=(3, 1), dilation=(3, 1)),
    c=conv(16, 8, (1, 7), padding=(0, 3)),
    d=conv(16, 8, (7, 1), (2, 1), (3, 0)),
    e=conv(16, 8, 2, padding=0),
    f=conv(16, 8, 4, 4),
)
def _(m, x):
    y = F.silu(m.b(F.silu(m.a(x))))
    return y, m.c(y), m.d(y), m.e(y), m.f(y)


@soup(
    "op_conv_groups",
    a=conv(16, 32, 3, padding=1, groups=4),
    b=conv(32, 32, 5, padding=2, groups=32, bias=False),
    c=conv(32, 64, 3, 2, 1, groups=32),
    d=conv(64, 10, 1, groups=2),
)
def _(m, x):
    return m.d(F.leaky_relu(m.c(F.relu(m.b(F.relu6(m.a(x))))), 0.1))


def unfolded(m, x):
    a, b = F.relu(m.n1(m.a(m.n0(x)))), m.n2(m.b(x))
    both = m.n3(torch.cat([a, b], 1))
    return F.hardswish(both), m.n4(m.c(both))


LAYERS = {"a": conv(16, 8, 3, padding=1, bias=False), "b": conv(16, 8, 1), "c": lambda: nn.ConvTranspose2d(16, 6, 2, 2)}
NORMS = {f"n{i}": lambda c=c, i=i: nn.BatchNorm2d(c, eps=1e-3 * i + 1e-5) for i, c in enumerate((16, 8, 8, 16, 6))}
soup("op_batchnorm_unfolded", (9, 15), how={"raw": True}, **LAYERS, **NORMS)(unfolded)


@soup("op_pools", size=(92, 120))
def _(m, x):  # maps of 23x30
    return (
        F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, 1), F.max_pool2d(x, 2, ceil_mode=True), F.max_pool2d(x, 5, 1, 2),
        F.max_pool2d(x, 3, 1, 1, dilation=2), F.avg_pool2d(x, 2), F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        F.avg_pool2d(x, 3, 2, 1, count_include_pad=True), F.avg_pool2d(x, 2, ceil_mode=True),
        F.avg_pool2d(x, 3, 2, ceil_mode=True, count_include_pad=False),
        F.avg_pool2d(x, (1, 4), (1, 2)), F.adaptive_avg_pool2d(x[:, :, :21, :28], (3, 4)),
    )  # fmt: skip


@soup("op_se", opsets=(11, 17), a=conv(16, 4, 1), b=conv(4, 16, 1), c=conv(16, 16, 1))
def _(m, x):
    pooled = x * F.hardsigmoid(m.b(F.relu(m.a(F.adaptive_avg_pool2d(x, 1)))))
    spatial = pooled * torch.sigmoid(m.c(pooled.mean((2, 3), keepdim=True)))
    return spatial, spatial * F.adaptive_max_pool2d(x, 1)


@soup("op_reduce", opsets=(11, 13, 18))
def _(m, x):
    return (
        x.mean((2, 3), keepdim=True), x.mean((2, 3)), x.mean(1, keepdim=True), x.mean(2, keepdim=True), x.mean(-1),
        x.mean((1, 2, 3)), x.sum(1, keepdim=True), x.amax((2, 3), keepdim=True), x.amax(1, keepdim=True), x.amin(3),
        x.norm(p=2, dim=1, keepdim=True),
    )  # fmt: skip


# --- activations and arithmetic ---------------------------------------------------------------------------------------


@soup(
    "op_activations",
    opsets=(9, 12, 14, 17, 20),
    p=lambda: nn.PReLU(16, 0.2),
    q=lambda: nn.PReLU(1, -0.1),
)
def _(m, x):
    parts = [
        F.relu(x), F.relu6(x), F.leaky_relu(x, 0.1), F.silu(x), F.hardswish(x), F.hardsigmoid(x), F.mish(x),
        torch.tanh(x), F.gelu(x), F.gelu(x, approximate="tanh"), m.p(x), m.q(x), F.elu(x, 0.7), F.selu(x),
        F.softplus(x), F.softsign(x), F.logsigmoid(x), torch.sigmoid(x), F.hardtanh(x, -0.5, 0.7),
    ]  # fmt: skip
    return torch.cat(parts, 1)


@soup("op_activations_decomposed", opsets=(11, 17), a=conv(16, 16, 1))
def _(m, x):
    y = m.a(x * torch.clamp(x + 3, 0, 6) / 6)
    y = y * (F.relu6(y + 3.0) * (1 / 6))
    mish = y * torch.tanh(torch.log(1 + torch.exp(y)))
    gelu = 0.5 * y * (1 + torch.erf(y / 2**0.5))
    fast = y * 0.5 * (1 + torch.tanh(0.7978845608 * (y + 0.044715 * y**3)))
    quick = y * torch.sigmoid(1.702 * y)
    return torch.cat([mish, gelu, fast, quick, torch.clamp(y, min=-0.2), torch.clamp(y, max=0.3)], 1)


@soup("op_math")
def _(m, x):
    a = x.abs() + 0.2
    parts = [
        a**2, a**0.5, a.sqrt(), a.rsqrt(), x.clamp(max=3).exp(), a.log(), x.abs(), -x, a.reciprocal(), 2 - x, 3 / a,
        torch.minimum(x, a - 1), torch.maximum(x, 0.5 - a), x.floor(), x.ceil(), x.sin(), x.cos(), x.sign(), x.erf(),
        torch.where(x > 0.1, x, a), (x >= 0).float() * x, torch.pow(a, 1.5), (x * 4).round(), torch.atan(x),
    ]  # fmt: skip
    return torch.cat(parts, 1)


@soup(
    "op_broadcast",
    c=lambda: nn.ParameterList([torch.randn(16, 1, 1), torch.randn(1, 16, 1, 1), torch.randn(32), torch.randn(24, 1)]),
)
def _(m, x):  # maps of 24x32
    row, column, middle = x.mean(2, keepdim=True), x.mean(3, keepdim=True), x.mean(1, keepdim=True)
    return torch.cat([x * m.c[0] + m.c[1], x - m.c[2], x + m.c[3], row * column, x / (2 + middle.abs()), row - x], 1)


@soup("op_softmax", opsets=(11, 13))
def _(m, x):
    return x.softmax(1), x.softmax(2), x.softmax(3), F.log_softmax(x, 1), x.flatten(2).transpose(1, 2).softmax(-1)


# --- attention and normalisation --------------------------------------------------------------------------------------


def attention(m, x):  # the block of YOLO11's C2PSA, then one of a transformer
    n, _, h, w = x.shape
    q, k, v = m.qkv(x).view(n, 4, 16, h * w).split([4, 4, 8], 2)
    scores = ((q.transpose(-2, -1) @ k) * 4**-0.5).softmax(-1)
    y = (v @ scores.transpose(-2, -1)).view(n, 32, h, w) + m.pe(v.reshape(n, 32, h, w))
    y = x + m.proj(y)
    t = y.flatten(2).transpose(1, 2)
    q, k, v = m.lin(t).reshape(n, h * w, 3, 2, 8).permute(2, 0, 3, 1, 4)
    mixed = (q @ k.transpose(-2, -1) / 8**0.5).softmax(-1) @ v + F.scaled_dot_product_attention(q, k, v)
    t = t + m.out(mixed.transpose(1, 2).reshape(n, h * w, 16))
    return y, t.transpose(1, 2).reshape(n, 16, h, w)


soup(
    "op_attention", (14, 17), qkv=conv(16, 64, 1), pe=conv(32, 32, 3, padding=1, groups=32), proj=conv(32, 16, 1),
    lin=lambda: nn.Linear(16, 48), out=lambda: nn.Linear(16, 16),
)(attention)  # fmt: skip


@soup("op_matmul", size=(64, 64), a=lambda: nn.Linear(256, 40), b=lambda: nn.Linear(40, 12, bias=False))
def _(m, x):  # maps of 16x16
    y = m.b(F.relu(m.a(x.flatten(2))))  # [1, 16, 12]
    return y, x.flatten(2) @ x.flatten(2).transpose(1, 2), x @ x, torch.einsum("nchw,nkh->nckw", x, x[:, 0])


@soup("op_gemm_classifier", opsets=(9, 17), a=lambda: nn.Linear(16, 20), b=lambda: nn.Linear(20, 7, bias=False))
def _(m, x):
    return m.b(F.relu(m.a(F.adaptive_avg_pool2d(x, 1).flatten(1)))).softmax(1)


@soup("op_layernorm", opsets=(12, 17), a=lambda: nn.LayerNorm(16), b=lambda: nn.LayerNorm([16, 24, 32]))
def _(m, x):
    mean = x.mean(1, keepdim=True)  # the channels-first kind, by hand
    var = (x - mean).pow(2).mean(1, keepdim=True)
    first = (x - mean) / torch.sqrt(var + 1e-6) * m.a.weight[:, None, None] + m.a.bias[:, None, None]
    return m.a(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), m.b(x), first


@soup(
    "op_groupnorm",
    opsets=(12, 18),
    a=lambda: nn.GroupNorm(4, 16),
    b=lambda: nn.GroupNorm(1, 16),
    c=lambda: nn.InstanceNorm2d(16, affine=True),
    d=lambda: nn.InstanceNorm2d(16),
)
def _(m, x):
    return torch.cat([m.a(x), m.b(x), m.c(x), m.d(x), F.normalize(x, dim=1)], 1)


# --- moving values about ----------------------------------------------------------------------------------------------


@soup("op_resize", opsets=(11, 13, 18), size=(64, 96))
def _(m, x):  # maps of 16x24
    up = lambda **k: F.interpolate(x, **k)
    return (
        up(scale_factor=2), up(size=(24, 40)), up(size=(8, 12)), up(scale_factor=2, mode="bilinear"),
        up(size=(31, 37), mode="bilinear"), up(size=(31, 37), mode="bilinear", align_corners=True),
        up(size=(8, 15), mode="bilinear"), up(size=(8, 15), mode="bilinear", align_corners=True),
        up(scale_factor=1.5, mode="bilinear", recompute_scale_factor=True), up(scale_factor=(1, 3)),
    )  # fmt: skip


@soup("op_upsample_op9", opsets=(9,))
def _(m, x):
    return F.interpolate(x, scale_factor=2), F.interpolate(x, scale_factor=(2, 3), mode="nearest")


@soup("op_shuffles", opsets=(11, 13), a=conv(16, 16, 1))
def _(m, x):
    n, c, h, w = x.shape
    mixed = x.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
    focus = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
    left, right = m.a(mixed).chunk(2, 1)
    return mixed, focus, torch.cat([right, left], 1), F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2), F.pixel_shuffle(x, 4)


@soup("op_pad", opsets=(10, 11, 13, 18), a=conv(16, 8, 3))
def _(m, x):
    pad = lambda *p, **k: F.pad(x, p, **k)
    return (
        m.a(pad(0, 1, 0, 1)), m.a(pad(1, 1, 1, 1)), pad(1, 2, 3, 4, value=-0.5), pad(2, 1, 1, 3, mode="reflect"),
        pad(3, 0, 0, 2, mode="replicate"), F.max_pool2d(pad(0, 1, 0, 1), 2, 1), pad(0, 0, 0, 0, 2, 3, value=1.0),
    )  # fmt: skip


@soup("op_slice", opsets=(10, 13))
def _(m, x):
    return x[..., 3:-2, 5:20], x[..., ::3, 1::2], x[:, ::2], x[:, -5:], x[:, 2:9, 4:], x[:, 3], x[..., 7], x[:, :1, 2]


@soup("op_split_gather_concat", opsets=(11, 13, 18), size=(64, 64))
def _(m, x):  # maps of 16x16
    a, b, c = x.split([3, 8, 5], 1)
    up, down = x.chunk(2, 2)
    left, right = x.chunk(2, 3)
    picked = x[:, [3, 1, 1, 15, 0]]
    stacked = torch.stack([up, down], 1).flatten(1, 2)
    return (
        torch.cat([c, b, a], 1), torch.cat([down, up], 2), torch.cat([right, left], 3), picked, x[:, :, [5, 2, 9]],
        stacked, torch.cat([x.flatten(2), up.flatten(2)], 2), x.unbind(1)[4], x.transpose(2, 3), x.permute(0, 3, 1, 2),
    )  # fmt: skip


@soup("op_expand_tile", opsets=(11, 17))
def _(m, x):
    pooled = x.mean((2, 3), keepdim=True)
    return pooled.expand(-1, 16, 5, 7), x.repeat(1, 2, 1, 2), x[:, :1].expand_as(x) - x, pooled.expand_as(x) * x


@soup("op_topk_argmax", opsets=(11, 17))
def _(m, x):
    best, where = x.flatten(1).topk(10)
    return x.argmax(1), x.max(1)[0], x.max(1)[1], best, where, x.argmax(1, keepdim=True)


DYNAMIC = {"images": {0: "batch"}, "out0": {0: "batch"}, "out1": {0: "batch"}}
ANY = {"images": {0: "batch", 2: "height", 3: "width"}}


@soup("op_flatten_dynamic", opsets=(11, 17), how={"dynamic": DYNAMIC}, a=lambda: nn.Linear(16 * 24 * 32, 12))
def _(m, x):
    y = x.reshape(x.size(0), 4, -1, x.size(2) * x.size(3))
    return m.a(x.view(x.size(0), -1)), y.permute(0, 3, 1, 2).reshape(x.shape[0], -1, 16)


@soup("op_shapes_dynamic", opsets=(11, 13, 17), how={"dynamic": ANY}, a=conv(16, 16, 3, 2, 1), b=conv(16, 8, 1))
def _(m, x):  # shape arithmetic all over: Shape, Gather, Mul, Floor, Concat, Range, Expand, ConstantOfShape
    h, w = x.shape[2:]
    small = F.relu(m.a(x))
    back = F.interpolate(small, size=(h, w), mode="nearest")
    wide = F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=True)
    gy, gx = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    grid = torch.stack((gx, gy), 0).float()[None].expand(x.shape[0], -1, -1, -1) + 0.5
    zeros = torch.zeros(x.shape[0], 1, h, w)
    return m.b(back + wide + x), torch.cat([grid * 0.1, zeros, torch.ones_like(x[:, :1]), torch.full_like(zeros, 2.5)], 1)


# --- whole nets in every opset, batch and writing ---------------------------------------------------------------------


class Net(nn.Module):
    """A plain small net of what every detector has: residual add, concat, upsample, pool, SiLU and two outputs."""

    def __init__(self):
        super().__init__()
        unit = lambda i, o, s: nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.SiLU())
        self.a, self.b, self.c, self.d = unit(3, 8, 2), unit(8, 16, 2), unit(16, 16, 1), unit(16, 24, 2)
        self.e, self.f = nn.Conv2d(40, 5, 1), nn.Conv2d(40, 4, 1)

    def forward(self, x):
        x = self.b(self.a(x))
        x = x + self.c(x)
        y = F.interpolate(self.d(x), scale_factor=2.0, mode="nearest")
        x = torch.cat([y, F.max_pool2d(x, 5, 1, 2)], 1)
        return self.e(x).sigmoid(), self.f(x).exp()


def plain(path, opset=17, batch=1, size=SIZE, change=None, scale=1 / 64, mean=110.0, **how):
    x = nchw(size, batch, scale, mean)
    inputs = export(randomise(Net(), x), x, path, opset, ["scores", "sizes"], **how)
    if change:
        file = onnx.load(path)
        change(file)
        onnx.save(file, path)
    return inputs


for opset in (9, 10, 11, 12, 13, 15, 17, 18, 20):
    model(f"net_op{opset}", opset=opset)(plain)
model("net_raw", raw=True)(plain)
model("net_batch3", batch=3)(plain)
model("net_batch_dynamic", batch=2, dynamic={k: {0: "batch"} for k in ("images", "scores", "sizes")})(plain)
model("net_size_dynamic", dynamic={k: {0: "n", 2: "h", 3: "w"} for k in ("images", "scores", "sizes")})(plain)
model("net_dynamo", opset=None, dynamo=True, external_data=False)(plain)
model("net_dynamo_op20", opset=20, dynamo=True, external_data=False)(plain)


def version(file, to):
    file.CopyFrom(onnx.version_converter.convert_version(file, to))


for opset in (21, 22, 23, 24):
    model(f"net_op{opset}", opset=18, change=lambda file, to=opset: version(file, to))(plain)


def constants(file):
    """Every initializer becomes a Constant node."""
    nodes = [onnx.helper.make_node("Constant", [], [t.name], value=t) for t in file.graph.initializer]
    nodes += list(file.graph.node)
    file.graph.ClearField("initializer"), file.graph.ClearField("node")
    file.graph.node.extend(nodes)


def listed(file):
    """Every initializer is also listed as an input, before the picture, as files of IR 3 must."""
    file.ir_version = 3
    picture = list(file.graph.input)
    file.graph.ClearField("input")
    make = onnx.helper.make_tensor_value_info
    file.graph.input.extend([make(t.name, t.data_type, t.dims) for t in file.graph.initializer] + picture)


def typed(file):
    """Weights in float_data and int64_data instead of raw_data."""
    for t in file.graph.initializer:
        values = numpy_helper.to_array(t)
        t.CopyFrom(onnx.helper.make_tensor(t.name, t.data_type, t.dims, values.flatten().tolist()))


def halves(file):
    """Weights kept in float16, each with a Cast to float32."""
    casts = []
    for t in file.graph.initializer:
        if t.data_type == onnx.TensorProto.FLOAT:
            name = t.name
            t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float16), name + ".half"))
            casts.append(onnx.helper.make_node("Cast", [t.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *file.graph.node]
    file.graph.ClearField("node")
    file.graph.node.extend(nodes)


def bare(file):
    """No node names, names of values that are numbers or odd, no shapes of values in between, dead nodes and weights."""
    names = {}
    keep = {i.name for i in file.graph.input} | {o.name for o in file.graph.output}
    odd = lambda i: ["%d", "Conv/%d:0", "größe %d", "a..%d", "%d/"][i % 5] % i
    rename = lambda n: n if n in keep or not n else names.setdefault(n, odd(len(names)))
    for t in file.graph.initializer:
        t.name = rename(t.name)
    for node in file.graph.node:
        node.name, node.doc_string = "", "x" * 50
        node.input[:], node.output[:] = map(rename, node.input), map(rename, node.output)
    file.graph.ClearField("value_info")
    file.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "unused"))
    file.graph.node.append(onnx.helper.make_node("Exp", ["images"], ["dead"]))


def chatter(file):
    """Identity, Dropout, no-op Cast, Squeeze/Unsqueeze pairs, Mul by one and Add of zero after every Conv."""
    make = onnx.helper.make_node
    file.graph.initializer.extend(numpy_helper.from_array(np.float32(v), k) for k, v in (("one", 1), ("zero", 0)))
    file.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "axis"))
    nodes = []
    for i, node in enumerate(file.graph.node):
        nodes.append(node)
        if node.op_type == "Conv":
            end, n = node.output[0], lambda k, i=i: f"chatter{i}.{k}"
            node.output[0] = n(0)
            nodes += [make("Identity", [n(0)], [n(1)]), make("Dropout", [n(1)], [n(2)]), make("Mul", ["one", n(2)], [n(3)])]
            nodes += [make("Add", [n(3), "zero"], [n(4)]), make("Cast", [n(4)], [n(5)], to=1)]
            nodes += [make("Unsqueeze", [n(5), "axis"], [n(6)]), make("Squeeze", [n(6), "axis"], [end])]
    file.graph.ClearField("node")
    file.graph.node.extend(nodes)


for change in (constants, listed, typed, halves, bare, chatter):
    model(f"net_{change.__name__}", opset=13, change=change)(plain)


@model("net_external")
def _(path):
    inputs = plain(path)
    file = onnx.load(path)
    (path.parent / f"{path.stem}.bin").unlink(missing_ok=True)
    onnx.save(file, path, save_as_external_data=True, location=f"{path.stem}.bin", size_threshold=0)
    return inputs


@model("net_half")
def _(path, size=SIZE):
    x = nchw(size, 1, 1 / 64, 110.0)
    net = randomise(Net(), x).half()
    return export(net, x.half(), path, 17, ["scores", "sizes"])


@model("net_picture_u8")
def _(path):
    """Takes the picture itself, NHWC u8, and normalises it inside."""

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()
            self.register_buffer("mean", torch.tensor([103.53, 116.28, 123.675]))
            self.register_buffer("std", torch.tensor([57.375, 57.12, 58.395]))

        def forward(self, x):
            return self.net(((x.float() - self.mean) / self.std).permute(0, 3, 1, 2)[:, [2, 1, 0]])

    x = nchw(SIZE, scale=1.0).permute(0, 2, 3, 1).contiguous()
    net = Wrapped()
    randomise(net.net, (x.permute(0, 3, 1, 2) - 110) / 64)
    return export(net, x.to(torch.uint8), path, 13, ["scores", "sizes"])


# --- by hand: what no exporter of today writes, but files have --------------------------------------------------------

IMAGES = lambda h=32, w=40: {"x": nchw((h, w), scale=1 / 64, mean=110.0).numpy()}
STEM = "m = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(x, w, b)"


def lines(name, text, opset=17, size=(32, 40), shapes=None, tensors=None, stem=True, **options):
    """Registers a graph by hand: the stem's map m [1, 8, H, W] of x, then the lines."""

    def write(path):
        made = weights(**({"w": (8, 3, 3, 3), "b": (8,)} if stem else {}), **(shapes or {}))
        return hand(path, (STEM if stem else "") + text, IMAGES(*size), opset, tensors=made | (tensors or {}), **options)

    model(name)(write)


MODES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
ROUND = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
for opset, mode in itertools.product((11, 13, 19), MODES):
    text, n = "", 0
    for kind in ["linear", *ROUND]:
        for by in ("(m, roi, scales)", "(m, roi, down)", "(m, roi, none, sizes)" if opset == 11 else "(m, roi, , sizes)"):
            attributes = f'mode="{kind}"' if kind == "linear" else f'mode="nearest", nearest_mode="{kind}"'
            text += f'y{n} = Resize<coordinate_transformation_mode="{mode}", {attributes}>{by}'
            n += 1
    t = {"none": np.zeros(0, np.float32)} if opset == 11 else {}
    t |= {"roi": np.zeros(0, np.float32), "sizes": np.array([1, 8, 21, 50]), "down": np.float32([1, 1, 0.5, 0.7])}
    lines(f"hand_resize_{mode}_op{opset}", text, opset, (17, 22), tensors=t | {"scales": np.float32([1, 1, 2, 1.5])})

lines("hand_upsample_op7", 'y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,2.0]>(m)', 7, ir=3, listed=True)
lines("hand_upsample_op9", 'y0 = Upsample<mode="linear">(m, s) y1 = Upsample(m, s)', 9, tensors={"s": np.float32([1, 1, 2, 3])})
for k in (0, 1, 2, 3, -1):  # before opset 13, all axes from this one on are one
    text = f"s = Softmax<axis={k}>(m) y0 = Mul(s, thousand) y1 = LogSoftmax<axis={k}>(m)"
    lines(f"hand_softmax_op11_axis{k}", text, 11, tensors={"thousand": np.float32(1000)})
lines(
    "hand_depth_space",
    """y0 = DepthToSpace<blocksize=2, mode="DCR">(m) y1 = DepthToSpace<blocksize=2, mode="CRD">(m)
    y2 = SpaceToDepth<blocksize=2>(m)""",
)
lines("hand_depth_space_op9", "y0 = DepthToSpace<blocksize=2>(m) y1 = SpaceToDepth<blocksize=4>(m)", 9)
AXES = {"two": np.array([2, 3]), "minus": np.array([-1]), "one": np.array([1]), "no": np.array([], np.int64)}
REDUCE = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1", "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum")
lines(
    "hand_reduce_op18",
    "n = Abs(m)"
    + "".join(f"y{i} = {op}<keepdims={i % 2}>(n, {list(AXES)[i % 3]})" for i, op in enumerate(REDUCE))
    + "y8 = ReduceMean(m) y9 = ReduceSum<noop_with_empty_axes=1>(m, no)",
    18,
    tensors=AXES,
)
lines(
    "hand_slice_reverse",
    "y0 = Slice(m, last, first, axes, back) y1 = Slice(m, s, e, hw) y2 = Slice(m, neg, big) y3 = Slice(m, l1, f1, c, two)",
    tensors={
        "last": np.array([-1, -1]), "first": np.array([-(2**31), -1000]), "axes": np.array([-1, 2]), "back": np.array([-1, -2]),
        "s": np.array([3, 5]), "e": np.array([9, 2**31 - 1]), "hw": np.array([2, 3]), "neg": np.array([-1, -3]),
        "big": np.array([2**63 - 1] * 2), "l1": np.array([7]), "f1": np.array([1]), "c": np.array([1]), "two": np.array([-3]),
    },
)  # fmt: skip
lines("hand_slice_op9", "y0 = Slice<axes=[2,3], starts=[2,-30], ends=[-1,9999]>(m) y1 = Slice<starts=[0,1], ends=[1,4]>(m)", 9)
lines(
    "hand_auto_pad",
    """a = Conv<auto_pad="SAME_UPPER", strides=[2,2], kernel_shape=[3,3]>(x, w)
    y0 = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(a, v)
    y1 = MaxPool<auto_pad="SAME_UPPER", kernel_shape=[3,3], strides=[2,2]>(a) y2 = Conv<auto_pad="VALID">(a, v)
    y3 = AveragePool<auto_pad="SAME_UPPER", kernel_shape=[2,2], strides=[1,1]>(a)
    y4 = ConvTranspose<auto_pad="SAME_UPPER", strides=[2,2]>(a, v) y5 = Conv<pads=[0,0,1,1], strides=[2,2]>(a, v)
    y6 = ConvTranspose<output_shape=[33,41], strides=[2,2]>(a, v) y7 = MaxPool<kernel_shape=[3,3], pads=[0,1,2,0]>(a)
    y8 = AveragePool<auto_pad="SAME_LOWER", kernel_shape=[3,3], strides=[2,2], count_include_pad=1>(a)""",
    11, (33, 42), {"w": (8, 3, 3, 3), "v": (8, 8, 3, 3)}, stem=False,
)  # fmt: skip
lines(
    "hand_pool_op19",
    """y0 = AveragePool<kernel_shape=[3,3], dilations=[2,2], pads=[1,1,1,1], ceil_mode=1, strides=[2,2]>(m)
    y1 = LpPool<kernel_shape=[2,2], p=2>(m)""",
    19,
)
lines(
    "hand_gemm",
    """p = GlobalAveragePool(m) f = Flatten(p) y0 = Gemm<transB=1, alpha=0.5, beta=2.0>(f, a, c) y1 = Gemm<transA=0>(f, d)
    g = GlobalMaxPool(m) h = Flatten<axis=2>(g) y2 = Gemm<transA=1, transB=1>(e, a, s) y3 = MatMul(f, d) y4 = Identity(h)
    i = Reshape(m, to) y5 = MatMul(i, q) y6 = MatMul(r, i) j = Transpose<perm=[0,2,1]>(i) y7 = MatMul(i, j)""",
    shapes={"a": (5, 8), "c": (5,), "d": (8, 6), "e": (8, 3), "q": (1280, 4), "r": (3, 8)},
    tensors={"s": np.float32(0.25), "to": np.array([0, 8, -1])},
)
lines(
    "hand_weights_computed",  # weights that are themselves the result of nodes
    """t = Transpose<perm=[3,2,0,1]>(hwio) k = Mul(t, gain) r = Reshape(flat, to) u = Unsqueeze(bias2, z) bb = Squeeze(u, z)
    a = Conv<pads=[1,1,1,1]>(x, k, bias) y0 = Conv(a, r, bb) half = Cast<to=1>(h) y1 = Mul(a, half)""",
    13, stem=False, shapes={"hwio": (3, 3, 3, 8), "flat": (48,), "bias": (8,), "bias2": (6,), "gain": (8, 1, 1, 1)},
    tensors={"to": np.array([6, 8, 1, 1]), "z": np.array([0]), "h": np.linspace(0, 2, 8, dtype=np.float16).reshape(1, 8, 1, 1)},
)  # fmt: skip
lines("hand_inputs_listed", "y = Relu(m)", 9, ir=3, listed=True)
lines("hand_constants", "y = Sigmoid(m)", 13, nodes=True)
lines(
    "hand_constant_kinds",
    """f = Constant<value_float=0.5>() g = Constant<value_floats=[1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0]>()
    s = Constant<value_ints=[1,8,1,1]>()
    n = Constant<value_int=2>() r = Reshape(g, s) a = Mul(m, r) e = Add(a, f) c = Cast<to=1>(n) y = Div(e, c)""",
    13,
)
lines(
    "hand_where_compare",
    """g = Greater(m, z) y0 = Where(g, m, z) l = Less(m, z) n = Not(l) c = Cast<to=1>(n) y1 = Mul(m, c) e = GreaterOrEqual(m, z)
    a = And(e, g) y2 = Where(a, z, m) y3 = Max(m, z, h) y4 = Min(m, h) y5 = Sum(m, h, m) y6 = Mean(m, h) y7 = Clip(m, , h)
    y8 = Clip(m, z) y9 = Mod<fmod=1>(m, h)""",
    17, tensors={"z": np.float32(0), "h": np.float32(0.5)},
)  # fmt: skip
lines(
    "hand_thresholded",
    """y0 = ThresholdedRelu<alpha=0.3>(m) y1 = HardSigmoid<alpha=0.3, beta=0.4>(m) y2 = Elu<alpha=0.5>(m)
    y3 = LeakyRelu(m) y4 = PRelu(m, p) y5 = PRelu(m, q) y6 = Shrink<lambd=0.4, bias=0.1>(m)""",
    shapes={"p": (8, 1, 1), "q": (1, 8, 1, 40)},
)
lines("hand_clip_op9", "y0 = Clip<min=0.0, max=6.0>(m) y1 = Clip<min=-0.5>(m) y2 = Clip(m)", 9)
lines(
    "hand_pad_op9",
    """y0 = Pad<pads=[0,0,1,2,0,0,3,4], value=0.7>(m) y1 = Pad<pads=[0,0,2,2,0,0,2,2], mode="reflect">(m)
    y2 = Pad<pads=[0,0,1,0,0,0,0,1], mode="edge">(m)""",
    9,
)
lines(
    "hand_pad_op18",
    """y0 = Pad(m, p, , hw) y1 = Pad<mode="reflect">(m, p, v, hw) y2 = Pad<mode="edge">(m, p, , hw)
    y3 = Pad(m, crop, v, hw)""",
    18,
    tensors={"p": np.array([1, 2, 3, 4]), "hw": np.array([-2, -1]), "v": np.float32(0.7), "crop": np.array([-1, 2, 3, -4])},
)
lines("hand_pad_wrap_op19", 'y = Pad<mode="wrap">(m, p)', 19, tensors={"p": np.array([0, 0, 1, 2, 0, 0, 3, 4])})
lines(
    "hand_norms",
    """y0 = InstanceNormalization(m, s, c) y1 = LayerNormalization<axis=1>(m, t) y2 = LRN<size=5>(m)
    y3 = LpNormalization<axis=1, p=2>(m) y4 = LayerNormalization<axis=-1, epsilon=0.01>(m, v, v)""",
    shapes={"s": (8,), "c": (8,), "t": (8, 32, 40), "v": (40,)},
)
lines("hand_groupnorm_op21", "y = GroupNormalization<num_groups=4>(m, s, c)", 21, shapes={"s": (8,), "c": (8,)})
lines(
    "hand_split_op18",
    """y0, a, y1 = Split<axis=1, num_outputs=3>(m) y2 = Add(a, a) y3, y4 = Split<axis=-1>(m, k)""",
    18,
    tensors={"k": np.array([13, 27])},
)
lines(
    "hand_gather",
    """y0 = Gather<axis=1>(m, i) y1 = Gather<axis=1>(m, s) y2 = Gather<axis=3>(m, j)
    y3 = GatherElements<axis=2>(m, k)""",
    tensors={
        "i": np.array([-1, 0, 3]),
        "s": np.array(-2),
        "j": np.array([[0, 5], [39, 2]]),
        "k": np.random.default_rng(0).integers(-32, 32, (1, 8, 4, 40)),
    },
)
lines("hand_gelu_op20", 'y0 = Gelu(m) y1 = Gelu<approximate="tanh">(m) y2 = HardSwish(m) y3 = Mish(m)', 20)
lines(
    "hand_reshape_zero",
    """a = Reshape(m, to) t = Transpose<perm=[0,2,1]>(a) y0 = Reshape(t, back) y1 = Flatten<axis=-1>(m)
    y2 = Transpose(m) y3 = Reshape(y2, any)""",
    tensors={"to": np.array([0, 0, -1]), "back": np.array([0, 32, -1, 8]), "any": np.array([-1])},
)
lines(
    "hand_swish_op24",
    """y0 = Swish(m) y1 = Swish<alpha=1.702>(m) y2 = RMSNormalization<axis=-1>(m, s)""",
    24,
    shapes={"s": (40,)},
)
lines(
    "hand_input_used_raw",  # outputs that are inputs, used inside, or the same value twice
    "y0 = Identity(x) y1 = Relu(m) y2 = Conv(y1, v) y3 = Identity(y1)", shapes={"v": (4, 8, 1, 1)},
)  # fmt: skip

assert len(MODELS) > 80
