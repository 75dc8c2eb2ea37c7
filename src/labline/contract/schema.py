"""JSON Schema of `problem.yaml`, so that an editor completes and checks it: `python -m labline.contract.schema`."""

from __future__ import annotations

import json
import sys

from labline.contract.problem import Problem


def contract_schema() -> str:
    """The schema as JSON text (draft 2020-12)."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Problem.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(contract_schema())
