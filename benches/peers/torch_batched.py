#!/usr/bin/env python3
"""Times a model on a picture in tiles, pixels to merged boxes: a batched PyTorch pipeline, SAHI's loop, and tilehawk.

    cargo build --release -p tilehawk-cli
    python benches/peers/torch_batched.py [--loop] [--device cuda|cpu] [--batch 0] [--rounds 5] [--runs 3]

In turns, in one run. The model is thermal-nano on the picture that `tilehawk demo` draws, or --model thermal-small, or
--model nanodet on a photo (pip install onnx2torch, which reads the ONNX file); PyTorch runs the same weights. The
pipeline uploads the picture once; on the device tiles are cut, resized and normalised, run in batches (--batch 0: all
in one), decoded, and merged by torchvision's batched_nms. With --loop SAHI's get_sliced_prediction, one tile after the
other through the same network, is timed too. All begin with the decoded picture in the host's memory and end with the
merged boxes there, in f16 on CUDA, in f32 on the CPU. First it checks that all find the same boxes, and exits 1 if they
do not; `--spoil 8` shows that it can. A ratio tilehawk / peer below 1: tilehawk is faster.
"""

import json
import pathlib
import time

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn
from torchvision.ops import batched_nms

from _compare import NANODET, PHOTO, WEIGHTS, Boxes, check_options, compare, options_parser, tiles_of

ACTIVATIONS = {"hard_swish": F.hardswish, "relu": F.relu, "silu": F.silu, "sigmoid": torch.sigmoid}
NANODET_DOCUMENT = {
    "input": {
        "width": 416,
        "height": 416,
        "order": "bgr",
        "mean": [103.53, 116.28, 123.675],
        "std": [57.375, 57.12, 58.395],
        "resize": "stretch",
    },
    "head": {"bins": 8, "centre": 0.0, "levels": [{"stride": stride} for stride in (8, 16, 32, 64)]},
}


class Network(nn.Module):
    """The graph of a file of tilehawk: `[B, 3, h, w]`, normalised, to scores and distances of each level."""

    def __init__(self, path):
        super().__init__()
        with safe_open(path, "pt") as file:
            self.document = json.loads(file.metadata()["tilehawk"])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        levels = self.document["head"]["levels"]
        self.outputs = [level[kind] for level in levels for kind in ("classes", "distances")]
        wanted, self.nodes = set(self.outputs), []
        for node in reversed(self.document["graph"]["nodes"]):
            if node["name"] in wanted:  # what the head does not read is left out
                wanted.update(node["inputs"])
                self.nodes.insert(0, node)
                for kind in ("weight", "bias"):
                    if kind in node:
                        self.register_buffer(f"{kind} {node['name']}".replace(".", " "), tensors[node[kind]])

    def forward(self, x):
        found = {self.document["graph"]["input"]: x}
        for node in self.nodes:
            x = found[node["inputs"][0]]
            if node["op"] == "resize":
                x = F.interpolate(x, size=node["size"], mode="nearest")
            else:
                weight, bias = (
                    getattr(self, f"{kind} {node['name']}".replace(".", " ")) for kind in ("weight", "bias")
                )
                x = F.conv2d(x, weight, bias, node["stride"], node["padding"][0])
                if "residual" in node:
                    x = x + found[node["inputs"][1]]
                if "activation" in node:
                    x = ACTIVATIONS[node["activation"]["kind"]](x)
            found[node["name"]] = x
        return [found[name] for name in self.outputs]


