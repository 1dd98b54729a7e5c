"""Parameters and operations of the folded network."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from model import SIZES, ConvUnit, Detector


@dataclass(frozen=True)
class Cost:
    parameters: int
    """Kernels and biases after folding, fusion factors."""
    gflop: float
    """2 x multiply-adds of all convolutions, and one operation per element for bias, activation, sum and copy."""


@torch.no_grad()
def cost(model: Detector, height: int = 320, width: int = 320) -> Cost:
    """Cost at one input size, seen by running the network."""
    flop = 0
    parameters = model.alphas.numel()
    hooks = []

    def seen(module: nn.Module, _: tuple, output: torch.Tensor) -> None:
        nonlocal flop, parameters
        weight = module.kernel() if isinstance(module, ConvUnit) else module.weight
        parameters += weight.numel() + len(weight)
        activated = isinstance(module, ConvUnit) and module.activation is not None
        flop += output[0, 0].numel() * (2 * weight.numel() + len(weight) * (2 if activated else 1))

    for module in model.modules():
        if isinstance(module, (ConvUnit, nn.Conv2d)):
            hooks.append(module.register_forward_hook(seen))
    model.eval()(torch.zeros(1, 3, height, width))
    for hook in hooks:
        hook.remove()
    for level in range(len(model.layer)):
        cells = (height >> (level + 2)) * (width >> (level + 2))
        flop += 3 * cells * SIZES[model.size].pyramid  # magnify, scale, add
    outputs = model(torch.zeros(1, 3, height, width))
    flop += sum(F.sigmoid(m).numel() for m in (*outputs.classes, outputs.focus))
    return Cost(parameters, flop / 1e9)


def main() -> None:
    for name, size in SIZES.items():
        c = cost(Detector(name, 4))
        budget = f"of {size.max_parameters:,} and {size.max_gflop}"
        print(f"{name}: {c.parameters:,} parameters, {c.gflop:.3f} GFLOP at 320 x 320 ({budget})")


if __name__ == "__main__":
    main()
