"""Reads a Measurement Report (TID 1500) with highdicom and prints what it says as JSON: a reader that shares no code with the
writer under test."""

import json
import sys

import highdicom as hd
import pydicom
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

PROBABILITY = CodedConcept("122157", "DCM", "Probability")
PRESENCE = CodedConcept("121052", "DCM", "Presence of property")


def items(sequence, name):
    """The content items of that concept name."""
    return [item for item in sequence if getattr(item, "ConceptNameCodeSequence", None) and item.name == name]


def main(path):
    report = hd.sr.ComprehensiveSR.from_dataset(pydicom.dcmread(path))
    root = report.content[0] if hasattr(report.content, "__getitem__") else report.content
    groups = report.content.get_image_measurement_groups()
    group = groups[0]
    below = group[0].ContentSequence
    probability = group.get_measurements(name=PROBABILITY)
    presence = group.get_qualitative_evaluations(name=PRESENCE)
    algorithm = [
        items(below, CodedConcept(code, "DCM", meaning))
        for code, meaning in (("111001", "Algorithm Name"), ("111003", "Algorithm Version"))
    ]
    language = items(root.ContentSequence, codes.DCM.LanguageOfContentItemAndDescendants)
    source = items(below, codes.DCM.SourceOfMeasurement)
    print(
        json.dumps(
            {
                "groups": len(groups),
                "finding": group.finding_type.value,
                "probability": float(probability[0].value) if probability else None,
                "unit": probability[0].unit.value if probability else None,
                "presence": presence[0].value.value if presence else None,
                "algorithm": " ".join(found[0].value for found in algorithm) if all(algorithm) else None,
                "source": source[0].referenced_sop_instance_uid,
                "language": language[0].value.value,
                "patient_name": str(report.PatientName),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
