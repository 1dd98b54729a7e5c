"""What sahi_onnx.py and torch_batched.py share: pictures, tiles, tilehawk's side, the check of boxes, the report."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAMS = pathlib.Path(os.environ.get("TILEHAWK_PROGRAMS", TARGET / "release"))
MODELS = pathlib.Path(os.environ.get("TILEHAWK_MODELS", ROOT / "../shared/models"))
WEIGHTS = pathlib.Path(os.environ.get("TILEHAWK_WEIGHTS", ROOT / "weights"))
NANODET = MODELS / "nanodet_plus_m_416.onnx"
PHOTO = MODELS / "../images/DJI_0028.JPG"
SAME_IOU = 0.9


class Boxes(NamedTuple):
    """Boxes of a picture: x0 y0 x1 y1 in its pixels [N, 4], scores [N], classes [N]."""

    corners: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


def size(text):
    width, _, height = text.partition("x")
    return int(width), int(height)


def options_parser(doc):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=size, default=(3840, 2160), help="WxH; a picture is cut or repeated to it")
    parser.add_argument("--overlap", type=float, default=0.2)
    parser.add_argument("--threshold", type=float, default=0.5, help="IoU from which boxes are merged")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3, help="runs of each in a round")
    parser.add_argument("--share", type=float, default=0.95, help="least of either side's boxes that both must find")
    parser.add_argument(
        "--spoil", type=float, default=0, metavar="PX", help="move the peer's boxes: the check must fail"
    )
    parser.add_argument("--tilehawk", type=pathlib.Path, default=PROGRAMS / "tilehawk", help="the program")
    return parser


def check_options(parser, options):
    if options.rounds < 1 or options.runs < 1:
        parser.error("at least 1 round of 1 run")
    for path in (options.tilehawk, options.model, options.image):
        if path and not path.exists():
            sys.exit(f"{path} is not there")


def run_tilehawk(options, command, *words):
    done = subprocess.run([str(word) for word in (options.tilehawk, command, *words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{options.tilehawk} {command}: {done.stderr}")
    return done.stdout


def picture(options, folder):
    """The picture of `options` as pixels RGB u8 [h, w, 3], also written to `folder` without loss, and its path."""
    path = folder / "picture.png"
    width, height = options.size
    if options.image:
        pixels = np.asarray(Image.open(options.image).convert("RGB"))
        repeats = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
        pixels = np.ascontiguousarray(np.tile(pixels, repeats)[:height, :width])
    else:
        run_tilehawk(options, "demo", "--size", f"{width}x{height}", "-o", folder / "demo")
        pixels = np.array(Image.open(folder / "demo/scene.png").convert("RGB"))
    Image.fromarray(pixels).save(path, compress_level=1)
    return pixels, path


def tiles_of(width, height, tile, overlap):
    """Tiles x0 y0 x1 y1 in SAHI's order: those that would leave the picture are moved back."""
    step = tile - int(overlap * tile)
    starts = [[*range(0, max(side - tile, 0), step), max(side - tile, 0)] for side in (width, height)]
    return [(x, y, min(x + tile, width), min(y + tile, height)) for y in starts[1] for x in starts[0]]


class Tilehawk:
    """tilehawk on one picture, as `tilehawk detect` and `tilehawk bench` run it."""

    def __init__(self, options, path):
        self.options, self.path = options, path
        self.words = ["--model", options.model, "--overlap", options.overlap, "--confidence", options.confidence]
        self.words += ["--merge", "nms", "--metric", "iou", "--merge-threshold", options.threshold]
        self.words += ["--class-agnostic=false", "--full-image=false", "--precision", options.precision]

    def boxes(self):
        words = (self.path, "--tile", self.options.tile, "--json", "-", *self.words)
        document = json.loads(run_tilehawk(self.options, "detect", *words))
        self.tiles = document["stats"]["tiles"]
        found = document["boxes"]
        return Boxes(
            np.array([box["coordinate"] for box in found]).reshape(-1, 4),
            np.array([box["score"] for box in found]),
            np.array([box["cls_id"] for box in found], int),
        )

    def times(self):
        """Median, least and most milliseconds from pixels to boxes, and the network's alone (None: no timestamps)."""
        words = ("--image", self.path, "--tile-sizes", self.options.tile, "--runs", self.options.runs, "--warm-up", 1)
        document = json.loads(run_tilehawk(self.options, "bench", *words, "--json", "-", *self.words))
        row = document["rows"][0]
        if row["error"]:
            sys.exit(f"{self.options.tilehawk} bench: {row['error']}")
        self.device = f"{document['device']} ({document['driver']}), {document['precision']}"
        return row["ms"]["total"], row["ms_min"]["total"], row["ms_max"]["total"], row["ms"]["network"]


