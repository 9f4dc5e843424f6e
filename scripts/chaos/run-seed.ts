/** Runs one seed on the stack and returns what was seen. */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { BatchClient } from './batch-client';
import { makeInput } from './batch-input';
import { finalBatch, type BatchObservation, type Observation } from './observation';
import type { BatchPlan, SeedPlan, UpstreamPhase } from './plan';
import type { UpstreamControl } from '../simulated-upstream';
import type { ChaosWorld } from './world';

/** Far longer than any batch here can take by itself. */
const seedTimeoutMs = 240_000;
const controlIntervalMs = 200;

const calm: UpstreamControl = {
  latencyMs: 10,
  slotsMax: 256,
  isDown: false,
  isRateLimited: false,
};

export async function runSeed(
  world: ChaosWorld,
  plan: SeedPlan,
  signal: AbortSignal,
): Promise<Observation> {
  const startedAt = Date.now();
  const journalStart = world.journalSize();
  world.disruptor.reset();
  const faults: string[] = [];
  const runs = await disturb(world, plan, { signal, faults });
  for (const { client } of runs) {
    if (client.id !== undefined) {
      world.batchIds.add(client.id);
    }
  }
  const batches = await Promise.all(runs.map((run) => observe(run, { signal, faults })));
  const clients = runs.map(({ client }) => client);
  await orNote(deleteFiles(world, clients, plan), { signal, faults });
  const leftovers = await world.store.leftovers(world.batchIds, signal);
  return {
    plan,
    startedAt,
    batches,
    disruptions: [...world.disruptor.disruptions],
    crashes: [...world.disruptor.crashes],
    journal: world.journalSince(journalStart),
    apiFaults: faults,
    leftovers,
  };
}

/** What is told of a seed beside its observations, and what gives it up. */
interface Course {
  readonly signal: AbortSignal;
  /** Grows by what goes wrong. */
  readonly faults: string[];
}

/** The part of a seed in which things happen. Afterwards all processes run. */
async function disturb(world: ChaosWorld, plan: SeedPlan, course: Course): Promise<BatchRun[]> {
  const { signal, faults } = course;
  const timed = AbortSignal.any([signal, AbortSignal.timeout(seedTimeoutMs)]);
  // Every wait of a seed listens to it.
  setMaxListeners(0, timed);
  const runs = plan.batches.map((batch) => prepareBatch(world, batch, { signal: timed, faults }));
  const clients = Promise.all(runs.map(({ client }) => orNote(client.run(), course)));
  const answers = Promise.any([...runs.map(({ client }) => client.answers), clients]);
  const over = new AbortController();
  const upstream = behave(world, plan.upstream, over.signal);
  try {
    await world.disruptor.carryOut(plan.disruptions, answers, signal);
    await clients;
  } finally {
    over.abort();
    await upstream;
  }
  return runs;
}

/** What a client could not do is a finding; only a seed that is given up is an error. */
async function orNote<T>(work: Promise<T>, { signal, faults }: Course): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    signal.throwIfAborted();
    faults.push(String(error));
    return undefined;
  }
}

interface BatchRun {
  readonly plan: BatchPlan;
  readonly input: BatchObservation['input'];
  readonly client: BatchClient;
}

function prepareBatch(world: ChaosWorld, plan: BatchPlan, { signal, faults }: Course): BatchRun {
  const input = makeInput({ ...plan, model: world.model });
  const { openai, temporal, runId } = world;
  const onApiFault = (what: string): void => void faults.push(what);
  const client = new BatchClient({ openai, temporal, runId, signal, onApiFault }, plan, input);
  return { plan, input, client };
}

async function observe(
  { plan, input, client }: BatchRun,
  course: Course,
): Promise<BatchObservation> {
  const { polls, actions } = client;
  const batch = finalBatch({ polls });
  const [output, errors, listed] = await Promise.all([
    orNote(client.download(batch?.output_file_id), course),
    orNote(client.download(batch?.error_file_id), course),
    orNote(client.countListed(), course),
  ]);
  return {
    plan,
    input,
    polls,
    actions,
    listed: listed ?? 0,
    ...(output !== undefined && { output }),
    ...(errors !== undefined && { errors }),
  };
}

/** Uploads that were repeated because their answer was lost have left files of the same name. */
async function deleteFiles(
  world: ChaosWorld,
  clients: readonly BatchClient[],
  plan: SeedPlan,
): Promise<void> {
  const [client] = clients;
  const results = clients.flatMap(({ polls }) => {
    const batch = finalBatch({ polls });
    return [batch?.output_file_id, batch?.error_file_id].filter((id) => typeof id === 'string');
  });
  const uploads = new Set(plan.batches.map(({ name }) => `${name}.jsonl`));
  const inputs = [...(await world.store.files())].flatMap(([id, name]) =>
    uploads.has(name) ? [id] : [],
  );
  await Promise.all([...results, ...inputs].map(async (id) => await client?.deleteFile(id)));
}

/** Told over and over: an upstream that was started again has forgotten it. */
async function behave(
  world: ChaosWorld,
  phases: readonly UpstreamPhase[],
  signal: AbortSignal,
): Promise<void> {
  const startedAt = Date.now();
  while (!signal.aborted) {
    const phase = phases.findLast(({ atMs }) => startedAt + atMs <= Date.now());
    await world.control(phase?.control ?? calm);
    await delay(controlIntervalMs);
  }
}
