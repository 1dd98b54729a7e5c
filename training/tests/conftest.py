"""A small data set of bright squares and bars on grey."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)


def write_data(folder: Path, name: str, count: int, first_id: int = 0) -> dict:
    """Write `name`.json and its pictures (96 x 80) of two classes; the document."""
    rng = np.random.default_rng(first_id)
    document = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "square"}, {"id": 3, "name": "bar"}]}
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(first_id, first_id + count):
        pixels = rng.integers(90, 110, (80, 96), dtype=np.uint8)
        for _ in range(3):
            kind = int(rng.integers(2))
            w, h = ((10, 10), (18, 6))[kind]
            x, y = int(rng.integers(96 - w)), int(rng.integers(80 - h))
            pixels[y : y + h, x : x + w] = 220
            identity = len(document["annotations"]) + 1
            box = {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0}
            document["annotations"].append({"id": identity, "image_id": number, "category_id": (7, 3)[kind], **box})
        file = f"{number % 2}_{number // 2}_30_{number}.png"
        Image.fromarray(pixels).save(folder / name / file)
        document["images"].append({"id": number, "file_name": file, "width": 96, "height": 80})
    (folder / f"{name}.json").write_text(json.dumps(document))
    return document


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    write_data(tmp_path, "train", 8)
    write_data(tmp_path, "val", 4, 100)
    return tmp_path
