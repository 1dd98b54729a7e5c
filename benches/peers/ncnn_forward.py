#!/usr/bin/env python3
"""Times NanoDet-Plus-m, one 416x416 input, forward only: ncnn's Vulkan path and tilehawk, in turns, in one run.

    cargo build --release --features onnx --example forward
    python benches/peers/ncnn_forward.py [--rounds 5] [--runs 4] [--f16] [--models FOLDER]

Each round times one, then the other, so that a load of the machine meets both. Prints for each the median of the
rounds' medians with the least and the most of all runs in ms, then the ratio tilehawk / ncnn: below 1, tilehawk is
faster. ncnn's time holds the upload of its input and the download of its outputs, tilehawk's does not.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import ncnn
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAMS = pathlib.Path(os.environ.get("TILEHAWK_PROGRAMS", TARGET / "release/examples"))
LINE = re.compile(r"^(.*): \d+ dispatches, .*: median ([\d.]+) ms, ([\d.]+) to ([\d.]+) ms$", re.MULTILINE)


def load_ncnn(models, f16):
    net = ncnn.Net()
    net.opt.use_vulkan_compute = True
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = f16
    stem = models / "nanodet_plus_m_416.ncnn"
    if net.load_param(f"{stem}.param") != 0 or net.load_model(f"{stem}.bin") != 0:
        sys.exit(f"{stem}.param, .bin: cannot be loaded")
    return net


def run_ncnn(net, runs):
    """Milliseconds of each run, all outputs extracted."""
    picture = np.random.default_rng(1).random((3, 416, 416), dtype=np.float32)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(picture))
        for name in net.output_names():
            status, _ = extractor.extract(name)
            if status != 0:
                sys.exit(f"ncnn: output {name}: status {status}")
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), min(times), max(times)


def run_tilehawk(models, runs, f16):
    """Adapter, and median, least and most milliseconds of the runs."""
    command = [PROGRAMS / "forward", models / "nanodet_plus_m_416.onnx", str(runs), "1"]
    command += ["f16"] if f16 else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = LINE.search(done.stdout)
    if done.returncode != 0 or not found:
        sys.exit(f"{command[0]}: {done.stderr or done.stdout}")
    return found[1], tuple(float(found[index]) for index in (2, 3, 4))


def report(name, rounds):
    medians, least, most = zip(*rounds)
    median = statistics.median(medians)
    print(
        f"{name:<9} median {median:8.1f} ms, medians of rounds {min(medians):.1f} to {max(medians):.1f}, "
        f"runs {min(least):.1f} to {max(most):.1f}"
    )
    return median


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=4, help="runs of each in a round")
    parser.add_argument("--f16", action="store_true", help="16-bit storage on both sides (and arithmetic in ncnn)")
    parser.add_argument("--models", type=pathlib.Path, default=os.environ.get("TILEHAWK_MODELS", ROOT / "../shared/models"))
    options = parser.parse_args()
    if options.rounds < 1 or options.runs < 1:
        parser.error("at least 1 round of 1 run")
    if ncnn.get_gpu_count() == 0:
        sys.exit("ncnn finds no Vulkan device")

    net = load_ncnn(options.models, options.f16)
    run_ncnn(net, 1)
    peer, own, adapter = [], [], ""
    for _ in range(options.rounds):
        peer.append(run_ncnn(net, options.runs))
        adapter, times = run_tilehawk(options.models, options.runs, options.f16)
        own.append(times)
    device = ncnn.get_gpu_info(ncnn.get_default_gpu_index()).device_name()
    print(f"ncnn {ncnn.__version__} on {device}; tilehawk on {adapter}; load {os.getloadavg()[0]:.1f}")
    ratio = report("tilehawk", own) / report("ncnn", peer)
    print(f"tilehawk / ncnn: {ratio:.2f}")


if __name__ == "__main__":
    main()
