import type { EndReason } from '../../../src/domain/batch';
import { makeRequestId, type FileId } from '../../../src/domain/ids';
import { batchKeys, fileKeys } from '../../../src/domain/object-keys';
import { noUsage } from '../../../src/domain/usage';
import type { BatchRef, ShardRef } from '../../../src/domain/workflow-contract';
import { StoreFault } from '../../../src/storage/object-store';
import {
  ActivityWorld,
  anEnvironment,
  createBatch,
  createRunningBatch,
  endBatch,
  linesOf,
  recordOf,
} from '../../support/activity-world';
import {
  aFileId,
  customIdOf,
  projectId,
  requestLine,
  requestLines,
  startedAt,
} from '../../support/batches';
import { answered } from '../../support/fake-dispatcher';
import { keysBelow, textOf, type Fate } from '../../support/faulty-object-store';
import { ordinals } from '../../support/slice-world';

const outputId = aFileId(2);
const errorId = aFileId(3);
let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
});

/** A batch whose every shard is sealed, and whose end is decided. */
async function aFinishedBatch(
  lineCount: number,
): Promise<{ ref: BatchRef; shards: readonly ShardRef[] }> {
  const batch = await createRunningBatch(world, requestLines(lineCount));
  for (const shard of batch.shards.toReversed()) {
    await world.runSlice(shard);
  }
  await decide(batch.ref, 'completed');
  return batch;
}

async function decide(ref: BatchRef, reason: EndReason): Promise<void> {
  await world.run(async (control) => await control.decideEnd({ ref, reason }));
}

async function finalize(ref: BatchRef, shardCount = 1): Promise<void> {
  await world.run(async (control) => {
    await control.finalizeBatch({ ref, shardCount });
  });
}

describe('the cost of a batch', () => {
  const usage = { ...noUsage, inputTokens: 1_000, outputTokens: 500, totalTokens: 1_500 };

  test.each([
    ['small', {}],
    ['priced', { cost: { currency: 'usd', amount: 0.0035 } }],
  ])('of %s is told where the model has a price', async (model, expected) => {
    const lines = requestLine(0, { body: { model, messages: [] } });
    world.dispatcher.respond = () => answered('1', { usage });
    const { ref, shards } = await createRunningBatch(world, lines);
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    await decide(ref, 'completed');
    await finalize(ref);
    const { cost, status } = await recordOf(world, ref);
    expect([status, { ...(cost !== undefined && { cost }) }]).toEqual(['completed', expected]);
  });

  test('of several models is not told', async () => {
    world = new ActivityWorld(undefined, { settings: { mixedModels: 'allow' } });
    const lines = ['priced', 'small'].map((model, ordinal) =>
      requestLine(ordinal, { body: { model, messages: [] } }),
    );
    const { ref, shards } = await createRunningBatch(world, lines.join('\n'));
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    await decide(ref, 'completed');
    await finalize(ref);
    const record = await recordOf(world, ref);
    expect(record).toMatchObject({ status: 'completed', model: null });
    expect(record).not.toHaveProperty('cost');
  });
});

test('the files have the lines of all shards in the order of the input', async () => {
  world.dispatcher.respond = ({ ordinal }) =>
    ordinal % 10 === 3 ? answered('{"error":{}}', { status: 400 }) : answered(`${ordinal}`);
  const { ref, shards } = await aFinishedBatch(5_200);
  expect(shards).toHaveLength(2);
  await finalize(ref, 2);
  const output = await linesOf(world.store, outputId);
  const errors = await linesOf(world.store, errorId);
  const failed = ordinals(0, 5_200).filter((ordinal) => ordinal % 10 === 3);
  expect(errors.map(({ custom_id }) => custom_id)).toEqual(failed.map(customIdOf));
  expect(output.map(({ response }) => response?.body)).toEqual(
    ordinals(0, 5_200).filter((ordinal) => ordinal % 10 !== 3),
  );
  expect(output[0]?.id).toBe(makeRequestId(ref.batchId, 0));
  expect(await recordOf(world, ref)).toMatchObject({
    status: 'completed',
    completedAt: world.nowMs / 1000,
    outputFileId: outputId,
    errorFileId: errorId,
    requestCounts: { total: 5_200, completed: 4_680, failed: 520 },
  });
});

test('the files exist as files of the project', async () => {
  const { ref } = await aFinishedBatch(2);
  await finalize(ref);
  const file = await world.deps.files.get(projectId, outputId, startedAt);
  const text = (await textOf(world.store, fileKeys(projectId, outputId).content)) ?? '';
  expect(file).toEqual({
    id: outputId,
    projectId,
    bytes: Buffer.byteLength(text),
    createdAt: world.nowMs / 1000,
    expiresAt: world.nowMs / 1000 + 2_592_000,
    filename: `${ref.batchId}_output.jsonl`,
    purpose: 'batch_output',
  });
});

