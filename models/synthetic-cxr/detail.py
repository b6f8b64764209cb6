"""The fine band: what the components leave out, as a Gaussian texture whose spectrum changes from place to place.

In the common anatomy the frame is cut into overlapping tiles. Each has its own amplitude spectrum
(rib edges are oriented, vessels fan out, the background is nearly still), learnt as the mean power of
the films' residuals there. Drawing filters one field of white noise tile by tile and adds the tiles up,
so neighbouring tiles share their phases and no seams show.
"""

import numpy as np
from scipy.ndimage import zoom

SIDE = 384
TILE = 32
HOP = TILE // 2
TILES = 2 * SIDE // TILE + 1
# The root of a Hann window: used once before and once after the filter, its squares add up to one.
WINDOW = np.sin(np.pi * (np.arange(TILE) + 0.5) / TILE)
WINDOW2 = np.outer(WINDOW, WINDOW).astype(np.float32)


def grow(texture: np.ndarray, side: int) -> np.ndarray:
    """The texture at the detail's size (cubic)."""
    return zoom(texture, side / texture.shape[-1], order=3, grid_mode=True, mode="nearest")


def tiles(field: np.ndarray):
    """Each tile of a (SIDE + TILE) square field with its place."""
    for i in range(TILES):
        for j in range(TILES):
            yield i, j, np.s_[i * HOP : i * HOP + TILE, j * HOP : j * HOP + TILE]


def learn(pairs) -> tuple[np.ndarray, float]:
    """Amplitude spectra (TILES, TILES, TILE, TILE/2+1) and the deviation of a film's overall ln(gain)."""
    power = np.zeros((TILES, TILES, TILE, TILE // 2 + 1))
    levels = []
    for film, texture in pairs:
        rest = film - grow(texture, SIDE)
        inner = rest[SIDE // 5 : -SIDE // 5, SIDE // 5 : -SIDE // 5]
        levels.append(np.log(inner.std() + 1e-3))
        limit = 3.0 * rest.std()
        padded = np.pad(np.clip(rest, -limit, limit), HOP, mode="reflect")
        cut = np.stack([padded[place] for _, _, place in tiles(padded)]) * WINDOW2
        power += (np.abs(np.fft.rfft2(cut)) ** 2).reshape(power.shape)
    # White noise of deviation one has a mean power of sum(window^2) = TILE^2 / 4 in each bin.
    return np.sqrt(power / len(levels) / (TILE * TILE / 4)), float(np.std(levels))


def draw(amplitude: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The fine band (SIDE, SIDE) from white noise (SIDE + TILE, SIDE + TILE)."""
    out = np.zeros((SIDE + TILE, SIDE + TILE), np.float32)
    for i, j, place in tiles(noise):
        spectrum = np.fft.rfft2(noise[place] * WINDOW2) * amplitude[i, j]
        out[place] += np.fft.irfft2(spectrum, (TILE, TILE)) * WINDOW2
    return out[HOP:-HOP, HOP:-HOP]
