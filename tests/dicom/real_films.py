"""What pydicom makes of real films: its pixels, its modality and VOI transforms in 64-bit floats, averaged to the model's 224 × 224.

    python real_films.py FOLDER FILE...

Writes FOLDER/STEM.f32 for each file, 0 black to 255 white, or FOLDER/STEM.txt with why pydicom has no pixels of it.
"""

import sys
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing
from pydicom.uid import ImplicitVRLittleEndian

SIDE = 224


def overlaps(n: int, m: int) -> np.ndarray:
    """m × n matrix of the lengths by which target pixel i covers source pixel k, as shares of i."""
    k, i = np.arange(n)[None, :], np.arange(m)[:, None]
    return np.maximum(np.minimum((k + 1) * m, (i + 1) * n) - np.maximum(k * m, i * n), 0) / n


def extent(data: Dataset) -> tuple[float, float]:
    """The output range of pydicom's windowing: what the stored bits span, in units after the rescale."""
    bits = data.BitsStored
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if data.PixelRepresentation else (0, 2**bits - 1)
    slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
    return low * slope + intercept, high * slope + intercept


def shown(data: Dataset) -> np.ndarray:
    value = apply_modality_lut(data.pixel_array, data)
    if "VOILUTSequence" in data:
        entry = data.VOILUTSequence[0]
        unit = apply_voi(value, data).astype(np.float64) / (2 ** entry.LUTDescriptor[2] - 1)
    elif "WindowCenter" in data:
        low, high = extent(data)
        unit = (apply_windowing(value.astype(np.float64), data) - low) / (high - low)
    else:
        value = value.astype(np.float64)
        unit = (value - value.min()) / (value.max() - value.min())
    return 255.0 * (1.0 - unit if data.PhotometricInterpretation == "MONOCHROME1" else unit)


def main() -> None:
    folder = Path(sys.argv[1])
    for path in map(Path, sys.argv[2:]):
        data = dcmread(path, force=True)
        if "TransferSyntaxUID" not in data.file_meta:
            data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        try:
            picture = shown(data)
        except Exception as error:  # noqa: BLE001 - the reason is what is written
            (folder / f"{path.stem}.txt").write_text(f"{type(error).__name__}: {error}")
            continue
        small = overlaps(picture.shape[0], SIDE) @ picture @ overlaps(picture.shape[1], SIDE).T
        small.astype("<f4").tofile(folder / f"{path.stem}.f32")


if __name__ == "__main__":
    main()
