"""Optimiser, learning rate and averaged weights."""

import copy
import math

import torch
from torch import Tensor, nn

from model import ConvUnit


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest orthogonal matrix, roughly: five Newton-Schulz steps (Jordan et al., Muon, 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (matrix / (matrix.norm() + 1e-7)).bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T.contiguous() if tall else x
    for _ in range(5):
        square = x @ x.T
        polynomial = torch.addmm(square, square, square, beta=b, alpha=c)
        x = torch.addmm(x, polynomial, x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Muon for groups with `muon` true (kernels as matrices [outputs, the rest], computed in bf16), AdamW for the others.

    Muon's step is scaled to the size of AdamW's (Liu et al., 2025), so that one learning rate serves both.
    """

    def __init__(self, groups: list[dict], lr: float):
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "muon": False})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    (self._muon if group["muon"] else self._adam)(p, group["lr"])

    def _muon(self, p: Tensor, lr: float) -> None:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 0.05)
        update = p.grad.lerp(state["momentum"], 0.95).flatten(1)
        scale = 0.2 * math.sqrt(max(update.shape))
        p.sub_(orthogonal(update).reshape(p.shape), alpha=lr * scale)

    def _adam(self, p: Tensor, lr: float) -> None:
        state = self.state[p]
        if not state:
            state.update(count=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["count"] += 1
        state["mean"].lerp_(p.grad, 0.1)
        state["square"].lerp_(p.grad.square(), 0.01)
        mean = state["mean"] / (1 - 0.9 ** state["count"])
        root = (state["square"] / (1 - 0.99 ** state["count"])).sqrt()
        p.sub_(lr * mean / (root + 1e-8))


def make_optimizer(model: nn.Module, name: str, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """`muon` or `adamw`; kernels decay, biases, norms and fusion factors do not."""
    units = [m for m in model.modules() if isinstance(m, ConvUnit)]
    kernels = {id(u.weight) for u in units}
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if id(p) in kernels]
    outputs = [p for p in trained if id(p) not in kernels and p.ndim > 1]
    rest = [p for p in trained if p.ndim < 2]
    if name == "muon":
        groups = [
            {"params": hidden, "weight_decay": weight_decay, "muon": True},
            {"params": outputs, "weight_decay": weight_decay},
            {"params": rest},
        ]
        return Muon(groups, lr)
    groups = [{"params": hidden + outputs, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr, betas=(0.9, 0.99))


def learning_rate(done: float, warm_up: float, flat: float) -> float:
    """Factor of the rate at `done` (0 to 1) of the run: up during `warm_up`, 1 until `flat`, then a cosine to 1/100."""
    if done < warm_up:
        return max(done / warm_up, 1e-3)
    if done < flat:
        return 1.0
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min((done - flat) / (1 - flat), 1))) / 2


class Average:
    """Exponential moving average of all weights and statistics; `decay` is reached gradually."""

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay, self.updates = copy.deepcopy(model).eval(), decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (20 + self.updates))
        for mine, other in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(other, share)
            else:
                mine.copy_(other)
