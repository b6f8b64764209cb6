"""What a radiograph may look like on another day, on another machine, in other hands: drawn anew for each batch.

The test split differs from the training split in acquisition more than in disease, so the jitter is wide in everything
that acquisition decides (exposure, contrast, sharpness, collimation, placement) and absent in what disease decides.
"""

import numpy as np
import torch
import torch.nn.functional as F


def jitter(images: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Everything but exposure: grey in about 0..1, float [n, 1, h, w], in and out."""
    images = _placement(images, draw)
    images = _sharpness(images, draw)
    images = _collimation(images, draw)
    strength = torch.empty(len(images), 1, 1, 1).uniform_(0.0, 0.03, generator=draw)
    return (images + strength * torch.randn(images.shape, generator=draw)).clamp_(0, 1)


def _placement(images: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Rotation to 10 degrees, scale 0.8 to 1.3 with up to 15 % of aspect, shift to 10 %, mirrored half the time."""
    n = len(images)
    u = lambda low, high: torch.empty(n).uniform_(low, high, generator=draw)
    angle, scale, aspect = u(-0.175, 0.175), 1 / u(0.8, 1.3), u(-0.15, 0.15).exp()
    mirror = torch.where(u(0, 1) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = scale * aspect * angle.cos() * mirror, -scale * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = scale * angle.sin() * mirror, scale / aspect * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = u(-0.2, 0.2), u(-0.2, 0.2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _sharpness(images: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Half the batches pass through a lower resolution, others are sharpened: the resampling of unknown scanners."""
    choice = torch.rand(1, generator=draw).item()
    side = images.shape[-1]
    if choice < 0.5:
        low = int(torch.randint(side // 2, side, (1,), generator=draw))
        mode = ("bilinear", "bicubic", "area")[int(torch.randint(0, 3, (1,), generator=draw))]
        small = F.interpolate(images, size=(low, low), mode=mode, antialias=mode != "area")
        return F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)
    if choice < 0.75:
        amount = torch.rand(1, generator=draw).item()
        return images + amount * (images - F.avg_pool2d(images, 3, 1, 1))
    return images


def exposure(films: np.ndarray, pick: np.random.Generator) -> np.ndarray:
    """Gamma 0.6 to 1.7, contrast 0.7 to 1.3 about mid-grey, brightness to 0.1, on u8 [n, h, w] by a table for each."""
    grey = np.linspace(0, 1, 256, dtype=np.float32)
    out = np.empty(films.shape, dtype=np.float32)
    for film, target in zip(films, out, strict=True):
        curve = grey ** np.exp(pick.uniform(-0.5, 0.53))
        curve = (curve - 0.5) * pick.uniform(0.7, 1.3) + 0.5 + pick.uniform(-0.1, 0.1)
        np.take(curve.astype(np.float32), film, out=target)
    return out


def _collimation(images: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """A black, grey or white border to 12 % on each side, and for a third of the images one blanked patch."""
    n, _, h, w = images.shape
    edge = torch.rand(n, 4, generator=draw) * 0.12 * (torch.rand(n, 4, generator=draw) < 0.35)
    y, x = torch.linspace(0, 1, h).view(1, h, 1), torch.linspace(0, 1, w).view(1, 1, w)
    inside = (y >= edge[:, 0, None, None]) & (y <= 1 - edge[:, 1, None, None])
    inside = inside & (x >= edge[:, 2, None, None]) & (x <= 1 - edge[:, 3, None, None])
    centre, half = torch.rand(n, 2, generator=draw), 0.04 + 0.1 * torch.rand(n, 1, 1, generator=draw)
    patch = ((y - centre[:, 0, None, None]).abs() < half) & ((x - centre[:, 1, None, None]).abs() < half)
    patch = patch & (torch.rand(n, 1, 1, generator=draw) < 0.33)
    fill = torch.rand(n, 1, 1, 1, generator=draw) * (torch.rand(n, 1, 1, 1, generator=draw) < 0.5)
    return torch.where((inside & ~patch).unsqueeze(1), images, fill)
