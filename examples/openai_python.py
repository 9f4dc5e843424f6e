"""A batch with the official Python client: python examples/openai_python.py [input.jsonl]

OPENAI_BASE_URL and OPENAI_API_KEY are those that `npm start` prints.
"""

import sys
import time

from openai import OpenAI

client = OpenAI()

path = sys.argv[1] if len(sys.argv) > 1 else "examples/support-tickets.jsonl"
with open(path, "rb") as source:
    file = client.files.create(file=source, purpose="batch")
batch = client.batches.create(
    input_file_id=file.id,
    endpoint="/v1/chat/completions",
    completion_window="24h",
)
while batch.status not in ("completed", "failed", "cancelled", "expired"):
    time.sleep(1)
    batch = client.batches.retrieve(batch.id)
    print(batch.status, batch.request_counts, file=sys.stderr)
for file_id in (batch.output_file_id, batch.error_file_id):
    if file_id:
        sys.stdout.write(client.files.content(file_id).text)
