// A batch with the official Node client: node examples/openai-node.mjs [input.jsonl]
// OPENAI_BASE_URL and OPENAI_API_KEY are those that `npm start` prints.
import { createReadStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { OpenAI } from 'openai';

const client = new OpenAI();

const file = await client.files.create({
  file: createReadStream(process.argv[2] ?? 'examples/support-tickets.jsonl'),
  purpose: 'batch',
});
let batch = await client.batches.create({
  input_file_id: file.id,
  endpoint: '/v1/chat/completions',
  completion_window: '24h',
});
while (!['completed', 'failed', 'cancelled', 'expired'].includes(batch.status)) {
  await delay(1_000);
  batch = await client.batches.retrieve(batch.id);
  console.error(batch.status, batch.request_counts);
}
for (const id of [batch.output_file_id, batch.error_file_id]) {
  if (id) {
    process.stdout.write(await (await client.files.content(id)).text());
  }
}
