"""A model file in PyTorch, run over tiles by PyPI SAHI: what the engine is compared with (docs/ACCURACY.md).

Writes COCO results for `tilehawk eval`. Needs `pip install sahi==0.12.8` beside requirements.txt.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from sahi.models.base import DetectionModel
from sahi.predict import get_sliced_prediction
from sahi.prediction import ObjectPrediction
from torch import Tensor
from tqdm import tqdm

import coco

ACTIVATIONS = {"hard_swish": F.hardswish, "silu": F.silu, "relu": F.relu, "sigmoid": torch.sigmoid}


class ModelFile:
    """The network of a model file of the kind that `export.py` writes."""

    def __init__(self, path: Path):
        with safe_open(path, "pt") as file:
            self.document = json.loads(file.metadata()["tilehawk"])
            self.tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        """All maps of a batch [B, 3, height, width], normalised."""
        found = {self.document["graph"]["input"]: x.contiguous(memory_format=torch.channels_last)}
        for node in self.document["graph"]["nodes"]:
            x = found[node["inputs"][0]]
            if node["op"] == "resize":
                x = F.interpolate(x, size=node["size"], mode="nearest")
            else:
                weight, bias = self.tensors[node["weight"]], self.tensors[node["bias"]]
                x = F.conv2d(x, weight, bias, node["stride"], node["padding"][0])
                if "residual" in node:
                    x = x + found[node["inputs"][1]]
                if "activation" in node:
                    x = ACTIVATIONS[node["activation"]["kind"]](x)
            found[node["name"]] = x
        return found

    def fitted(self, tile: np.ndarray) -> tuple[Tensor, float, float]:
        """A tile u8 [h, w, 3] as input [3, height, width], scaled at the top left, and its x and y scale."""
        spec = self.document["input"]
        height, width = tile.shape[:2]
        r = min(spec["width"] / width, spec["height"] / height)
        w, h = int(width * r + 0.5), int(height * r + 0.5)
        canvas = np.full((spec["height"], spec["width"], 3), spec["pad"], np.float32)
        canvas[:h, :w] = cv2.resize(tile.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
        canvas = (canvas - np.float32(spec["mean"])) / np.float32(spec["std"])
        return torch.from_numpy(canvas).permute(2, 0, 1), w / width, h / height

    def boxes(self, tiles: list[np.ndarray], confidence: float) -> list[tuple[np.ndarray, ...]]:
        """Per tile boxes [N, 4] in pixels of the tile, scores [N] and classes [N]."""
        inputs = [self.fitted(tile) for tile in tiles]
        maps = self.maps(torch.stack([x for x, _, _ in inputs]))
        head = self.document["head"]
        weights = torch.arange(head["bins"], dtype=torch.float32)
        found = []
        for index, (_, sx, sy) in enumerate(inputs):
            parts = []
            for level in head["levels"]:
                scores, classes = maps[level["classes"]][index].flatten(1).max(0)
                keep = torch.nonzero(scores >= confidence).squeeze(1)
                across = maps[level["classes"]].shape[3]
                centre = torch.stack([keep % across, keep // across], 1) + head["centre"]
                sides = maps[level["distances"]][index].flatten(1)[:, keep].T.reshape(-1, 4, head["bins"])
                sides = sides.softmax(2) @ weights
                boxes = torch.cat([centre - sides[:, :2], centre + sides[:, 2:]], 1) * level["stride"]
                parts.append((boxes / torch.tensor([sx, sy, sx, sy]), scores[keep], classes[keep]))
            boxes, scores, classes = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
            height, width = tiles[index].shape[:2]
            boxes = np.clip(boxes, 0, (width, height, width, height))
            whole = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(1)
            found.append((boxes[whole], scores[whole], classes[whole]))
        return found


class Wrapped(DetectionModel):
    """The network as SAHI wants it."""

    def load_model(self) -> None:
        self.set_model(ModelFile(Path(self.model_path)))

    def set_model(self, model: ModelFile, **_: object) -> None:
        self.model = model
        self.category_mapping = {str(i): name for i, name in enumerate(model.document["classes"])}

    @torch.no_grad()
    def perform_inference(self, image: np.ndarray) -> None:
        self._original_predictions = self.model.boxes([image], self.confidence_threshold)

    @torch.no_grad()
    def perform_batch_inference(self, images: list[np.ndarray]) -> None:
        self._batch_images = images
        self._original_predictions = self.model.boxes(images, self.confidence_threshold)

    def _create_object_prediction_list_from_original_predictions(self, shift_amount_list=None, full_shape_list=None) -> None:
        def pairs(values: list | None) -> list:
            return [values] if values and isinstance(values[0], int) else values or [None]

        shifts, shapes = pairs(shift_amount_list), pairs(full_shape_list)
        self._object_prediction_list_per_image = [
            [
                ObjectPrediction(
                    bbox=box.tolist(),
                    score=float(score),
                    category_id=int(label),
                    category_name=self.category_mapping[str(label)],
                    shift_amount=shift,
                    full_shape=shape,
                )
                for box, score, label in zip(*found, strict=True)
            ]
            for found, shift, shape in zip(self._original_predictions, shifts, shapes, strict=True)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model file")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--val", default="val.json", help="annotations in the data folder")
    parser.add_argument("--out", type=Path, required=True, help="COCO results to write")
    parser.add_argument("--tile", type=int, default=0, help="side of a tile; 0: the whole picture")
    parser.add_argument("--overlap", type=float, default=0.2)
    parser.add_argument("--full-image", action="store_true")
    parser.add_argument("--confidence", type=float, default=0.01)
    parser.add_argument("--merge", choices=["NMS", "GREEDYNMM", "NMM"], default="NMS")
    parser.add_argument("--metric", choices=["IOU", "IOS"], default="IOU")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = Wrapped(model_path=str(arguments.model), confidence_threshold=arguments.confidence, device="cpu")
    classes = model.model.document["classes"]
    data = coco.load(arguments.data / arguments.val, arguments.data, classes)
    merge = {"postprocess_match_threshold": arguments.threshold, "postprocess_match_metric": arguments.metric}
    results = []
    for picture, pixels in zip(tqdm(data.pictures, mininterval=10), coco.decode_all(data, "val"), strict=True):
        rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
        side = arguments.tile or max(rgb.shape)
        found = get_sliced_prediction(
            np.ascontiguousarray(rgb),
            model,
            side,
            side,
            arguments.overlap,
            arguments.overlap,
            perform_standard_pred=arguments.full_image,
            postprocess_type=arguments.merge,
            verbose=0,
            batch_size=16,
            force_postprocess_type=True,
            **merge,
        )
        for one in found.object_prediction_list:
            x0, y0, x1, y1 = one.bbox.to_xyxy()
            results.append(
                {
                    "image_id": picture.id,
                    "category_id": data.category_ids[one.category.id],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "score": float(one.score.value),
                }
            )
    arguments.out.write_text(json.dumps(results))
    print(f"{arguments.out}: {len(results)} boxes in {len(data.pictures)} pictures")


if __name__ == "__main__":
    main()
