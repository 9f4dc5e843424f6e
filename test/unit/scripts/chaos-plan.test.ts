import { makeInput } from '../../../scripts/chaos/batch-input';
import { planSeed, type SeedPlan } from '../../../scripts/chaos/plan';
import { disruptionKinds, targets } from '../../../scripts/chaos/planned-disruptions';
import { checkRequestLine } from '../../../src/domain/request-line';

const model = 'some-model';
const rules = { endpoint: '/v1/chat/completions' as const, hasModel: () => true };
const seeds = Array.from({ length: 300 }, (_, index) => index + 1);
const plans = seeds.map((seed) => planSeed(seed));

function linesOf(content: Buffer): unknown[] {
  const text = content.toString('utf8').replace(/^\ufeff/, '');
  return text.split('\n').map((line): unknown => {
    try {
      return JSON.parse(line);
    } catch {
      return undefined;
    }
  });
}

describe('a seed', () => {
  it('always plans the same', () => {
    const again = seeds.map((seed) => planSeed(seed));
    expect(again).toEqual(plans);
  });

  it('plans something else than another', () => {
    expect(new Set(plans.map((plan) => JSON.stringify({ ...plan, seed: 0 }))).size).toBe(300);
  });

  it('kills the upstream once at most, outside a storm that hits several at once', () => {
    const withUpstream = plans.filter(
      ({ disruptions }) => disruptions.filter(({ target }) => target === 'upstream').length > 2,
    );
    expect(withUpstream).toEqual([]);
  });
});

describe('three hundred seeds', () => {
  const seenIn = (of: (plan: SeedPlan) => readonly string[]): string[] => [
    ...new Set(plans.flatMap(of)),
  ];

  it('disturb every process in every way', () => {
    const wanted = targets.flatMap((target) => disruptionKinds.map((kind) => `${target} ${kind}`));
    const planned = seenIn(({ disruptions }) =>
      disruptions.map(({ target, kind }) => `${target} ${kind}`),
    );
    expect(planned.sort()).toEqual(wanted.sort());
  });

  it('do to batches whatever can be done', () => {
    const kinds = seenIn(({ batches }) =>
      batches.flatMap(({ actions }) => actions.map(({ kind }) => kind)),
    );
    expect(kinds.sort()).toEqual([
      'cancel',
      'cancel-shard',
      'cancel-workflow',
      'terminate-batch',
      'terminate-shard',
    ]);
    expect(seenIn(({ batches }) => batches.map((batch) => batch.completionWindow)).sort()).toEqual([
      '14s',
      '24h',
      '4s',
      '9s',
    ]);
  });
});

describe('an input file', () => {
  const wish = { name: '7-0', lineCount: 400, isInvalid: false, hasPoison: true, model };
  const input = makeInput(wish);

  it('is the same each time', () => {
    expect(makeInput(wish).content.equals(input.content)).toBe(true);
  });

  it('holds valid requests, each with a body of its own', () => {
    const requests = linesOf(input.content).filter((line) => line !== undefined);
    expect(requests).toHaveLength(400);
    expect(requests.flatMap((line) => checkRequestLine(line, rules).problems)).toEqual([]);
    expect(new Set(input.lines.map(({ hash }) => hash)).size).toBe(400);
    expect(new Set(input.lines.map(({ customId }) => customId)).size).toBe(400);
  });

  it('holds what parsers change: large numbers, doubled keys, escapes', () => {
    const text = input.content.toString('utf8');
    for (const odd of ['1e400', '0.10', '-0.0', '12345678901234567890', '"a":1,"a":2', '\\ud800']) {
      expect(text).toContain(odd);
    }
  });

  it('plants requests of every fate', () => {
    const kinds = new Set(input.lines.map(({ fate }) => fate.kind));
    expect([...kinds].sort()).toEqual(['answered', 'poisoned', 'refused']);
  });

  it('that is to be invalid says which lines are', () => {
    const invalid = makeInput({ ...wish, isInvalid: true });
    const parsed = linesOf(invalid.content);
    const isGood = (line: unknown): boolean =>
      line !== undefined && checkRequestLine(line, rules).problems.length === 0;
    expect(invalid.badLineNumbers.length).toBeGreaterThan(0);
    expect(invalid.lines.length + invalid.badLineNumbers.length).toBe(400);
    for (const number of invalid.badLineNumbers) {
      expect(isGood(parsed[number - 1])).toBe(false);
    }
  });
});
