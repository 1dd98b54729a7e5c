"""A detector as SAHI wants it, and SAHI's sliced prediction with the settings of a comparison."""

import time

import numpy as np
from sahi.models.base import DetectionModel
from sahi.predict import get_sliced_prediction
from sahi.prediction import ObjectPrediction

from _compare import Boxes


class Wrapped(DetectionModel):
    """`model(tile)` takes RGB u8 [h, w, 3] and gives `Boxes` in pixels of the tile, without merging."""

    def set_model(self, model, **_):
        self.model = model

    def perform_inference(self, image):
        self._original_predictions = self.model(image)

    def _create_object_prediction_list_from_original_predictions(self, shift_amount_list=None, full_shape_list=None):
        found = self._original_predictions
        self._object_prediction_list_per_image = [
            [
                ObjectPrediction(
                    bbox=corners,
                    score=score,
                    category_id=label,
                    category_name=str(label),
                    shift_amount=(shift_amount_list or [[0, 0]])[0],
                    full_shape=full_shape_list[0] if full_shape_list else None,
                )
                for corners, score, label in zip(*(part.tolist() for part in found), strict=True)
            ]
        ]


def sliced(pixels, model, options):
    """A function that detects by SAHI: `Boxes`, milliseconds of all, milliseconds in `model.network_ms`."""
    wrapped = Wrapped(model=model, confidence_threshold=options.confidence, device="cpu")

    def detect():
        model.network_ms = 0
        start = time.perf_counter()
        result = get_sliced_prediction(
            pixels,
            wrapped,
            options.tile,
            options.tile,
            options.overlap,
            options.overlap,
            perform_standard_pred=False,
            postprocess_type="NMS",
            postprocess_match_metric="IOU",
            postprocess_match_threshold=options.threshold,
            verbose=0,
        )
        total = (time.perf_counter() - start) * 1e3
        found = result.object_prediction_list
        boxes = Boxes(
            np.array([one.bbox.to_xyxy() for one in found]).reshape(-1, 4),
            np.array([one.score.value for one in found]),
            np.array([one.category.id for one in found], int),
        )
        return boxes, total, model.network_ms

    return detect
