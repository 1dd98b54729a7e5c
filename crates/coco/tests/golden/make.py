"""Makes classes.json, tiny.json and breakdown.json beside it, from gt*.json and dt*.json.

Needs pycocotools 2.0.11 and sahi 0.12.8 with matplotlib. classes.json holds what COCOeval measures for each class, for
a part of them, and for all as one. tiny.json holds the TinyPerson measures by an evaluator written
here on pycocotools' classes from the benchmark's published rules, with the differences that src/tiny.rs states;
breakdown.json holds the areas that SAHI's error analysis plots. pycocotools.json came with the cases: pycocotools' COCOeval.
"""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import sahi.scripts.coco_error_analysis as analysis
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = Path(__file__).parent
BINS = {"all": (2, 1e5), "tiny": (2, 20), "tiny1": (2, 8), "tiny2": (8, 12), "tiny3": (12, 20), "small": (20, 32),
        "reasonable": (32, 1e5)}
THRESHOLDS = [0.25, 0.5, 0.75]


def load(case):
    return (json.loads((HERE / f"{kind}{case}.json").read_text()) for kind in ("gt", "dt"))


def classes(case):
    """All measures: of the mean and each class, of two classes, of all as one."""

    def measure(ids, use_cats):
        truth = COCO(HERE / f"gt{case}.json")
        found = truth.loadRes(str(HERE / f"dt{case}.json"))
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.maxDets = [1, 3, 20]
        evaluation.params.useCats = use_cats
        if ids:
            evaluation.params.catIds = ids
        evaluation.evaluate()
        evaluation.accumulate()
        mean = lambda values: float(values[values > -1].mean()) if (values > -1).any() else -1
        precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
        rows = []
        for chosen in [slice(None)] + [slice(k, k + 1) for k in range(precision.shape[2])]:
            row = [mean(precision[iou, :, chosen, area, 2]) for area in range(4) for iou in (slice(None), 0, 5)]
            row += [mean(recall[:, chosen, area, count]) for area in range(4) for count in range(3)]
            rows.append(row)
        return rows

    return {"all": measure(None, 1), "two": measure([1, 5], 1), "agnostic": measure(None, 0)}


def shares(dets, gts):
    """Intersection over the detection's area, [dets, gts]."""
    out = np.zeros((len(dets), len(gts)))
    for i, (x, y, w, h) in enumerate(dets):
        for j, (gx, gy, gw, gh) in enumerate(gts):
            iw, ih = min(x + w, gx + gw) - max(x, gx), min(y + h, gy + gh) - max(y, gy)
            out[i, j] = iw * ih / (w * h) if iw > 0 and ih > 0 else 0
    return out


class TinyEval(COCOeval):
    """Average precision: ignored objects by flags, and a second look at them by share."""

    def _prepare(self):
        super()._prepare()
        for gts in self._gts.values():
            for g in gts:
                g["ignore"] = int(bool(g.get("flag") or g["iscrowd"] or g.get("uncertain")))

    def evaluateImg(self, img, cat, rng, most):
        result = super().evaluateImg(img, cat, rng, most)
        if result is None:
            return None
        gts = [g for g in self._gts[img, cat] if g["_ignore"]]
        dts = self._dts[img, cat]
        dts = [dts[i] for i in np.argsort([-d["score"] for d in dts], kind="mergesort")[:most]]
        if not gts or not dts:
            return result
        inside = shares([d["bbox"] for d in dts], [g["bbox"] for g in gts]).max(axis=1)
        for t, threshold in enumerate(self.params.iouThrs):
            saved = (result["dtMatches"][t] == 0) & (inside >= threshold)
            result["dtIgnore"][t][saved] = True
        return result


