/**
 * Every way in which processes over one store can get in each other's way: their calls in every
 * order, and each of them dead after every call.
 *
 * A schedule says whose call comes next. Each schedule is run from the start, on a store of its own,
 * and leaves those dead that have not ended; longer schedules begin like it. Of two that leave the
 * same in the store, and have shown each process the same, one is enough: they continue alike.
 */
import type { MemoryObjectStore } from '../../src/storage/memory-object-store';
import type { ObjectStore } from '../../src/storage/object-store';
import {
  FaultyObjectStore,
  keysBelow,
  textOf,
  type Fate,
  type StoreCall,
} from './faulty-object-store';

export type Process = (store: ObjectStore) => Promise<void>;

export interface Scenario {
  readonly memory: MemoryObjectStore;
  readonly processes: readonly Process[];
  /** Looks at what the processes have left, and may change it. */
  readonly check: () => Promise<void>;
}

/** Runs every schedule. @returns how many different states were checked. */
export async function exploreInterleavings(setUp: () => Promise<Scenario>): Promise<number> {
  const known = new Set<string>();
  const schedules: (readonly number[])[] = [[]];
  for (let schedule = schedules.pop(); schedule !== undefined; schedule = schedules.pop()) {
    const scenario = await setUp();
    const runs = await runSchedule(scenario, schedule);
    const state = await fingerprint(scenario.memory, runs);
    if (!known.has(state)) {
      known.add(state);
      for (const [index, { hasEnded }] of runs.entries()) {
        if (!hasEnded) {
          schedules.push([...schedule, index]);
        }
      }
      await check(scenario, runs, schedule);
    }
  }
  return known.size;
}

/** Runs one schedule, and checks what is left after its last call. */
export async function checkInterleaving(
  scenario: Scenario,
  schedule: readonly number[],
): Promise<void> {
  await check(scenario, await runSchedule(scenario, schedule), schedule);
}

async function runSchedule(
  { memory, processes }: Scenario,
  schedule: readonly number[],
): Promise<SteppedRun[]> {
  const runs = processes.map((process) => new SteppedRun(memory, process));
  for (const run of runs) {
    await run.halted;
  }
  for (const index of schedule) {
    await runs[index]?.step();
  }
  return runs;
}

async function check(
  scenario: Scenario,
  runs: readonly SteppedRun[],
  schedule: readonly number[],
): Promise<void> {
  try {
    await scenario.check();
  } catch (error) {
    const calls = runs.map(({ store }) => store.calls.values());
    const lines = schedule.flatMap((index) => {
      const call = calls[index]?.next().value;
      return call === undefined ? [] : [`${index}: ${call.name} ${call.key}`];
    });
    throw new Error(`After these calls:\n${lines.join('\n')}`, { cause: error });
  }
}

/** A process that makes one call at a time, and only when it is told to. */
class SteppedRun {
  readonly store: SteppedStore;
  hasEnded = false;
  /** Resolves when the process waits at a call, and when it has ended. */
  halted: Promise<void>;
  private goOn = (): void => undefined;
  private halt = (): void => undefined;

  constructor(memory: MemoryObjectStore, process: Process) {
    this.store = new SteppedStore(async (): Promise<Fate> => {
      const turn = new Promise<void>((resolve) => {
        this.goOn = resolve;
      });
      this.halt();
      await turn;
      return 'works';
    }, memory);
    this.halted = this.nextHalt();
    void this.run(process);
  }

  /** Makes the call that the process waits at; nothing when it has ended. */
  async step(): Promise<void> {
    if (this.hasEnded) {
      return;
    }
    this.halted = this.nextHalt();
    this.goOn();
    await this.halted;
  }

  private async run(process: Process): Promise<void> {
    try {
      await process(this.store);
    } catch (error) {
      this.store.answers.push(String(error));
    }
    this.hasEnded = true;
    this.halt();
  }

  private async nextHalt(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.halt = resolve;
    });
  }
}

/** Several keys are deleted one by one, so that a process may die in between. */
class SteppedStore extends FaultyObjectStore {
  readonly answers: string[] = [];

  override async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await super.delete([key]);
    }
  }

  protected override async call<T>(
    call: StoreCall,
    work: () => Promise<T>,
    lateWork?: () => Promise<() => Promise<unknown>>,
  ): Promise<T> {
    const answer = await super.call(call, work, lateWork);
    this.answers.push(`${call.name} ${call.key} ${JSON.stringify(answer)}`);
    return answer;
  }
}

async function fingerprint(
  memory: MemoryObjectStore,
  runs: readonly SteppedRun[],
): Promise<string> {
  const keys = await keysBelow(memory, '');
  const objects = await Promise.all(keys.map(async (key) => [key, await textOf(memory, key)]));
  return JSON.stringify([objects, runs.map(({ store, hasEnded }) => [store.answers, hasEnded])]);
}