def peer_times(detect, runs):
    """As Tilehawk.times, of `detect`, which returns its boxes, and the milliseconds of all and of the network alone."""
    detect()
    _, times, network = zip(*(detect() for _ in range(runs)), strict=True)
    return statistics.median(times), min(times), max(times), statistics.median(network)


def same(a, b):
    """How many boxes of `a`, best first, find one of `b` of their class for themselves, and how far scores differ."""
    free = np.ones(len(b.scores), bool)
    differences = []
    for index in np.argsort(-a.scores, kind="stable"):
        box = a.corners[index]
        inter = np.minimum(b.corners[:, 2:], box[2:]) - np.maximum(b.corners[:, :2], box[:2])
        inter = inter.clip(0).prod(1)
        union = (b.corners[:, 2:] - b.corners[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - inter
        iou = np.where(free & (b.classes == a.classes[index]), inter / union, 0)
        if len(iou) and iou.max() >= SAME_IOU:
            free[iou.argmax()] = False
            differences.append(abs(a.scores[index] - b.scores[iou.argmax()]))
    return len(differences), max(differences, default=0)


def agree(name, peer, own, options):
    """Prints how far boxes of both are the same, and whether that is enough."""
    peer = peer._replace(corners=peer.corners + options.spoil)
    count, difference = same(own, peer)
    shares = [count / max(len(side.scores), 1) for side in (own, peer)]
    good = count > 0 and min(shares) >= options.share
    print(
        f"boxes: tilehawk {len(own.scores)}, {name} {len(peer.scores)}, the same (class, IoU >= {SAME_IOU}) {count}: "
        f"{shares[0]:.1%} of tilehawk's, {shares[1]:.1%} of {name}'s; scores differ by up to {difference:.2g}: "
        + ("ok" if good else f"TOO FEW, {options.share:.0%} are wanted")
    )
    return good


def report(name, rounds):
    """Prints the times of a side; returns the median."""
    medians, least, most, network = zip(*rounds, strict=True)
    median = statistics.median(medians)
    network = f"; network {statistics.median(network):.1f}" if None not in network else ""
    print(
        f"{name:<13} median {median:8.1f} ms, medians of rounds {min(medians):.1f} to {max(medians):.1f}, "
        f"runs {min(least):.1f} to {max(most):.1f}{network}"
    )
    return median


def compare(options, describe, make_peers):
    """Checks boxes and times tilehawk and the peers in turns; exits 1 if the boxes are not the same.

    `make_peers(pixels)` gives functions by name, each as `peer_times` wants it.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pixels, path = picture(options, folder)
        peers = make_peers(pixels)
        tilehawk = Tilehawk(options, path)
        own = tilehawk.boxes()
        good = [agree(name, detect()[0], own, options) for name, detect in peers.items()]
        if not all(good):
            sys.exit("the boxes are not the same; nothing was timed")
        times = {name: [] for name in ("tilehawk", *peers)}
        for _ in range(options.rounds):
            for name, detect in peers.items():
                times[name].append(peer_times(detect, options.runs))
            times["tilehawk"].append(tilehawk.times())
    print(f"{describe}; tilehawk on {tilehawk.device}; load {os.getloadavg()[0]:.1f}")
    shown = options.image.name if options.image else "drawn by tilehawk demo"
    print(
        f"{options.model.name}, picture {pixels.shape[1]}x{pixels.shape[0]} ({shown}), {tilehawk.tiles} tiles of "
        f"{options.tile}, overlap {options.overlap}, confidence {options.confidence}, nms IoU {options.threshold}; "
        f"{options.rounds} rounds of {options.runs}"
    )
    medians = {name: report(name, rounds) for name, rounds in times.items()}
    for name in peers:
        print(f"tilehawk / {name}: {medians['tilehawk'] / medians[name]:.2f}")