def miss_rates(truth, found, low, high, threshold):
    """1 - recall at nine counts of false positives per image, for one class."""
    entries, positives = [], 0
    for img in sorted(truth.imgs):
        gts = truth.imgToAnns[img]
        dts = sorted(found.imgToAnns[img], key=lambda d: -d["score"])[:1000]
        skip = [bool(g.get("flag") or g["iscrowd"] or g.get("uncertain")) or not low <= np.sqrt(g["area"]) <= high
                for g in gts]
        dts = [d for d in dts if low / 1.25 <= np.sqrt(d["bbox"][2] * d["bbox"][3]) < high * 1.25]
        counting = [g["bbox"] for g, s in zip(gts, skip) if not s]
        ignored = [g["bbox"] for g, s in zip(gts, skip) if s]
        positives += len(counting)
        free = [True] * len(counting)
        for d in dts:
            x, y, w, h = d["bbox"]
            inter = shares([d["bbox"]], counting)[0] * w * h if counting else []
            ious = [i / (w * h + g[2] * g[3] - i) if f else -1 for i, g, f in zip(inter, counting, free)]
            if ious and max(ious) >= threshold:
                free[int(np.argmax(ious))] = False
                entries.append((d["score"], 1, 0))
            elif not (ignored and shares([d["bbox"]], ignored).max() >= threshold):
                entries.append((d["score"], 0, 1))
    if not positives:
        return None
    entries.sort(key=lambda e: -e[0])
    tp, fp = np.cumsum([e[1] for e in entries]), np.cumsum([e[2] for e in entries]) / len(truth.imgs)
    rates = []
    for point in 10.0 ** np.linspace(-2, 0, 9):
        below = np.searchsorted(fp, point, side="right") - 1
        rates.append(1 - (tp[below] / positives if below >= 0 else 0))
    return rates


def tiny(case):
    """Boxes at a quarter of their size; every 7th annotation is marked `ignore`, every 11th `uncertain`."""
    gt, dt = load(case)
    for i, a in enumerate(gt["annotations"]):
        a["bbox"], a["area"] = [v / 4 for v in a["bbox"]], a["area"] / 16
        a["flag"], a["uncertain"] = i % 7 == 0, i % 11 == 0
    for d in dt:
        d["bbox"] = [v / 4 for v in d["bbox"]]

    def coco(categories):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(gt))
        truth.dataset["annotations"] = [a for a in truth.dataset["annotations"] if a["category_id"] in categories]
        truth.createIndex()
        return truth, truth.loadRes([dict(d) for d in dt if d["category_id"] in categories])

    ids = [c["id"] for c in gt["categories"]]
    evaluation = TinyEval(*coco(ids), "bbox")
    evaluation.params.iouThrs = np.array(THRESHOLDS)
    evaluation.params.maxDets = [200]
    evaluation.params.areaRng = [[low**2, high**2] for low, high in BINS.values()]
    evaluation.params.areaRngLbl = list(BINS)
    evaluation.evaluate()
    evaluation.accumulate()
    result = {}
    for a, (name, (low, high)) in enumerate(BINS.items()):
        precision, missed = [], []
        for t, threshold in enumerate(THRESHOLDS):
            values = evaluation.eval["precision"][t, :, :, a, 0]
            precision.append(float(values[values > -1].mean()) if (values > -1).any() else -1)
            rates = [miss_rates(*coco([i]), low, high, threshold) for i in ids]
            rates = [r for one in rates if one is not None for r in one]
            with np.errstate(divide="ignore"):
                missed.append(float(np.exp(np.log(rates).mean())) if rates else -1)
        result[name] = {"AP": precision, "MR": missed}
    return result


def breakdown(case):
    """Category ids 0, 1, 2, since SAHI takes ids for places; the first two have one supercategory."""
    gt, dt = load(case)
    places = {c["id"]: i for i, c in enumerate(gt["categories"])}
    for entry in gt["annotations"] + dt:
        entry["category_id"] = places[entry["category_id"]]
    for c in gt["categories"]:
        c["id"] = places[c["id"]]
        c["supercategory"] = "other" if c["id"] == 2 else "pair"
    parts = {}

    def record(_, ps, out, name, kind):
        areas = []
        for area in range(ps.shape[-2]):
            rows = [row[row > -1] for row in ps[..., area, 0]]
            areas.append([float(row.mean()) if len(row) else 0.0 for row in rows])
        parts[name] = areas
        return []

    analysis._makeplot = record
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "gt.json", Path(folder) / "dt.json"]
        for path, content in zip(files, (gt, dt)):
            path.write_text(json.dumps(content))
        analysis.analyse(str(files[0]), str(files[1]), out_dir=folder, no_extraplots=True)
    return parts


if __name__ == "__main__":
    for name, make in (("classes", classes), ("tiny", tiny), ("breakdown", breakdown)):
        with contextlib.redirect_stdout(io.StringIO()):
            cases = [make(case) for case in range(3)]
        (HERE / f"{name}.json").write_text(json.dumps(cases, indent=1) + "\n")
