import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import {
  BlockingFileCheck,
  type FileCheck,
  type FileRules,
  type FoundErrors,
} from '../../activities/file-check';
import { ThreadedFileCheck } from '../../activities/threaded-file-check';
import { projectRoot } from '../../scripts/local/project-root';
import { model, requestLine, requestLines } from '../support/batches';

const program = join(projectRoot, 'dist/activities/file-check-thread.js');

const rules: FileRules = {
  endpoint: '/v1/chat/completions',
  models: [model],
  limits: { batchLinesMax: 1_000_000, embeddingInputsMax: null },
  mixedModels: 'refuse',
};

let check: FileCheck | undefined;

afterEach(async () => {
  await check?.close();
});

function threaded(fileBytes: number): FileCheck {
  check = new ThreadedFileCheck(rules, { fileBytes, hashKey: [1n, 2n] }, program);
  return check;
}

/** Everything that is found in a file that comes in chunks of this size. */
async function resultOf(check: FileCheck, file: Buffer, chunkBytes: number): Promise<unknown> {
  let errorCount = 0;
  let errorLines = '';
  const take = (found: FoundErrors): void => {
    errorCount += found.errorCount;
    errorLines += Buffer.concat(found.errorLines).toString();
  };
  for (let from = 0; from < file.length; from += chunkBytes) {
    take(await check.add(file.subarray(from, from + chunkBytes)));
  }
  const { found, findings } = await check.end();
  take(found);
  return { errorCount, errorLines, findings };
}

test('a thread finds what is found without one', async () => {
  const good = requestLines(20_000);
  const bad = Array.from({ length: 2_000 }, (_, at) => requestLine(at * 9, { method: 'GET' }));
  for (const text of [good, good + bad.join('\n'), 'x\n'.repeat(200_000), '']) {
    const file = Buffer.from(text);
    const facts = { fileBytes: file.length, hashKey: [1n, 2n] } as const;
    const expected = await resultOf(new BlockingFileCheck(rules, facts), file, 65_536);
    for (const chunkBytes of [4_001, 1_000_000]) {
      expect(await resultOf(threaded(file.length), file, chunkBytes)).toEqual(expected);
      await check?.close();
    }
  }
});

test('lines that take long to check hold nobody else up', async () => {
  const list = new Array<string>(4_000_000).fill('{}').join(',');
  const line = `{"custom_id":"\\u0061","method":"POST","url":"/v1/chat/completions","body":{"model":"${model}","messages":[${list}]}}`;
  const file = Buffer.from(`${line}\n`.repeat(4));
  let lastTurnAt = performance.now();
  let longestTurnMs = 0;
  const timer = setInterval(() => {
    longestTurnMs = Math.max(longestTurnMs, performance.now() - lastTurnAt);
    lastTurnAt = performance.now();
  }, 5);
  const startedAt = performance.now();
  const result = await resultOf(threaded(file.length), file, 65_536);
  const checkedMs = performance.now() - startedAt;
  clearInterval(timer);
  // The second, third and fourth are duplicates of the first.
  expect(result).toMatchObject({ errorCount: 3, findings: { plan: { total: 4 } } });
  expect(longestTurnMs).toBeLessThan(checkedMs / 3);
});

test('a thread that dies fails the check', async () => {
  check = new ThreadedFileCheck(
    rules,
    { fileBytes: 1_000_000, hashKey: [1n, 2n] },
    join(projectRoot, 'dist/activities/no-such-program.js'),
  );
  await expect(resultOf(check, Buffer.alloc(1_000_000, 'x'), 65_536)).rejects.toThrow(
    'no-such-program',
  );
});
