"""Merging of boxes: SAHI with its numba backend against this project, on the same boxes in turns.

    pip install sahi numba safetensors
    python benches/peers/sahi_merge.py [--runs 7] [--example PATH]

Builds and runs the example merge_times unless --example names its binary. SAHI's time is that of matching alone
(batched_nms and so on); ours is a whole merge with growth, upload and read-back. The growth of SAHI's groups, which
it does in Python objects, is not timed but computed here to compare the boxes.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from sahi.postprocess import combine
from sahi.postprocess.backends import set_postprocess_backend
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
COUNTS = (2_000, 20_000, 100_000)
ALGORITHMS = ("nms", "greedy_nmm", "nmm")


def rows(rng, x0, y0, width, height, classes):
    count = len(x0)
    score = np.round(rng.uniform(0.05, 1.0, count), 6)
    table = np.stack([x0, y0, x0 + width, y0 + height, score, rng.integers(0, classes, count)], axis=1)
    return np.ascontiguousarray(table.astype(np.float32))


def crowded(rng, count):
    """Objects of 12 to 60 px, four boxes or so around each, side by side."""
    objects = count // 4
    side = 40.0 * np.sqrt(objects)
    pick = rng.integers(0, objects, count)
    center = rng.uniform(0, side, (objects, 2))[pick] + rng.normal(0, 3, (count, 2))
    size = rng.uniform(12, 60, (objects, 2))[pick] * rng.uniform(0.6, 1.2, (count, 2))
    return rows(rng, *(center - size / 2).T, *size.T, 3)


def spread(rng, count):
    """Few overlap: 100,000 boxes lie in a square of 100,000 px."""
    side = 100_000 * np.sqrt(count / 100_000)
    place = rng.uniform(0, side, (count, 2))
    size = rng.uniform(10, 60, (count, 2))
    return rows(rng, *place.T, *size.T, 10)


def metric_of(kind, a, b):
    """SAHI's metric in f32, each operation rounded once."""
    zero = np.float32(0)
    inter = max(min(a[2], b[2]) - max(a[0], b[0]), zero) * max(min(a[3], b[3]) - max(a[1], b[1]), zero)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    whole = areas[0] + areas[1] - inter if kind == "iou" else min(areas)
    return inter / whole if whole > 0 else zero


def grown(boxes, groups, kind, threshold):
    """Each keeper as SAHI's _apply_merge grows it."""
    result = []
    for keeper, members in groups.items():
        box = boxes[keeper].copy()
        for member in boxes[list(members)]:
            if metric_of(kind, box, member) > np.float32(threshold):
                box[:2], box[2:4] = np.minimum(box[:2], member[:2]), np.maximum(box[2:4], member[2:4])
                box[4] = max(box[4], member[4])
        result.append(box)
    return np.array(result, np.float32).reshape(-1, 6)


def example_path():
    build = ["cargo", "build", "--release", "--example", "merge_times", "--message-format=json"]
    lines = subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    built = [json.loads(line) for line in lines if line.startswith("{")]
    return next(item["executable"] for item in built if item.get("executable"))


def ours(example, file, algorithm, metric, threshold, runs, result):
    command = [example, file, algorithm, metric, threshold, runs, result]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def peer_times(boxes, algorithm, metric, threshold, runs):
    function = getattr(combine, f"batched_{algorithm}")
    result = function(boxes, metric.upper(), threshold)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = function(boxes, metric.upper(), threshold)
        times.append((time.perf_counter() - start) * 1e3)
    return result, times


def agreement(boxes, groups, metric, threshold, found):
    if isinstance(groups, dict):
        expected = grown(boxes, groups, metric, threshold)
    else:
        expected = boxes[groups]
    if len(found) != len(expected):
        return f"no: {len(found)} and {len(expected)} boxes"
    order = lambda table: table[np.lexsort(table.T)]
    wrong = int((order(found) != order(expected)).any(axis=1).sum())
    return "yes" if wrong == 0 else f"no: {wrong} differ"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each, at least 5")
    programs = os.environ.get("TILEHAWK_PROGRAMS")
    built = programs and f"{programs}/merge_times"
    parser.add_argument("--example", default=built, help="built example merge_times")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS, choices=ALGORITHMS)
    options = parser.parse_args()
    if options.runs < 5:
        parser.error("at least 5 runs")
    example = options.example or example_path()
    set_postprocess_backend("numba")
    scenes = [("crowded", crowded, "ios", 0.3), ("spread", spread, "iou", 0.5)]
    table = []
    with tempfile.TemporaryDirectory() as folder:
        file, result = Path(folder, "boxes.safetensors"), Path(folder, "result")
        for name, make, metric, threshold in scenes:
            for count in options.counts:
                boxes = make(np.random.default_rng(count), count)
                save_file({"boxes": boxes}, file)
                for algorithm in options.algorithms:
                    groups, times = peer_times(boxes, algorithm, metric, threshold, options.runs)
                    try:
                        own = ours(example, file, algorithm, metric, threshold, options.runs, result)
                    except subprocess.CalledProcessError as error:
                        print(f"{name} {count} {algorithm}: {error.stderr.strip()}", flush=True)
                        continue
                    found = np.fromfile(result, np.float32).reshape(-1, 6)
                    same = agreement(boxes, groups, metric, threshold, found)
                    median = statistics.median(times)
                    table.append(
                        f"| {name} | {count:,} | {algorithm} | {median:.1f} ({min(times):.1f}..{max(times):.1f}) "
                        f"| {own['median_ms']:.1f} ({own['min_ms']:.1f}..{own['max_ms']:.1f}) "
                        f"| {median / own['median_ms']:.2f} | {own['kept']:,} | {same} |"
                    )
                    device = own["device"]
    if table:
        print(f"{device}; median (min..max) of {options.runs} runs, ms\n")
        print("| scene | boxes | algorithm | SAHI numba | tilehawk | SAHI / tilehawk | kept | equal |")
        print("|---|---|---|---|---|---|---|---|")
        print("\n".join(table))


if __name__ == "__main__":
    main()
