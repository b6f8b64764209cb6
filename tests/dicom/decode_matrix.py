"""One drawn film in every form that the independent tools here can write: transfer syntax × bits × sign × photometric.

    python decode_matrix.py FILM.dcm FOLDER

For each form it writes NAME.dcm, and NAME.f32 with what pydicom makes of that very file: its decoder's pixels, its window in
64-bit floats, 0 black to 255 white. index.json lists them, and says of each that could not be made why.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_modality_lut, apply_windowing, convert_color_space
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

# The side of the model's input: an image of this size is not resized, so every pixel can be compared.
SIDE = 224

J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HT_LOSSLESS, HT_RPCL, HT = (f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203))
JXL_LOSSLESS, JXL_JPEG, JXL = (f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112))


def film(path: str) -> np.ndarray:
    """The drawn film, 224 × 224, 0 to 1, with a corner of full black and one of full white."""
    pixels = dcmread(path).pixel_array.astype(np.float64)
    rows = np.linspace(0, pixels.shape[0] - 1, SIDE).astype(int)
    columns = np.linspace(0, pixels.shape[1] - 1, SIDE).astype(int)
    unit = pixels[np.ix_(rows, columns)]
    unit = (unit - unit.min()) / (unit.max() - unit.min())
    unit[:16, :16], unit[:16, -16:] = 0, 1
    return unit


def blank(bits: int, signed: bool, photometric: str) -> Dataset:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.PatientID, data.PatientName, data.Modality, data.ConversionType = "MATRIX", "", "OT", "WSD"
    data.Rows = data.Columns = SIDE
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, photometric
    data.BitsAllocated = 8 if bits <= 8 else 16
    data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
    return data


def grey(unit: np.ndarray, bits: int, signed: bool, photometric: str) -> Dataset:
    data = blank(bits, signed, photometric)
    low = -(1 << (bits - 1)) if signed else 0
    values = np.round(unit * ((1 << bits) - 1)).astype(np.int64) + low
    kind = ("i" if signed else "u") + str(data.BitsAllocated // 8)
    data.PixelData = values.astype("<" + kind).tobytes()
    data["PixelData"].VR = "OB" if bits <= 8 else "OW"
    if bits == 8:
        # The identity: a steeper window would make two levels of the one by which lossy decoders may differ.
        data.WindowCenter, data.WindowWidth = low + 128, 256
    else:
        # Narrower than the values, so that both ends are clipped.
        data.WindowCenter, data.WindowWidth = low + round((1 << bits) * 0.48), round((1 << bits) * 0.9)
    return data


def colour(unit: np.ndarray, photometric: str, planar: int) -> Dataset:
    data = blank(8, False, photometric)
    data.SamplesPerPixel, data.PlanarConfiguration = 3, planar
    tinted = np.stack([unit * 255, unit * 236, 255 - 0.9 * (1 - unit) * 255], axis=-1).round().astype(np.uint8)
    if photometric.startswith("YBR"):
        tinted = convert_color_space(tinted, "RGB", "YBR_FULL")
    if photometric == "YBR_FULL_422":
        pairs = tinted.reshape(SIDE, SIDE // 2, 2, 3)
        pixels = np.stack([pairs[:, :, 0, 0], pairs[:, :, 1, 0], pairs[:, :, 0, 1], pairs[:, :, 0, 2]], axis=-1)
    else:
        pixels = np.moveaxis(tinted, -1, 0) if planar else tinted
    data.PixelData = np.ascontiguousarray(pixels).tobytes()
    data["PixelData"].VR = "OB"
    return data


def palette(unit: np.ndarray, bits: int) -> Dataset:
    data = blank(bits, False, "PALETTE COLOR")
    entries = 1 << min(bits, 12)
    data.PixelData = np.round(unit * (entries - 1)).astype("<u1" if bits <= 8 else "<u2").tobytes()
    data["PixelData"].VR = "OB" if bits <= 8 else "OW"
    ramp = np.linspace(0, 65535, entries)
    for name, table in (("Red", ramp), ("Green", ramp[::-1] * 0.5), ("Blue", np.sqrt(ramp / 65535) * 65535)):
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [entries, 0, 16])
        setattr(data, f"{name}PaletteColorLookupTableData", table.round().astype("<u2").tobytes())
    return data


def save(data: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    data = copy.deepcopy(data)
    if syntax == ExplicitVRBigEndian and data.BitsAllocated == 16:
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
        for name in ("Red", "Green", "Blue"):
            tag = f"{name}PaletteColorLookupTableData"
            if tag in data:
                setattr(data, tag, np.frombuffer(data[tag].value, "<u2").astype(">u2").tobytes())
    data.file_meta = Dataset()
    little, implicit = syntax != ExplicitVRBigEndian, syntax == ImplicitVRLittleEndian
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(path, enforce_file_format=True, little_endian=little, implicit_vr=implicit)


def encapsulated(data: Dataset, path: Path, syntax: str, frame: bytes) -> None:
    data = copy.deepcopy(data)
    data.PixelData = encapsulate([frame])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    if syntax not in (JXL_LOSSLESS, JXL_JPEG, JXL):
        return save(data, path, syntax)
    # pydicom does not know these yet, so it writes one that is as long, and is corrected.
    save(data, path, HT_LOSSLESS)
    path.write_bytes(path.read_bytes().replace(HT_LOSSLESS.encode(), syntax.encode(), 1))


def array(data: Dataset) -> np.ndarray:
    kind = ("i" if data.PixelRepresentation else "u") + str(data.BitsAllocated // 8)
    return np.frombuffer(data.PixelData, "<" + kind).reshape(SIDE, SIDE)


def shown(data: Dataset, pixels: np.ndarray) -> np.ndarray:
    """0 black to 255 white, by pydicom's functions and in floats."""
    photometric = data.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        # A table's entry has 16 bits; the screen has the high byte.
        tables = [data[f"{name}PaletteColorLookupTableData"].value for name in ("Red", "Green", "Blue")]
        kind = "<u2" if data.file_meta.TransferSyntaxUID != ExplicitVRBigEndian else ">u2"
        pixels = np.stack([np.frombuffer(t, kind)[pixels] >> 8 for t in tables], axis=-1)
        return pixels @ np.array([0.299, 0.587, 0.114])
    if data.SamplesPerPixel == 3:
        return pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    value = apply_windowing(apply_modality_lut(pixels, data).astype(np.float64), data)
    low = -(2 ** (data.BitsStored - 1)) if data.PixelRepresentation else 0
    value = (value - low) / (2**data.BitsStored - 1) * 255.0
    return 255.0 - value if photometric == "MONOCHROME1" else value


