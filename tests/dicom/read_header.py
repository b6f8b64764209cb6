"""Reads an object with pydicom and prints what it says of the patient as JSON."""

import json
import sys

import pydicom

header = pydicom.dcmread(sys.argv[1], stop_before_pixels=True)
print(
    json.dumps(
        {
            "patient_name": str(header.get("PatientName", "")),
            "issuer": str(header.get("IssuerOfPatientID", "")),
            "character_set": str(header.SpecificCharacterSet),
        }
    )
)
