"""Parses an HL7 v2 message with the package hl7 and prints what it says as JSON."""

import json
import sys

import hl7


def first(field):
    """The first component of a field."""
    return str(field).split("^")[0]


def main(path):
    with open(path, encoding="utf-8", newline="") as file:
        message = hl7.parse(file.read())
    observations = {first(segment[3]): str(segment[5]) for segment in message.segments("OBX")}
    print(
        json.dumps(
            {
                "type": str(message.segment("MSH")[9]),
                "control_id": str(message.segment("MSH")[10]),
                "patient": first(message.segment("PID")[3]),
                "accession": str(message.segment("OBR")[2]),
                "status": str(message.segment("OBR")[25]),
                "probability": observations.get("122157"),
                "presence": first(message.segments("OBX")[1][5]),
                "numbers": [str(segment[1]) for segment in message.segments("OBX")],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
