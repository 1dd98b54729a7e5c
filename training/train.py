"""Train a detector on any COCO data set. `python train.py --help`; commands that made the shipped weights: README.md."""

import argparse
import dataclasses
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm import tqdm

import coco
import fusion
from data import Patches, Slicing, batches
from evaluate import evaluate
from losses import Targets, losses
from model import ACTIVATIONS, SIZES, Detector
from optim import Average, learning_rate, make_optimizer
from workers import average_gradients, launch

GRADIENT_NORM = 10.0
GROUP_PATTERN = r"^(\d+)_(\d+)_(\d+)_"
"""HIT-UAV file names begin with day, altitude and angle."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--size", choices=SIZES, default="small")
    add("--data", type=Path, required=True, help="folder of the data set")
    add("--train", default="train.json", help="annotations in the data folder")
    add("--val", default="val.json", help="annotations in the data folder")
    add("--out", type=Path, required=True, help="folder of checkpoints, curve and log")
    add("--judge", help="classes whose mean AP50 picks the best checkpoint, with commas; all by default")
    add("--alpha", default="s", choices=["1", "s", "learnt"], help="fusion factors: all 1, from the data, or learnt from 1")
    add("--activation", choices=ACTIVATIONS, default="hard_swish")
    add("--patches", type=int, default=300_000, help="length of the run")
    add("--pause-at", type=int, help="stop there with a checkpoint, as if told to; --resume goes on")
    add("--epochs", type=float, help="length in patches per training picture instead")
    add("--batch", type=int, default=32)
    add("--optimizer", choices=["muon", "adamw"], default="muon")
    add("--lr", type=float, default=2e-3)
    add("--weight-decay", type=float, default=0.05)
    add("--warm-up", type=int, default=5000, help="patches")
    add("--flat", type=float, default=0.4, help="share of the run before the learning rate falls")
    add("--decay", type=float, default=0.9995, help="of the averaged weights, per step")
    for field in dataclasses.fields(Slicing):
        add(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default, help="see data.Slicing")
    add("--holdout", choices=["none", "groups"], default="none", help="groups: pool train and val, hold whole groups out")
    add("--group-pattern", default=GROUP_PATTERN, help="what makes a file name's group")
    add("--group-share", type=float, default=0.15, help="share of pictures held out in groups")
    add("--seed", type=int, default=0)
    add("--workers", type=int, default=1, help="processes that share each batch, on a CPU as many as cores")
    add("--threads", type=int, default=1, help="threads of each process")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--f32", action="store_true", help="compute in f32, not bf16")
    add("--evaluate-minutes", type=float, default=15, help="between evaluations of the averaged weights")
    add("--save-minutes", type=float, default=4, help="between checkpoints")
    add("--resume", action="store_true", help="go on from OUT/last.pt; --patches and the learning rate may be changed")
    return parser.parse_args()


class Run:
    """A training run: network, optimiser, averages and what was seen, saved and read as one."""

    def __init__(self, args: argparse.Namespace, split: coco.Split, train: coco.DataSet, val: coco.DataSet):
        self.args, self.split, self.train, self.val = args, split, train, val
        self.judged = args.judge.split(",") if args.judge else self.train.classes
        torch.manual_seed(args.seed)
        alphas = (1.0, 1.0, 1.0)
        if args.alpha == "s":
            alphas = fusion.from_data(self.train, args.input_px / (args.min_px * args.max_px) ** 0.5)
        model = Detector(args.size, len(self.train.classes), alphas, args.alpha == "learnt", args.activation)
        self.model = model.to(args.device, memory_format=torch.channels_last)
        self.average = Average(self.model, args.decay)
        self.optimizer = make_optimizer(self.model, args.optimizer, args.lr, args.weight_decay)
        self.seen, self.seconds, self.history, self.best = 0, 0.0, [], 0.0
        self.total = args.patches if args.epochs is None else round(args.epochs * len(self.train.pictures))
        if args.resume:
            self._read(args.out / "last.pt")

    def numbers(self, rank: int) -> Iterator[range]:
        """Patch numbers of process `rank` for each step that is left."""
        for start in range(self.seen, self.total, self.args.batch):
            yield range(start + rank, start + self.args.batch, self.args.workers)

    def _read(self, path: Path) -> None:
        saved = torch.load(path, map_location=self.args.device, weights_only=True)
        if saved["classes"] != self.train.classes or saved["size"] != self.args.size:
            raise SystemExit(f"{path} is of size {saved['size']} and classes {saved['classes']}")
        self.model.load_state_dict(saved["model"])
        self.average.model.load_state_dict(saved["ema"])
        self.optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["rng"].cpu())
        for key in ("seen", "seconds", "history", "best"):
            setattr(self, key, saved[key])
        self.average.updates = saved["updates"]

    def save(self, name: str) -> None:
        """Write OUT/`name`, never leaving half a file."""
        state = {
            "size": self.args.size,
            "classes": self.train.classes,
            "activation": self.args.activation,
            "input_px": self.args.input_px,
            "split": dataclasses.asdict(self.split),
            "arguments": {k: str(v) for k, v in vars(self.args).items()},
            "model": self.model.state_dict(),
            "ema": self.average.model.state_dict(),
            "updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "seen": self.seen,
            "seconds": self.seconds,
            "history": self.history,
            "best": self.best,
        }
        temporary = self.args.out / f"{name}.part"
        torch.save(state, temporary)
        os.replace(temporary, self.args.out / name)

    def step(self, pixels: Tensor, targets: Targets, stop: bool = False) -> tuple[dict[str, float], bool]:
        """One step on this process's share of a batch: the loss terms, and whether any process was told to stop."""
        factor = learning_rate(self.seen / self.total, self.args.warm_up / self.total, self.args.flat)
        for group in self.optimizer.param_groups:
            group["lr"] = self.args.lr * factor
        device = torch.device(self.args.device)
        pixels = pixels.to(device)
        targets = dataclasses.replace(targets, **{k: v.to(device) for k, v in vars(targets).items()})
        with torch.autocast(device.type, torch.bfloat16, enabled=not self.args.f32):
            outputs = self.model(pixels)
        terms = losses(outputs, targets)
        self.optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        stop = average_gradients(self.model, stop)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_NORM)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.model)
        self.seen += self.args.batch
        return {name: float(term.detach()) for name, term in terms.items()}, stop

    def judge(self, decoded: list, terms: dict[str, float]) -> None:
        """Evaluate the averaged weights, note it, keep the best."""
        report, _ = evaluate(self.average.model, self.val, decoded, self.judged, bf16=not self.args.f32)
        entry = {"seen": self.seen, "seconds": round(self.seconds), **terms, **dataclasses.asdict(report)}
        entry["alphas"] = self.model.alphas.tolist()
        self.history.append(entry)
        with open(self.args.out / "history.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        tqdm.write(f"{self.seen} patches, {self.seconds / 60:.0f} min: {report.line()}")
        if report.ap50 > self.best:
            self.best = report.ap50
            self.save("best.pt")
        draw(self.history, self.args.out / "curve.png")


def draw(history: list[dict], path: Path) -> None:
    """The curve of AP50, AP and the loss over patches."""
    figure = Figure(figsize=(11, 4), layout="tight")
    left, right = figure.subplots(1, 2)
    seen = [entry["seen"] for entry in history]
    for name in ("ap50", "ap"):
        left.plot(seen, [entry[name] for entry in history], marker=".", label=name)
    for name in history[-1]["by_class"]:
        left.plot(seen, [entry["by_class"][name][1] for entry in history], lw=0.8, label=f"ap50 {name}")
    for name in ("class", "box", "distance", "focus"):
        right.plot(seen, [entry[name] for entry in history], marker=".", label=name)
    right.set_yscale("log")
    for axes in (left, right):
        axes.set_xlabel("patches")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.batch % args.workers:
        raise SystemExit(f"--batch {args.batch} is not a multiple of --workers {args.workers}")
    torch.set_num_threads(args.threads)
    split = coco.Split(args.train, args.val, args.holdout, args.group_pattern, args.group_share, args.seed)
    try:
        sets = split.open(args.data)
        decoded = [coco.decode_all(data, name) for name, data in zip(("train", "val"), sets, strict=True)]
    except coco.DataError as error:
        raise SystemExit(f"error: {error}") from None
    for name, data in zip(("train", "val"), sets, strict=True):
        print(f"{name}: {len(data.pictures)} pictures, {sum(len(p.boxes) for p in data.pictures)} boxes of {data.classes}")
        for repair, count in data.repairs.items():
            print(f"{name}: repaired: {repair}: {count}")
    launch(work, args.workers, args, split, sets, decoded)


def work(rank: int, args: argparse.Namespace, split: coco.Split, sets: tuple, decoded: list) -> None:
    """Train as process `rank`; the first one also evaluates and saves."""
    stopped = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopped.append(received))
    run = Run(args, split, *sets)
    slicing = Slicing(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Slicing)})
    patches = Patches(run.train, decoded[0], slicing, args.seed)
    first, stop, recent = rank == 0, False, {}
    if first:
        print(f"fusion factors {[round(a, 4) for a in run.model.alphas.tolist()]}", flush=True)
    saved = judged = last = time.monotonic()
    run.model.train()
    with tqdm(total=run.total, initial=run.seen, unit="patch", mininterval=10, smoothing=0.05, disable=not first) as bar:
        for pixels, targets in batches(patches, run.numbers(rank)):
            terms, stop = run.step(pixels, targets, bool(stopped) or run.seen + args.batch == args.pause_at)
            recent = {k: 0.98 * recent.get(k, v) + 0.02 * v for k, v in terms.items()}
            now = time.monotonic()
            run.seconds, last = run.seconds + now - last, now
            bar.update(args.batch)
            bar.set_postfix({k: f"{v:.3f}" for k, v in recent.items()}, refresh=False)
            if stop:
                break
            if first and now - judged > 60 * args.evaluate_minutes:
                run.judge(decoded[1], recent)
                judged = last = time.monotonic()
            if first and now - saved > 60 * args.save_minutes:
                run.save("last.pt")
                saved = now
    if not first:
        return
    if not stop:
        run.judge(decoded[1], recent)
    run.save("last.pt")
    print(f"{'stopped' if stop else 'done'} at {run.seen} patches, best AP50 {run.best:.4f}; {args.out / 'last.pt'}")


if __name__ == "__main__":
    main()
