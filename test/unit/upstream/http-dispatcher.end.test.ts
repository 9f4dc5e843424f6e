import { eventually } from '../../support/eventually';
import { Harness, answerAll, batchB, heldBack, range, refuse } from './support';

const harness = new Harness();

describe('draining a session', () => {
  it('waits for lines in flight and gives up the others', async () => {
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const lines = harness.open({ maxInFlight: 3 });
    lines.submit(...range(0, 10));
    await harness.upstream.hasReceived(3);
    const drained = lines.session.drain();
    expect(lines.session.outstanding).toBe(3);
    lines.submit(10);
    expect(lines.session.outstanding).toBe(3);
    release();
    await drained;
    expect([...lines.outcomes.keys()].sort()).toEqual([0, 1, 2]);
    expect(harness.upstream.received).toHaveLength(3);
  });

  it('gives up a line in flight that would need another attempt', async () => {
    const { script } = heldBack();
    harness.upstream.use(script);
    const lines = harness.open();
    lines.submit(0);
    await harness.upstream.hasReceived(1);
    const drained = lines.session.drain();
    for (const socket of harness.upstream.sockets) {
      socket.resetAndDestroy();
    }
    await drained;
    expect(lines.outcomes.size).toBe(0);
    expect(lines.session.outstanding).toBe(0);
  });

  it('gives up lines that wait for their next attempt', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 429, { 'retry-after': '600' });
    });
    const lines = harness.open({ maxInFlight: 2 });
    lines.submit(0, 1);
    await harness.upstream.hasReceived(2);
    await lines.session.drain();
    expect(lines.session.outstanding).toBe(0);
    expect(lines.outcomes.size).toBe(0);
  });

  it('does not touch other sessions', async () => {
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const [ended, other] = [
      harness.open({ maxInFlight: 1 }),
      harness.open({ maxInFlight: 1 }, batchB),
    ];
    ended.submit(0, 1);
    other.submit(100, 101);
    await harness.upstream.hasReceived(1);
    const drained = ended.session.drain();
    harness.upstream.use(answerAll);
    release();
    await drained;
    await other.hasOutcomes(2);
    expect(other.statuses()).toEqual([200, 200]);
  });
});

describe('aborting a session', () => {
  it('closes the connections of its lines, whose outcomes are never told', async () => {
    const { script } = heldBack();
    harness.upstream.use(script);
    const lines = harness.open({ maxInFlight: 3 });
    lines.submit(...range(0, 10));
    await harness.upstream.hasReceived(3);
    const closed = Array.from(
      harness.upstream.sockets,
      (socket) => new Promise((resolve) => socket.once('close', resolve)),
    );
    const drained = lines.session.drain();
    lines.session.abort();
    expect(lines.session.outstanding).toBe(0);
    await drained;
    await Promise.all(closed);
    expect(lines.outcomes.size).toBe(0);
    expect(harness.upstream.received).toHaveLength(3);
  });

  it('frees the places for other sessions', async () => {
    const { script } = heldBack();
    harness.upstream.use(script);
    const [aborted, other] = [
      harness.open({ maxInFlight: 2 }),
      harness.open({ maxInFlight: 2 }, batchB),
    ];
    aborted.submit(...range(0, 10));
    await harness.upstream.hasReceived(2);
    harness.upstream.use(answerAll);
    other.submit(...range(100, 105));
    aborted.session.abort();
    await other.hasOutcomes(5);
    expect(other.statuses()).toEqual([200, 200, 200, 200, 200]);
  });

  it('also works while a connection is being made, and from within an outcome', async () => {
    const lines = harness.open({ maxInFlight: 2 });
    lines.submit(0, 1);
    await Promise.resolve();
    lines.session.abort();
    const [other] = [harness.open({ maxInFlight: 2 })];
    other.submit(2);
    await other.hasOutcomes(1);
    expect(lines.outcomes.size).toBe(0);
  });

  it('lets another line probe in place of the probe that it gave up', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 401);
    });
    const probing = harness.open();
    probing.submit(...range(0, 20));
    await harness.hasLogged(1);
    harness.upstream.use(() => {
      // The next probe gets no answer.
    });
    const before = harness.upstream.received.length;
    await harness.upstream.hasReceived(before + 1);
    probing.session.abort();
    harness.upstream.use(answerAll);
    const other = harness.open({}, batchB);
    other.submit(100);
    await other.hasOutcomes(1);
    expect(other.statuses()).toEqual([200]);
  });
});

it('closing leaves no connection and no timer behind, so that the process can exit', async () => {
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const timersBefore = timers();
  harness.upstream.use(({ ordinal }, response) => {
    if (ordinal < 20) {
      refuse(response, 401);
    } else {
      refuse(response, 429, { 'retry-after': '600' });
    }
  });
  const lines = harness.open();
  lines.submit(...range(0, 20));
  await harness.hasLogged(1);
  const limited = harness.open({ model: 'other' }, batchB);
  limited.submit(100);
  await harness.upstream.hasReceived(harness.upstream.received.length + 1);
  expect(timers()).toBeGreaterThan(timersBefore);
  expect(harness.timers.size).toBeGreaterThan(0);
  await Promise.all([lines.session.drain(), limited.session.drain()]);
  const closed = Array.from(
    harness.upstream.sockets,
    (socket) => new Promise((resolve) => socket.once('close', resolve)),
  );
  await harness.dispatcher.close();
  await Promise.all(closed);
  expect(harness.upstream.sockets.size).toBe(0);
  expect(harness.timers.size).toBe(0);
  // Jest's own come and go where it runs the tests in its own process.
  await eventually('no more timers than before', () => timers() <= timersBefore);
});
