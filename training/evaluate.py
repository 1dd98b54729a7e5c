"""Average precision on whole pictures by pycocotools: overall, by class, by size."""

import argparse
import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn
from tqdm import tqdm

import coco
from assign import Cells
from data import resized
from losses import boxes_at, expected_distances
from model import STRIDES, Detector, Outputs

MAX_DETECTIONS = 500
IOU_OF_DUPLICATES = 0.6
SIZES_PX = {"tiny": (0, 16), "small": (16, 32), "medium": (32, 96), "large": (96, 1e5)}
"""sqrt(area) of objects in picture pixels: from, to."""


def decode_outputs(outputs: Outputs, confidence: float) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Per picture boxes [N, 4] in input pixels, scores [N] and classes [N]: one per cell that passes, as the engine does."""
    cells = Cells.of([tuple(m.shape[2:]) for m in outputs.classes], STRIDES, outputs.focus.device)
    scores = torch.cat([m.flatten(2) for m in outputs.classes], 2).float().sigmoid()
    distances = torch.cat([m.flatten(2) for m in outputs.distances], 2)
    best, label = scores.max(1)
    found = []
    for index in range(len(best)):
        keep = torch.nonzero(best[index] >= confidence).squeeze(1)
        boxes = boxes_at(cells.centres[keep], cells.strides[keep], expected_distances(distances[index, :, keep].T))
        found.append((boxes, best[index, keep], label[index, keep]))
    return found


def suppress(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Indices that greedy suppression within each class keeps, best first, `MAX_DETECTIONS` at most."""
    order = np.argsort(-scores, kind="stable")
    shifted = boxes + (classes[:, None] * (boxes.max(initial=0) + 1e4)).astype(boxes.dtype)
    area = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1)
    kept = []
    while len(order) and len(kept) < MAX_DETECTIONS:
        best, rest = order[0], order[1:]
        kept.append(best)
        low, high = np.maximum(shifted[best, :2], shifted[rest, :2]), np.minimum(shifted[best, 2:], shifted[rest, 2:])
        inter = (high - low).clip(0).prod(1)
        order = rest[inter <= threshold * (area[best] + area[rest] - inter)]
    return np.array(kept, dtype=np.int64)


def fitted(pixels: np.ndarray, scale: float) -> tuple[Tensor, tuple[float, float]]:
    """A picture resized by `scale` as [1, 3, H, W], padded with mid grey to multiples of 32, and the true x and y scale."""
    height, width = pixels.shape[:2]
    w, h = round(width * scale), round(height * scale)
    canvas = np.full((-h % 32 + h, -w % 32 + w, 3), 128, np.uint8)
    shrunk = resized(pixels, w, h) if (w, h) != (width, height) else pixels
    canvas[:h, :w] = shrunk if shrunk.ndim == 3 else shrunk[..., None]
    return torch.from_numpy(canvas).permute(2, 0, 1)[None], (w / width, h / height)