class NanoDet(nn.Module):
    """NanoDet-Plus-m from its ONNX file, for any batch."""

    def __init__(self, path):
        super().__init__()
        import onnx
        from onnx2torch import convert

        self.document = NANODET_DOCUMENT
        model = onnx.load(path)
        shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
        for tensor in model.graph.initializer:
            if tensor.name in shapes:  # a batch of 1 becomes that of the input
                shape = onnx.numpy_helper.to_array(tensor).copy()
                shape[0] = 0
                tensor.CopyFrom(onnx.numpy_helper.from_array(shape, tensor.name))
        names = [output.name for output in model.graph.output]
        self.order = [
            names.index(f"{kind}{level['stride']}")
            for level in self.document["head"]["levels"]
            for kind in ("cls", "dis")
        ]
        self.network = convert(model)

    def forward(self, x):
        maps = self.network(x)
        maps = [maps[index] for index in self.order]
        return [one.permute(0, 3, 1, 2) if index % 2 else one for index, one in enumerate(maps)]


class Pipeline:
    """Pixels u8 in the host's memory to boxes there."""

    def __init__(self, network, options, device, dtype):
        self.options, self.device, self.dtype = options, device, dtype
        self.document, self.network_ms = network.document, 0
        self.network = network.eval().to(device=device, dtype=dtype, memory_format=torch.channels_last)
        spec = self.document["input"]
        self.side = (spec["height"], spec["width"])
        self.swap = spec["order"] == "bgr"
        self.mean, self.std = (torch.tensor(spec[key], device=device).view(1, 3, 1, 1) for key in ("mean", "std"))
        head = self.document["head"]
        self.bins = torch.arange(head["bins"], dtype=torch.float32, device=device)

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def inputs(self, tiles):
        """Tiles u8 [B, 3, h, w] as the network wants them, and pixels of a tile for each of the input's, x and y."""
        spec, (height, width) = self.document["input"], tiles.shape[2:]
        fitted = self.side
        if spec["resize"] != "stretch":
            ratio = min(self.side[0] / height, self.side[1] / width)
            fitted = (int(height * ratio + 0.5), int(width * ratio + 0.5))
            if fitted != self.side and spec["resize"] != "letterbox_top_left":
                raise SystemExit(f"resizing by {spec['resize']} is not known to this script")
        tiles = tiles.float()
        if fitted != (height, width):
            tiles = F.interpolate(tiles, size=fitted, mode="bilinear")
        if fitted != self.side:
            room = (0, self.side[1] - fitted[1], 0, self.side[0] - fitted[0])
            tiles = F.pad(tiles, room, value=spec["pad"])
        tiles = (tiles.flip(1) if self.swap else tiles).sub(self.mean).div_(self.std)
        scale = torch.tensor([width / fitted[1], height / fitted[0]] * 2, device=self.device)
        return tiles.to(self.dtype).contiguous(memory_format=torch.channels_last), scale

    def candidates(self, tiles):
        """Boxes of tiles u8 [B, 3, h, w]: corners in the tile, scores, classes, and numbers of the tiles."""
        batch, scale = self.inputs(tiles)
        self.marks.append(self.mark())
        maps = self.network(batch)
        self.marks.append(self.mark())
        parts = []
        for level, classes, distances in zip(self.document["head"]["levels"], maps[::2], maps[1::2], strict=True):
            scores, labels = classes.float().max(1)
            numbers, rows, columns = torch.nonzero(scores >= self.options.confidence, as_tuple=True)
            logits = distances[numbers, :, rows, columns].float().view(-1, 4, len(self.bins))
            sides = logits.softmax(2) @ self.bins
            centre = torch.stack([columns, rows], 1) + self.document["head"]["centre"]
            corners = torch.cat([centre - sides[:, :2], centre + sides[:, 2:]], 1) * level["stride"] * scale
            parts.append((corners, scores[numbers, rows, columns], labels[numbers, rows, columns], numbers))
        corners, scores, labels, numbers = (torch.cat(part) for part in zip(*parts, strict=True))
        limit = torch.tensor([tiles.shape[3], tiles.shape[2]] * 2, device=self.device)
        corners = corners.clamp(min=0).minimum(limit)
        whole = (corners[:, 2:] > corners[:, :2]).all(1)
        return corners[whole], scores[whole], labels[whole], numbers[whole]

    def mark(self):
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def count_network(self):
        """Adds what the marks say; all work is done by then."""
        for start, end in zip(self.marks[::2], self.marks[1::2], strict=True):
            self.network_ms += start.elapsed_time(end) if self.device.type == "cuda" else (end - start) * 1e3

    @torch.inference_mode()
    def batched(self, pixels):
        """Boxes, milliseconds of all, milliseconds of the network."""
        self.wait()
        self.marks, self.network_ms = [], 0
        start = time.perf_counter()
        height, width = pixels.shape[:2]
        rects = tiles_of(width, height, self.options.tile, self.options.overlap)
        picture = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)
        shifts = torch.tensor([[x, y, x, y] for x, y, _, _ in rects], device=self.device)
        size, parts = self.options.batch or len(rects), []
        for first in range(0, len(rects), size):
            tiles = torch.stack([picture[:, y0:y1, x0:x1] for x0, y0, x1, y1 in rects[first : first + size]])
            corners, scores, labels, numbers = self.candidates(tiles)
            parts.append((corners + shifts[numbers + first], scores, labels))
        corners, scores, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        keep = batched_nms(corners, scores, labels, self.options.threshold)
        boxes = Boxes(*(part[keep].cpu().numpy() for part in (corners, scores, labels)))
        total = (time.perf_counter() - start) * 1e3
        self.count_network()
        return boxes, total, self.network_ms

    @torch.inference_mode()
    def __call__(self, tile):
        """One tile, as SAHI's loop asks for it."""
        self.marks = []
        tiles = torch.from_numpy(tile).to(self.device).permute(2, 0, 1)[None]
        boxes = Boxes(*(part.cpu().numpy() for part in self.candidates(tiles)[:3]))
        self.count_network()
        return boxes


