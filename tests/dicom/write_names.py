"""Writes headers whose names are in many character sets with pydicom, and beside them, as JSON, what stands in each."""

import json
import pathlib
import sys

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

# Character sets, name, issuer of the patient's number.
NAMES = {
    "plain": (None, "Adams^John", "ST-MARY"),
    "latin": ("ISO_IR 100", "Müller^Jörg", "Köln"),
    "central": ("ISO_IR 101", "Dvořák^Antonín", "Plzeň"),
    "greek": ("ISO_IR 126", "Διονυσίου^Ελένη", "Αθήνα"),
    "cyrillic": ("ISO_IR 144", "Иванов^Иван", "Больница"),
    "turkish": ("ISO_IR 148", "Çavuşoğlu^Ayşe", "İzmir"),
    "unicode": ("ISO_IR 192", "Wang^XiaoDong=王^小东", "北京"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东", "北京"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "東京"),
    "kana": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", "東京"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "서울"),
    "mixed": (["ISO 2022 IR 100", "ISO 2022 IR 126"], "Jörg^Διον", "Köln"),
    "long": ("ISO_IR 100", "A" * 31 + "^" + "B" * 32, "C" * 64),
    "long in several bytes": ("ISO_IR 192", "長" * 31 + "^" + "ω" * 32 + "=" + "ω" * 31 + "^" + "長" * 32, "ß" * 64),
}


def main(folder):
    for name, (sets, patient, issuer) in NAMES.items():
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if sets is not None:
            header.SpecificCharacterSet = sets
        header.SOPClassUID = ComputedRadiographyImageStorage
        header.SOPInstanceUID = "2.25.102"
        header.StudyInstanceUID = "2.25.100"
        header.SeriesInstanceUID = "2.25.101"
        header.PatientName = patient
        header.PatientID = "4711"
        header.IssuerOfPatientID = issuer
        header.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    told = {name: {"patient_name": patient, "issuer": issuer} for name, (_, patient, issuer) in NAMES.items()}
    (folder / "names.json").write_text(json.dumps(told))
    print(json.dumps(sorted(told)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
