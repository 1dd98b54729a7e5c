"""Slicing-aided fine-tuning (SAHI): random patches of many sizes, resized to the network's input, with some full pictures.

Patch number `n` of a seed is always the same patch, so a run that is resumed goes on with exactly those it has not seen.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from coco import DataSet
from losses import Targets

cv2.setNumThreads(0)


@dataclass(frozen=True)
class Slicing:
    """How patches are cut."""

    input_px: int = 320
    """Side of the network's input."""
    min_px: float = 180
    max_px: float = 420
    """Sides of patches in the picture; sizes are drawn evenly on a logarithmic scale."""
    aspect: float = 0.12
    """Sides are multiplied and divided by exp of up to half of this."""
    min_share: float = 0.1
    """A clipped box is kept if this share of its area is in the patch."""
    full: float = 0.04
    """Share of whole pictures, fitted into the input; 1 trains without slicing."""
    anywhere: float = 0.25
    """Share of patches that lie anywhere; the others hold an object of a class drawn by `class_power`."""
    class_power: float = 0.5
    """Classes are drawn by (number of objects) to this power."""


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Linear, half-pixel centres, no antialiasing: what the engine does with a tile."""
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


class Patches:
    """Patches of a data set by number."""

    def __init__(self, data: DataSet, decoded: list[np.ndarray], slicing: Slicing, seed: int):
        self.data, self.decoded, self.slicing, self.seed = data, decoded, slicing, seed
        counts = np.zeros((len(data.classes), len(data.pictures)))
        for index, picture in enumerate(data.pictures):
            np.add.at(counts[:, index], picture.classes, 1)
        totals = counts.sum(1)
        weight = np.where(totals > 0, np.maximum(totals, 1) ** slicing.class_power, 0)
        self.class_share = weight / weight.sum()
        # A crowded picture is drawn by the root of its objects, not by all of them.
        self.picture_share = np.sqrt(counts) / np.maximum(np.sqrt(counts).sum(1, keepdims=True), 1e-9)

    def patch(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels u8 [side, side] or [side, side, 3], boxes [N, 4] f32 in input pixels, classes [N] of patch `number`."""
        rng = np.random.default_rng((self.seed, number))
        draw = rng.random()
        if draw < self.slicing.full:
            index = int(rng.integers(len(self.data.pictures)))
            pixels, boxes, classes = self._full(index)
        else:
            index, (x, y, w, h) = self._window(rng, draw < self.slicing.full + self.slicing.anywhere)
            pixels, boxes, classes = self._cut(index, x, y, w, h)
        side = self.slicing.input_px
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
            boxes[:, [0, 2]] = side - boxes[:, [2, 0]]
        return _tone(pixels, rng), boxes, classes

    def _window(self, rng: np.random.Generator, anywhere: bool) -> tuple[int, tuple[int, int, int, int]]:
        """A picture's index and x, y, width, height of a patch in it."""
        s = self.slicing
        focus = None
        if anywhere:
            index = int(rng.integers(len(self.data.pictures)))
        else:
            wanted = int(rng.choice(len(self.class_share), p=self.class_share))
            index = int(rng.choice(len(self.data.pictures), p=self.picture_share[wanted]))
            members = np.flatnonzero(self.data.pictures[index].classes == wanted)
            box = self.data.pictures[index].boxes[rng.choice(members)]
            focus = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        side = np.exp(rng.uniform(np.log(s.min_px), np.log(s.max_px)))
        stretch = np.exp(rng.uniform(-s.aspect / 2, s.aspect / 2))
        height, width = self.decoded[index].shape[:2]
        w, h = min(round(side * stretch), width), min(round(side / stretch), height)
        place = []
        for axis, (length, whole) in enumerate(((w, width), (h, height))):
            low, high = 0, whole - length
            if focus is not None:
                margin = 0.1 * length
                low = min(max(int(focus[axis] - length + margin), 0), high)
                high = max(min(int(focus[axis] - margin), high), low)
            place.append(int(rng.integers(low, high + 1)))
        return index, (place[0], place[1], w, h)

    def _cut(self, index: int, x: int, y: int, w: int, h: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        picture, side = self.data.pictures[index], self.slicing.input_px
        pixels = resized(self.decoded[index][y : y + h, x : x + w], side, side)
        boxes = np.clip(picture.boxes, (x, y, x, y), (x + w, y + h, x + w, y + h)).astype(np.float32)
        sides, whole = boxes[:, 2:] - boxes[:, :2], picture.boxes[:, 2:] - picture.boxes[:, :2]
        keep = (sides.prod(1) >= self.slicing.min_share * whole.prod(1)) & (sides.min(1, initial=np.inf) > 0)
        boxes = (boxes[keep] - np.float32((x, y, x, y))) * np.float32((side / w, side / h, side / w, side / h))
        return pixels, boxes, picture.classes[keep]

    def _full(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The whole picture at the top left of the input, the rest mid grey."""
        picture, side = self.data.pictures[index], self.slicing.input_px
        source = self.decoded[index]
        scale = side / max(source.shape[:2])
        w, h = max(round(source.shape[1] * scale), 1), max(round(source.shape[0] * scale), 1)
        pixels = np.full((side, side, *source.shape[2:]), 128, np.uint8)
        pixels[:h, :w] = resized(source, w, h)
        return pixels, picture.boxes * np.float32(scale), picture.classes.copy()


def _tone(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma, contrast and brightness drawn anew, by one table."""
    gamma, gain, offset = np.exp(rng.uniform(-0.25, 0.25)), np.exp(rng.uniform(-0.3, 0.3)), rng.uniform(-25, 25)
    table = (255 * np.linspace(0, 1, 256) ** gamma - 128) * gain + 128 + offset
    return cv2.LUT(np.ascontiguousarray(pixels), np.clip(table, 0, 255).astype(np.uint8))


def collate(patches: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[Tensor, Targets]:
    """Pixels u8 [B, 3, side, side], channels last in memory, and the objects of the batch."""
    planes = [p if p.ndim == 3 else np.repeat(p[..., None], 3, 2) for p, _, _ in patches]
    pixels = torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2)
    owners = np.concatenate([np.full(len(b), i, np.int64) for i, (_, b, _) in enumerate(patches)])
    boxes = np.concatenate([b for _, b, _ in patches])
    classes = np.concatenate([c for _, _, c in patches])
    return pixels, Targets(torch.from_numpy(boxes), torch.from_numpy(classes), torch.from_numpy(owners))


def batches(patches: Patches, numbers: Iterable[range]) -> Iterator[tuple[Tensor, Targets]]:
    """A batch for each range of patch numbers, two made ahead by another thread."""
    with ThreadPoolExecutor(1) as pool:
        ahead: deque[Future] = deque()
        for wanted in numbers:
            ahead.append(pool.submit(lambda each: collate([patches.patch(n) for n in each]), wanted))
            if len(ahead) > 2:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
