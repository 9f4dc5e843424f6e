"""A request that is repeated because its answer was lost has been made once.

LONGHAUL_TEST_LOSSY_URLS names a way to the server for each of these tests: on it, the answer to the
first request of the test's kind is lost, with its connection. The client repeats by itself.
"""

import json
import os

import openai
import pytest
from openai import OpenAI

from support import create_batch, request_lines, upload, wait_for_end

KEY = "Idempotency-Key"


def lossy(name: str) -> OpenAI:
    urls = json.loads(os.environ["LONGHAUL_TEST_LOSSY_URLS"])
    return OpenAI(base_url=urls[name], _strict_response_validation=True)


def batches_of(client: OpenAI, file_id: str) -> list[str]:
    return [batch.id for batch in client.batches.list() if batch.input_file_id == file_id]


def create(client: OpenAI, file_id: str, **options: object) -> str:
    return client.batches.create(
        input_file_id=file_id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        **options,
    ).id


@pytest.mark.parametrize("kind", ["create_with_key", "create_without_key"])
def test_a_repeated_create_makes_one_batch(client: OpenAI, kind: str) -> None:
    file_id = upload(client, request_lines(1))
    headers = {KEY: f"key of {file_id}"} if kind == "create_with_key" else {}
    batch_id = create(lossy(kind), file_id, extra_headers=headers)
    assert batches_of(client, file_id) == [batch_id]
    assert wait_for_end(client, batch_id).status == "completed"


def test_a_repeated_cancel_is_no_conflict(client: OpenAI) -> None:
    batch = create_batch(client, request_lines(500, "[[slow:500]] {}"))
    assert lossy("cancel").batches.cancel(batch.id).status in ("cancelling", "cancelled")
    assert wait_for_end(client, batch.id).status == "cancelled"


def test_a_repeated_complete_makes_one_file(client: OpenAI) -> None:
    upload_id = client.uploads.create(
        bytes=4, filename="once.txt", mime_type="text/plain", purpose="user_data"
    ).id
    part = client.uploads.parts.create(upload_id, data=b"text")
    file = lossy("complete").uploads.complete(upload_id, part_ids=[part.id]).file
    assert [one.id for one in client.files.list() if one.filename == "once.txt"] == [file.id]


def test_a_key_stands_for_one_body(client: OpenAI) -> None:
    file_id = upload(client, request_lines(1))
    headers = {KEY: f"another key of {file_id}"}
    first = create(client, file_id, extra_headers=headers)
    assert create(client, file_id, extra_headers=headers) == first
    with pytest.raises(openai.BadRequestError):
        create(client, file_id, extra_headers=headers, metadata={"other": "body"})
    assert create(client, file_id, extra_headers={KEY: "yet another"}) != first
    assert len(batches_of(client, file_id)) == 2


def test_two_requests_without_a_key_make_two_batches(client: OpenAI) -> None:
    file_id = upload(client, request_lines(1))
    assert len({create(client, file_id), create(client, file_id)}) == 2