def main():
    parser = options_parser(__doc__)
    parser.add_argument("--model", default="thermal-nano", choices=["thermal-nano", "thermal-small", "nanodet"])
    parser.add_argument("--image", type=pathlib.Path, help="picture [default: nanodet: a photo; else drawn]")
    parser.add_argument("--tile", type=int, help="[default: the model's, else 640]")
    parser.add_argument("--confidence", type=float, help="[default: the model's, else 0.3]")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="of PyTorch")
    parser.add_argument("--batch", type=int, default=0, help="tiles of a batch; 0: all")
    parser.add_argument("--loop", action="store_true", help="SAHI's loop too (pip install sahi)")
    parser.add_argument("--precision", choices=["f32", "f16"], help="of all [default: f16 on CUDA, else f32]")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch on the CPU")
    options = parser.parse_args()
    if options.model == "nanodet":
        options.image = options.image or PHOTO
    options.model = NANODET if options.model == "nanodet" else WEIGHTS / f"{options.model}.safetensors"
    check_options(parser, options)
    device = torch.device(options.device)
    options.precision = options.precision or ("f16" if device.type == "cuda" else "f32")
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True

    def peers(pixels):
        network = (NanoDet if options.model == NANODET else Network)(options.model)
        recommended = network.document.get("recommended") or {}
        options.tile = options.tile or recommended.get("tile", [640])[0]
        if options.confidence is None:
            options.confidence = recommended.get("confidence", 0.3)
        pipeline = Pipeline(network, options, device, torch.float16 if options.precision == "f16" else torch.float32)
        found = {"PyTorch": lambda: pipeline.batched(pixels)}
        if options.loop:
            from _sahi import sliced

            found["SAHI's loop"] = sliced(pixels, pipeline, options)
        return found

    where = torch.cuda.get_device_name() if device.type == "cuda" else f"the CPU, {options.threads} threads"
    batch = f"batches of {options.batch}" if options.batch else "one batch"
    compare(options, f"PyTorch {torch.__version__} on {where}, {options.precision}, {batch}", peers)


if __name__ == "__main__":
    main()
