"""The asynchronous client: the same calls, many at a time."""

import asyncio
from pathlib import Path

import pytest
from openai import AsyncOpenAI, NotFoundError

from support import ENDED, request_lines

pytestmark = pytest.mark.anyio


async def upload(client: AsyncOpenAI, content: str) -> str:
    file = await client.files.create(file=("requests.jsonl", content.encode()), purpose="batch")
    return file.id


async def test_many_batches_run_at_a_time(async_client: AsyncOpenAI) -> None:
    async def run(number: int) -> list[str]:
        content = request_lines(3).replace("request-", f"batch-{number}-")
        batch = await async_client.batches.create(
            input_file_id=await upload(async_client, content),
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )
        while batch.status not in ENDED:
            await asyncio.sleep(0.1)
            batch = await async_client.batches.retrieve(batch.id)
        output = await async_client.files.content(batch.output_file_id)
        return output.text.splitlines()

    batches = asyncio.gather(*(run(number) for number in range(8)))
    results = await asyncio.wait_for(batches, timeout=60)
    for number, lines in enumerate(results):
        assert len(lines) == 3
        assert all(f'"batch-{number}-{index}"' in line for index, line in enumerate(lines))


async def test_files_of_all_kinds_are_uploaded_and_paged_through(
    async_client: AsyncOpenAI, input_path: Path
) -> None:
    by_path = await async_client.files.create(file=input_path, purpose="batch")
    by_bytes = await async_client.files.create(file=input_path.read_bytes(), purpose="batch")
    assert (by_path.filename, by_bytes.filename) == ("requests.jsonl", "upload")
    listed = [file.id async for file in async_client.files.list(limit=1, purpose="batch")]
    assert listed[:2] == [by_bytes.id, by_path.id]
    assert len(set(listed)) == len(listed)


async def test_content_is_streamed(async_client: AsyncOpenAI) -> None:
    text = request_lines(2_000)
    file_id = await upload(async_client, text)
    async with async_client.files.with_streaming_response.content(file_id) as response:
        assert [line async for line in response.iter_lines()] == text.splitlines()


async def test_the_raw_answer_has_its_id(async_client: AsyncOpenAI) -> None:
    raw = await async_client.models.with_raw_response.list()
    assert (raw.status_code, bool(raw.request_id)) == (200, True)


async def test_waiting_deleting_and_cancelling_work(async_client: AsyncOpenAI) -> None:
    file_id = await upload(async_client, request_lines(200, "[[slow:400]] {}"))
    waited = await async_client.files.wait_for_processing(file_id, poll_interval=0.01)
    assert waited.status == "processed"
    batch = await async_client.batches.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert (await async_client.batches.cancel(batch.id)).status == "cancelling"
    assert (await async_client.files.delete(file_id)).deleted is True
    with pytest.raises(NotFoundError):
        await async_client.files.retrieve(file_id)
    assert batch.id in [one.id async for one in async_client.batches.list(limit=1)]
