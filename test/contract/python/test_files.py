"""Files, with the synchronous client."""

import hashlib
from pathlib import Path

import pytest
from openai import NotFoundError, OpenAI

from support import request_lines, upload

MONTH_SECONDS = 2_592_000


def test_a_path_is_uploaded_under_its_own_name(client: OpenAI, input_path: Path) -> None:
    file = client.files.create(file=input_path, purpose="batch")
    assert file.id.startswith("file-")
    assert (file.object, file.purpose, file.status) == ("file", "batch", "processed")
    assert (file.filename, file.bytes) == ("requests.jsonl", input_path.stat().st_size)
    assert file.expires_at == file.created_at + MONTH_SECONDS


def test_bytes_without_a_name_are_uploaded_as_upload(client: OpenAI) -> None:
    file = client.files.create(file=request_lines(1).encode(), purpose="batch")
    assert file.filename == "upload"
    assert client.files.content(file.id).read() == request_lines(1).encode()


@pytest.mark.parametrize("name", ["täglich – 日本.jsonl", 'with "quotes".jsonl', "a;b=c.jsonl"])
def test_a_tuple_brings_its_name(client: OpenAI, name: str) -> None:
    content = request_lines(1).encode()
    file = client.files.create(file=(name, content, "application/jsonl"), purpose="batch")
    # The client percent-encodes what would end the name, and nothing else (RFC 7578 §2).
    assert file.filename.replace("%22", '"') == name


def test_an_open_file_is_uploaded(client: OpenAI, input_path: Path) -> None:
    with input_path.open("rb") as source:
        file = client.files.create(file=source, purpose="batch")
    assert file.filename == "requests.jsonl"
    assert client.files.content(file.id).content == input_path.read_bytes()


def test_an_expiry_of_its_own_is_kept(client: OpenAI, input_path: Path) -> None:
    file = client.files.create(
        file=input_path,
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 7_200},
    )
    assert file.expires_at == file.created_at + 7_200


@pytest.mark.parametrize("purpose", ["assistants", "fine-tune", "vision", "user_data", "evals"])
def test_every_purpose_is_accepted_and_kept(client: OpenAI, purpose: str) -> None:
    # The client's own schema of a file has no "evals", though its request has.
    client = OpenAI() if purpose == "evals" else client
    file = client.files.create(file=("notes.txt", b"some text"), purpose=purpose)
    assert (file.purpose, file.expires_at) == (purpose, None)
    client.files.delete(file.id)


def test_a_file_is_retrieved_as_it_was_created(client: OpenAI, input_path: Path) -> None:
    file = client.files.create(file=input_path, purpose="batch")
    assert client.files.retrieve(file.id) == file


def test_a_file_is_processed_without_waiting(client: OpenAI, input_path: Path) -> None:
    file = client.files.create(file=input_path, purpose="batch")
    waited = client.files.wait_for_processing(file.id, poll_interval=0.01, max_wait_seconds=5)
    assert waited == file


def test_content_is_read_in_every_way_that_the_client_has(
    client: OpenAI, input_path: Path, tmp_path: Path
) -> None:
    file = client.files.create(file=input_path, purpose="batch")
    content = client.files.content(file.id)
    assert content.text == input_path.read_text()
    assert list(content.iter_lines()) == input_path.read_text().splitlines()
    content.write_to_file(tmp_path / "copy.jsonl")
    assert (tmp_path / "copy.jsonl").read_bytes() == input_path.read_bytes()
    with pytest.deprecated_call():
        assert client.files.retrieve_content(file.id) == input_path.read_text()


def test_content_is_streamed_line_by_line(client: OpenAI) -> None:
    text = request_lines(20_000)
    file_id = upload(client, text)
    with client.files.with_streaming_response.content(file_id) as response:
        assert response.headers["content-length"] == str(len(text))
        assert list(response.iter_lines()) == text.splitlines()
    digest = hashlib.sha256()
    with client.files.with_streaming_response.content(file_id) as response:
        for chunk in response.iter_bytes(65_536):
            digest.update(chunk)
    assert digest.digest() == hashlib.sha256(text.encode()).digest()


def test_files_are_paged_through_in_both_orders(client: OpenAI) -> None:
    made = [upload(client, request_lines(1)) for _ in range(5)]
    newest = [file.id for file in client.files.list(limit=2, purpose="batch")]
    oldest = [file.id for file in client.files.list(limit=3, order="asc", purpose="batch")]
    assert newest[:5] == made[::-1]
    assert oldest == newest[::-1]
    assert len(set(newest)) == len(newest)
    page = client.files.list(limit=2, after=made[4])
    assert [file.id for file in page.data] == [made[3], made[2]]
    assert page.has_more is True


def test_a_page_after_the_last_file_is_empty(client: OpenAI, input_path: Path) -> None:
    client.files.create(file=input_path, purpose="batch")
    *_, oldest = client.files.list()
    assert client.files.list(after=oldest.id).data == []


def test_only_files_of_the_purpose_are_listed(client: OpenAI) -> None:
    file = client.files.create(file=("a.txt", b"text"), purpose="vision")
    assert [one.id for one in client.files.list(purpose="vision")] == [file.id]
    client.files.delete(file.id)
    assert list(client.files.list(purpose="vision")) == []


def test_a_deleted_file_is_gone(client: OpenAI, input_path: Path) -> None:
    file = client.files.create(file=input_path, purpose="batch")
    deleted = client.files.delete(file.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (file.id, "file", True)
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(NotFoundError) as caught:
            call(file.id)
        assert caught.value.param == "id"
    assert file.id not in [one.id for one in client.files.list()]


def test_the_raw_answer_has_its_id_and_its_status(client: OpenAI, input_path: Path) -> None:
    raw = client.files.with_raw_response.create(file=input_path, purpose="batch")
    assert raw.status_code == 200
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.request_id
    file = raw.parse()
    assert file._request_id == raw.request_id
