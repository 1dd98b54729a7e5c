"""Makes the data set and SAHI's answers that `tests/dataset.rs` compares with. All of it is made up.

    pip install sahi==0.12.8 shapely==2.2.0 && python make.py

Pictures are not kept: pixel (x, y) of picture n is red x, green y, blue 40 n, as the test makes them too.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sahi.slicing import slice_coco

HERE = Path(__file__).parent
PICTURES = [("plain.png", 150, 110), ("sub/größe 1.v2.png", 97, 131), ("small.png", 30, 20), ("航空.png", 64, 64)]
SETTINGS = {
    "64": dict(slice_width=64, slice_height=64, overlap_width_ratio=0.2, overlap_height_ratio=0.2),
    "50x40": dict(slice_width=50, slice_height=40, overlap_width_ratio=0.25, overlap_height_ratio=0.0, min_area_ratio=0.5,
                  ignore_negative_samples=True),
}
JPEG = "plain_0_86_46_150_110.jpg"
BOXES = {
    0: [[0, 0, 20, 10], [130, 100, 20, 10], [-8, -5, 20, 20], [140, 90, 30, 40], [200, 200, 10, 10], [-30, 5, 30, 10],
        [60, 40, 8, 8], [64, 30, 12, 12], [52, 30, 12, 12], [63, 63, 2, 2], [63.5, 20.25, 1, 1.5], [10.3, 20.7, 41.9, 33.1],
        [0, 0, 150, 110], [58.5, 50, 6, 9.99], [12, 96, 1, 1], [-20, -20, 400, 400]],
    1: [[40, 60, 30, 30], [33.33, 50.01, 66.6, 71.2], [96, 130, 1, 1]],
    2: [[0, 0, 30, 20], [5.5, 5.5, 10.25, 3.75], [25, 15, 10, 10]],
    3: [],
}
CROWDS = {0: [[30, 10, 80, 60]]}
POLYGONS = {
    0: [[[10, 10, 140, 20, 120, 100, 30, 90]],
        [[55, 45, 75, 30, 95, 45, 85, 75, 60, 70]],
        [[45, 20, 120, 20, 120, 60, 110, 60, 110, 30, 100, 30, 100, 60, 90, 60, 90, 30, 45, 30]],
        [[5, 70, 15, 70, 15, 80, 5, 80], [70, 80, 90, 80, 90, 100, 70, 100]],
        [[60, 0, 70, 50, 80, 0, 90, 100, 50, 100]]],
    1: [[[48.5, 40.25, 80.75, 66.5, 20.2, 90.9]], [[90, 120, 100, 140, 80, 140]]],
}
RUN_LENGTHS = {1: [10, 10, 40, 30]}


def data_set() -> dict:
    images = [dict(id=n * 7, file_name=name, width=w, height=h) for n, (name, w, h) in enumerate(PICTURES)]
    annotations: list[dict] = []

    def add(picture: int, category: int, bbox: list, **more: object) -> None:
        entry = dict(id=100 + len(annotations), image_id=picture * 7, category_id=category, bbox=bbox)
        annotations.append(entry | dict(area=bbox[2] * bbox[3], iscrowd=0) | more)

    for picture, boxes in BOXES.items():
        for number, bbox in enumerate(boxes):
            add(picture, 2 if number % 3 else 9, bbox)
    for picture, polygons in POLYGONS.items():
        for polygon in polygons:
            xs, ys = [v for part in polygon for v in part[::2]], [v for part in polygon for v in part[1::2]]
            add(picture, 4, [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)], segmentation=polygon)
    for picture, boxes in CROWDS.items():
        for bbox in boxes:
            add(picture, 5, bbox, iscrowd=1)
    for picture, bbox in RUN_LENGTHS.items():
        add(picture, 9, bbox, segmentation=dict(counts="PPYo0", size=[131, 97]))
    names = {9: "car", 2: "person", 4: "field \"a\"", 5: "crowd"}
    return dict(info=dict(year=2026), images=images, annotations=annotations,
                categories=[dict(id=i, name=n, supercategory="thing") for i, n in names.items()])


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    for number, (name, width, height) in enumerate(PICTURES):
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = np.arange(width), np.arange(height)[:, None], 40 * number
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    path = HERE / "dataset.json"
    path.write_text(json.dumps(data_set(), ensure_ascii=False) + "\n", encoding="utf-8")
    for name, setting in SETTINGS.items():
        sliced, _ = slice_coco(str(path), str(folder), "", str(folder / name), out_ext=".png", **setting)
        (HERE / f"sahi_{name}.json").write_text(json.dumps(sliced, ensure_ascii=False) + "\n", encoding="utf-8")
    slice_coco(str(path), str(folder), "", str(folder / "jpg"), out_ext=".jpg", **SETTINGS["64"])
    shutil.copy(folder / "jpg" / JPEG, HERE)


if __name__ == "__main__":
    main()
