"""The network, written and trained here from random weights: a small residual net whose logit *is* the mean of its map.

Input `image` float [n, 1, 224, 224], grey/255. The logit is a fixed weighted mean of the evidence map, so the map
explains the logit completely; the weights fall to zero on the outermost ring, so no marker in a corner can vote.
"""

import torch
import torch.nn.functional as F
from torch import nn

GRID = 14
"""Rows and columns of the evidence map: one cell covers 16 × 16 input pixels."""


class Normalise(nn.Module):
    """Takes the acquisition out of the picture: two channels, global and local contrast, both of zero mean.

    Statistics come from the central 80 %, where collimation and markers seldom reach.
    """

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        middle = image[:, :, 22:202, 22:202]
        mean = middle.mean(dim=(2, 3), keepdim=True)
        spread = (middle - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
        whole = (image - mean) / (spread + 0.05)
        base = _blur(image)
        deviation = _blur((image - base).square()).sqrt()
        local = (image - base) / (deviation + 0.03)
        return torch.cat([whole.clamp(-4, 4), local.clamp(-4, 4)], dim=1)


def _blur(image: torch.Tensor) -> torch.Tensor:
    """A mean over about 24 pixels, a ninth of the film: wider than a rib and its gap, narrower than a lung.

    Taken on an eighth of the resolution, where it costs nothing.
    """
    coarse = F.avg_pool2d(F.avg_pool2d(image, 8), 3, 1, 1, count_include_pad=False)
    return F.interpolate(coarse, scale_factor=8.0, mode="bilinear", align_corners=False)


class Residual(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut (He et al. 2016), with squeeze-and-excitation (Hu et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int, drop: float) -> None:
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm_one = nn.BatchNorm2d(outputs)
        self.two = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm_two = nn.BatchNorm2d(outputs)
        self.squeeze = nn.Conv2d(outputs, outputs // 8, 1)
        self.excite = nn.Conv2d(outputs // 8, outputs, 1)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
        self.drop = drop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm_one(self.one(x)))
        y = self.norm_two(self.two(y))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean(dim=(2, 3), keepdim=True)))))
        y = y * gate
        if self.training and self.drop:
            keep = (torch.rand(len(x), 1, 1, 1) >= self.drop).to(y.dtype) / (1 - self.drop)
            y = y * keep
        return F.relu(y + self.shortcut(x))


class Network(nn.Module):
    """Image → (logit [n, 1], evidence [n, 1, 14, 14], embedding [n, 160])."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        self.normalise = Normalise()
        self.stem = nn.Sequential(nn.Conv2d(2, w, 7, 4, 3, bias=False), nn.BatchNorm2d(w), nn.ReLU())
        plan = [(w, w, 1), (w, 2 * w, 2), (2 * w, 2 * w, 1), (2 * w, 4 * w, 2), (4 * w, 4 * w, 1), (4 * w, 5 * w, 1)]
        drops = torch.linspace(0, 0.15, len(plan)).tolist()
        self.body = nn.Sequential(*[Residual(i, o, s, d) for (i, o, s), d in zip(plan, drops, strict=True)])
        self.dropout = nn.Dropout2d(0.2)
        self.evidence = nn.Conv2d(5 * w, 1, 1)
        self.register_buffer("window", evidence_window())

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.body(self.stem(self.normalise(image)))
        evidence = self.evidence(self.dropout(features)).float() * self.window
        logit = evidence.mean(dim=(2, 3))
        embedding = (features.float() * self.window).mean(dim=(2, 3))
        return logit, evidence, embedding


def evidence_window() -> torch.Tensor:
    """Weights [1, 1, 14, 14] of mean 1: zero on the outermost ring, rising over the next two cells."""
    ramp = torch.ones(GRID)
    for cell, weight in enumerate([0.0, 0.5, 0.9]):
        ramp[cell] = ramp[GRID - 1 - cell] = weight
    window = ramp.view(-1, 1) * ramp.view(1, -1)
    return (window / window.mean()).view(1, 1, GRID, GRID)
