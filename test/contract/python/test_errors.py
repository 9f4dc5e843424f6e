"""Errors, as the official client sees them: its class by status, type, code and parameter."""

import time
from collections.abc import Callable

import openai
import pytest
from openai import OpenAI

from support import create_batch, request_lines, wait_for_end

MISSING = {"input_file_id": "file-x", "completion_window": "24h"}
GOOD = {**MISSING, "endpoint": "/v1/chat/completions"}


def check(call: Callable[[], object], error: type[openai.APIStatusError], **fields: object) -> None:
    """The call fails with exactly this class, and with these fields of the envelope."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert caught.value.type == "invalid_request_error"
    assert caught.value.message
    assert caught.value.request_id
    for name, value in fields.items():
        assert getattr(caught.value, name) == value, name


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (MISSING, "missing_required_parameter", "endpoint"),
        ({**GOOD, "endpoint": "/v1/nothing"}, "invalid_value", "endpoint"),
        ({**GOOD, "completion_window": "1h"}, "invalid_value", "completion_window"),
        ({**GOOD, "metadata": {"tags": ["a"]}}, "invalid_type", "metadata.tags"),
        (
            {**GOOD, "metadata": {str(number): "" for number in range(17)}},
            "object_above_max_properties",
            "metadata",
        ),
        ({**GOOD, "metadata": {"k" * 65: ""}}, "property_name_above_max_length", "metadata"),
        ({**GOOD, "metadata": {"k": "v" * 513}}, "string_above_max_length", "metadata.k"),
        (
            {**GOOD, "output_expires_after": {"anchor": "created_at", "seconds": 60}},
            "integer_below_min_value",
            "output_expires_after.seconds",
        ),
        (
            {**GOOD, "output_expires_after": {"anchor": "created_at", "seconds": 2_592_001}},
            "integer_above_max_value",
            "output_expires_after.seconds",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_names_its_parameter(
    client: OpenAI, body: dict[str, object], code: str, param: str
) -> None:
    call = lambda: client.post("/batches", cast_to=object, body=body)  # noqa: E731
    check(call, openai.BadRequestError, status_code=400, code=code, param=param)


def test_limits_of_lists_are_checked(client: OpenAI) -> None:
    too_many = {"code": "integer_above_max_value", "param": "limit"}
    check(lambda: client.batches.list(limit=101), openai.BadRequestError, **too_many)
    check(lambda: client.files.list(limit=10_001), openai.BadRequestError, **too_many)
    check(lambda: client.files.list(order="up"), openai.BadRequestError, code=None, param=None)


def test_uploads_are_checked(client: OpenAI) -> None:
    def create(name: str, content: bytes, purpose: str) -> object:
        return client.files.create(file=(name, content), purpose=purpose)

    bad = openai.BadRequestError
    check(lambda: create("a.jsonl", b"{}", "vector_store"), bad, code=None, param="purpose")
    check(lambda: create("a.pdf", b"%PDF-1.7", "batch"), bad, code=None, param=None)


def test_a_wrong_key_is_refused() -> None:
    stranger = OpenAI(api_key="sk-somebody-elses-key-0000")
    check(stranger.models.list, openai.AuthenticationError, code="invalid_api_key", param=None)


def test_what_does_not_exist_is_not_found(client: OpenAI) -> None:
    not_found = openai.NotFoundError
    check(lambda: client.batches.retrieve("batch_nope"), not_found, status_code=404)
    check(lambda: client.batches.cancel("batch_nope"), not_found)
    check(lambda: client.files.retrieve("file-nope"), not_found, param="id")
    check(lambda: client.files.content("../../etc/passwd"), not_found)
    check(lambda: client.models.retrieve("gpt-nope"), not_found, code="model_not_found")


def test_a_conflict_is_told_once_and_not_repeated(client: OpenAI) -> None:
    batch = wait_for_end(client, create_batch(client, request_lines(1)).id)
    started = time.monotonic()
    check(lambda: client.batches.cancel(batch.id), openai.ConflictError, code=None, param=None)
    # Two repeats with the client's own pauses would take more than a second.
    assert time.monotonic() - started < 1
