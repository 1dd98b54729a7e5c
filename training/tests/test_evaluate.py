import numpy as np
import pytest
import torch

import coco
from evaluate import fitted, judge, suppress


def perfect(data):
    pairs = ((p.id, a) for p in data.pictures for a in p.annotations)
    return [{"image_id": i, "category_id": a["category_id"], "bbox": a["bbox"], "score": 0.9} for i, a in pairs]


def test_perfect_detections_have_ap_1_and_none_have_0(data_folder):
    data = coco.load(data_folder / "val.json", data_folder)
    report = judge(data, perfect(data), data.classes)
    assert report.ap == pytest.approx(1)
    assert report.by_size["tiny"] == pytest.approx(1)
    assert np.isnan(report.by_size["large"])
    assert judge(data, [], data.classes).ap50 == 0


def test_only_judged_classes_count(data_folder):
    data = coco.load(data_folder / "val.json", data_folder)
    bars = [r for r in perfect(data) if r["category_id"] == 3]
    assert judge(data, bars, ["bar"]).ap50 == pytest.approx(1)
    assert judge(data, bars, ["bar", "square"]).ap50 == pytest.approx(0.5)


def test_suppression_is_within_a_class():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float32)
    kept = suppress(boxes, np.array([0.5, 0.9, 0.4, 0.1]), np.array([0, 0, 1, 0]), 0.6)
    assert kept.tolist() == [1, 2, 3]


def test_pictures_are_fitted_to_multiples_of_32():
    batch, scale = fitted(np.full((80, 96), 7, np.uint8), 1.5)
    assert batch.shape == (1, 3, 128, 160)
    assert scale == (1.5, 1.5)
    assert torch.equal(batch[..., 120:, :], torch.full((1, 3, 8, 160), 128, dtype=torch.uint8))
