"""Brings all training films into one common anatomy (a groupwise diffeomorphic-demons registration).

Principal components of films that are not aligned are ghosts: eight sets of ribs at once.
Here every film I gets a smooth displacement field u (in units of the frame, 0..1) with
I(x + u(x)) close to the common template T(x); the template is the mean of the aligned normal
films and sharpens as the alignment improves.
"""

import numba
import numpy as np
from scipy.ndimage import gaussian_filter1d, zoom

# (side of the level in pixels, iterations, smoothing of each step, smoothing of the whole field; both in pixels)
LEVELS = ((32, 80, 3.0, 1.2), (64, 90, 5.0, 1.2), (128, 50, 5.0, 1.5))
# The last pass looks at ribs alone, at 128 pixels: iterations, smoothing of each step and of the field, pixels.
RIB_ROUNDS, RIB_STEP, RIB_FIELD = 60, 6.5, 0.8
# A rib is between these two smoothings wide (pixels at 128).
RIB_FINE, RIB_COARSE = 0.8, 5.0
# The template is renewed after this many iterations within a level.
RENEW_EVERY = 10
# No displacement step is longer than this many pixels: keeps the composed field invertible.
LONGEST_STEP = 0.5


def smooth(stack: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing of the last two axes."""
    out = gaussian_filter1d(stack, sigma, axis=-1, mode="nearest", truncate=3.0)
    return gaussian_filter1d(out, sigma, axis=-2, mode="nearest", truncate=3.0)


def local_contrast(films: np.ndarray, sigma: float) -> np.ndarray:
    """Each pixel relative to its neighbourhood's mean and spread, so that ribs look alike in clear and in opaque lungs."""
    flat = films.astype(np.float32)
    mean = smooth(flat, sigma)
    spread = np.sqrt(np.maximum(smooth(flat * flat, sigma) - mean * mean, 0.0))
    return (flat - mean) / (spread + 8.0)


@numba.njit(cache=False, fastmath=True)
def warp(film, field, out):
    """out(x) = film(x + field(x)), bilinear, the border repeated; field in pixels, [0] down, [1] right."""
    h, w = film.shape
    for i in range(h):
        for j in range(w):
            y = min(max(i + field[0, i, j], 0.0), h - 1.001)
            x = min(max(j + field[1, i, j], 0.0), w - 1.001)
            y0 = int(y)
            x0 = int(x)
            fy = y - y0
            fx = x - x0
            top = film[y0, x0] * (1 - fx) + film[y0, x0 + 1] * fx
            low = film[y0 + 1, x0] * (1 - fx) + film[y0 + 1, x0 + 1] * fx
            out[i, j] = top * (1 - fy) + low * fy


@numba.njit(cache=False, fastmath=True)
def step(moved, template, gy, gx, field_step, longest):
    """The demons force: along the template's gradient and the film's own, bounded in length."""
    h, w = moved.shape
    for i in range(h):
        for j in range(w):
            d = template[i, j] - moved[i, j]
            my = (moved[min(i + 1, h - 1), j] - moved[max(i - 1, 0), j]) * 0.5
            mx = (moved[i, min(j + 1, w - 1)] - moved[i, max(j - 1, 0)]) * 0.5
            ey = 0.5 * (my + gy[i, j])
            ex = 0.5 * (mx + gx[i, j])
            norm = ey * ey + ex * ex + d * d * 0.5 + 1e-3
            sy = d * ey / norm
            sx = d * ex / norm
            length = (sy * sy + sx * sx) ** 0.5
            if length > longest:
                sy *= longest / length
                sx *= longest / length
            field_step[0, i, j] = sy
            field_step[1, i, j] = sx


@numba.njit(cache=False, fastmath=True)
def warp_mirrored(film, field, out):
    """As warp, but what lies beyond the film's border is its mirror image: no streaks."""
    h, w = film.shape
    for i in range(h):
        for j in range(w):
            y = abs(i + field[0, i, j])
            x = abs(j + field[1, i, j])
            if y > h - 1.001:
                y = max(2 * (h - 1.001) - y, 0.0)
            if x > w - 1.001:
                x = max(2 * (w - 1.001) - x, 0.0)
            y0 = int(y)
            x0 = int(x)
            fy = y - y0
            fx = x - x0
            top = film[y0, x0] * (1 - fx) + film[y0, x0 + 1] * fx
            low = film[y0 + 1, x0] * (1 - fx) + film[y0 + 1, x0 + 1] * fx
            out[i, j] = top * (1 - fy) + low * fy


def compose(field: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """The field that first takes delta and then field: delta(x) + field(x + delta(x))."""
    out = np.empty_like(field)
    warp(field[0], delta, out[0])
    warp(field[1], delta, out[1])
    return out + delta


def invert(field: np.ndarray, rounds: int = 25) -> np.ndarray:
    """The inverse field by fixed point: v(y) = -u(y + v(y)). Field in pixels."""
    inverse = -field
    moved = np.empty_like(field)
    for _ in range(rounds):
        warp(field[0], inverse, moved[0])
        warp(field[1], inverse, moved[1])
        inverse = -0.5 * moved + 0.5 * inverse
    return inverse


def shrink(films: np.ndarray, side: int) -> np.ndarray:
    factor = films.shape[-1] / side
    return np.stack([zoom(smooth(f.astype(np.float32), factor / 2.2), 1 / factor, order=1, grid_mode=True, mode="nearest") for f in films])


def align(films: np.ndarray, labels: np.ndarray, say=print) -> np.ndarray:
    """Displacement fields (n, 2, 128, 128) float32 in units of the frame."""
    fields = None
    for side, rounds, step_sigma, field_sigma in LEVELS:
        small = shrink(films, side)
        features = local_contrast(small, side / 10) if side > 32 else (small - small.mean((1, 2), keepdims=True)) / (small.std((1, 2), keepdims=True) + 1e-3)
        # A film's edge is its collimation, not anatomy: the outermost pixels pull less.
        if fields is None:
            fields = np.zeros((len(films), 2, side, side), np.float32)
        else:
            grow = side // fields.shape[-1]
            fields = np.stack([zoom(f, (1, grow, grow), order=1, grid_mode=True, mode="nearest") * grow for f in fields]).astype(np.float32)
        fields, error = _level(features, labels, fields, rounds, step_sigma, field_sigma)
        say(f"registered at {side}: mean squared difference {error:.4f}", flush=True)
    return lock_ribs(films, labels, fields / LEVELS[-1][0], say)


def ribs(films: np.ndarray) -> np.ndarray:
    """The band of widths where ribs are, at an even strength over the film."""
    band = smooth(films, RIB_FINE) - smooth(films, RIB_COARSE)
    return band / (np.sqrt(smooth(band * band, 1.5 * RIB_COARSE)) + 1.0)


def lock_ribs(films: np.ndarray, labels: np.ndarray, fields: np.ndarray, say=print) -> np.ndarray:
    """Slides each film's ribs onto the nearest of the template's, so that their mean has ribs at all."""
    side = LEVELS[-1][0]
    features = ribs(shrink(films, side))
    fields = fields * side
    moved = np.empty_like(features)
    normal = labels == 0
    for round_ in range(RIB_ROUNDS):
        if round_ % 5 == 0:
            centre = invert(fields[normal].mean(0))
            for k in range(len(features)):
                fields[k] = compose(fields[k], centre)
                warp(features[k], fields[k], moved[k])
            mean = moved[normal].mean(0)
            # Faint ribs of the mean must pull as hard as clear ones.
            template = np.clip(mean / (np.sqrt(smooth(mean * mean, 1.5 * RIB_COARSE)) + 0.03), -2, 2)
            gy, gx = np.gradient(template)
        force = np.empty_like(fields)
        for k in range(len(features)):
            warp(features[k], fields[k], moved[k])
            step(moved[k], template, gy, gx, force[k], LONGEST_STEP)
        force = smooth(force, RIB_STEP)
        for k in range(len(features)):
            fields[k] = compose(fields[k], force[k])
        fields = smooth(fields, RIB_FIELD)
    say(f"ribs: energy of the mean {float((moved[normal].mean(0) ** 2).mean()):.4f}", flush=True)
    return fields / side


def _level(features, labels, fields, rounds, step_sigma, field_sigma):
    moved = np.empty_like(features)
    normal = labels == 0
    error = 0.0
    for round_ in range(rounds):
        if round_ % RENEW_EVERY == 0:
            # Centre the anatomy: the mean displacement of the normal films belongs to the template, not to them.
            centre = invert(fields[normal].mean(0))
            for k in range(len(features)):
                fields[k] = compose(fields[k], centre)
                warp(features[k], fields[k], moved[k])
            template = moved[normal].mean(0)
            gy, gx = np.gradient(template)
            gain = moved[normal].std() / template.std()
            template, gy, gx = template * gain, gy * gain, gx * gain
            # the gain undoes the contrast that averaging takes away
        force = np.empty_like(fields)
        for k in range(len(features)):
            warp(features[k], fields[k], moved[k])
            step(moved[k], template, gy, gx, force[k], LONGEST_STEP)
        force = smooth(force, step_sigma)
        for k in range(len(features)):
            fields[k] = compose(fields[k], force[k])
        fields = smooth(fields, field_sigma)
        error = float(((moved - template) ** 2).mean())
    return fields, error
