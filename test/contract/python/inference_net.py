"""What Inference.net's documentation of batches shows: a webhook of the batch's own."""

import json
import os

from openai import OpenAI

from support import request_lines, upload, wait_for_end

client = OpenAI(
    base_url=os.environ["LONGHAUL_TEST_BASE_URL"],
    api_key=os.environ["LONGHAUL_TEST_API_KEY"],
)

created = client.batches.create(
    input_file_id=upload(client, request_lines(2)),
    endpoint="/v1/chat/completions",
    completion_window="24h",
    metadata={"description": "nightly eval job"},
    extra_body={"webhook_url": os.environ["LONGHAUL_TEST_WEBHOOK_URL"]},
)
batch = wait_for_end(client, created.id)
listed = client.batches.list(limit=10)
results = client.files.content(batch.output_file_id).text.splitlines()
print(
    json.dumps(
        {
            "created": created.to_dict(),
            "batch": batch.to_dict(),
            "listed": [one.id for one in listed.data],
            "results": [json.loads(line) for line in results],
        }
    )
)
