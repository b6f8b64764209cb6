"""The weights file: what train.py writes, sample.py and the Rust crate `reader::synth` read.

Little-endian throughout:

    8 bytes  "HILUMSYN"
    u32      format version (2)
    u32      length of the body once inflated
    ...      the body as one zlib stream

Body, in this order (K = T + S coefficients; texture first, then shape):

    u16 x 8                 texture side, T, shape side, S, detail side, tile side, classes, mixtures per class
    f32[side*side]          texture mean, grey 0..255
    T x (f32, i8[side^2])   texture components: value = scale * i8 (grey per unit coefficient)
    f32[2*shape^2]          shape mean: down, right; in units of the frame
    S x (f32, i16[2*sh^2])  shape components: value = scale * i16
    f32, f32                detail amplitude: exp(low + step * code)
    per class:
      f32, f32              mean and deviation of ln(width / height)
      f32                   deviation of ln(detail gain)
      per mixture:
        f32                 weight (a class's weights sum to 1)
        f32[K]              mean coefficients
        K x (f32, i16[k+1]) rows of the lower Cholesky factor: value = scale * i16
      u8[t*t*tile*(tile/2+1)]  detail amplitude codes, t = 2 * detail/tile + 1 tiles a side, half spectrum as numpy's rfft2
"""

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np

MAGIC = b"HILUMSYN"
VERSION = 2


@dataclass
class Mixture:
    weight: float
    mean: np.ndarray
    cholesky: np.ndarray


@dataclass
class Class:
    log_aspect: tuple[float, float]
    log_gain_deviation: float
    mixtures: list[Mixture]
    amplitude: np.ndarray


@dataclass
class Weights:
    texture_mean: np.ndarray
    texture: np.ndarray
    shape_mean: np.ndarray
    shape: np.ndarray
    detail_side: int
    tile_side: int
    classes: list[Class] = field(default_factory=list)


def _scaled(values: np.ndarray, kind: str) -> bytes:
    top = np.iinfo(kind).max
    scale = np.float32(max(float(np.abs(values).max()), 1e-12) / top)
    codes = np.clip(np.round(values / scale), -top, top).astype(kind)
    return scale.astype("<f4").tobytes() + codes.astype(np.dtype(kind).newbyteorder("<")).tobytes()


def pack(weights: Weights) -> bytes:
    w = weights
    body = [struct.pack("<8H", w.texture_mean.shape[0], len(w.texture), w.shape_mean.shape[-1], len(w.shape), w.detail_side, w.tile_side, len(w.classes), len(w.classes[0].mixtures))]
    body.append(w.texture_mean.astype("<f4").tobytes())
    body += [_scaled(component, "int8") for component in w.texture]
    body.append(w.shape_mean.astype("<f4").tobytes())
    body += [_scaled(component, "int16") for component in w.shape]
    logs = np.log(np.maximum(np.stack([c.amplitude for c in w.classes]), 1e-3))
    low, step = float(logs.min()), float((logs.max() - logs.min()) / 255)
    body.append(struct.pack("<2f", low, step))
    for one, log in zip(w.classes, logs):
        body.append(struct.pack("<3f", *one.log_aspect, one.log_gain_deviation))
        for mixture in one.mixtures:
            body.append(struct.pack("<f", mixture.weight))
            body.append(mixture.mean.astype("<f4").tobytes())
            body += [_scaled(row[: k + 1], "int16") for k, row in enumerate(mixture.cholesky)]
        body.append(np.round((log - low) / step).astype("u1").tobytes())
    plain = b"".join(body)
    return MAGIC + struct.pack("<2I", VERSION, len(plain)) + zlib.compress(plain, 9)


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, kind: str, count: int) -> np.ndarray:
        dtype = np.dtype(kind)
        out = np.frombuffer(self.data, dtype, count, self.at)
        self.at += dtype.itemsize * count
        return out

    def scaled(self, kind: str, count: int) -> np.ndarray:
        scale = self.take("<f4", 1)[0]
        return self.take(kind, count).astype(np.float32) * scale


def unpack(data: bytes) -> Weights:
    version, length = struct.unpack_from("<2I", data, 8)
    if data[:8] != MAGIC or version != VERSION:
        raise ValueError("not a weights file of this version: train again with train.py")
    r = _Reader(zlib.decompress(data[16:]))
    if len(r.data) != length:
        raise ValueError("the weights file is cut short")
    ts, tc, ss, sc, detail, tile, classes, mixtures = (int(v) for v in r.take("<u2", 8))
    mean = r.take("<f4", ts * ts).reshape(ts, ts)
    texture = np.stack([r.scaled("i1", ts * ts).reshape(ts, ts) for _ in range(tc)])
    shape_mean = r.take("<f4", 2 * ss * ss).reshape(2, ss, ss)
    shape = np.stack([r.scaled("<i2", 2 * ss * ss).reshape(2, ss, ss) for _ in range(sc)])
    low, step = r.take("<f4", 2)
    out = Weights(mean, texture, shape_mean, shape, detail, tile)
    tiles = 2 * detail // tile + 1
    for _ in range(classes):
        aspect = tuple(float(v) for v in r.take("<f4", 2))
        gain = float(r.take("<f4", 1)[0])
        mixed = []
        for _ in range(mixtures):
            weight = float(r.take("<f4", 1)[0])
            centre = r.take("<f4", tc + sc)
            lower = np.zeros((tc + sc, tc + sc), np.float32)
            for k in range(tc + sc):
                lower[k, : k + 1] = r.scaled("<i2", k + 1)
            mixed.append(Mixture(weight, centre, lower))
        codes = r.take("u1", tiles * tiles * tile * (tile // 2 + 1)).reshape(tiles, tiles, tile, tile // 2 + 1)
        out.classes.append(Class(aspect, gain, mixed, np.exp(low + step * codes.astype(np.float32))))
    if r.at != len(r.data):
        raise ValueError("the weights file has bytes left over")
    return out
