import { Readable } from 'node:stream';
import { ActivityCancellationDetails } from '@temporalio/common';
import type { MockActivityEnvironment } from '@temporalio/testing';
import { loadPlan } from '../../../activities/load-plan';
import type { BatchError } from '../../../src/domain/batch';
import { batchErrorsMax, lineBytesMax } from '../../../src/domain/limits';
import { batchKeys } from '../../../src/domain/object-keys';
import type { BatchRef, ValidationResult } from '../../../src/domain/workflow-contract';
import { StoreFault, type ByteRange } from '../../../src/storage/object-store';
import {
  ActivityWorld,
  anEnvironment,
  createBatch,
  endBatch,
  recordOf,
} from '../../support/activity-world';
import {
  aFileId,
  model,
  projectId,
  requestLine,
  requestLines,
  startedAt,
} from '../../support/batches';
import { settle } from '../../support/eventually';
import { FaultyObjectStore, textOf, type Fate } from '../../support/faulty-object-store';

let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
});

async function validate(
  ref: BatchRef,
  environment?: MockActivityEnvironment,
): Promise<ValidationResult> {
  return await world.run(async (control) => await control.validateAndPlan(ref), environment);
}

/** The complete list of bad lines, as it is stored. */
async function storedErrors({ batchId }: BatchRef): Promise<BatchError[]> {
  const text = await textOf(world.store, batchKeys(projectId, batchId).errors);
  return (text ?? '')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as BatchError);
}

describe('a file whose lines are all valid', () => {
  it('starts the batch with a plan', async () => {
    const input = requestLines(3);
    const ref = await createBatch(world, input);
    expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 3, shardCount: 1, model });
    expect(await recordOf(world, ref)).toMatchObject({
      status: 'in_progress',
      model,
      requestCounts: { total: 3, completed: 0, failed: 0 },
      errors: null,
    });
    expect(await loadPlan(world.deps, await recordOf(world, ref))).toEqual({
      total: 3,
      model,
      shards: [
        { index: 0, firstOrdinal: 0, lineCount: 3, byteOffset: 0, byteLength: input.length },
      ],
    });
    expect(await storedErrors(ref)).toEqual([]);
  });

  it('may have blank lines, carriage returns and no line feed at its end', async () => {
    const lines = ['', requestLine(0), ' \t', `${requestLine(1)}\r`, '\r', requestLine(2)];
    const ref = await createBatch(world, lines.join('\n'));
    expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 3 });
    const plan = await world.deps.batches.getPlan(ref);
    expect(plan?.shards).toMatchObject([
      { byteOffset: 1, byteLength: lines.join('\n').length - 1 },
    ]);
  });

  it('is cut into shards that start at the lines that they name', async () => {
    const input = requestLines(5_200);
    const ref = await createBatch(world, input);
    expect(await validate(ref)).toMatchObject({ total: 5_200, shardCount: 2 });
    const shards = (await world.deps.batches.getPlan(ref))?.shards ?? [];
    for (const { firstOrdinal, lineCount, byteOffset, byteLength } of shards) {
      const lines = input.slice(byteOffset, byteOffset + byteLength).split('\n');
      expect(lines).toHaveLength(lineCount + 1);
      expect(lines[0]).toBe(requestLine(firstOrdinal));
    }
  });

  it('may begin with a byte order mark, which no slice meets', async () => {
    const input = Buffer.from(`\ufeff${requestLines(2)}`);
    const ref = await createBatch(world, input);
    expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 2 });
    const plan = await world.deps.batches.getPlan(ref);
    expect(plan?.shards).toMatchObject([{ byteOffset: 3, byteLength: input.length - 3 }]);
  });

  it('may name several models when the deployment allows it', async () => {
    world = new ActivityWorld(undefined, { settings: { mixedModels: 'allow' } });
    const body = { model: 'other', messages: [] };
    const ref = await createBatch(world, `${requestLine(0)}\n${requestLine(1, { body })}\n`);
    expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 2, model: null });
    expect(await recordOf(world, ref)).toMatchObject({ status: 'in_progress', model: null });
  });

  it('has the same plan when it is validated again', async () => {
    const ref = await createBatch(world, requestLines(3));
    const results = [await validate(ref), await validate(ref)];
    expect(results).toEqual([{ ...results[1], heldAs: expect.any(String) as string }, results[1]]);
    expect((await recordOf(world, ref)).revision).toBe(1);
  });
});

