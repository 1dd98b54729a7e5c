import json

import numpy as np
import pytest

import coco
import fusion
from data import Patches, Slicing, batches, collate

NO_AREA = "annotations left out: box without area in the picture"


def change(folder, edit):
    path = folder / "train.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    return coco.load(path, folder)


def test_reads_classes_by_category_id(data_folder):
    data = coco.load(data_folder / "train.json", data_folder)
    assert data.classes == ["bar", "square"]
    assert data.category_ids == [3, 7]
    assert len(data.pictures) == 8
    assert not data.repairs


@pytest.mark.parametrize(
    ("edit", "repair"),
    [
        (lambda d: d["annotations"][0].update(bbox=[-5, -5, 20, 20]), "boxes clipped to the picture"),
        (lambda d: d["annotations"][0].update(bbox=[200, 5, 20, 20]), NO_AREA),
        (lambda d: d["annotations"][0].update(bbox=[2, 5, 0, 20]), NO_AREA),
        (
            lambda d: d["annotations"][0].update(bbox=[2, 5, float("nan"), 2]),
            NO_AREA,
        ),
        (lambda d: d["annotations"][0].update(id=2), "annotations left out: id appears twice"),
        (lambda d: d["annotations"][0].update(image_id=999), "annotations left out: unknown image"),
        (lambda d: d["annotations"][0].update(category_id=99), "annotations left out: unknown category"),
        (lambda d: d["images"][0].update(file_name="none.png"), "pictures left out: file is missing"),
    ],
)
def test_states_repairs(data_folder, edit, repair):
    assert change(data_folder, edit).repairs == {repair: 1}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(annotations=[]), "no usable box"),
        (lambda d: d.pop("images"), "no list `images`"),
        (lambda d: d["images"][0].update(id=1), "image id 1 appears twice"),
        (lambda d: d["images"][0].pop("width"), "lacks id, file_name, width or height"),
        (lambda d: d["annotations"][0].pop("bbox"), "lacks id, image_id"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2]), "bbox of 4 numbers"),
        (lambda d: d["categories"][0].update(id=3), "category id or name appears twice"),
        (lambda d: [i.update(file_name="none") for i in d["images"]], "none of its 8 pictures"),
    ],
)
def test_refuses_what_it_cannot_repair(data_folder, edit, message):
    with pytest.raises(coco.DataError, match=message):
        change(data_folder, edit)


def test_refuses_broken_json_and_other_categories(data_folder):
    (data_folder / "broken.json").write_text('{"images": [')
    with pytest.raises(coco.DataError, match="not JSON"):
        coco.load(data_folder / "broken.json", data_folder)
    with pytest.raises(coco.DataError, match="no such file"):
        coco.load(data_folder / "absent.json", data_folder)
    with pytest.raises(coco.DataError, match="none of its categories"):
        coco.load(data_folder / "train.json", data_folder, ["cat"])


def test_refuses_pictures_of_another_size_or_unreadable(data_folder):
    data = change(data_folder, lambda d: d["images"][0].update(width=97))
    with pytest.raises(coco.DataError, match="is 96x80, annotations say 97x80"):
        coco.decode_all(data, "train")
    data.pictures[0].path.write_bytes(b"no picture")
    with pytest.raises(coco.DataError, match="cannot be read"):
        coco.decode_all(data, "train")


def test_groups_are_not_shared(data_folder):
    split = coco.Split("train.json", "val.json", "groups", r"^(\d+)_", 0.6, 0)
    train, held = split.open(data_folder)
    groups = [{p.path.name.split("_")[0] for p in d.pictures} for d in (train, held)]
    assert not groups[0] & groups[1]
    assert len({p.id for p in train.pictures + held.pictures}) == 12


def patches(folder, **slicing) -> Patches:
    data = coco.load(folder / "train.json", folder)
    return Patches(data, coco.decode_all(data, "train"), Slicing(input_px=64, min_px=40, max_px=120, **slicing), seed=3)


def test_a_patch_depends_on_its_number_only(data_folder):
    first, second = patches(data_folder), patches(data_folder)
    second.patch(4)
    for a, b in zip(first.patch(9), second.patch(9), strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first.patch(9)[0], first.patch(10)[0])


@pytest.mark.parametrize("full", [0.0, 1.0])
def test_boxes_lie_on_their_objects(data_folder, full):
    made = patches(data_folder, full=full, min_share=0.9)
    seen = 0
    for number in range(40):
        pixels, boxes, classes = made.patch(number)
        assert len(boxes) == len(classes)
        assert (boxes >= 0).all()
        assert (boxes <= 64).all()
        background = np.median(pixels)
        for x0, y0, x1, y1 in boxes.round().astype(int):
            assert np.median(pixels[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1]) > background + 30
            seen += 1
    assert seen > 20


def test_batches_are_the_patches_in_order(data_folder):
    made = patches(data_folder)
    got = list(batches(made, [range(0, 4), range(4, 8), range(8, 12), range(12, 16)]))
    assert len(got) == 4
    pixels, targets = collate([made.patch(n) for n in range(8, 12)])
    assert np.array_equal(got[2][0].numpy(), pixels.numpy())
    assert np.array_equal(got[2][1].boxes.numpy(), targets.boxes.numpy())
    assert pixels.shape == (4, 3, 64, 64)


def test_s_alpha_of_known_sides():
    sides = np.array([[16.0, 16], [15, 17], [31, 33], [64, 60], [500, 500]])
    counts = fusion.objects_per_level(sides)
    assert counts.tolist() == [2, 1, 1, 1]
    assert fusion.s_alpha(counts) == (0.5, 1.0, 1.0)
