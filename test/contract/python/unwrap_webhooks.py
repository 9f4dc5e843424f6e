"""Unwraps webhooks that a server has really sent, as their receiver would.

LONGHAUL_TEST_DELIVERIES names a JSON file with a list of {headers, body, secret}. Printed is the list
of the events, as the official client has understood them, or of what it says is wrong.
"""

import json
import os
from pathlib import Path

from openai import InvalidWebhookSignatureError, OpenAI

client = OpenAI()


def unwrap(headers: dict[str, str], body: str, secret: str) -> dict[str, object]:
    try:
        event = client.webhooks.unwrap(body, headers, secret=secret)
    except InvalidWebhookSignatureError as error:
        return {"error": type(error).__name__}
    return {"class": type(event).__name__, **event.to_dict()}


deliveries = json.loads(Path(os.environ["LONGHAUL_TEST_DELIVERIES"]).read_text())
print(json.dumps([unwrap(**delivery) for delivery in deliveries]))
