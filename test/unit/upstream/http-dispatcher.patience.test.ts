import { Harness, answer, lineRequest, refuse, type Script } from './support';

/** On its clock, three seconds in truth; the backoffs of ten attempts take about two minutes. */
const harness = new Harness(3_000_000);

const reset: Script = (_received, response) => {
  response.destroy();
};

/** Misbehaves at the line 0, so many times. */
function atFirst(times: number, misbehave: Script): Script {
  return (received, response) => {
    if (received.ordinal === 0 && received.earlier < times) {
      misbehave(received, response);
    } else {
      answer(response);
    }
  };
}

describe('a line that is alone with its failures', () => {
  it('outlasts an outage that is shorter than the patience', async () => {
    harness.upstream.use(atFirst(8, reset));
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.statuses()).toEqual([200]);
    expect(harness.upstream.received).toHaveLength(9);
  });

  it('ends some attempts after the patience is over', async () => {
    harness.upstream.use(reset);
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.failureCodes()).toEqual(['upstream_unavailable']);
    expect(harness.upstream.received.length).toBeGreaterThan(20);
  });
});

it('lines that are alone with their failures end, each with its reason', async () => {
  harness.upstream.use((received, response) => {
    if (received.ordinal % 2 === 0) {
      response.destroy();
    } else {
      answer(response, '<html></html>');
    }
  });
  const lines = harness.open();
  lines.submit(0, 1, 2, 3);
  await lines.hasOutcomes(4);
  const codeOf = (ordinal: number): unknown => lines.outcomes.get(ordinal)?.failure?.code;
  expect([0, 1, 2, 3].map(codeOf)).toEqual([
    'upstream_unavailable',
    'invalid_answer',
    'upstream_unavailable',
    'invalid_answer',
  ]);
});

it('a line that fails while others are answered ends after five attempts', async () => {
  harness.upstream.use(atFirst(Infinity, reset));
  const lines = harness.open();
  lines.submit(0);
  for (let other = 1; !lines.outcomes.has(0); other++) {
    lines.submit(other);
    await lines.hasOutcomes(other);
  }
  expect(lines.outcomes.get(0)?.failure?.code).toBe('upstream_unavailable');
  const attempts = harness.upstream.received.filter(({ ordinal }) => ordinal === 0).length;
  // The first one does not count if it failed before any other line was answered.
  expect([5, 6]).toContain(attempts);
});

describe('the attempts at a line', () => {
  it('are told when the line is given up, and count in the next session', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 500);
    });
    const first = harness.open();
    first.submit(0);
    await harness.upstream.hasReceived(3);
    await first.session.drain();
    const attempts = first.givenUp.get(0);
    const { failed = 0 } = attempts ?? {};
    expect(failed).toBeGreaterThanOrEqual(2);
    expect(attempts?.counted).toEqual({ server_error: failed });
    expect(attempts?.failingMs).toBeGreaterThan(0);

    const before = harness.upstream.received.length;
    const second = harness.open();
    second.session.submit({ ...lineRequest(0), earlierAttempts: attempts });
    await second.hasOutcomes(1);
    expect(second.statuses()).toEqual([500]);
    expect(harness.upstream.received.length - before).toBe(5 - failed);
  });

  it('are not told of lines that never failed', async () => {
    const lines = harness.open({ maxInFlight: 1 });
    lines.submit(0, 1, 2, 3);
    await lines.session.drain();
    expect(lines.givenUp.size).toBe(0);
  });
});
