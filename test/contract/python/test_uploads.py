"""Uploads in parts, with the helper that the client has for large files."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from support import request_lines, wait_for_end

MEBIBYTE = 1_048_576
LARGE_BYTES = 1_024 * MEBIBYTE


def large_blocks() -> Iterator[bytes]:
    """Lines of one MiB each, no two the same, which make a file of 1 GiB."""
    padding = os.urandom(MEBIBYTE // 2).hex()
    for number in range(LARGE_BYTES // MEBIBYTE):
        head = json.dumps({"custom_id": f"block-{number}", "padding": ""})[:-2]
        yield f"{head}{padding}"[: MEBIBYTE - 3].encode() + b'"}\n'


def test_a_file_of_a_gigabyte_arrives_as_it_was(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    md5, sha256 = hashlib.md5(), hashlib.sha256()
    with path.open("wb") as out:
        for block in large_blocks():
            out.write(block)
            md5.update(block)
            sha256.update(block)
    upload = client.uploads.upload_file_chunked(
        file=path, mime_type="text/jsonl", purpose="batch", md5=md5.hexdigest()
    )
    assert (upload.status, upload.bytes) == ("completed", LARGE_BYTES)
    assert (upload.file.filename, upload.file.bytes) == ("large.jsonl", LARGE_BYTES)
    path.unlink()
    downloaded = hashlib.sha256()
    with client.files.with_streaming_response.content(upload.file.id) as response:
        for chunk in response.iter_bytes(MEBIBYTE):
            downloaded.update(chunk)
    assert downloaded.hexdigest() == sha256.hexdigest()
    client.files.delete(upload.file.id)


def test_an_uploaded_file_is_run(client: OpenAI) -> None:
    content = request_lines(5).encode()
    upload = client.uploads.upload_file_chunked(
        file=content,
        filename="in.jsonl",
        bytes=len(content),
        mime_type="text/jsonl",
        purpose="batch",
        part_size=100,
    )
    assert client.files.content(upload.file.id).read() == content
    batch = client.batches.create(
        input_file_id=upload.file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert wait_for_end(client, batch.id).request_counts.completed == 5


def test_its_file_expires_as_asked(client: OpenAI) -> None:
    upload = client.uploads.create(
        bytes=4,
        filename="a.txt",
        mime_type="text/plain",
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3_600},
    )
    part = client.uploads.parts.create(upload.id, data=b"text")
    file = client.uploads.complete(upload.id, part_ids=[part.id]).file
    assert file.expires_at == file.created_at + 3_600


def test_parts_of_another_size_or_digest_are_refused(client: OpenAI) -> None:
    upload = client.uploads.create(
        bytes=4, filename="a.txt", mime_type="text/plain", purpose="vision"
    )
    part = client.uploads.parts.create(upload.id, data=b"tex")
    with pytest.raises(openai.BadRequestError) as caught:
        client.uploads.complete(upload.id, part_ids=[part.id])
    assert caught.value.param == "part_ids"
    rest = client.uploads.parts.create(upload.id, data=b"t")
    with pytest.raises(openai.BadRequestError) as caught:
        client.uploads.complete(upload.id, part_ids=[part.id, rest.id], md5="0" * 32)
    assert caught.value.param == "md5"
    assert client.uploads.complete(upload.id, part_ids=[part.id, rest.id]).status == "completed"


def test_a_cancelled_upload_takes_no_part(client: OpenAI) -> None:
    upload = client.uploads.create(
        bytes=4, filename="a.txt", mime_type="text/plain", purpose="vision"
    )
    assert client.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(upload.id, data=b"text")


def test_a_required_field_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/uploads", cast_to=object, body={"filename": "a", "purpose": "batch"})
    assert (caught.value.code, caught.value.param) == ("missing_required_parameter", "bytes")


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(
    async_client: AsyncOpenAI, input_path: Path
) -> None:
    upload = await async_client.uploads.upload_file_chunked(
        file=input_path, mime_type="text/jsonl", purpose="batch", part_size=64
    )
    content = await async_client.files.content(upload.file.id)
    assert content.content == input_path.read_bytes()
