/**
 * The validator as the worker runs it: every check, duplicates included, in a thread. Its one argument
 * is a {@link ValidatorTask} as JSON, its one line on standard output a {@link PassResult}.
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { openFileCheck } from '../activities';
import { batchLinesMax } from '../src/domain/limits';
import { readChunks } from './read-chunks';
import { timedPass } from './timed-pass';

export interface ValidatorTask {
  readonly path: string;
  readonly model: string;
}

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? '') as ValidatorTask;
  const result = await timedPass(async () => await validate(task));
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function validate({ path, model }: ValidatorTask): Promise<number> {
  const check = openFileCheck(
    {
      endpoint: '/v1/chat/completions',
      models: [model],
      limits: { batchLinesMax, embeddingInputsMax: null },
      mixedModels: 'refuse',
    },
    {
      fileBytes: statSync(path).size,
      hashKey: [randomBytes(8).readBigUInt64LE(), randomBytes(8).readBigUInt64LE()],
    },
  );
  for (const chunk of readChunks(path)) {
    await check.add(chunk);
  }
  const { findings } = await check.end();
  await check.close();
  if (findings.errorCount > 0) {
    throw new Error(
      `The file of the benchmark is not valid: ${findings.firstErrors[0]?.message ?? ''}`,
    );
  }
  return findings.plan.total;
}

void main();
