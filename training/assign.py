"""Task-aligned assignment (Feng et al., TOOD, ICCV 2021) on lists of (object, cell) pairs.

Small objects cover few cells, so only the cells inside each box are listed: the cost follows the area of the objects, not
objects x cells.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SCORE_POWER, IOU_POWER, TOP = 0.5, 6.0, 10
"""Alignment is `score ** 0.5 * iou ** 6`; each object takes its 10 best cells."""
MIN_REACH = 1.0
"""An object reaches cells up to this many cell sides from its centre on each axis, however small its box."""


@dataclass(frozen=True)
class Cells:
    """All cells of all levels of one picture, levels in order, row-major."""

    centres: Tensor
    """[A, 2] x, y in input pixels."""
    strides: Tensor
    """[A] input pixels per cell."""
    shapes: tuple[tuple[int, int], ...]
    """Height and width of each level."""

    @staticmethod
    def of(shapes: list[tuple[int, int]], strides: tuple[int, ...], device: torch.device) -> "Cells":
        centres, sides = [], []
        for (height, width), stride in zip(shapes, strides, strict=True):
            y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
            centres.append((torch.stack((x, y), -1).reshape(-1, 2) + 0.5) * stride)
            sides.append(torch.full((height * width,), float(stride), device=device))
        return Cells(torch.cat(centres), torch.cat(sides), tuple(shapes))


def pairs(boxes: Tensor, cells: Cells, strides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Object index [P] and cell index [P] of every cell whose centre an object reaches. `boxes` is [N, 4] x0 y0 x1 y1."""
    objects, indices = [], []
    first = 0
    for (height, width), stride in zip(cells.shapes, strides, strict=True):
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        reach = torch.clamp((boxes[:, 2:] - boxes[:, :2]) / 2, min=MIN_REACH * stride)
        limit = torch.tensor([width, height], device=boxes.device)
        low = torch.clamp(torch.ceil((centre - reach) / stride - 0.5).long(), min=0)
        high = torch.minimum(torch.floor((centre + reach) / stride - 0.5).long() + 1, limit)
        spans = torch.clamp(high - low, min=0)
        counts = spans[:, 0] * spans[:, 1]
        owner = torch.repeat_interleave(torch.arange(len(boxes), device=boxes.device), counts)
        place = torch.arange(len(owner), device=boxes.device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
        x = low[owner, 0] + place % spans[owner, 0]
        y = low[owner, 1] + place // spans[owner, 0]
        objects.append(owner)
        indices.append(first + y * width + x)
        first += height * width
    return torch.cat(objects), torch.cat(indices)


def rank_within(groups: Tensor, values: Tensor) -> Tensor:
    """Rank [P] of each value among those of its group, the largest first. Equal values rank in list order."""
    order = torch.argsort(values, descending=True, stable=True)
    order = order[torch.argsort(groups[order], stable=True)]
    sorted_groups = groups[order]
    place = torch.arange(len(groups), device=groups.device)
    starts = torch.ones_like(sorted_groups, dtype=torch.bool)
    starts[1:] = sorted_groups[1:] != sorted_groups[:-1]
    start = torch.cummax(torch.where(starts, place, torch.zeros_like(place)), 0).values
    ranks = torch.empty_like(place)
    ranks[order] = place - start
    return ranks


def align(objects: Tensor, cells: Tensor, scores: Tensor, ious: Tensor) -> tuple[Tensor, Tensor]:
    """Choose positives among pairs.

    `objects`, `cells`, `scores` (of the object's class) and `ious` are all [P]; cells are unique over the batch. Returns the
    indices [K] of the chosen pairs, one per cell at most, and their target scores [K]: alignment scaled so that an object's
    best cell gets its best IoU.
    """
    metric = scores.clamp(min=0) ** SCORE_POWER * ious**IOU_POWER
    chosen = torch.nonzero(rank_within(objects, metric + 1e-9 * ious) < TOP).squeeze(1)
    # A cell that several objects want goes to the one that it overlaps most.
    chosen = chosen[rank_within(cells[chosen], ious[chosen]) == 0]
    owner = objects[chosen]
    count = int(objects.max()) + 1 if len(objects) else 0
    best_metric = torch.zeros(count, device=metric.device).scatter_reduce(0, owner, metric[chosen], "amax")
    best_iou = torch.zeros(count, device=metric.device).scatter_reduce(0, owner, ious[chosen], "amax")
    target = metric[chosen] * best_iou[owner] / (best_metric[owner] + 1e-9)
    return chosen, target