test('a file that would have no line does not exist', async () => {
  const { ref } = await aFinishedBatch(2);
  await finalize(ref);
  expect(await recordOf(world, ref)).toMatchObject({ outputFileId: outputId, errorFileId: null });
  expect(await world.deps.files.get(projectId, errorId, startedAt)).toBeUndefined();
});

test('a batch whose every request failed is completed, without an output file', async () => {
  world.dispatcher.respond = () => answered('{}', { status: 422 });
  const { ref } = await aFinishedBatch(2);
  await finalize(ref);
  expect(await recordOf(world, ref)).toMatchObject({
    status: 'completed',
    outputFileId: null,
    errorFileId: errorId,
    requestCounts: { total: 2, completed: 0, failed: 2 },
  });
});

test('usage is the sum over all answers', async () => {
  world.dispatcher.respond = () =>
    answered('1', { usage: { ...noUsage, inputTokens: 2, outputTokens: 3, totalTokens: 5 } });
  const { ref } = await aFinishedBatch(4);
  await finalize(ref);
  expect((await recordOf(world, ref)).usage).toEqual({
    ...noUsage,
    inputTokens: 8,
    outputTokens: 12,
    totalTokens: 20,
  });
});

test.each(['cancelled', 'expired'] as const)(
  'a batch that was %s has what was answered and what was not',
  async (reason) => {
    const { ref, shards } = await createRunningBatch(world, requestLines(3));
    await endBatch(world, ref, reason);
    await decide(ref, 'completed');
    for (const shard of shards) {
      await world.run(async (control) => {
        await control.closeShard({ shard, reason });
      });
    }
    await finalize(ref);
    const record = await recordOf(world, ref);
    expect(record).toMatchObject({
      status: reason,
      outputFileId: null,
      errorFileId: errorId,
      requestCounts: { total: 3, completed: 0, failed: 0 },
    });
    expect(await linesOf(world.store, errorId)).toHaveLength(3);
  },
);

test('a batch that ended during validation has no files and a total of 0', async () => {
  const ref = await createBatch(world, requestLines(3));
  await decide(ref, 'cancelled');
  await finalize(ref, 0);
  expect(await recordOf(world, ref)).toMatchObject({
    status: 'cancelled',
    outputFileId: null,
    errorFileId: null,
    requestCounts: { total: 0, completed: 0, failed: 0 },
  });
});

describe('finalizing again', () => {
  it('changes nothing once the record is terminal', async () => {
    const { ref } = await aFinishedBatch(2);
    await finalize(ref);
    const record = await recordOf(world, ref);
    world.nowMs += 5_000;
    world.store.calls.length = 0;
    await finalize(ref);
    expect(await recordOf(world, ref)).toEqual(record);
    expect(world.store.calls.filter(({ name }) => name !== 'get')).toEqual([]);
  });

  it.each(['/content', '/record.json'])(
    'writes the same when the first time was cut off at %s',
    async (suffix) => {
      const { ref } = await aFinishedBatch(3);
      const content = fileKeys(projectId, outputId).content;
      let failures = 0;
      world.store.fateOf = ({ name, key }) => {
        const isIt = key.endsWith(suffix) && (name === 'put' || name === 'concatenate');
        failures += isIt ? 1 : 0;
        return isIt ? 'answer_lost' : 'works';
      };
      await expect(finalize(ref)).rejects.toThrow(StoreFault);
      expect(failures).toBe(1);
      world.store.fateOf = () => 'works';
      const before = await textOf(world.store, content);
      world.nowMs += 60_000;
      await finalize(ref);
      expect(await textOf(world.store, content)).toBe(before);
      expect(await recordOf(world, ref)).toMatchObject({ status: 'completed' });
    },
  );

  it('does not bring back a file that was deleted after the faster of two runs', async () => {
    const { ref } = await aFinishedBatch(3);
    let isFirst = true;
    world.store.fateOf = async ({ name }): Promise<Fate> => {
      if (name === 'concatenate' && isFirst) {
        isFirst = false;
        await finalize(ref);
        await world.deps.files.delete(projectId, outputId);
      }
      return 'works';
    };
    await finalize(ref);
    expect(await keysBelow(world.store, fileKeys(projectId, outputId).prefix)).toEqual([]);
    expect(await recordOf(world, ref)).toMatchObject({ status: 'completed' });
  });

  it('keeps the time at which the files came to be', async () => {
    const { ref } = await aFinishedBatch(3);
    const createdAt = world.nowMs / 1000;
    world.store.fateOf = ({ name, key }) =>
      name === 'put' && key === batchKeys(projectId, ref.batchId).record ? 'fails' : 'works';
    await expect(finalize(ref)).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    world.nowMs += 60_000;
    await finalize(ref);
    expect(await world.deps.files.get(projectId, outputId, createdAt)).toMatchObject({ createdAt });
    expect((await recordOf(world, ref)).completedAt).toBe(createdAt + 60);
  });
});

