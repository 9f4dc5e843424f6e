"""What Nebius's guide to batches shows: its calls in their order, to another base URL."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from openai import OpenAI

from support import request_lines, wait_for_end

client = OpenAI(
    base_url=os.environ["LONGHAUL_TEST_BASE_URL"],
    api_key=os.environ["LONGHAUL_TEST_API_KEY"],
)

with TemporaryDirectory() as folder:
    path = Path(folder) / "batch-requests.jsonl"
    path.write_text(request_lines(3))
    with path.open("rb") as source:
        file = client.files.create(file=source, purpose="batch")
created = client.batches.create(
    input_file_id=file.id,
    endpoint="/v1/chat/completions",
    completion_window="24h",
    metadata={"description": "My batch job"},
)
batch = wait_for_end(client, created.id)
listed = client.batches.list(limit=1)
output = client.files.content(batch.output_file_id)
answers = [json.loads(line)["response"] for line in output.text.splitlines()]
files = [one.id for one in client.files.list()]
deleted = client.files.delete(file.id)
print(
    json.dumps(
        {
            "base_url": str(client.base_url),
            "created": created.to_dict(),
            "batch": batch.to_dict(),
            "listed": listed.to_dict(),
            "contents": [answer["choices"][0]["message"]["content"] for answer in answers],
            "usage": [answer["usage"]["total_tokens"] for answer in answers],
            "file": file.id,
            "files": files,
            "deleted": deleted.deleted,
        }
    )
)
