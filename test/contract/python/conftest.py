"""What every test needs, and a report of each test for the program that has started pytest.

The environment names the server as the official client wants it (OPENAI_BASE_URL, OPENAI_API_KEY),
the model that it serves (LONGHAUL_TEST_MODEL) and the report (LONGHAUL_TEST_REPORT).
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI, OpenAI

from support import request_lines


@pytest.fixture
def client() -> Iterator[OpenAI]:
    """The client as users have it, except that an answer out of its schema is an error."""
    with OpenAI(_strict_response_validation=True) as client:
        yield client


@pytest.fixture
async def async_client() -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(_strict_response_validation=True) as client:
        yield client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def input_path(tmp_path: Path) -> Path:
    """A file of three requests."""
    path = tmp_path / "requests.jsonl"
    path.write_text(request_lines(3))
    return path


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """One JSON line for each test, and one more for a set-up or tear-down that failed."""
    if report.when == "call" or report.failed:
        line = {"id": report.nodeid, "outcome": report.outcome, "text": report.longreprtext}
        with open(os.environ["LONGHAUL_TEST_REPORT"], "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