describe('bad lines', () => {
  const valid = requestLine(0);
  const messages: unknown[] = [];
  const bad: readonly (readonly [string, string, string | null])[] = [
    ['not json', 'invalid_json_line', null],
    ['[1]', 'invalid_json_line', null],
    [requestLine(1, { custom_id: undefined }), 'missing_required_parameter', 'custom_id'],
    [requestLine(0), 'duplicate_custom_id', 'custom_id'],
    [requestLine(2, { custom_id: 'x'.repeat(513) }), 'string_above_max_length', 'custom_id'],
    [requestLine(3, { method: 'GET' }), 'invalid_method', 'method'],
    [requestLine(4, { url: '/v1/embeddings' }), 'invalid_url', 'url'],
    [requestLine(5, { body: undefined }), 'missing_required_parameter', 'body'],
    [requestLine(6, { body: { messages } }), 'missing_required_parameter', 'body.model'],
    [requestLine(7, { body: { model: 'other', messages } }), 'mismatched_model', 'body.model'],
    [
      requestLine(8, { body: { model, messages, stream: true } }),
      'streaming_unsupported',
      'body.stream',
    ],
    [requestLine(9, { body: { model } }), 'missing_required_parameter', 'body.messages'],
  ];

  it('fail the batch, each reported with its line, code and param', async () => {
    const ref = await createBatch(world, [valid, '', ...bad.map(([line]) => line)].join('\n'));
    expect(await validate(ref)).toEqual({ verdict: 'invalid', errorCount: bad.length });
    const record = await recordOf(world, ref);
    expect(record).toMatchObject({ status: 'failed', requestCounts: { total: 0 } });
    expect(record.errors?.map(({ code, param, line }) => [line, code, param])).toEqual(
      bad.map(([, code, param], index) => [index + 3, code, param]),
    );
    expect(await storedErrors(ref)).toEqual(record.errors);
    expect(await world.deps.batches.getEnd(ref)).toMatchObject({ reason: 'failed' });
    expect(await world.deps.batches.getPlan(ref)).toBeUndefined();
  });

  it('that name a model which no upstream serves are two faults if the others name another', async () => {
    const ref = await createBatch(
      world,
      `${valid}\n${requestLine(1, { body: { model: 'x', messages } })}`,
    );
    await validate(ref);
    expect((await recordOf(world, ref)).errors?.map(({ code, line }) => [code, line])).toEqual([
      ['model_not_found', 2],
      ['mismatched_model', 2],
    ]);
  });

  it('are bytes that are not UTF-8, and a byte order mark that is not the first character', async () => {
    const broken = Buffer.concat([
      Buffer.from('{"custom_id":"'),
      Buffer.of(0xff),
      Buffer.from('"}\n'),
    ]);
    const ref = await createBatch(
      world,
      Buffer.concat([Buffer.from(`\ufeff\ufeff${valid}\n`), broken]),
    );
    await validate(ref);
    expect((await recordOf(world, ref)).errors?.map(({ code, line }) => [code, line])).toEqual([
      ['invalid_json_line', 1],
      ['invalid_json_line', 2],
    ]);
  });

  it('above the largest length are reported without being kept', async () => {
    const long = Buffer.alloc(lineBytesMax + 1, 'x');
    const ref = await createBatch(world, Buffer.concat([Buffer.from(`${valid}\n`), long]));
    await validate(ref);
    expect((await recordOf(world, ref)).errors).toMatchObject([
      { code: 'invalid_request', line: 2 },
    ]);
  });

  it('beyond a thousand are all stored, but not all in the record', async () => {
    const ref = await createBatch(world, 'x\n'.repeat(3_000));
    expect(await validate(ref)).toEqual({ verdict: 'invalid', errorCount: 3_000 });
    const record = await recordOf(world, ref);
    const stored = await storedErrors(ref);
    expect(record.errors).toHaveLength(batchErrorsMax);
    expect(record.errors).toEqual(stored.slice(0, batchErrorsMax));
    expect(stored.map(({ line }) => line)).toEqual(
      Array.from({ length: 3_000 }, (_, index) => index + 1),
    );
  });

  it('give the same errors when the file is validated again', async () => {
    const ref = await createBatch(world, 'x\n');
    await validate(ref);
    const errors = await storedErrors(ref);
    expect(await validate(ref)).toEqual({ verdict: 'invalid', errorCount: 1 });
    expect(await storedErrors(ref)).toEqual(errors);
  });
});

