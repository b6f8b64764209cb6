#!/usr/bin/env python3
"""Writes grayscale.json: reference vectors for reader::pixels::grayscale and for the dashboard's viewer.

Written from the text of DICOM PS3.3 C.11.2 with numpy, on its own; where pydicom's apply_voi_lut can do the same, the two
must agree to within a rounding step, or this script fails. Samples are values after the modality LUT minus "offset".

Needs numpy and pydicom. Run: python3 make_grayscale.py > grayscale.json
"""

import json

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi_lut
from pydicom.sequence import Sequence


def shade(values: np.ndarray, voi: dict, invert: bool) -> list[int]:
    x = values.astype(np.float64)
    kind = voi["kind"]
    if kind == "full_range":
        low, high = x.min(), x.max()
        y = (x - low) / (high - low) * 255.0 if high > low else np.zeros_like(x)
    elif kind in ("linear", "linear_exact"):
        c, w = voi["center"], voi["width"]
        if kind == "linear":  # C.11.2.1.2.1
            c, w = c - 0.5, w - 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            y = ((x - c) / w + 0.5) * 255.0
        y = np.where(x <= c - w / 2, 0.0, np.where(x > c + w / 2, 255.0, y))
    elif kind == "sigmoid":  # C.11.2.1.3.1
        with np.errstate(over="ignore"):
            y = 255.0 / (1.0 + np.exp(-4.0 * (x - voi["center"]) / voi["width"]))
    else:  # C.11.2.1.1
        table = np.asarray(voi["lut"])
        index = np.clip(values - voi["lut_first"], 0, len(table) - 1)
        y = table[index] * 255.0 / (2 ** voi["lut_bits"] - 1)
    grey = np.clip(np.floor(y + 0.5), 0, 255).astype(int)
    return (255 - grey if invert else grey).tolist()


def oracle(values: np.ndarray, voi: dict) -> np.ndarray | None:
    """pydicom's answer on 0..255, or None where it has none for these values."""
    if values.min() < -(2**15) or values.max() >= 2**15:
        return None
    data = Dataset()
    data.BitsStored, data.BitsAllocated, data.PixelRepresentation = 16, 16, 1
    data.PhotometricInterpretation, data.RescaleSlope, data.RescaleIntercept = "MONOCHROME2", 1, 0
    if voi["kind"] in ("linear", "linear_exact", "sigmoid"):
        data.WindowCenter, data.WindowWidth = voi["center"], voi["width"]
        data.VOILUTFunction = voi["kind"].upper()
        out = apply_voi_lut(values.astype(np.int16), data)
        return (np.asarray(out, dtype=np.float64) + 2**15) / (2**16 - 1) * 255.0
    if voi["kind"] == "lut":
        item = Dataset()
        item.LUTDescriptor = [len(voi["lut"]), voi["lut_first"], 16]
        item["LUTDescriptor"].VR = "SS" if voi["lut_first"] < 0 else "US"
        item.LUTData = voi["lut"]
        item["LUTData"].VR = "US"
        data.VOILUTSequence = Sequence([item])
        out = apply_voi_lut(values.astype(np.int16), data)
        return np.asarray(out, dtype=np.float64) * 255.0 / (2 ** voi["lut_bits"] - 1)
    return None


def case(name: str, values, voi: dict, invert: bool = False) -> dict:
    values = np.asarray(values, dtype=np.int64)
    expect = shade(values, voi, invert)
    reference = oracle(values, voi)
    if reference is not None:
        plain = np.asarray(shade(values, voi, False))
        worst = np.abs(plain - reference).max()
        assert worst <= 0.51, f"{name}: pydicom differs by {worst}"
    offset = int(values.min())
    return {"name": name, "samples": (values - offset).tolist(), "offset": offset, "voi": voi, "invert": invert, "expect": expect}


def main() -> None:
    window = lambda kind, center, width: {"kind": kind, "center": center, "width": width}
    ramp12 = list(range(0, 4096, 91)) + [4095]
    gamma = [round(4095 * (i / 255) ** 0.5) for i in range(256)]
    cases = [
        case("identity of a finished 8-bit image", range(256), window("linear", 128, 256)),
        case("identity, MONOCHROME1", range(0, 256, 5), window("linear", 128, 256), True),
        case("linear, 12 bit", ramp12, window("linear", 2048, 4096)),
        case("linear, narrow", ramp12, window("linear", 1800.5, 400.25)),
        case("linear, narrow, MONOCHROME1", ramp12, window("linear", 1800.5, 400.25), True),
        case("linear, width 1 is a threshold", [98, 99, 100, 101], window("linear", 100, 1)),
        case("linear, width 2", [98, 99, 100, 101], window("linear", 100, 2)),
        case("linear, signed values", range(-1024, 3072, 64), window("linear", 40, 400)),
        case("linear, wider than the image", ramp12, window("linear", 511, 1024)),
        case("linear exact", ramp12, window("linear_exact", 2048, 4096)),
        case("linear exact, width under 1", [99, 100, 101], window("linear_exact", 100, 0.5)),
        case("sigmoid", ramp12, window("sigmoid", 2048, 1000)),
        case("sigmoid, signed, MONOCHROME1", range(-1000, 1001, 40), window("sigmoid", -100, 700), True),
        case("full range", [7, 8, 9, 10, 107], {"kind": "full_range"}),
        case("full range, negative, MONOCHROME1", [-500, -250, 0, 1, 524], {"kind": "full_range"}, True),
        case("full range of a flat image is black", [5, 5, 5], {"kind": "full_range"}),
        case("full range over 16 bits", [-32768, -1, 0, 1, 32767], {"kind": "full_range"}),
        case("lut, 12 bit", range(-20, 300, 4), {"kind": "lut", "lut_first": 0, "lut_bits": 12, "lut": gamma}),
        case("lut, first value negative", range(-300, 100, 5), {"kind": "lut", "lut_first": -256, "lut_bits": 12, "lut": gamma}),
        case("lut, 8 bit, MONOCHROME1", range(0, 8), {"kind": "lut", "lut_first": 2, "lut_bits": 8, "lut": [0, 64, 128, 255]}, True),
        case("lut, 16 bit", [0, 1, 2, 3], {"kind": "lut", "lut_first": 1, "lut_bits": 16, "lut": [0, 32768, 65535]}),
    ]
    print('{"cases": [')
    print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    print("]}")


if __name__ == "__main__":
    main()
