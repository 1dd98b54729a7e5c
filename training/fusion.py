"""S-alpha (Gong et al., WACV 2021): fusion factors of the pyramid from how many objects each level gets."""

import argparse
import itertools
from pathlib import Path

import numpy as np

import coco

PYRAMID_STRIDES = (4, 8, 16, 32)
ANCHOR_CELLS = 4
"""Side of a level's anchor in cells."""


def objects_per_level(sides: np.ndarray) -> np.ndarray:
    """Number of objects per level of `PYRAMID_STRIDES`.

    `sides` is [N, 2], width and height in network input pixels. The network has no anchors, so, as a stand-in for the
    paper's rule, an object goes to the level whose square anchor (4 cells wide, at the object's centre) has the largest IoU
    with it. This needs no training and counts levels that have no head too.
    """
    anchors = ANCHOR_CELLS * np.array(PYRAMID_STRIDES, dtype=np.float64)
    inter = np.minimum(sides[:, :1], anchors) * np.minimum(sides[:, 1:], anchors)
    iou = inter / (sides.prod(1, keepdims=True) + anchors**2 - inter)
    return np.bincount(iou.argmax(1), minlength=len(anchors))


def s_alpha(counts: np.ndarray) -> tuple[float, ...]:
    """Factors of the top-down edges, finest first: `N[i + 1] / N[i]`; see below.

    The paper lets the last fused level also count the objects of the level above it. Here the pyramid ends with its last
    fused level, so there is nothing above, and each edge is the plain ratio. A level without objects counts as one object.
    """
    filled = np.maximum(counts, 1)
    return tuple(float(above / below) for below, above in itertools.pairwise(filled))


def from_data(data: coco.DataSet, magnification: float) -> tuple[float, ...]:
    """S-alpha of a data set whose pictures reach the network magnified by this."""
    boxes = np.concatenate([p.boxes for p in data.pictures]).astype(np.float64)
    return s_alpha(objects_per_level((boxes[:, 2:] - boxes[:, :2]) * magnification))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train", default="train.json")
    parser.add_argument("--magnification", type=float, default=1.16, help="mean factor from picture to network pixels")
    arguments = parser.parse_args()
    data = coco.load(arguments.data / arguments.train, arguments.data)
    boxes = np.concatenate([p.boxes for p in data.pictures]).astype(np.float64)
    counts = objects_per_level((boxes[:, 2:] - boxes[:, :2]) * arguments.magnification)
    print(f"objects per level {dict(zip(PYRAMID_STRIDES, counts.tolist(), strict=True))}, S-alpha {s_alpha(counts)}")


if __name__ == "__main__":
    main()
