"""Parses FHIR resources (R4B, which these have in common with R4), one JSON file each, and prints their types and ids: a parser that
refuses what the specification does not allow."""

import importlib
import json
import sys


def main(paths):
    read = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        kind = json.loads(text)["resourceType"]
        model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        resource = model.model_validate_json(text)
        entries = [entry.resource for entry in resource.entry or []] if kind == "Bundle" else []
        read.append({"kind": kind, "id": resource.id, "entries": [entry.get_resource_type() for entry in entries]})
    print(json.dumps(read))


if __name__ == "__main__":
    main(sys.argv[1:])