describe('a file fails the batch as a whole', () => {
  async function check(ref: BatchRef, code: string, param: string | null): Promise<void> {
    expect(await validate(ref)).toEqual({ verdict: 'invalid', errorCount: 1 });
    const record = await recordOf(world, ref);
    expect(record.status).toBe('failed');
    expect(record.errors).toMatchObject([{ code, param, line: null }]);
  }

  it('when it is empty, or has blank lines only', async () => {
    await check(await createBatch(world, ''), 'empty_file', null);
    world = new ActivityWorld();
    await check(await createBatch(world, '\n \r\n\n'), 'empty_file', null);
  });

  it("when it has more lines than the project's limit", async () => {
    await world.deps.projects.update(projectId, () => ({
      id: projectId,
      createdAt: startedAt,
      limits: { batchLinesMax: 2 },
      emails: [],
    }));
    await check(await createBatch(world, requestLines(3)), 'too_many_tasks', null);
  });

  it('when it was uploaded for something else', async () => {
    const ref = await createBatch(world, requestLines(1), { purpose: 'batch_output' });
    await check(ref, 'invalid_request', 'file_id');
  });

  it('when there is no such file', async () => {
    const ref = await createBatch(world, requestLines(1));
    await world.deps.files.release(projectId, aFileId(1), ref.batchId);
    await check(ref, 'invalid_request', 'file_id');
  });

  it('when its id is none', async () => {
    const ref = await createBatch(world, '', { batch: { inputFileId: '../secret' } });
    await check(ref, 'invalid_request', 'file_id');
  });
});

test('a file that was deleted after the batch was created is validated all the same', async () => {
  const ref = await createBatch(world, requestLines(2));
  await world.deps.files.delete(projectId, aFileId(1));
  expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 2 });
});

describe('a batch that ends during validation', () => {
  it.each([
    ['small and bad', 'x\n'],
    ['small and good', requestLines(3)],
    ['large and good', requestLines(2_000)],
  ])('is left as it is when the end is found, its file %s', async (_, input) => {
    const ref = await createBatch(world, input);
    await endBatch(world, ref, 'cancelled');
    expect(await validate(ref)).toEqual({ verdict: 'ended' });
    expect(await recordOf(world, ref)).toMatchObject({ status: 'validating', errors: null });
  });

  it('waits for no turn and reads nothing of a large file', async () => {
    const ref = await createBatch(world, requestLines(2_000));
    await endBatch(world, ref, 'cancelled');
    await whileOpening(() => {
      throw new Error('The file was opened');
    });
    expect(await validate(ref)).toEqual({ verdict: 'ended' });
  });

  it('is left as it is when the end comes while the file is read', async () => {
    const ref = await createBatch(world, requestLines(2_000));
    await whileOpening(async () => {
      await endBatch(world, ref, 'expired');
      await settle();
    });
    expect(await validate(ref)).toEqual({ verdict: 'ended' });
    expect((await recordOf(world, ref)).status).toBe('validating');
  });

  it('does not fail when a cancel was first', async () => {
    const ref = await createBatch(world, 'x\n');
    world.store.fateOf = async ({ name, key }): Promise<Fate> => {
      if (name === 'put' && key.endsWith('/end')) {
        world.store.fateOf = () => 'works';
        await endBatch(world, ref, 'cancelled');
      }
      return 'works';
    };
    expect(await validate(ref)).toEqual({ verdict: 'ended' });
    expect(await recordOf(world, ref)).toMatchObject({ status: 'validating', errors: null });
  });
});