def reference(path: Path) -> np.ndarray:
    data = dcmread(path)
    syntax = data.file_meta.TransferSyntaxUID
    if syntax in (JXL_LOSSLESS, JXL_JPEG, JXL):
        # pydicom has no decoder for it; libjxl is the reference decoder itself.
        pixels = imagecodecs.jpegxl_decode(next(generate_frames(data.PixelData, number_of_frames=1)))
    else:
        # Colours come back as RGB from every decoder but the native one.
        pixels = data.pixel_array
    return shown(data, np.asarray(pixels))


def run(*command) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1] if done.stderr or done.stdout else "failed")


def pydicom_to(syntax):
    return lambda data, source, target: save(data, target, syntax)


def dcmtk(*command):
    return lambda data, source, target: run(*command, source, target)


def j2k(syntax, **options):
    def make(data, source, target):
        whole = dcmread(source)
        whole.compress(syntax, generate_instance_uid=False, encoding_plugin="pylibjpeg", **options)
        whole.save_as(target)

    return make


def codec(syntax, encode):
    return lambda data, source, target: encapsulated(data, target, syntax, encode(array(data), data))


def forms() -> dict:
    """What is made of each kind of image: name → maker. Kinds: grey8, grey16 (10, 12 and 16 bits), signed, colour, palette."""
    native = {
        "implicit": pydicom_to(ImplicitVRLittleEndian),
        "explicit": pydicom_to(ExplicitVRLittleEndian),
        "bigendian": pydicom_to(ExplicitVRBigEndian),
        "deflated": pydicom_to(DeflatedExplicitVRLittleEndian),
        "rle-dcmtk": dcmtk("dcmcrle"),
        "rle-gdcm": dcmtk("gdcmconv", "--rle"),
    }
    lossless = {
        "jpeg-70-dcmtk": dcmtk("dcmcjpeg", "+e1"),
        "jpeg-57-gdcm": dcmtk("gdcmconv", "--jpeg"),
        "jpegls-80-dcmtk": dcmtk("dcmcjpls", "+el"),
        "jpegls-80-gdcm": dcmtk("gdcmconv", "--jpegls"),
        "j2k-90-gdcm": dcmtk("gdcmconv", "--j2k"),
    }
    predictors = {f"jpeg-57-sv{n}": dcmtk("dcmcjpeg", "+el", "+sv", n) for n in range(1, 8)}
    unsigned = {
        "jpegls-81-dcmtk": dcmtk("dcmcjpls", "+en", "+md", "2"),
        "j2k-90-pylibjpeg": j2k(J2K_LOSSLESS),
        "j2k-91-pylibjpeg": j2k(J2K, j2k_cr=[12]),
        "htj2k-201": codec(HT_LOSSLESS, lambda a, d: imagecodecs.htj2k_encode(a, reversible=True)),
        "htj2k-203": codec(HT, lambda a, d: imagecodecs.htj2k_encode(a, reversible=False, level=0.001)),
        "jxl-110": codec(JXL_LOSSLESS, lambda a, d: imagecodecs.jpegxl_encode(a, lossless=True, bitspersample=d.BitsStored)),
        "jxl-112": codec(JXL, lambda a, d: imagecodecs.jpegxl_encode(a, distance=0.5, bitspersample=d.BitsStored)),
    }
    eight = {
        "jpeg-50-dcmtk": dcmtk("dcmcjpeg", "+eb"),
        "jpeg-51-dcmtk": dcmtk("dcmcjpeg", "+ee"),
        "jxl-111": codec(JXL_JPEG, lambda a, d: imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(a, level=92))),
    }
    twelve = {"jpeg-51-dcmtk": dcmtk("dcmcjpeg", "+ee")}
    return {
        "grey8": native | lossless | predictors | unsigned | eight,
        "grey10": native | lossless | unsigned,
        "grey12": native | lossless | predictors | unsigned | twelve,
        "grey16": native | lossless | unsigned,
        "signed": native | lossless,
        "colour": {"explicit": native["explicit"], "implicit": native["implicit"], "rle-dcmtk": native["rle-dcmtk"],
                   "jpeg-50-dcmtk": dcmtk("dcmcjpeg", "+eb"), "jpeg-70-dcmtk": lossless["jpeg-70-dcmtk"],
                   "jpegls-80-dcmtk": lossless["jpegls-80-dcmtk"], "j2k-90-gdcm": lossless["j2k-90-gdcm"]},
        "halved": {"explicit": native["explicit"], "implicit": native["implicit"]},
        "palette": {name: native[name] for name in ("implicit", "explicit", "bigendian", "deflated", "rle-dcmtk")},
    }


