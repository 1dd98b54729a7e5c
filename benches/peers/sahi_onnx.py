#!/usr/bin/env python3
"""Times NanoDet-Plus-m on a picture in tiles, pixels to merged boxes: SAHI with ONNX Runtime on the CPU, and tilehawk.

    cargo build --release -p tilehawk-cli
    python benches/peers/sahi_onnx.py [--tile 640] [--size 3840x2160] [--image FILE] [--rounds 5] [--runs 3]

In turns, in one run. SAHI is its get_sliced_prediction over one tile after the other, as the file has a batch of 1.
Both begin with the decoded picture in the host's memory and end with the merged boxes there; same weights, tiles,
confidence and merge. Tiles are resized in f32, as tilehawk does: in 8 bits a tile would take 0.6 ms less, and boxes
near the confidence would come and go. First it checks that both find the same boxes, and exits 1 if they do not;
`--spoil 8` shows that it can. A ratio tilehawk / SAHI below 1: tilehawk is faster.
"""

import os
import pathlib
import time
from importlib.metadata import version

import cv2
import numpy as np
import onnxruntime
from sahi.postprocess.backends import resolve_backend

from _compare import NANODET, PHOTO, Boxes, check_options, compare, options_parser
from _sahi import sliced

SIDE, BINS, STRIDES = 416, 8, (8, 16, 32, 64)
MEAN, STD = np.float32([103.53, 116.28, 123.675]), np.float32([57.375, 57.12, 58.395])


class NanoDet:
    """A tile to boxes: resized in OpenCV, the network in ONNX Runtime, decoded in NumPy."""

    def __init__(self, path, confidence, threads):
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        self.confidence, self.network_ms = confidence, 0
        self.names = [f"{kind}{stride}" for stride in STRIDES for kind in ("cls", "dis")]

    def __call__(self, tile):
        pixels = cv2.resize(tile.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        batch = np.empty((1, 3, SIDE, SIDE), np.float32)
        for channel in range(3):  # to BGR; by channels it takes a quarter of the time of doing all at once
            np.multiply(pixels[..., 2 - channel], 1 / STD[channel], out=batch[0, channel])
            batch[0, channel] -= MEAN[channel] / STD[channel]
        start = time.perf_counter()
        maps = self.session.run(self.names, {self.session.get_inputs()[0].name: batch})
        self.network_ms += (time.perf_counter() - start) * 1e3
        parts = [self.decode(maps[2 * i][0], maps[2 * i + 1][0], stride) for i, stride in enumerate(STRIDES)]
        corners, scores, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
        height, width = tile.shape[:2]
        corners = (corners * ([width / SIDE, height / SIDE] * 2)).clip(0, [width, height, width, height])
        whole = (corners[:, 2:] > corners[:, :2]).all(1)
        return Boxes(corners[whole], scores[whole], classes[whole])

    def decode(self, classes, distances, stride):
        """Boxes of a level: scores [classes, h, w], logits [h, w, 4 * bins] of left, top, right, bottom."""
        scores = classes.max(0)
        rows, columns = np.nonzero(scores >= self.confidence)
        logits = distances[rows, columns].reshape(-1, 4, BINS)
        weights = np.exp(logits - logits.max(2, keepdims=True))
        sides = (weights @ np.arange(BINS, dtype=np.float32)) / weights.sum(2)
        centre = np.stack([columns, rows], 1)
        corners = np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], 1) * stride
        return corners, scores[rows, columns], classes[:, rows, columns].argmax(0)


def main():
    parser = options_parser(__doc__)
    parser.add_argument("--model", type=pathlib.Path, default=NANODET, help="NanoDet-Plus-m as ONNX")
    parser.add_argument("--image", type=pathlib.Path, default=PHOTO)
    parser.add_argument("--tile", type=int, default=640)
    parser.add_argument("--confidence", type=float, default=0.3)
    parser.add_argument("--precision", choices=["f32", "f16"], default="f32", help="of tilehawk; ONNX Runtime's is f32")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of ONNX Runtime")
    options = parser.parse_args()
    check_options(parser, options)
    model = NanoDet(options.model, options.confidence, options.threads)
    describe = (
        f"SAHI {version('sahi')} merging by {resolve_backend()}, ONNX Runtime {onnxruntime.__version__} on the CPU, "
        f"{options.threads} threads"
    )
    compare(options, describe, lambda pixels: {"SAHI": sliced(pixels, model, options)})


if __name__ == "__main__":
    main()
