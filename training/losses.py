"""Losses: class scores against aligned targets, boxes by complete IoU and distance distributions, the focus map."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from assign import Cells, align, pairs
from model import BINS, FOCUS_STRIDE, STRIDES, Outputs

CLASS_GAIN, BOX_GAIN, DISTANCE_GAIN, FOCUS_GAIN = 0.5, 7.5, 1.5, 0.3
FOCUS_MIN_PX, FOCUS_MAX_PX, FOCUS_IGNORE_PX = 5.0, 64.0, 90.0
"""AutoFocus labels (Najibi et al., ICCV 2019): a, b and c, sqrt(area) in network input pixels."""


@dataclass
class Targets:
    """Objects of a batch, pictures in order."""

    boxes: Tensor
    """[N, 4] x0 y0 x1 y1 in network input pixels."""
    classes: Tensor
    """[N] class index."""
    pictures: Tensor
    """[N] index of the picture in the batch."""


def iou(a: Tensor, b: Tensor, complete: bool = False) -> Tensor:
    """IoU of boxes [N, 4] pair by pair; `complete` subtracts the penalties of CIoU (Zheng et al., 2020)."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (high - low).clamp(min=0).prod(1)
    side_a, side_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    value = inter / (side_a.prod(1) + side_b.prod(1) - inter + 1e-7)
    if not complete:
        return value
    around = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    offset = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2
    distance = offset.square().sum(1) / (around.square().sum(1) + 1e-7)
    angles = torch.atan(side_b[:, 0] / (side_b[:, 1] + 1e-7)) - torch.atan(side_a[:, 0] / (side_a[:, 1] + 1e-7))
    shape = 4 / math.pi**2 * angles.square()
    with torch.no_grad():
        weight = shape / (1 - value + shape + 1e-7)
    return value - distance - weight * shape


def expected_distances(logits: Tensor) -> Tensor:
    """Distances [N, 4] in cells of logits [N, 4 * BINS]: left, top, right, bottom."""
    bins = torch.arange(BINS, device=logits.device, dtype=torch.float32)
    return logits.float().reshape(-1, 4, BINS).softmax(2) @ bins


def boxes_at(centres: Tensor, strides: Tensor, distances: Tensor) -> Tensor:
    """Boxes [N, 4] in input pixels from distances [N, 4] in cells."""
    pixels = distances * strides[:, None]
    return torch.cat((centres - pixels[:, :2], centres + pixels[:, 2:]), 1)


def distance_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Distribution focal loss [N]: cross entropy against the two bins around each wanted distance [N, 4] in cells."""
    wanted = wanted.clamp(0, BINS - 1 - 0.01)
    left = wanted.long()
    share = wanted - left
    log_p = logits.float().reshape(-1, 4, BINS).log_softmax(2)
    low = log_p.gather(2, left[..., None]).squeeze(2)
    high = log_p.gather(2, left[..., None] + 1).squeeze(2)
    return -(low * (1 - share) + high * share).mean(1)


def focus_labels(targets: Targets, batch: int, height: int, width: int) -> Tensor:
    """Labels [batch, height, width] of the focus map: 1 small object, -1 ignored, 0 neither; 1 wins."""
    labels = torch.zeros(batch, height, width)
    sides = (targets.boxes[:, 2:] - targets.boxes[:, :2]).prod(1).sqrt()
    small = (sides > FOCUS_MIN_PX) & (sides < FOCUS_MAX_PX)
    unsure = ~small & (sides < FOCUS_IGNORE_PX)
    low = (targets.boxes[:, :2] / FOCUS_STRIDE).floor().long().clamp(min=0)
    high = (targets.boxes[:, 2:] / FOCUS_STRIDE).ceil().long()
    for label, members in ((-1.0, unsure), (1.0, small)):
        for index in torch.nonzero(members).squeeze(1).tolist():
            (x0, y0), (x1, y1) = low[index].tolist(), high[index].tolist()
            labels[int(targets.pictures[index]), y0:y1, x0:x1] = label
    return labels


def focus_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean binary cross entropy of logits [B, 1, h, w] over the cells that are not ignored."""
    each = F.binary_cross_entropy_with_logits(logits[:, 0].float(), labels.clamp(min=0), reduction="none")
    known = labels >= 0
    return (each * known).sum() / known.sum().clamp(min=1)


def _flat(maps: list[Tensor]) -> Tensor:
    """[B, A, channels] of the levels' maps [B, channels, h, w]."""
    return torch.cat([m.permute(0, 2, 3, 1).flatten(1, 2) for m in maps], 1)


def losses(outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """Weighted terms `class`, `box`, `distance` and `focus`; training minimises their sum."""
    shapes = [(m.shape[2], m.shape[3]) for m in outputs.classes]
    cells = Cells.of(shapes, STRIDES, outputs.focus.device)
    batch, total = outputs.focus.shape[0], len(cells.strides)
    class_logits = _flat(outputs.classes).float().flatten(0, 1)
    distance_logits = _flat(outputs.distances).flatten(0, 1)

    objects, cell = pairs(targets.boxes, cells, STRIDES)
    row = targets.pictures[objects] * total + cell
    with torch.no_grad():
        unique, back = torch.unique(row, return_inverse=True)
        in_picture = unique % total
        guess = expected_distances(distance_logits[unique])
        guess = boxes_at(cells.centres[in_picture], cells.strides[in_picture], guess)
        scores = class_logits[row, targets.classes[objects]].sigmoid()
        chosen, wanted_score = align(objects, row, scores, iou(guess[back], targets.boxes[objects]))
    objects, cell, row = objects[chosen], cell[chosen], row[chosen]

    wanted_classes = torch.zeros_like(class_logits)
    wanted_classes[row, targets.classes[objects]] = wanted_score
    weight = wanted_score.sum().clamp(min=1)
    logits = distance_logits[row]
    wanted = targets.boxes[objects]
    centres, strides = cells.centres[cell], cells.strides[cell]
    overlap = iou(boxes_at(centres, strides, expected_distances(logits)), wanted, complete=True)
    sides = torch.cat((centres - wanted[:, :2], wanted[:, 2:] - centres), 1) / strides[:, None]
    labels = focus_labels(targets, batch, *outputs.focus.shape[2:]).to(outputs.focus.device)
    class_sum = F.binary_cross_entropy_with_logits(class_logits, wanted_classes, reduction="sum")
    return {
        "class": CLASS_GAIN * class_sum / weight,
        "box": BOX_GAIN * ((1 - overlap) * wanted_score).sum() / weight,
        "distance": DISTANCE_GAIN * (distance_loss(logits, sides) * wanted_score).sum() / weight,
        "focus": FOCUS_GAIN * focus_loss(outputs.focus, labels),
    }