@torch.no_grad()
def detect(model: nn.Module, pixels: np.ndarray, scale: float, confidence: float, bf16: bool) -> tuple[np.ndarray, ...]:
    """Boxes [N, 4] in picture pixels, scores [N] and classes [N] of a whole picture."""
    device = next(model.parameters()).device
    batch, (sx, sy) = fitted(pixels, scale)
    batch = batch.to(device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        outputs = model(batch)
    boxes, scores, classes = (t.cpu().numpy() for t in decode_outputs(outputs, confidence)[0])
    height, width = pixels.shape[:2]
    boxes = np.clip(boxes / np.float32((sx, sy, sx, sy)), 0, (width, height, width, height)).astype(np.float32)
    kept = suppress(boxes, scores, classes, IOU_OF_DUPLICATES)
    return boxes[kept], scores[kept], classes[kept]


@dataclass
class Report:
    """Results; each value is 0 to 1, or nan where there is no object."""

    ap: float
    ap50: float
    by_class: dict[str, tuple[float, float]]
    """AP and AP50."""
    by_size: dict[str, float]
    """AP50."""

    def line(self) -> str:
        classes = " ".join(f"{name} {ap50:.3f}" for name, (_, ap50) in self.by_class.items())
        sizes = " ".join(f"{name} {ap50:.3f}" for name, ap50 in self.by_size.items())
        return f"AP {self.ap:.4f} AP50 {self.ap50:.4f} | AP50: {classes} | {sizes}"


def judge(data: coco.DataSet, results: list[dict], judged: list[str]) -> Report:
    """COCO's protocol with up to 500 detections a picture over the classes `judged`; means are over classes."""
    annotations = [
        {"area": a["bbox"][2] * a["bbox"][3], "iscrowd": 0, **a, "image_id": p.id, "id": n}
        for n, (p, a) in enumerate(((p, a) for p in data.pictures for a in p.annotations), start=1)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": p.id, "width": p.width, "height": p.height} for p in data.pictures],
            "annotations": annotations,
            "categories": [{"id": i, "name": n} for i, n in zip(data.category_ids, data.classes, strict=True)],
        }
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results) if results else COCO(), "bbox")
        run.params.catIds = [data.category_ids[data.classes.index(name)] for name in judged]
        run.params.maxDets = [MAX_DETECTIONS]
        run.params.areaRng = [[0, 1e10], *([low**2, high**2] for low, high in SIZES_PX.values())]
        run.params.areaRngLbl = ["all", *SIZES_PX]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"]
    precision = np.where(precision < 0, np.nan, precision)
    # [thresholds, recalls, classes, sizes, limits]; a class without objects is nan and does not count in a mean
    with np.errstate(invalid="ignore"):
        by_class = {n: (_mean(precision[:, :, k, 0]), _mean(precision[0, :, k, 0])) for k, n in enumerate(judged)}
        by_size = {n: _mean(precision[0, :, :, k]) for k, n in enumerate(SIZES_PX, start=1)}
    return Report(_mean(precision[:, :, :, 0]), _mean(precision[0, :, :, 0]), by_class, by_size)


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def evaluate(
    model: nn.Module,
    data: coco.DataSet,
    decoded: list[np.ndarray],
    judged: list[str],
    scale: float = 1.0,
    confidence: float = 0.01,
    bf16: bool = True,
) -> tuple[Report, list[dict]]:
    """Detect on all pictures and judge; also the detections as COCO results."""
    model.eval()
    results = []
    for picture, pixels in zip(tqdm(data.pictures, desc="evaluate", mininterval=10, leave=False), decoded, strict=True):
        boxes, scores, classes = detect(model, pixels, scale, confidence, bf16)
        results += [
            {
                "image_id": picture.id,
                "category_id": data.category_ids[c],
                "bbox": [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])],
                "score": float(s),
            }
            for b, s, c in zip(boxes, scores, classes, strict=True)
        ]
    return judge(data, results, judged), results


def load_checkpoint(path: Path, weights: str = "ema") -> tuple[Detector, dict]:
    """The network of a checkpoint with its averaged (`ema`) or raw (`model`) weights, and the whole checkpoint."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model = Detector(checkpoint["size"], len(checkpoint["classes"]), activation=checkpoint["activation"])
    model.load_state_dict(checkpoint[weights])
    return model.eval().to(memory_format=torch.channels_last), checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--val", help="annotations in the data folder; default: what the training run was judged by")
    parser.add_argument("--judge", help="classes that count, with commas; all by default")
    parser.add_argument("--scale", type=float, nargs="+", default=[1.0], help="pictures are resized by this")
    parser.add_argument("--confidence", type=float, default=0.01)
    parser.add_argument("--f32", action="store_true", help="compute in f32, not bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the detections as COCO results, per scale NAME-SCALE.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, checkpoint = load_checkpoint(arguments.checkpoint)
    if arguments.val:
        data = coco.load(arguments.data / arguments.val, arguments.data, checkpoint["classes"])
    else:
        data = coco.Split(**checkpoint["split"]).open(arguments.data)[1]
    decoded = coco.decode_all(data, "val")
    judged = arguments.judge.split(",") if arguments.judge else data.classes
    for scale in arguments.scale:
        report, results = evaluate(model, data, decoded, judged, scale, arguments.confidence, not arguments.f32)
        print(f"scale {scale}: {report.line()}")
        if arguments.out:
            arguments.out.with_stem(f"{arguments.out.stem}-{scale}").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
