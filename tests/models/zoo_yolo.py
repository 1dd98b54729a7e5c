"""Ultralytics' nets, built from its yaml files and written by its own exporter, so that names and metadata are its own."""

import os
import shutil
import tempfile

os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_VERBOSE"] = "false"

import torch
from zoo import calibrate, model, nchw, randomise


def build(cfg, x, nc=None):
    from ultralytics import YOLO
    from ultralytics.nn.modules.head import Detect

    yolo = YOLO(cfg)
    net = yolo.model.float()
    randomise(net, x)
    head = net.model[-1]
    if isinstance(head, Detect):  # scores and distances that differ, instead of a constant prior
        boxes, scores = [head.cv2], [head.cv3]
        if getattr(head, "one2one_cv2", None) is not None:
            boxes, scores = [*boxes, head.one2one_cv2], [*scores, head.one2one_cv3]
        box = (0.8, 1.5) if head.reg_max > 1 else (2.0, 0.7)
        targets = [(level[-1], *box) for branch in boxes for level in branch]
        targets += [(level[-1], -3.0, 1.5) for branch in scores for level in branch]
        head.train()
        calibrate(net, x, targets)
        net.eval()
    return yolo


def ultralytics(path, cfg, size=(320, 320), batch=1, nms=None, **options):
    x = nchw(size, batch)
    yolo = build(cfg, x)
    with tempfile.TemporaryDirectory() as folder:
        here = os.getcwd()
        os.chdir(folder)  # it writes beside its configuration's name
        try:
            made = yolo.export(format="onnx", imgsz=size, batch=batch, nms=nms, device="cpu", verbose=False, **options)
            shutil.move(made, path)
        finally:
            os.chdir(here)
    return {"images": x.numpy()}


model("yolov8n", cfg="yolov8n.yaml", opset=12, simplify=True, size=(640, 640))(ultralytics)
model("yolo11n", cfg="yolo11n.yaml", opset=17, simplify=True)(ultralytics)