def images(unit: np.ndarray) -> list:
    """(name, kind, dataset)."""
    out = []
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        short = "mono" + photometric[-1]
        for bits in (8, 10, 12, 16):
            out.append((f"{short}-u{bits}", f"grey{bits}", grey(unit, bits, False, photometric)))
            out.append((f"{short}-s{bits}", "signed", grey(unit, bits, True, photometric)))
    out += [("rgb-interleaved", "colour", colour(unit, "RGB", 0)), ("rgb-planar", "colour", colour(unit, "RGB", 1))]
    out += [("ybr-full", "halved", colour(unit, "YBR_FULL", 0)), ("ybr-422", "halved", colour(unit, "YBR_FULL_422", 0))]
    out += [("palette-8", "palette", palette(unit, 8)), ("palette-16", "palette", palette(unit, 16))]
    return out


def main() -> None:
    unit, folder = film(sys.argv[1]), Path(sys.argv[2])
    table, work = forms(), []
    for image, kind, data in images(unit):
        source = folder / f"{image}.source"
        save(data, source)
        work += [(f"{image}_{form}", data, source, make) for form, make in table[kind].items()]

    def one(item) -> dict:
        name, data, source, make = item
        path = folder / f"{name}.dcm"
        try:
            make(data, source, path)
            expected = reference(path).astype("<f4")
            assert expected.shape == (SIDE, SIDE), expected.shape
            expected.tofile(folder / f"{name}.f32")
            return {"name": name, "syntax": str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID)}
        except Exception as error:  # noqa: BLE001 - the index says which tool cannot do what
            return {"name": name, "failed": f"{type(error).__name__}: {error}"}

    # One after the other: not every codec here bears threads.
    index = [one(item) for item in work]
    (folder / "index.json").write_text(json.dumps(index, indent=1))


if __name__ == "__main__":
    main()
