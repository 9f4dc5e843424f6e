/** Slices of batches whose lines name several models. */
import { makeRequestId } from '../../../src/domain/ids';
import type { ShardRef } from '../../../src/domain/workflow-contract';
import type { LineRequest } from '../../../src/upstream/dispatcher';
import { customIdOf, requestLine } from '../../support/batches';
import { answered } from '../../support/fake-dispatcher';
import {
  inFlightMax,
  ordinals,
  seconds,
  SliceWorld,
  useSliceWorld,
} from '../../support/slice-world';

let world: SliceWorld;

useSliceWorld(
  (fresh) => {
    world = fresh;
  },
  () => new SliceWorld(undefined, { settings: { mixedModels: 'allow' } }),
);

async function aMixedShard(count: number, modelOf: (ordinal: number) => string): Promise<ShardRef> {
  const lines = ordinals(0, count).map((ordinal) =>
    requestLine(ordinal, { body: { model: modelOf(ordinal), messages: [ordinal] } }),
  );
  return await world.aShard(lines.join('\n'));
}

function modelIn({ body }: LineRequest): string {
  return (JSON.parse(Buffer.from(body).toString()) as { model: string }).model;
}

test('each line goes where its own model is', async () => {
  const names = ['small', 'other', 'priced'];
  const shard = await aMixedShard(8, (ordinal) => names[ordinal % 3] ?? '');
  const result = await world.runSlice(shard);
  expect(result).toMatchObject({ sealed: true, counts: { completed: 8, failed: 0 } });
  const routes = world.dispatcher.sessions.map(({ options }) => options.route.model);
  expect(routes).toEqual(names);
  expect(world.dispatcher.asked.map(modelIn)).toEqual(
    ordinals(0, 8).map((ordinal) => names[ordinal % 3]),
  );
  const { output } = await world.linesOf(shard);
  expect(output.map(({ custom_id }) => custom_id)).toEqual(ordinals(0, 8).map(customIdOf));
});

test('a model that is written with escapes is the same model', async () => {
  const lines = [requestLine(0), requestLine(1, { body: { model: 'other', messages: [] } })];
  const escaped = lines[0]?.replace('"small"', '"sm\\u0061ll"') ?? '';
  const shard = await world.aShard([escaped, ...lines.slice(1)].join('\n'));
  expect(await world.runSlice(shard)).toMatchObject({ sealed: true });
  expect(world.dispatcher.sessions.map(({ options }) => options.route.model)).toEqual([
    'small',
    'other',
  ]);
});

test('a model that stalls is passed over, and its lines are left to the next slice', async () => {
  const count = 4 * inFlightMax;
  const shard = await aMixedShard(count, (ordinal) => (ordinal % 2 === 0 ? 'small' : 'other'));
  world.dispatcher.respond = (request) =>
    modelIn(request) === 'small' ? undefined : answered('1');
  const slice = world.runSlice(shard);
  await seconds(20);
  expect(world.dispatcher.asked.filter((asked) => modelIn(asked) === 'other').length).toBe(
    inFlightMax,
  );
  await seconds(15);
  // The lines of the other model have all had their turn.
  expect(world.dispatcher.asked.filter((asked) => modelIn(asked) === 'other').length).toBe(
    count / 2,
  );
  world.dispatcher.respond = () => answered('1');
  world.dispatcher.release();
  expect(await slice).toMatchObject({
    sealed: false,
    counts: { completed: count / 2 + inFlightMax, failed: 0 },
  });
  expect(await world.runSlice(shard)).toMatchObject({
    sealed: true,
    counts: { completed: count, failed: 0 },
  });
});

test('a model whose server is busy with the lines of another slice is not passed over', async () => {
  const count = 4 * inFlightMax;
  const shard = await aMixedShard(count, (ordinal) => (ordinal % 2 === 0 ? 'small' : 'other'));
  const elsewhere = count;
  world.dispatcher.respond = (request) =>
    modelIn(request) === 'small' && request.ordinal < elsewhere ? undefined : answered('1');
  const slice = world.runSlice(shard);
  for (let turn = 0; turn < 10; turn++) {
    await seconds(10);
    submitElsewhere(elsewhere + turn);
  }
  expect(world.dispatcher.asked.filter((asked) => modelIn(asked) === 'other').length).toBe(
    inFlightMax,
  );
  world.dispatcher.respond = () => answered('1');
  world.dispatcher.release();
  expect(await slice).toMatchObject({ sealed: true, counts: { completed: count, failed: 0 } });
});

function submitElsewhere(ordinal: number): void {
  const [options] = world.dispatcher.sessions.map((session) => session.options);
  if (options === undefined) {
    throw new Error('The slice of a test has no session');
  }
  const session = world.dispatcher.open({ ...options, onOutcome: () => undefined });
  const requestId = makeRequestId(options.batchId, ordinal);
  session.submit({ ordinal, requestId, body: Buffer.from('{"model":"small"}') });
}

test('lines whose model is served no more wait for the operator, the others do not', async () => {
  const shard = await aMixedShard(6, (ordinal) => (ordinal % 2 === 0 ? 'small' : 'other'));
  const { routes } = world.deps;
  const withoutOther = new Map([...routes].filter(([name]) => name !== 'other'));
  Object.assign(world.deps, { routes: withoutOther });
  await expect(world.runSlice(shard)).rejects.toThrow(/No upstream serves the model/);
  expect(world.dispatcher.askedOrdinals).toEqual([0, 2, 4]);
  Object.assign(world.deps, { routes });
  expect(await world.runSlice(shard)).toMatchObject({ sealed: true });
  expect(world.dispatcher.askedOrdinals).toEqual([0, 2, 4, 1, 3, 5]);
});
