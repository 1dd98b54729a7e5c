"""How much of a picture its focus map keeps, and how much of the small objects (AutoFocus, Najibi et al. 2019, figure 6)."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

import coco
from evaluate import fitted, load_checkpoint
from losses import FOCUS_MAX_PX, FOCUS_MIN_PX, Targets, focus_labels
from model import FOCUS_STRIDE

THRESHOLDS = (0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001)


def counts(focus: torch.Tensor, boxes: torch.Tensor, dilation: int) -> np.ndarray:
    """Per threshold: kept cells, kept cells of small objects, small objects kept whole. `focus` [h, w] is in 0..1."""
    height, width = focus.shape
    none = torch.zeros(len(boxes), dtype=torch.long)
    targets = Targets(boxes, classes=none, pictures=none)
    wanted = focus_labels(targets, 1, height, width)[0] > 0
    sides = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()
    small = boxes[(sides > FOCUS_MIN_PX) & (sides < FOCUS_MAX_PX)]
    low, high = (small[:, :2] / FOCUS_STRIDE).floor().int(), (small[:, 2:] / FOCUS_STRIDE).ceil().int()
    found = []
    for threshold in THRESHOLDS:
        kept = (focus >= threshold).float()
        kept = F.max_pool2d(kept[None, None], dilation, 1, dilation // 2)[0, 0] > 0
        whole = sum(bool(kept[y0:y1, x0:x1].all()) for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True))
        found.append((int(kept.sum()), int((kept & wanted).sum()), whole))
    return np.array([*found, (focus.numel(), int(wanted.sum()), len(small))], dtype=np.int64)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--val", default="val.json", help="annotations in the data folder")
    parser.add_argument("--scale", type=float, default=1.0, help="pictures are resized by this")
    parser.add_argument("--dilation", type=int, default=3, help="cells, odd; 1: none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the table")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, checkpoint = load_checkpoint(arguments.checkpoint)
    data = coco.load(arguments.data / arguments.val, arguments.data, checkpoint["classes"])
    total = 0
    for picture, pixels in zip(tqdm(data.pictures, mininterval=10), coco.decode_all(data, "val"), strict=True):
        batch, (sx, sy) = fitted(pixels, arguments.scale)
        focus = model(batch.contiguous(memory_format=torch.channels_last)).focus[0, 0].float().sigmoid()
        height, width = (round(side * s) for side, s in zip(pixels.shape[:2], (sy, sx), strict=True))
        focus = focus[: -(-height // FOCUS_STRIDE), : -(-width // FOCUS_STRIDE)]
        boxes = torch.from_numpy(picture.boxes * np.float32((sx, sy, sx, sy)))
        total = total + counts(focus, boxes, arguments.dilation)
    cells, wanted, objects = total[-1].tolist() if data.pictures else (0, 0, 0)
    if not objects:
        parser.error(f"{arguments.val} has no object of {FOCUS_MIN_PX:g} to {FOCUS_MAX_PX:g} px at scale {arguments.scale:g}")
    rows = [
        {"threshold": t, "area": a / cells, "cell_recall": c / wanted, "object_recall": o / objects}
        for t, (a, c, o) in zip(THRESHOLDS, total[:-1].tolist(), strict=True)
    ]
    print(f"{len(data.pictures)} pictures, {objects} small objects on {wanted / cells:.1%} of the area")
    print("threshold  area kept  cells of objects  whole objects")
    for row in rows:
        print(f"{row['threshold']:9}  {row['area']:9.1%}  {row['cell_recall']:16.1%}  {row['object_recall']:13.1%}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
