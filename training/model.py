"""The detector: a plain convolutional backbone, a feature pyramid with fusion factors, two anchor-free levels, a focus map.

Shapes are [batch, channels, height, width]. Everything that training adds (parallel kernels, batch normalisation) folds
into one convolution with a bias for inference: see `ConvUnit.folded`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BINS = 16
"""Bins of a side's distance distribution; the largest distance is `BINS - 1` cells."""
STRIDES = (4, 8)
"""Input pixels per cell of the output levels, finest first."""
FOCUS_STRIDE = 8
"""Input pixels per cell of the focus map."""
PIXEL_MEAN, PIXEL_STD = 128.0, 64.0
"""Normalisation of all channels on the scale of 0 to 255; padding by zeros is then mid grey."""
ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "hard_swish": nn.Hardswish}


@dataclass(frozen=True)
class Size:
    """Channels and depths of one size of the network, from stride 2 to stride 32."""

    stem: int
    widths: tuple[int, int, int, int]
    """Channels of the stages at strides 4, 8, 16, 32."""
    depths: tuple[int, int, int, int]
    """Units of each stage, the one that halves the sides included."""
    pyramid: int
    """Channels of the pyramid."""
    head: int
    """Channels of each branch of the head."""
    focus: int
    """Channels of the focus branch."""
    max_parameters: int
    max_gflop: float
    """Budgets at 320 x 320 input after folding."""


SIZES = {
    "nano": Size(8, (16, 32, 64, 96), (1, 3, 2, 1), 16, 16, 8, 350_000, 0.3),
    "small": Size(16, (32, 64, 128, 160), (2, 4, 3, 1), 32, 32, 16, 1_500_000, 1.5),
}


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, activation.

    A 3 x 3 kernel is trained as the sum of a 3 x 3 kernel, a 1 x 1 kernel and, where shapes allow, a scaled identity. They
    are added as kernels, before the convolution, so that training costs one convolution and folding is exact.
    """

    def __init__(self, inputs: int, outputs: int, side: int = 3, stride: int = 1, activation: str | None = "hard_swish"):
        super().__init__()
        self.stride, self.side, self.activation = stride, side, activation
        self.weight = nn.Parameter(torch.empty(outputs, inputs, side, side))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.point = nn.Parameter(torch.zeros(outputs, inputs)) if side == 3 else None
        self.identity = nn.Parameter(torch.full((outputs,), 0.5)) if side == 3 and stride == 1 and inputs == outputs else None
        self.norm = nn.BatchNorm2d(outputs, momentum=0.03, eps=1e-3)
        self.act = ACTIVATIONS[activation](inplace=True) if activation else nn.Identity()

    def kernel(self) -> Tensor:
        """The sum of the parallel kernels, [outputs, inputs, side, side]."""
        if self.point is None:
            return self.weight
        centre = self.point if self.identity is None else self.point + torch.diag(self.identity)
        return self.weight + F.pad(centre[:, :, None, None], (1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(x, self.kernel(), None, self.stride, self.side // 2)
        return self.act(self.norm(y))

    @torch.no_grad()
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight [outputs, inputs, side, side] and bias [outputs] of the one convolution that does the same."""
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        return self.kernel() * scale[:, None, None, None], self.norm.bias - self.norm.running_mean * scale


class Head(nn.Module):
    """Decoupled branches of one level: class logits [B, classes, h, w] and distance logits [B, 4 * BINS, h, w]."""

    def __init__(self, inputs: int, width: int, classes: int, stride: int, activation: str):
        super().__init__()
        self.class_unit = ConvUnit(inputs, width, activation=activation)
        self.distance_unit = ConvUnit(inputs, width, activation=activation)
        self.class_out = nn.Conv2d(width, classes, 1)
        self.distance_out = nn.Conv2d(width, 4 * BINS, 1)
        nn.init.normal_(self.class_out.weight, std=0.01)
        nn.init.normal_(self.distance_out.weight, std=0.01)
        nn.init.zeros_(self.distance_out.bias)
        # A cell is seldom positive: start at the share that 15 objects in a 320 x 320 picture give.
        nn.init.constant_(self.class_out.bias, -torch.log(torch.tensor((320 / stride) ** 2 / 15 - 1)).item())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.class_out(self.class_unit(x)), self.distance_out(self.distance_unit(x))


@dataclass
class Outputs:
    """Raw maps of a batch, levels finest first."""

    classes: list[Tensor]
    """[B, classes, h, w] logits."""
    distances: list[Tensor]
    """[B, 4 * BINS, h, w] logits: left, top, right, bottom."""
    focus: Tensor
    """[B, 1, height / 8, width / 8] logits."""


class Detector(nn.Module):
    """Pictures [B, 3, H, W] of 0 to 255 (u8 or float), sides multiples of 32, to `Outputs`.

    `alphas` are the fusion factors of the top-down edges 8 -> 4, 16 -> 8, 32 -> 16, in this order; with `learn_alphas`
    they are where training starts.
    """

    def __init__(
        self,
        size: str,
        classes: int,
        alphas: tuple[float, ...] = (1.0, 1.0, 1.0),
        learn_alphas: bool = False,
        activation: str = "hard_swish",
    ):
        super().__init__()
        s = SIZES[size]
        self.size, self.class_count, self.activation = size, classes, activation
        self.stem = ConvUnit(3, s.stem, stride=2, activation=activation)
        before = (s.stem, *s.widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                ConvUnit(b, w, stride=2, activation=activation),
                *(ConvUnit(w, w, activation=activation) for _ in range(depth - 1)),
            )
            for b, w, depth in zip(before, s.widths, s.depths, strict=True)
        )
        self.inner = nn.ModuleList(ConvUnit(w, s.pyramid, 1, activation=None) for w in s.widths)
        self.layer = nn.ModuleList(ConvUnit(s.pyramid, s.pyramid, activation=activation) for _ in s.widths[:-1])
        self.alphas = nn.Parameter(torch.tensor(alphas), requires_grad=learn_alphas)
        self.heads = nn.ModuleList(Head(s.pyramid, s.head, classes, stride, activation) for stride in STRIDES)
        self.focus_unit = ConvUnit(s.pyramid, s.focus, activation=activation)
        self.focus_out = nn.Conv2d(s.focus, 1, 1)
        nn.init.constant_(self.focus_out.bias, -2.0)

    def forward(self, pictures: Tensor) -> Outputs:
        if torch.is_autocast_enabled(pictures.device.type):
            pictures = pictures.bfloat16()  # exact, as is what follows: 8 bits are enough
        x = self.stem((pictures - PIXEL_MEAN) / PIXEL_STD)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        p = self.inner[-1](features[-1])
        pyramid = []
        for level in reversed(range(len(self.layer))):
            up = F.interpolate(p, scale_factor=2, mode="nearest")
            p = self.layer[level](self.inner[level](features[level]) + self.alphas[level].to(up.dtype) * up)
            pyramid.insert(0, p)
        maps = [head(level) for head, level in zip(self.heads, pyramid, strict=False)]
        focus = self.focus_out(self.focus_unit(pyramid[1]))
        return Outputs([c for c, _ in maps], [d for _, d in maps], focus)