describe('after the worker died', () => {
  const contentOf = (id: FileId): string => fileKeys(projectId, id).content;

  /** Both files have lines. */
  async function aBatchWithErrors(): Promise<BatchRef> {
    world.dispatcher.respond = ({ ordinal }) =>
      answered('{}', { status: ordinal === 1 ? 400 : 200 });
    return (await aFinishedBatch(3)).ref;
  }

  async function finalizeFrom(ref: BatchRef, heartbeatDetails?: unknown): Promise<unknown> {
    const environment = anEnvironment({ attempt: 2, heartbeatDetails });
    let heard: unknown;
    environment.on('heartbeat', (details: unknown) => {
      heard = details;
    });
    await world.run(async (control) => {
      await control.finalizeBatch({ ref, shardCount: 1 });
    }, environment);
    return heard;
  }

  it('says in its heartbeat which files it has begun, also those of earlier attempts', async () => {
    const ref = await aBatchWithErrors();
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    world.store.fateOf = ({ name, key }) => {
      if (name === 'concatenate' && key === contentOf(errorId)) {
        jest.advanceTimersByTime(1_000);
      }
      return 'works';
    };
    const heard = await finalizeFrom(ref, { begun: { output: 'earlier' } }).finally(() => {
      jest.useRealTimers();
    });
    expect(heard).toMatchObject({
      step: 'writing files',
      begun: { output: `begun ${contentOf(outputId)}`, error: `begun ${contentOf(errorId)}` },
    });
  });

  it.each([
    ['has said nothing', undefined, undefined],
    ['is of an older version', { step: 'writing files', shards: 1 }, undefined],
    ['had begun the output', { begun: { output: 'the output' } }, 'the output'],
  ])('goes on with what the attempt before %s', async (_, details, token) => {
    const ref = await aBatchWithErrors();
    await finalizeFrom(ref, details);
    expect(world.store.resumptions).toEqual([
      { key: contentOf(outputId), token },
      { key: contentOf(errorId), token: undefined },
    ]);
    expect(await recordOf(world, ref)).toMatchObject({ status: 'completed' });
  });
});

test('a shard that is not in the plan is never left out', async () => {
  const { ref } = await aFinishedBatch(2);
  await expect(finalize(ref, 2)).rejects.toThrow('The record or plan of a batch is missing');
  expect(await recordOf(world, ref)).toMatchObject({ status: 'finalizing', outputFileId: null });
});

test('without an end that is decided nothing is written', async () => {
  const { ref } = await createRunningBatch(world, requestLines(1));
  await expect(finalize(ref)).rejects.toThrow('The record or end of a batch is missing');
});

describe('a batch that failed by a fault of ours', () => {
  const reasons = [
    { code: 'internal_error', message: expect.any(String), param: null, line: null },
  ];

  test('says so, and has the files of its answers', async () => {
    const { ref, shards } = await createRunningBatch(world, requestLines(6_000));
    const [first, second] = shards as [ShardRef, ShardRef];
    await world.runSlice(first);
    await decide(ref, 'failed');
    expect((await recordOf(world, ref)).status).toBe('finalizing');
    await world.run(async (control) => {
      await control.closeShard({ shard: second, reason: 'failed' });
    });
    await finalize(ref, 2);

    const record = await recordOf(world, ref);
    expect(record).toMatchObject({ status: 'failed', errors: reasons, completedAt: null });
    expect(record.failedAt).not.toBeNull();
    const output = await linesOf(world.store, record.outputFileId);
    const errors = await linesOf(world.store, record.errorFileId);
    expect(output.length + errors.length).toBe(6_000);
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_failed']));
    expect(record.requestCounts).toEqual({ total: 6_000, completed: output.length, failed: 0 });
  });

  test('has no files when it failed during validation', async () => {
    const ref = await createBatch(world, requestLines(2));
    await decide(ref, 'failed');
    await finalize(ref, 0);
    expect(await recordOf(world, ref)).toMatchObject({
      status: 'failed',
      errors: reasons,
      outputFileId: null,
      errorFileId: null,
      requestCounts: { total: 0, completed: 0, failed: 0 },
    });
  });
});
