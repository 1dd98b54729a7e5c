import subprocess
import sys
from pathlib import Path

import torch

SETTINGS = "--size nano --batch 4 --input-px 64 --min-px 40 --max-px 80 --warm-up 8 --evaluate-minutes 99 --device cpu --f32"


def train(folder: Path, out: str, *extra: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "train.py", "--data", str(folder), "--out", str(folder / out), *SETTINGS.split(), *extra]
    return subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)


def test_a_resumed_run_equals_one_that_was_not_stopped(data_folder):
    for extra in (["whole"], ["parts", "--pause-at", "12"], ["parts", "--resume"]):
        done = train(data_folder, *extra, "--patches", "24")
        assert done.returncode == 0, done.stderr
    whole, parts = (torch.load(data_folder / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert whole["seen"] == parts["seen"] == 24
    for key in ("model", "ema"):
        assert all(torch.equal(whole[key][name], parts[key][name]) for name in whole[key])


def test_two_processes_train_and_write_one_curve(data_folder):
    done = train(data_folder, "two", "--patches", "8", "--workers", "2", "--holdout", "groups", "--group-share", "0.3")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (data_folder / "two").iterdir()} == {"last.pt", "curve.png", "history.jsonl"} | (
        {"best.pt"} if (data_folder / "two" / "best.pt").exists() else set()
    )
    assert "done at 8 patches" in done.stdout


def test_bad_data_is_one_clear_line(data_folder):
    (data_folder / "train.json").write_text("{")
    done = train(data_folder, "bad")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "not JSON" in done.stderr
    assert "Traceback" not in done.stderr
