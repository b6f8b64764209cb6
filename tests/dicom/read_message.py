"""Parses an HL7 v2 message with the package hl7 and prints what it says as JSON."""

import json
import sys

import hl7


def first(field):
    """The first component of a field."""
    return str(field).split("^")[0]


def names(field):
    """Family and given name of each repetition."""
    return ["^".join(str(repetition).split("^")[:2]).rstrip("^") for repetition in str(field).split("~")]


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
                "names": names(message.segment("PID")[5]),
                "issuer": "".join(str(message.segment("PID")[3]).split("^")[3:4]),
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
