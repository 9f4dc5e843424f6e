/** What one seed does, all of it decided by the seed. Times are milliseconds from its start. */
import type { UpstreamControl } from '../simulated-upstream';
import { integer, pick, randomFrom, type Random } from '../simulator/random';
import { planDisruptions, type PlannedDisruption } from './planned-disruptions';

export interface SeedPlan {
  readonly seed: number;
  readonly batches: readonly BatchPlan[];
  readonly upstream: readonly UpstreamPhase[];
  readonly disruptions: readonly PlannedDisruption[];
}

export interface BatchPlan {
  /** `{seed}-{index}`: in the batch's metadata and in every request. */
  readonly name: string;
  readonly startMs: number;
  readonly lineCount: number;
  readonly isInvalid: boolean;
  readonly hasPoison: boolean;
  readonly completionWindow: string;
  /** How a repeated create is known: by its `Idempotency-Key`, or by what the official client sends. */
  readonly repeatsBy: 'key' | 'client';
  readonly actions: readonly ClientAction[];
}

/** Something that a client or an operator does to a batch. */
export interface ClientAction {
  readonly kind:
    'cancel' | 'cancel-workflow' | 'cancel-shard' | 'terminate-shard' | 'terminate-batch';
  /** What `afterMs` counts from: that the batch was created, or its first answers. */
  readonly from: 'creation' | 'answers';
  readonly afterMs: number;
}

/** From some time on the upstream behaves like this. */
export interface UpstreamPhase {
  readonly atMs: number;
  readonly control: Partial<UpstreamControl>;
}

/** Beside `24h`; the API has to be started with these. */
export const shortWindows = ['4s', '9s', '14s'] as const;

export function planSeed(seed: number): SeedPlan {
  const random = randomFrom(`plan ${seed}`);
  const batchCount = pick(random, [1, 1, 2, 2, 3]);
  return {
    seed,
    batches: [
      ...Array.from({ length: batchCount }, (_, index) =>
        planBatch({ name: `${seed}-${index}`, random, share: 1 / batchCount }),
      ),
      ...planSmallBatches(seed),
    ],
    upstream: planUpstream(random),
    disruptions: planDisruptions(randomFrom(`disruptions ${seed}`)),
  };
}

interface BatchWish {
  readonly name: string;
  readonly random: Random;
  /** Of what a seed can do in its time. */
  readonly share: number;
}

function planBatch({ name, random, share }: BatchWish): BatchPlan {
  const isLarge = random() < 0.15;
  const isInvalid = random() < 0.06;
  const dice = random();
  return {
    name,
    startMs: integer(random, 0, 1_500),
    lineCount: isLarge
      ? integer(random, 5_010, 5_600)
      : Math.ceil(integer(random, 300, 3_500) * share),
    isInvalid,
    hasPoison: random() < 0.15,
    completionWindow: dice < 0.12 ? pick(random, shortWindows) : '24h',
    repeatsBy: random() < 0.7 ? 'key' : 'client',
    actions: dice < 0.12 ? [] : planActions(random),
  };
}

/** Most are answered before anything is committed, and ended by their only slice. */
function planSmallBatches(seed: number): BatchPlan[] {
  const random = randomFrom(`small batches ${seed}`);
  return Array.from({ length: integer(random, 1, 3) }, (_, index) => ({
    name: `${seed}-small-${index}`,
    startMs: integer(random, 0, 6_000),
    lineCount: integer(random, 1, 40),
    isInvalid: random() < 0.1,
    hasPoison: false,
    completionWindow: '24h',
    repeatsBy: random() < 0.7 ? 'key' : 'client',
    actions: random() < 0.3 ? planActions(random) : [],
  }));
}

function planActions(random: Random): ClientAction[] {
  const time = {
    from: random() < 0.3 ? ('creation' as const) : ('answers' as const),
    afterMs: integer(random, 0, 3_000),
  };
  const kind = pick(random, [
    ...Array.from({ length: 14 }, () => 'none' as const),
    ...(['cancel', 'cancel', 'cancel-twice', 'cancel-workflow', 'both'] as const),
    ...(['cancel-shard', 'terminate-shard', 'terminate-batch'] as const),
  ]);
  if (kind === 'none') {
    return [];
  }
  if (kind === 'cancel-twice') {
    return [
      { kind: 'cancel', ...time },
      { kind: 'cancel', ...time, afterMs: time.afterMs + integer(random, 0, 1_500) },
    ];
  }
  if (kind === 'both') {
    return [
      { kind: 'cancel', ...time },
      { kind: 'cancel-workflow', ...time, afterMs: integer(random, 0, 3_000) },
    ];
  }
  return [{ kind, ...time }];
}

function planUpstream(random: Random): UpstreamPhase[] {
  const base = {
    latencyMs: pick(random, [5, 20, 50, 100]),
    slotsMax: pick(random, [32, 64, 128, 256]),
    isDown: false,
    isRateLimited: false,
  };
  const phases: UpstreamPhase[] = [{ atMs: 0, control: base }];
  if (random() < 0.5) {
    const atMs = integer(random, 500, 5_000);
    const change = pick(random, [
      { isDown: true },
      { isRateLimited: true },
      { latencyMs: 600 },
      { slotsMax: 4 },
    ]);
    phases.push(
      { atMs, control: { ...base, ...change } },
      { atMs: atMs + integer(random, 500, 2_500), control: base },
    );
  }
  return phases;
}
