import fc from 'fast-check';
import { inPrefixOrder } from '../../../activities/prefix-order';
import type { UnansweredLine } from '../../../activities/unanswered-lines';
import { makeRequestId } from '../../../src/domain/ids';
import { ByteBudget } from '../../../src/upstream/byte-budget';
import { aBatchId } from '../../support/batches';
import { holdsAsync } from '../../support/holds';
import { ordinals } from '../../support/slice-world';

const mebibyte = 1024 * 1024;

function lineOf(ordinal: number, body: unknown): UnansweredLine {
  return {
    ordinal,
    requestId: makeRequestId(aBatchId(), ordinal),
    customId: Buffer.from(`"${ordinal}"`),
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  };
}

async function* blocksOf(bodies: readonly unknown[], size = 3): AsyncGenerator<UnansweredLine[]> {
  for (let from = 0; from < bodies.length; from += size) {
    const block = bodies.slice(from, from + size);
    yield await Promise.resolve(block.map((body, at) => lineOf(from + at, body)));
  }
}

/** The ordinals of each window. */
async function windowsOf(
  bodies: readonly unknown[],
  budget = new ByteBudget(256 * mebibyte),
): Promise<number[][]> {
  const windows: number[][] = [];
  for await (const lines of inPrefixOrder(blocksOf(bodies), budget)) {
    windows.push(lines.map(({ ordinal }) => ordinal));
  }
  expect(budget.bytesHeld).toBe(0);
  return windows;
}

function chat(...contents: readonly string[]): { readonly messages: unknown } {
  return { messages: contents.map((content) => ({ role: 'user', content })) };
}

/** Whether the ordinals for which it holds stand side by side. */
function areTogether(order: readonly number[], holds: (ordinal: number) => boolean): boolean {
  const from = order.findIndex(holds);
  const count = order.filter(holds).length;
  return count === 0 || order.slice(from, from + count).every(holds);
}

test('requests that share leading messages stand together, however many these are', async () => {
  const conversation = fc.array(fc.constantFrom('a', 'b', 'ab', '"', '\\', 'é'), { maxLength: 4 });
  const property = fc.asyncProperty(fc.array(conversation, { maxLength: 20 }), async (all) => {
    const order = (await windowsOf(all.map((contents) => chat(...contents)))).flat();
    expect([...order].sort((a, b) => a - b)).toEqual(ordinals(0, all.length));
    for (const [ordinal, contents] of all.entries()) {
      for (let length = 1; length <= contents.length; length++) {
        const shared = JSON.stringify(contents.slice(0, length));
        const shares = (other: number): boolean =>
          JSON.stringify(all[other]?.slice(0, length)) === shared;
        expect(areTogether(order, shares)).toBe(true);
        expect(shares(ordinal)).toBe(true);
      }
    }
  });
  await holdsAsync(property);
});

test('the whole text of a prompt counts, whatever stands before it in the body', async () => {
  const bodies = [
    '{"model":"m","prompt":"Once upon a time"}',
    '{"prompt":"Twice upon a time","model":"m"}',
    '{"seed":1, "pr\\u006fmpt" : "Once upon a table"}',
    '{"prompt":"Twice upon a table"}',
  ];
  expect(await windowsOf(bodies)).toEqual([[2, 0, 3, 1]]);
});

test('many lines are in order however many of them are sorted at a time', async () => {
  const prompts = ordinals(0, 7_000).map((ordinal) => `${(ordinal * 7_919) % 701}`);
  const [order] = await windowsOf(prompts.map((prompt) => ({ prompt })));
  const expected = ordinals(0, prompts.length).sort((a, b) =>
    Buffer.compare(Buffer.from(`${prompts[a]}"`), Buffer.from(`${prompts[b]}"`)),
  );
  expect(order).toEqual(expected);
});

test('instructions come before the input', async () => {
  const bodies = [
    { input: 'a', instructions: 'Translate.' },
    { input: 'a', instructions: 'Answer.' },
    { input: 'b', instructions: 'Translate.' },
    { input: 'a' },
    { input: 'b', instructions: 'Answer.' },
  ];
  expect(await windowsOf(bodies)).toEqual([[1, 4, 0, 2, 3]]);
});

test('equal prompts, and requests without one, stay in the order of the input', async () => {
  const bodies = [chat('b'), { model: 'm' }, chat('a'), chat('b'), { model: 'm' }, chat('a')];
  expect(await windowsOf(bodies)).toEqual([[1, 4, 2, 5, 0, 3]]);
});

test('a window ends when it is large, and counts in the budget while it is in use', async () => {
  const budget = new ByteBudget(256 * mebibyte);
  const bodies = ordinals(0, 8).map((ordinal) => chat(`${7 - ordinal}`, 'x'.repeat(5 * mebibyte)));
  const held: number[] = [];
  for await (const lines of inPrefixOrder(blocksOf(bodies, 1), budget)) {
    held.push(lines.length, Math.floor(budget.bytesHeld / mebibyte));
  }
  expect(held).toEqual([7, 35, 1, 5]);
  expect(budget.bytesHeld).toBe(0);
});

test('where half of the budget is used, windows are no larger than what is read at a time', async () => {
  const budget = new ByteBudget(1_000);
  const bodies = ordinals(0, 9).map((ordinal) => chat(`${9 - ordinal}`));
  budget.add(500);
  const windows: number[][] = [];
  for await (const lines of inPrefixOrder(blocksOf(bodies), budget)) {
    windows.push(lines.map(({ ordinal }) => ordinal));
  }
  expect(windows).toEqual([[2, 1, 0], [5, 4, 3], [8, 7, 6], []]);
  expect(budget.bytesHeld).toBe(500);
});

test('what is left of a window is given back when nobody wants it, or reading has failed', async () => {
  const budget = new ByteBudget(mebibyte);
  for await (const lines of inPrefixOrder(blocksOf([chat('a')]), budget)) {
    expect(lines).toHaveLength(1);
    break;
  }
  expect(budget.bytesHeld).toBe(0);

  async function* failing(): AsyncGenerator<UnansweredLine[]> {
    yield* blocksOf([chat('a')]);
    throw new Error('The store is away');
  }
  await expect(inPrefixOrder(failing(), budget).next()).rejects.toThrow('The store is away');
  expect(budget.bytesHeld).toBe(0);
});