describe('a worker that stops during validation', () => {
  it('leaves the file to another one', async () => {
    const ref = await createBatch(world, requestLines(2_000));
    const environment = anEnvironment();
    await whileOpening(() => {
      environment.cancel(
        'WORKER_SHUTDOWN',
        new ActivityCancellationDetails({ workerShutdown: true }),
      );
    });
    await expect(validate(ref, environment)).rejects.toThrow('WORKER_SHUTDOWN');
    expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 2_000 });
  });

  it('between deciding and recording that the batch failed leaves the record to another one', async () => {
    const ref = await createBatch(world, 'x\n'.repeat(1_000));
    world.store.fateOf = ({ name, key }) =>
      name === 'put' && key.endsWith('/record.json') ? 'fails' : 'works';
    await expect(validate(ref)).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    expect(await validate(ref)).toEqual({ verdict: 'invalid', errorCount: 1_000 });
    expect((await recordOf(world, ref)).status).toBe('failed');
  });

  it('leaves a decided failure to another one', async () => {
    const ref = await createBatch(world, 'x\n');
    await endBatch(world, ref, 'failed');
    expect(await validate(ref)).toEqual({ verdict: 'invalid', errorCount: 1 });
    expect((await recordOf(world, ref)).status).toBe('failed');
  });

  it.each([
    ['a good file', requestLines(3), { verdict: 'valid', total: 3 }],
    ['a bad file', 'x\n', { verdict: 'invalid', errorCount: 1 }],
  ])(
    'before it has reported its verdict on %s leaves that to another one, also after an end',
    async (_, input, verdict) => {
      const ref = await createBatch(world, input);
      expect(await validate(ref)).toMatchObject(verdict);
      await endBatch(world, ref, 'cancelled');
      expect(await validate(ref)).toMatchObject(verdict);
    },
  );
});

describe('a store that fails', () => {
  // The first chunk has one bad line, and so has each that follows.
  const input = requestLines(3_000).replaceAll(/"request-(\d*00)"/g, '1');

  it('to open the file, to store the plan or the record fails the attempt', async () => {
    for (const [name, suffix] of [
      ['openRead', '/content'],
      ['put', '/plan.json'],
      ['put', '/record.json'],
    ] as const) {
      world = new ActivityWorld();
      const ref = await createBatch(world, requestLines(5_100));
      world.store.fateOf = (call) =>
        call.name === name && call.key.endsWith(suffix) ? 'fails' : 'works';
      await expect(validate(ref)).rejects.toThrow(StoreFault);
      world.store.fateOf = () => 'works';
      expect(await validate(ref)).toMatchObject({ verdict: 'valid', total: 5_100 });
    }
  });

  it('to take the bad lines fails the attempt, however many are still to come', async () => {
    world = new ActivityWorld(new SlowReads());
    const ref = await createBatch(world, input);
    world.store.fateOf = ({ name }) => (name === 'putStream' ? 'fails' : 'works');
    await expect(validate(ref)).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    expect(await validate(ref)).toMatchObject({ verdict: 'invalid' });
  });
});

/** Everything else comes to rest before the next chunk of a stream is read. */
class SlowReads extends FaultyObjectStore {
  override async openRead(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const content = await super.openRead(key, range);
    return content && Readable.from(slowly(content));
  }
}

async function* slowly(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    await settle();
    yield chunk;
  }
}

test('without a record the attempt fails and may be repeated', async () => {
  const ref = await createBatch(world, requestLines(1));
  await world.store.delete([batchKeys(projectId, ref.batchId).record]);
  await expect(validate(ref)).rejects.toThrow('The record of a batch is missing');
});

test.each([
  ['large', 2_000, 2],
  ['small', 1, 5],
])('of five validations of %s files', async (_, lineCount, atATime) => {
  const ref = await createBatch(world, requestLines(lineCount));
  let openCount = 0;
  let openCountMax = 0;
  world.store.fateOf = async ({ name }): Promise<Fate> => {
    if (name === 'openRead') {
      openCount += 1;
      openCountMax = Math.max(openCountMax, openCount);
      await settle();
      openCount -= 1;
    }
    return 'works';
  };
  const results = await Promise.all([1, 2, 3, 4, 5].map(async () => await validate(ref)));
  expect(results.map(({ verdict }) => verdict)).toEqual(new Array(5).fill('valid'));
  expect(openCountMax).toBe(atATime);
});

/** Does something while the input file is being opened. */
async function whileOpening(work: () => void | Promise<void>): Promise<void> {
  await Promise.resolve();
  world.store.fateOf = async ({ name }): Promise<Fate> => {
    if (name === 'openRead') {
      await work();
      world.store.fateOf = () => 'works';
    }
    return 'works';
  };
}
