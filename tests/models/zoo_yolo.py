"""Ultralytics' nets, built from its yaml files and written by its own exporter, so that names and metadata are its own."""

import os
import shutil
import tempfile

os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_VERBOSE"] = "false"

import numpy as np
import onnx
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.modules.head import Detect
from zoo import calibrate, export, model, nchw, randomise


def build(cfg, x, score=-3.0):
    yolo = YOLO(cfg)
    net = yolo.model.float()
    head = net.model[-1]
    randomise(net, x)
    if isinstance(head, Detect):  # scores and distances that differ, instead of a constant prior
        boxes, scores = [head.cv2], [head.cv3]
        if getattr(head, "one2one_cv2", None) is not None:
            boxes, scores = [*boxes, head.one2one_cv2], [*scores, head.one2one_cv3]
        box = (0.8, 1.5) if head.reg_max > 1 else (2.0, 0.7)
        targets = [(level[-1], *box) for branch in boxes for level in branch]
        targets += [(level[-1], score, 1.5) for branch in scores for level in branch]
        calibrate(net, x, targets)
    return yolo


def ultralytics(path, cfg, size=(320, 320), batch=1, **options):
    x = nchw(size, batch)
    yolo = build(cfg, x)
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # it writes beside its configuration's name
        try:
            made = yolo.export(format="onnx", imgsz=size, batch=batch, device="cpu", verbose=False, **options)
            shutil.move(made, path)
        finally:
            os.chdir(here)
    return {"images": x.numpy()}


# nms=None: to be followed by NMS; nms=False: the NMS-free head, TopK inside; nms=True: NMS inside.
TABLE = {
    "yolov8n": dict(opset=12, size=(640, 640)),
    "yolov8n_unslimmed": dict(opset=17, size=(256, 320), simplify=False),
    "yolov8n_newest": dict(size=(256, 320)),
    "yolov8n_op9": dict(opset=9, simplify=False),
    "yolov8n_dynamic": dict(opset=17, dynamic=True),
    "yolov8n_dynamic_unslimmed": dict(opset=12, dynamic=True, simplify=False, size=(256, 320), batch=2),
    "yolov8n_batch3": dict(opset=12, batch=3),
    "yolov8n_half": dict(opset=17, quantize=16),
    "yolov8n_nms": dict(opset=17, nms=True),
    "yolov8n-seg": dict(opset=12),
    "yolov8n-seg_dynamic": dict(opset=17, dynamic=True, simplify=False),
    "yolov8n-pose": dict(opset=17),
    "yolov8n-obb": dict(opset=17),
    "yolov8n-cls": dict(opset=17, size=(224, 224)),
    "yolov8n-p2": dict(opset=17),
    "yolov8n-p6": dict(opset=17),
    "yolov8n-ghost": dict(opset=17),
    "yolov3-tiny": dict(opset=12),
    "yolov5n": dict(opset=12),
    "yolov5n_unslimmed": dict(opset=17, simplify=False),
    "yolov5n-p6": dict(opset=12),
    "yolov6n": dict(opset=12),
    "yolov9t": dict(opset=17),
    "yolov9t_unslimmed": dict(opset=13, simplify=False, size=(256, 320)),
    "yolov10n": dict(opset=17),
    "yolov10n_e2e": dict(opset=17, nms=False),
    "yolov10n_e2e_unslimmed": dict(opset=13, nms=False, simplify=False, size=(256, 320)),
    "yolo11n": dict(opset=17),
    "yolo11n_unslimmed": dict(opset=12, simplify=False, size=(256, 320)),
    "yolo11n_dynamic": dict(dynamic=True, size=(256, 320)),
    "yolo11n-seg": dict(opset=17, size=(256, 320)),
    "yolo11n-seg_nms": dict(opset=17, nms=True),
    "yolo11n-obb": dict(opset=17),
    "yolo12n": dict(opset=17),
    "yolo12n_unslimmed": dict(opset=12, simplify=False),
    "yolo26n": dict(opset=17),
    "yolo26n_e2e": dict(opset=17, nms=False),
    "yolo26n_e2e_unslimmed": dict(opset=12, nms=False, simplify=False, size=(256, 320)),
    "yolo26n_e2e_dynamic": dict(nms=False, dynamic=True),
    "yolo26n-seg": dict(opset=17),
    "yolo26n-seg_e2e": dict(opset=17, nms=False, size=(256, 320)),
    "yolo26n-sem": dict(opset=17, size=(256, 320)),
}
for name, options in TABLE.items():
    model(name, **({"cfg": f"{name.split('_')[0]}.yaml", "nms": None} | options))(ultralytics)


@model("yolov8n_half_io")
def _(path):
    """Everything in float16, the input and output too."""
    from onnxruntime.transformers import float16

    inputs = ultralytics(path, "yolov8n.yaml", nms=None, opset=12)
    onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=False), path)
    return {name: value.astype(np.float16) for name, value in inputs.items()}


class Levels(nn.Module):
    """The maps before any decoding: per level boxes and scores, split, joined, or reduced to what RKNN's files have."""

    def __init__(self, net, layout):
        super().__init__()
        self.net, self.head, self.layout = net, net.model[-1], layout

    def forward(self, x):
        kept = []
        for m in self.net.model[:-1]:
            if m.f != -1:
                x = kept[m.f] if isinstance(m.f, int) else [x if j == -1 else kept[j] for j in m.f]
            x = m(x)
            kept.append(x)
        out = []
        for f, box, score in zip(self.head.f, self.head.cv2, self.head.cv3):
            box, score = box(kept[f]), score(kept[f])
            if self.layout == "split":
                out += [box, score]
            elif self.layout == "joined":
                out.append(torch.cat([box, score], 1))
            else:
                probability = score.sigmoid()
                out += [box, probability, probability.sum(1, keepdim=True).clamp(0, 1)]
        return tuple(out)


def levels(path, cfg, layout, opset=12, size=(320, 320), **how):
    x = nchw(size)
    net = Levels(build(cfg, x, -7.0 if layout == "rknn" else -3.0).model.eval(), layout)
    return export(net, x, path, opset, **how)


model("yolov8n_levels_split", cfg="yolov8n.yaml", layout="split")(levels)
model("yolov8n_levels_joined", cfg="yolov8n.yaml", layout="joined", opset=17, size=(256, 320))(levels)
model("yolov8n_levels_rknn", cfg="yolov8n.yaml", layout="rknn", raw=True)(levels)
model("yolo26n_levels_split", cfg="yolo26n.yaml", layout="split", opset=17)(levels)


@model("yolo11n_dynamo")
def _(path):
    """PyTorch's newer exporter, without Ultralytics' own."""
    x = nchw((320, 320))
    net = build("yolo11n.yaml", x).model.eval().fuse(verbose=False)
    net.model[-1].export = True
    return export(net, x, path, None, ["output0"], dynamo=True, external_data=False)
