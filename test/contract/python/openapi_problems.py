"""Prints what is wrong with the server's OpenAPI document by OpenAPI's own schema, as JSON."""

import json
import os
import urllib.request

from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

with urllib.request.urlopen(f"{os.environ['OPENAI_BASE_URL']}/openapi.json") as answer:
    document = json.load(answer)
print(json.dumps([str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)]))
