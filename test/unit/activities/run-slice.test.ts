import { noUsage } from '../../../src/domain/usage';
import type { ShardCounts } from '../../../src/domain/workflow-contract';
import { anEnvironment } from '../../support/activity-world';
import { customIdOf, requestLine, requestLines } from '../../support/batches';
import { eventually } from '../../support/eventually';
import { answered } from '../../support/fake-dispatcher';
import { keysBelow } from '../../support/faulty-object-store';
import { sealedText } from '../../support/ledgers';
import {
  inFlightMax,
  keysOf,
  lineCount,
  ordinals,
  seconds,
  SliceWorld,
  useSliceWorld,
} from '../../support/slice-world';

let world: SliceWorld;

useSliceWorld((fresh) => {
  world = fresh;
});

describe('a slice', () => {
  it('asks every line once and seals the shard', async () => {
    const shard = await world.aShard();
    const result = await world.runSlice(shard);
    expect(result).toEqual({
      sealed: true,
      ended: false,
      counts: { completed: lineCount, failed: 0 },
    });
    expect(world.dispatcher.askedOrdinals).toEqual(ordinals(0, lineCount));
    const { output, errors } = await world.linesOf(shard);
    expect(errors).toEqual([]);
    expect(output.map(({ custom_id }) => custom_id)).toEqual(
      ordinals(0, lineCount).map(customIdOf),
    );
  });

  it('sends bodies and writes answers byte for byte', async () => {
    const body =
      '{ "model" : "small", "seed":12345678901234567890, "t":1.0, "t":2, "messages":[] }';
    const shard = await world.aShard(
      `{"custom_id":"\\u0061","method":"POST","url":"/v1/chat/completions","body":${body}}\r\n`,
    );
    const answer = '{"big":98765432109876543210,"x":1.0,"x":2}';
    world.dispatcher.respond = () => answered(answer);
    await world.runSlice(shard);
    expect(world.dispatcher.asked.map(({ body: sent }) => Buffer.from(sent).toString())).toEqual([
      body,
    ]);
    const { output } = await world.sealOf(shard);
    expect(await sealedText(world.store, output)).toMatch(
      `"custom_id":"\\u0061","response":{"status_code":200,"request_id":"up-1","body":${answer}}`,
    );
  });

  it('skips blank lines without losing count', async () => {
    const shard = await world.aShard(`\n${requestLine(0)}\n \r\n\n${requestLine(1)}\n\n`);
    await world.runSlice(shard);
    const { output } = await world.linesOf(shard);
    expect(output.map(({ custom_id }) => custom_id)).toEqual([customIdOf(0), customIdOf(1)]);
  });

  it('puts what the upstream refuses, and what it never answers, into the error file', async () => {
    const shard = await world.aShard(requestLines(4));
    world.dispatcher.respond = ({ ordinal }) =>
      [
        answered('1', { usage: { ...noUsage, inputTokens: 3, totalTokens: 3 } }),
        answered('{"error":{}}', { status: 400 }),
        { failure: { code: 'upstream_timeout', message: 'No answer.' } },
        answered('2', { status: 201 }),
      ][ordinal];
    const result = await world.runSlice(shard);
    expect(result.counts).toEqual({ completed: 2, failed: 2 });
    const { usage } = await world.sealOf(shard);
    expect(usage).toMatchObject({ inputTokens: 3, totalTokens: 3 });
    const { output, errors } = await world.linesOf(shard);
    expect(output.map(({ custom_id }) => custom_id)).toEqual([customIdOf(0), customIdOf(3)]);
    expect(errors).toMatchObject([
      { custom_id: customIdOf(1), response: { status_code: 400 }, error: null },
      { custom_id: customIdOf(2), response: null, error: { code: 'upstream_timeout' } },
    ]);
  });

  it('of a sealed shard does nothing', async () => {
    const shard = await world.aShard(requestLines(2));
    const first = await world.runSlice(shard);
    expect(await world.runSlice(shard)).toEqual(first);
    expect(world.dispatcher.asked).toHaveLength(2);
  });

  it('commits what has finished within a second, while the rest is slow', async () => {
    const shard = await world.aShard();
    const [slice] = await world.startHeld(shard, { answeredCount: 5 });
    const liveCounts = async (): Promise<ShardCounts> =>
      (await world.deps.batches.liveProgress(shard)).counts;
    await seconds(1);
    expect(await keysBelow(world.store, keysOf(shard).segmentsOf(1))).toHaveLength(1);
    expect(await liveCounts()).toEqual({ completed: 0, failed: 0 });
    await seconds(1);
    expect(await liveCounts()).toEqual({ completed: 5, failed: 0 });
    world.dispatcher.respond = () => answered('1');
    world.dispatcher.release();
    expect(await slice).toMatchObject({ sealed: true });
  });

  it('heartbeats every second, however slow the upstream is', async () => {
    const shard = await world.aShard();
    const environment = anEnvironment();
    const heartbeats: unknown[] = [];
    environment.on('heartbeat', (details) => heartbeats.push(details));
    const [slice] = await world.startHeld(shard, { environment, answeredCount: 3 });
    await seconds(3);
    expect(heartbeats).toHaveLength(3);
    expect(heartbeats.at(-1)).toEqual({
      shard: 0,
      epoch: 1,
      lines: lineCount,
      completed: 3,
      failed: 0,
      inFlight: inFlightMax,
      damaged: 0,
    });
    world.dispatcher.respond = () => answered('1');
    world.dispatcher.release();
    await slice;
  });

  it('keeps asking line by line while others hold the whole budget', async () => {
    world = new SliceWorld(undefined, { bytesMax: 1_000 });
    const shard = await world.aShard(requestLines(3));
    world.budget.add(1_000);
    expect(await world.runSlice(shard)).toMatchObject({ sealed: true });
    world.budget.remove(1_000);
  });

  it('holds no more than the budget and one line', async () => {
    world = new SliceWorld(undefined, { bytesMax: 500 });
    const shard = await world.aShard(requestLines(20));
    let heldMax = 0;
    world.dispatcher.respond = () => {
      heldMax = Math.max(heldMax, world.budget.bytesHeld);
      return answered('1');
    };
    const slice = world.runSlice(shard);
    await eventually('every line asked', () => {
      jest.advanceTimersByTime(100);
      return world.dispatcher.asked.length === 20;
    });
    expect(await slice).toMatchObject({ sealed: true });
    expect(heldMax).toBeLessThan(1_000);
  });
});

test('a slice of a model that nobody serves any more says what to do', async () => {
  const shard = await world.aShard();
  (world.deps.routes as Map<string, unknown>).clear();
  await expect(world.runSlice(shard)).rejects.toThrow('No upstream serves the model of the batch');
});

test('no prompt, answer or custom id gets into the heartbeat of a slice', async () => {
  const shard = await world.aShard(requestLines(2));
  const environment = anEnvironment();
  const heartbeats: string[] = [];
  environment.on('heartbeat', (details) => heartbeats.push(JSON.stringify(details)));
  const [slice] = await world.startHeld(shard, { environment });
  await seconds(1);
  world.dispatcher.release();
  await slice;
  expect(heartbeats).toHaveLength(1);
  expect(heartbeats.join()).not.toMatch(/Question|request-|late/);
});
