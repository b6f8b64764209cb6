"""Parses a FHIR Bundle with fhir.resources (R4B, which these resources have in common with R4) and prints what it says as
JSON: a parser that refuses what the specification does not allow."""

import json
import sys

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.observation import Observation


def main(path):
    with open(path, encoding="utf-8") as file:
        bundle = Bundle.model_validate_json(file.read())
    observation, report = (entry.resource for entry in bundle.entry)
    assert isinstance(observation, Observation) and isinstance(report, DiagnosticReport)
    component = observation.component[0] if observation.component else None
    issuer = report.subject.identifier.assigner if report.subject else None
    print(
        json.dumps(
            {
                "type": bundle.type,
                "methods": [entry.request.method for entry in bundle.entry],
                "status": [observation.status, report.status],
                "presence": observation.valueCodeableConcept.coding[0].code,
                "probability": float(component.valueQuantity.value) if component else None,
                "result": report.result[0].reference == f"Observation/{observation.id}",
                "conclusion": report.conclusion,
                "issuer": issuer.display if issuer else None,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
