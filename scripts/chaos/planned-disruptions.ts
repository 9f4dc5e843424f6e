/** Which processes are killed, frozen and restarted, and when. */
import { integer, pick, type Random } from '../simulator/random';

export const targets = ['api', 'worker-1', 'worker-2', 'temporal', 'minio', 'upstream'] as const;
export type Target = (typeof targets)[number];

/**
 * `kill`: SIGKILL, a pause, start. `freeze`: SIGSTOP, a pause, SIGCONT. `restart`: SIGTERM, a pause
 * once it has ended, start.
 */
export const disruptionKinds = ['kill', 'freeze', 'restart'] as const;
export type DisruptionKind = (typeof disruptionKinds)[number];

export interface PlannedDisruption {
  readonly target: Target;
  readonly kind: DisruptionKind;
  /** What `atMs` counts from: the start of the seed, or the first answers that a client sees. */
  readonly from: 'start' | 'answers';
  readonly atMs: number;
  readonly pauseMs: number;
}

const lastAtMs = 7_000;
/** Longer than a slice may be silent before it is run elsewhere. */
const longFreezeMs = { min: 11_000, max: 14_000 } as const;

export function planDisruptions(random: Random): PlannedDisruption[] {
  const dice = random();
  const single = Array.from({ length: integer(random, 1, 4) }, () => planOne(random));
  if (dice < 0.15) {
    return [...single.slice(0, 2), ...planStorm(random)];
  }
  if (dice < 0.27) {
    return [...single.slice(0, 2), planZombie(random)];
  }
  return withOneUpstreamKill(single);
}

function planOne(random: Random): PlannedDisruption {
  const target = pick(random, ['worker-1', 'worker-2', ...targets] as const);
  const kind = pick(random, ['kill', 'kill', 'kill', 'freeze', 'restart'] as const);
  return {
    target,
    kind,
    ...planTime(random),
    pauseMs: random() < 0.4 ? 0 : integer(random, 100, 3_000),
  };
}

function planTime(random: Random): Pick<PlannedDisruption, 'from' | 'atMs'> {
  return random() < 0.3
    ? { from: 'start', atMs: integer(random, 0, lastAtMs) }
    : { from: 'answers', atMs: integer(random, 0, lastAtMs / 2) };
}

/** Several at once, sometimes everything. */
function planStorm(random: Random): PlannedDisruption[] {
  const { from, atMs } = planTime(random);
  const hit = random() < 0.4 ? targets : targets.filter(() => random() < 0.5);
  return hit.map((target) => ({
    target,
    kind: 'kill',
    from,
    atMs: atMs + integer(random, 0, 200),
    pauseMs: integer(random, 0, 2_000),
  }));
}

/** A worker that wakes up after its slices have been taken over. */
function planZombie(random: Random): PlannedDisruption {
  return {
    target: pick(random, ['worker-1', 'worker-2'] as const),
    kind: 'freeze',
    from: 'answers',
    atMs: integer(random, 0, 2_000),
    pauseMs: integer(random, longFreezeMs.min, longFreezeMs.max),
  };
}

/** A restarted upstream has forgotten which faults are over: twice could use up a line's attempts. */
function withOneUpstreamKill(planned: readonly PlannedDisruption[]): PlannedDisruption[] {
  const first = planned.find(({ target }) => target === 'upstream');
  return planned.filter(({ target }, index) => target !== 'upstream' || planned[index] === first);
}
