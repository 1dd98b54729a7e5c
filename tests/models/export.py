"""Writes ONNX files with random weights and ONNX Runtime's outputs on a random picture; see README.md beside it.

python tests/models/export.py --out target/models [--only 'yolo*' 'op_*'] [--list]
"""

import argparse
import fnmatch
import logging
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import zoo
import zoo_heads  # noqa: F401  (registers its models)
import zoo_ops  # noqa: F401
import zoo_seg  # noqa: F401
import zoo_yolo  # noqa: F401
from safetensors.numpy import save_file


def reference(path: Path, inputs: zoo.Inputs) -> dict[str, np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    # As written: no rewriting (its GELU fusion, for one, breaks on op_activations_decomposed).
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    types = {i.name: i.type for i in session.get_inputs()}
    kinds = {"tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
    feed = {name: value.astype(kinds.get(types[name], value.dtype)) for name, value in inputs.items()}
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, feed)))


def stored(value: np.ndarray) -> np.ndarray:
    """Inputs of whole values 0..255 are kept as u8, all else as f32."""
    whole = value.min() >= 0 and value.max() > 1 and value.max() <= 255 and np.array_equal(value, np.rint(value))
    return np.ascontiguousarray(value.astype(np.uint8 if whole else np.float32))


def make(name: str, out: Path) -> str:
    path = out / f"{name}.onnx"
    zoo.seed(name)
    inputs = zoo.MODELS[name](path)
    outputs = reference(path, inputs)
    try:
        onnx.checker.check_model(str(path), full_check=True)
        note = ""
    except Exception as error:  # what the runtime takes all the same, people have
        note = f"    checker: {str(error).splitlines()[0]}"
    tensors = {f"input.{k}": stored(v) for k, v in inputs.items()}
    tensors |= {f"output.{k}": np.ascontiguousarray(v.astype(np.float32)) for k, v in outputs.items()}
    save_file(tensors, out / f"{name}.ref.safetensors")
    file = onnx.load(path, load_external_data=False)
    opset = next(o.version for o in file.opset_import if o.domain in ("", "ai.onnx"))
    ops = " ".join(sorted({n.op_type for n in file.graph.node}))
    shapes = ", ".join(f"{k} {list(v.shape)}" for k, v in inputs.items())
    lines = [f"{name} | opset {opset} | {path.stat().st_size / 1024:.0f} KiB | in {shapes} | {ops}"]
    lines += [note] if note else []
    for k, v in outputs.items():
        v = v.astype(np.float64)
        stats = f"min {v.min():.4g} max {v.max():.4g} std {v.std():.4g}" if v.size else "empty"
        sane = np.isfinite(v).all() and (v.size < 2 or v.std() > 0) and (v.size == 0 or abs(v).max() < 2e4)
        lines.append(f"    {k} {list(v.shape)} {stats}{'' if sane else '  <-- NOT SANE'}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("target/models"))
    parser.add_argument("--only", nargs="+", metavar="GLOB", default=["*"])
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    args = parser.parse_args()
    names = [n for n in zoo.MODELS if any(fnmatch.fnmatch(n, g) for g in args.only)]
    if args.list:
        print("\n".join(names))
        return 0
    if not names:
        parser.error("no model has such a name")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(1)  # small nets; and threads that wait for each other crawl on a busy machine
    args.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in names:
        start = time.time()
        try:
            print(make(name, args.out.resolve()), f"({time.time() - start:.1f} s)", flush=True)
        except Exception as error:
            failed.append(name)
            for leftover in args.out.glob(f"{name}.*"):
                leftover.unlink()
            traceback.print_exc(limit=-4)
            print(f"{name} | FAILED: {str(error)[:300]}", flush=True)
    print(f"{len(names) - len(failed)} of {len(names)} made" + (f"; failed: {' '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
