"""COCO data sets: reading, checking, stated repairs, splits by groups, decoded pictures in memory."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm


class DataError(Exception):
    """A data set that cannot be used; the message names the file and the entry."""


@dataclass
class Picture:
    """One picture and its objects."""

    id: int
    path: Path
    width: int
    height: int
    boxes: np.ndarray
    """[N, 4] f32, x0 y0 x1 y1 in pixels of the picture."""
    classes: np.ndarray
    """[N] i64, class index."""
    annotations: list[dict]
    """The entries as read, for evaluation."""


@dataclass
class DataSet:
    """Pictures with objects of known classes."""

    pictures: list[Picture]
    classes: list[str]
    category_ids: list[int]
    """COCO category of each class."""
    repairs: Counter = field(default_factory=Counter)
    """What was wrong and how often; each is left out or clipped as the key says."""


def _read(path: Path) -> dict:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not JSON: {error}") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise DataError(f"{path}: has no list `{key}`")
    return document


def find_pictures(annotations: Path, data: Path, file_name: str) -> Path | None:
    """Where a picture lies: in the folder named like the annotation file, in `images`, or in the data folder itself."""
    for folder in (data / annotations.stem, data / "images", data, annotations.parent):
        if (folder / file_name).is_file():
            return folder / file_name
    return None


def load(annotations: Path, data: Path, classes: list[str] | None = None) -> DataSet:
    """Read and check a COCO file.

    `classes` (names in order) are those of another file that this one must agree with. Raises `DataError` where no stated
    repair is possible.
    """
    document = _read(annotations)
    repairs: Counter = Counter()
    categories = _categories(document["categories"], annotations, classes)
    names = classes or [name for _, name in sorted(categories.items())]
    index_of = {identity: names.index(name) for identity, name in categories.items() if name in names}
    id_of = {name: identity for identity, name in categories.items()}

    pictures: dict[int, Picture] = {}
    for entry in document["images"]:
        try:
            identity, name, width, height = (entry[k] for k in ("id", "file_name", "width", "height"))
        except (KeyError, TypeError):
            raise DataError(f"{annotations}: an image lacks id, file_name, width or height: {entry!r}") from None
        if identity in pictures:
            raise DataError(f"{annotations}: image id {identity} appears twice")
        path = find_pictures(annotations, data, name)
        if path is None:
            repairs["pictures left out: file is missing"] += 1
            continue
        pictures[identity] = Picture(identity, path, width, height, np.empty(0), np.empty(0), [])

    _attach(document, pictures, index_of, annotations, repairs)
    if not pictures:
        raise DataError(f"{annotations}: none of its {len(document['images'])} pictures was found under {data}")
    result = DataSet(list(pictures.values()), names, [id_of.get(name, -1) for name in names], repairs)
    if not any(len(p.boxes) for p in result.pictures):
        raise DataError(f"{annotations}: no usable box in {len(document['annotations'])} annotations; repairs: {dict(repairs)}")
    return result


def _categories(entries: list, path: Path, classes: list[str] | None) -> dict[int, str]:
    try:
        categories = {int(entry["id"]): str(entry["name"]) for entry in entries}
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: a category lacks id or name") from None
    if len(categories) != len(entries) or len(set(categories.values())) != len(entries):
        raise DataError(f"{path}: a category id or name appears twice")
    if classes is not None and not set(classes) & set(categories.values()):
        raise DataError(f"{path}: none of its categories {sorted(categories.values())} is among {classes}")
    return categories


def _attach(document: dict, pictures: dict[int, Picture], index_of: dict[int, int], path: Path, repairs: Counter) -> None:
    """Give each picture its objects, leaving out or clipping what is wrong, with a count in `repairs`."""
    known = {entry["id"] for entry in document["images"]}
    seen: set = set()
    objects: dict[int, list[tuple]] = {identity: [] for identity in pictures}
    for entry in document["annotations"]:
        try:
            identity, image, category = entry["id"], entry["image_id"], entry["category_id"]
            x, y, w, h = (float(v) for v in entry["bbox"])
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{path}: an annotation lacks id, image_id, category_id or a bbox of 4 numbers: {entry!r}") from None
        if identity in seen:
            repairs["annotations left out: id appears twice"] += 1
            continue
        seen.add(identity)
        if image not in known:
            repairs["annotations left out: unknown image"] += 1
            continue
        if category not in index_of:
            repairs["annotations left out: unknown category"] += 1
            continue
        if image not in pictures:
            continue
        picture = pictures[image]
        box = (max(x, 0.0), max(y, 0.0), min(x + w, picture.width), min(y + h, picture.height))
        if not (np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]):
            repairs["annotations left out: box without area in the picture"] += 1
            continue
        if box != (x, y, x + w, y + h):
            repairs["boxes clipped to the picture"] += 1
        picture.annotations.append(entry)
        if not entry.get("iscrowd", 0):
            objects[image].append((*box, index_of[category]))
    for identity, rows in objects.items():
        table = np.array(rows, dtype=np.float32).reshape(-1, 5)
        pictures[identity].boxes = table[:, :4]
        pictures[identity].classes = table[:, 4].astype(np.int64)


def split_groups(sets: list[DataSet], pattern: str, share: float, seed: int) -> tuple[DataSet, DataSet]:
    """Pool data sets and hold whole groups out.

    A picture's group is what the groups of the regular expression `pattern` match in its file name. Groups are drawn until
    they hold `share` of the pictures. Returns those to train on and those held out.
    """
    groups: dict[tuple, list[Picture]] = {}
    for picture in (p for s in sets for p in s.pictures):
        match = re.search(pattern, picture.path.name)
        if match is None:
            raise DataError(f"{picture.path.name} does not match the group pattern {pattern!r}")
        groups.setdefault(match.groups(), []).append(picture)
    order = sorted(groups)
    np.random.default_rng(seed).shuffle(order)
    total, held, kept = sum(map(len, groups.values())), [], []
    for group in order:
        (held if len(held) + len(groups[group]) <= share * total else kept).extend(groups[group])
    if not held or not kept:
        raise DataError(f"{len(groups)} groups cannot be split with {share} held out")
    first, repairs = sets[0], sum((s.repairs for s in sets), Counter())
    for number, picture in enumerate(held + kept):
        picture.id = number
    return DataSet(kept, first.classes, first.category_ids, repairs), DataSet(held, first.classes, first.category_ids)


@dataclass(frozen=True)
class Split:
    """Which pictures of a data folder train and which judge; kept in checkpoints."""

    train: str
    val: str
    """Annotation files in the data folder."""
    holdout: str = "none"
    """`none`: as the files say. `groups`: pooled, whole groups held out."""
    pattern: str = ""
    share: float = 0.15
    seed: int = 0

    def open(self, data: Path) -> tuple[DataSet, DataSet]:
        """The data sets to train on and to judge by."""
        train = load(data / self.train, data)
        val = load(data / self.val, data, train.classes)
        return (train, val) if self.holdout == "none" else split_groups([train, val], self.pattern, self.share, self.seed)


def decode(path: Path) -> np.ndarray:
    """A picture as u8: [H, W] where all three channels are equal, else [H, W, 3] RGB."""
    try:
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    grey = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    return np.ascontiguousarray(pixels[..., 0]) if grey else pixels


def decode_all(data: DataSet, label: str) -> list[np.ndarray]:
    """All pictures in memory, checked against the sizes that the annotations state."""
    decoded = []
    for picture in tqdm(data.pictures, desc=f"decode {label}", mininterval=5):
        pixels = decode(picture.path)
        if pixels.shape[:2] != (picture.height, picture.width):
            raise DataError(
                f"{picture.path}: is {pixels.shape[1]}x{pixels.shape[0]}, annotations say {picture.width}x{picture.height}"
            )
        decoded.append(pixels)
    return decoded
