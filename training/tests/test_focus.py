import torch

from focus import THRESHOLDS, counts

BOXES = torch.tensor([[8.0, 8.0, 24.0, 24.0], [0.0, 0.0, 200.0, 200.0]])
"""A small object on 2 x 2 cells, and one that is too large to count."""


def test_a_perfect_map_keeps_all_of_the_objects_and_little_else():
    focus = torch.zeros(8, 8)
    focus[1:3, 1:3] = 0.9
    found = counts(focus, BOXES, 1)
    assert found[-1].tolist() == [64, 4, 1]
    assert all(row == [4, 4, 1] for row in found[: len(THRESHOLDS)].tolist())
    assert counts(focus, BOXES, 3)[0].tolist() == [16, 4, 1]


def test_a_hole_loses_the_object_and_thresholds_count_themselves():
    focus = torch.zeros(8, 8)
    focus[1:3, 1:3] = torch.tensor([[0.5, 0.2], [0.01, 0.0]])
    kept = {t: row for t, row in zip(THRESHOLDS, counts(focus, BOXES, 1).tolist(), strict=False)}
    assert kept[0.5] == [1, 1, 0]
    assert kept[0.2] == [2, 2, 0]
    assert kept[0.01] == [3, 3, 0]
