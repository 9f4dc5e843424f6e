"""Batches and models, with the synchronous client."""

import pytest
from openai import OpenAI

from support import MODEL, create_batch, request_lines, result_lines, upload, wait_for_end

DAY_SECONDS = 86_400
SLOW = "[[slow:400]] {}"


def test_a_batch_has_every_field_from_the_start(client: OpenAI) -> None:
    batch = create_batch(client, request_lines(2), metadata={"job": "nightly"})
    assert batch.id.startswith("batch_")
    assert (batch.object, batch.status) == ("batch", "validating")
    assert (batch.endpoint, batch.completion_window) == ("/v1/chat/completions", "24h")
    assert batch.expires_at == batch.created_at + DAY_SECONDS
    assert batch.metadata == {"job": "nightly"}
    assert batch.request_counts.to_dict() == {"total": 0, "completed": 0, "failed": 0}
    assert "output_file_id" in batch.to_dict()
    for name in ("errors", "output_file_id", "error_file_id", "in_progress_at", "usage"):
        assert getattr(batch, name) is None
    wait_for_end(client, batch.id)


def test_a_batch_runs_to_its_end_and_its_output_is_read(client: OpenAI) -> None:
    batch = wait_for_end(client, create_batch(client, request_lines(5)).id)
    assert (batch.status, batch.model, batch.error_file_id) == ("completed", MODEL, None)
    assert batch.request_counts.to_dict() == {"total": 5, "completed": 5, "failed": 0}
    times = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert times == sorted(times)
    lines = result_lines(client, batch.output_file_id)
    assert [line["custom_id"] for line in lines] == [f"request-{index}" for index in range(5)]
    assert all(line["response"]["status_code"] == 200 for line in lines)
    tokens = [line["response"]["body"]["usage"]["total_tokens"] for line in lines]
    assert batch.usage.total_tokens == sum(tokens)
    output = client.files.retrieve(batch.output_file_id)
    assert (output.purpose, output.filename) == ("batch_output", f"{batch.id}_output.jsonl")


def test_results_expire_as_asked(client: OpenAI) -> None:
    expiry = {"anchor": "created_at", "seconds": 3_600}
    lines = request_lines(1) + request_lines(1, "[[fail:400]]").replace("request-0", "bad")
    batch = wait_for_end(client, create_batch(client, lines, output_expires_after=expiry).id)
    for file_id in (batch.output_file_id, batch.error_file_id):
        file = client.files.retrieve(file_id)
        assert file.expires_at == file.created_at + 3_600


def test_metadata_may_be_none(client: OpenAI) -> None:
    batch = create_batch(client, request_lines(1), metadata=None)
    assert batch.metadata is None
    wait_for_end(client, batch.id)


def test_a_running_batch_is_cancelled_by_a_request_without_a_body(client: OpenAI) -> None:
    batch = create_batch(client, request_lines(500, SLOW))
    cancelling = client.batches.cancel(batch.id)
    assert cancelling.status == "cancelling"
    assert cancelling.cancelling_at >= batch.created_at
    assert cancelling.output_file_id is None
    cancelled = wait_for_end(client, batch.id)
    assert cancelled.status == "cancelled"
    assert client.batches.cancel(batch.id) == cancelled


def test_an_unknown_input_file_fails_the_batch_and_not_the_request(client: OpenAI) -> None:
    created = client.batches.create(
        input_file_id="file-nobodyhasuploadedthis",
        endpoint="/v1/chat/completions",
        completion_window="24h",
    )
    assert created.status == "validating"
    batch = wait_for_end(client, created.id)
    assert batch.status == "failed"
    (error,) = batch.errors.data
    assert (error.code, error.param, error.line) == ("invalid_request", "file_id", None)


def test_all_bad_lines_are_reported_at_once(client: OpenAI) -> None:
    good = request_lines(2).splitlines()
    lines = [good[0], "no JSON", good[0], good[1].replace('"POST"', '"GET"')]
    batch = wait_for_end(client, create_batch(client, "\n".join(lines)).id)
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.request_counts.to_dict() == {"total": 0, "completed": 0, "failed": 0}
    assert [(error.line, error.code, error.param) for error in batch.errors.data] == [
        (2, "invalid_json_line", None),
        (3, "duplicate_custom_id", "custom_id"),
        (4, "invalid_method", "method"),
    ]


def test_batches_are_paged_through_newest_first(client: OpenAI) -> None:
    made = [create_batch(client, request_lines(1)).id for _ in range(4)]
    listed = [batch.id for batch in client.batches.list(limit=1)]
    assert listed[:4] == made[::-1]
    assert len(set(listed)) == len(listed)
    page = client.batches.list(limit=2, after=made[3])
    assert [batch.id for batch in page.data] == [made[2], made[1]]
    assert page.has_more is True
    for batch_id in made:
        wait_for_end(client, batch_id)


def test_a_batch_goes_on_when_its_input_file_is_deleted(client: OpenAI) -> None:
    file_id = upload(client, request_lines(50, SLOW))
    batch = client.batches.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    client.files.delete(file_id)
    ended = wait_for_end(client, batch.id)
    assert (ended.status, ended.request_counts.completed) == ("completed", 50)
    assert ended.input_file_id == file_id


def test_models_are_listed_and_retrieved(client: OpenAI) -> None:
    listed = list(client.models.list())
    assert MODEL in [model.id for model in listed]
    for model in listed:
        assert client.models.retrieve(model.id) == model


@pytest.mark.parametrize("endpoint", ["/v1/completions", "/v1/embeddings"])
def test_other_endpoints_are_served(client: OpenAI, endpoint: str) -> None:
    body = f'{{"model":"{MODEL}","prompt":"Once","input":["one","two"]}}'
    line = f'{{"custom_id":"a","method":"POST","url":"{endpoint}","body":{body}}}'
    batch = client.batches.create(
        input_file_id=upload(client, line), endpoint=endpoint, completion_window="24h"
    )
    ended = wait_for_end(client, batch.id)
    assert (ended.status, ended.request_counts.completed) == ("completed", 1)
