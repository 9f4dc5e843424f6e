"""Requests as a user writes them, and the loop that every user of a batch has."""

import json
import os
import time

from openai import OpenAI
from openai.types import Batch

MODEL = os.environ["LONGHAUL_TEST_MODEL"]
ENDED = ("completed", "failed", "cancelled", "expired")


def request_lines(count: int, content: str = "What is {} plus one?") -> str:
    """JSONL of chat requests `request-0`, `request-1`, …"""
    lines = (
        {
            "custom_id": f"request-{index}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": MODEL,
                "messages": [{"role": "user", "content": content.format(index)}],
            },
        }
        for index in range(count)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def upload(client: OpenAI, content: str) -> str:
    """Returns the id of the file."""
    return client.files.create(file=("requests.jsonl", content.encode()), purpose="batch").id


def create_batch(client: OpenAI, content: str, **options: object) -> Batch:
    return client.batches.create(
        input_file_id=upload(client, content),
        endpoint="/v1/chat/completions",
        completion_window="24h",
        **options,
    )


def wait_for_end(client: OpenAI, batch_id: str, timeout_seconds: float = 60) -> Batch:
    """Polls, as there is no other way to learn that a batch has ended."""
    deadline = time.monotonic() + timeout_seconds
    while (batch := client.batches.retrieve(batch_id)).status not in ENDED:
        assert time.monotonic() < deadline, f"{batch_id} is still {batch.status}"
        time.sleep(0.1)
    return batch


def result_lines(client: OpenAI, file_id: str | None) -> list[dict]:
    """The parsed lines of a result file; none when there is no file."""
    text = "" if file_id is None else client.files.content(file_id).text
    return [json.loads(line) for line in text.splitlines()]
