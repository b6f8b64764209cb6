"""A drawn film as each Secondary Capture class, the multi-frame ones with one frame and with two, and with pixels that are no
squares.

    python multi_frame.py FILM.dcm FOLDER

Writes CLASS-FRAMES-FORM.dcm, CLASS the last component of the class's UID: native and, where pydicom can, RLE.
"""

import sys
from pathlib import Path

import numpy as np
from decode_matrix import blank, film
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage as BYTE,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage as WORD,
    MultiFrameTrueColorSecondaryCaptureImageStorage as COLOUR,
    RLELossless,
    SecondaryCaptureImageStorage as SINGLE,
)

BITS = {SINGLE: 8, BYTE: 8, WORD: 12, COLOUR: 8}


def capture(unit: np.ndarray, kind: str, frames: int) -> Dataset:
    data = blank(BITS[kind], False, "RGB" if kind == COLOUR else "MONOCHROME2")
    data.SOPClassUID, data.BodyPartExamined, data.PatientAge = kind, "CHEST", "040Y"
    if kind == COLOUR:
        data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
    if kind in (BYTE, WORD):
        data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "US"
        data.PresentationLUTShape = "IDENTITY"
    if kind != SINGLE:
        # PS3.3 C.7.6.6: the frames follow each other by the frame's own time.
        data.NumberOfFrames, data.FrameIncrementPointer, data.FrameTime = frames, 0x00181063, "40"
        data.BurnedInAnnotation = "NO"
    # The second frame is another picture: read for the first, or mixed with it, it would be seen.
    stored = [np.rint(each * (2 ** BITS[kind] - 1)) for each in (unit, 1 - unit)][:frames]
    pixels = np.stack([np.stack([one] * 3, -1) if kind == COLOUR else one for one in stored])
    data.PixelData = pixels.astype("<u2" if BITS[kind] > 8 else "u1").tobytes()
    data["PixelData"].VR = "OW" if BITS[kind] > 8 else "OB"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def main(drawn: str, folder: Path) -> None:
    unit = film(drawn)
    for kind in (SINGLE, BYTE, WORD, COLOUR):
        for frames in (1,) if kind == SINGLE else (1, 2):
            name = f"{kind.split('.')[-1] if kind != SINGLE else 'single'}-{frames}"
            capture(unit, kind, frames).save_as(folder / f"{name}-native.dcm", enforce_file_format=True)
            packed = capture(unit, kind, frames)
            packed.compress(RLELossless, generate_instance_uid=False)
            packed.save_as(folder / f"{name}-rle.dcm", enforce_file_format=True)
    flat = capture(unit, SINGLE, 1)
    flat.PixelAspectRatio = [1, 2]
    flat.save_as(folder / "wide-pixels.dcm", enforce_file_format=True)
    del flat.PixelAspectRatio
    flat.ImagerPixelSpacing = [0.4, 0.2]
    flat.save_as(folder / "tall-pixels.dcm", enforce_file_format=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
