"""What DeepInfra's documentation of batches shows: results that expire, progress while polling."""

import json
import os
import time

from openai import OpenAI

from support import ENDED, request_lines

client = OpenAI(
    base_url=os.environ["LONGHAUL_TEST_BASE_URL"],
    api_key=os.environ["LONGHAUL_TEST_API_KEY"],
)

# Some are answered at once and some later: for longer than the counts may be old, three seconds.
lines = request_lines(4) + request_lines(60, "[[slow:2500]] {}").replace("request-", "slow-")
file = client.files.create(file=("batch.jsonl", lines.encode()), purpose="batch")
batch = client.batches.create(
    input_file_id=file.id,
    endpoint="/v1/chat/completions",
    completion_window="24h",
    output_expires_after={"anchor": "created_at", "seconds": 7_200},
)
progress = []
while batch.status not in ENDED:
    time.sleep(0.2)
    batch = client.batches.retrieve(batch.id)
    if batch.status == "in_progress":
        usage = None if batch.usage is None else batch.usage.total_tokens
        progress.append({**batch.request_counts.to_dict(), "tokens": usage})
output = client.files.retrieve(batch.output_file_id)
results = {}
for line in client.files.content(batch.output_file_id).text.splitlines():
    result = json.loads(line)
    if result["error"] is None and result["response"]["status_code"] == 200:
        results[result["custom_id"]] = result["response"]["body"]["choices"][0]["message"]
print(
    json.dumps(
        {
            "batch": batch.to_dict(),
            "progress": progress,
            "kept_seconds": output.expires_at - output.created_at,
            "results": len(results),
        }
    )
)
