import { freePort } from '../../../scripts/local/ports';
import {
  Harness,
  answer,
  answerAll,
  aRoute,
  batchB,
  heldBack,
  lineRequest,
  range,
  RecordingSession,
  refuse,
  ScriptedUpstream,
} from './support';

const harness = new Harness();

describe('a server error', () => {
  it('becomes the result of the line after five attempts', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 500);
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.statuses()).toEqual([500]);
    expect(harness.upstream.received).toHaveLength(5);
  });

  it('is retried with success, and what is retried goes first', async () => {
    harness.upstream.use(({ ordinal, earlier }, response) => {
      if (ordinal === 0 && earlier < 4) {
        refuse(response, 500);
      } else {
        answer(response);
      }
    });
    const lines = harness.open({ maxInFlight: 1 });
    lines.submit(0, 1, 2);
    await lines.hasOutcomes(3);
    expect(lines.statuses()).toEqual([200, 200, 200]);
  });
});

describe('a flood of server errors', () => {
  it('is answered with a few retries at a time, and ends every line', async () => {
    let [retries, mostRetries] = [0, 0];
    harness.upstream.use(({ earlier }, response) => {
      if (earlier > 0) {
        retries += 1;
        mostRetries = Math.max(mostRetries, retries);
        response.once('close', () => {
          retries -= 1;
        });
      }
      setImmediate(() => {
        refuse(response, 500);
      });
    });
    const lines = harness.open({ maxInFlight: 60 });
    lines.submit(...range(0, 70));
    await lines.hasOutcomes(70);
    expect(new Set(lines.statuses())).toEqual(new Set([500]));
    expect(harness.upstream.received).toHaveLength(350);
    expect(mostRetries).toBeLessThanOrEqual(16);
  });
});

describe('a rate limit', () => {
  it('with Retry-After stops everybody, and uses up no attempt', async () => {
    let isLimited = true;
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const lines = harness.open({ maxInFlight: 4 });
    lines.submit(...range(0, 4));
    await harness.upstream.hasReceived(4);
    harness.upstream.use((_received, response) => {
      if (isLimited) {
        refuse(response, 429, { 'retry-after': '100' });
      } else {
        answer(response);
      }
    });
    release();
    await lines.hasOutcomes(4);
    for (let round = 1; round <= 25; round++) {
      const before = harness.upstream.received.length;
      lines.submit(10 + round);
      await harness.upstream.hasReceived(before + 1);
    }
    isLimited = false;
    await lines.hasOutcomes(29);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
  });

  it('that concerns one line only, while others get by, ends it after 20 attempts', async () => {
    harness.upstream.use(({ ordinal }, response) => {
      if (ordinal === 0) {
        refuse(response, 429);
      } else {
        answer(response);
      }
    });
    const lines = harness.open({ maxInFlight: 2 });
    lines.submit(0);
    for (let ordinal = 1; lines.outcomes.get(0) === undefined; ordinal++) {
      lines.submit(ordinal);
      await lines.hasOutcomes(ordinal);
    }
    expect(lines.outcomes.get(0)?.answer?.status).toBe(429);
    expect(
      harness.upstream.ordinals().filter((ordinal) => ordinal === 0).length,
    ).toBeGreaterThanOrEqual(20);
  });

  it('far below the configured number in flight costs no line', async () => {
    let tokens = 1;
    const refill = setInterval(() => {
      tokens = 1;
    }, 2);
    harness.upstream.use((_received, response) => {
      if (tokens > 0) {
        tokens -= 1;
        answer(response);
      } else {
        refuse(response, 429);
      }
    });
    const lines = harness.open({ maxInFlight: 64 });
    await lines.submitAll(0, 200);
    await lines.hasOutcomes(200);
    clearInterval(refill);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
  });
});

describe('an upstream that cannot be reached', () => {
  it('costs no line, however long it takes', async () => {
    await harness.upstream.close();
    const port = await freePort();
    const lines = new RecordingSession(harness.dispatcher, aRoute(port));
    lines.submit(...range(0, 20));
    await harness.hasLogged(1);
    harness.upstream = await ScriptedUpstream.start(answerAll, port);
    await lines.hasOutcomes(20);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
    expect(harness.logs.map(({ msg }) => msg)).toEqual([
      'Upstream does not answer; its lines wait',
      'Upstream answers again',
    ]);
    expect(harness.logs[0]).toMatchObject({
      upstream: 'gpu-1',
      model: 'small',
      cause: 'ECONNREFUSED',
    });
  });
});

describe('a request that cannot be made', () => {
  it('waits like the others until the settings are put right, and the log says no key', async () => {
    const lines = harness.open({ apiKey: 'secret\nkey' });
    lines.submit(...range(0, 10));
    await harness.hasLogged(1);
    expect(harness.logs[0]).toMatchObject({ upstream: 'gpu-1', cause: 'UND_ERR_INVALID_ARG' });
    expect(JSON.stringify(harness.logs)).not.toContain('secret');
    expect(lines.outcomes.size).toBe(0);
    lines.session.abort();
  });
});

describe('a fault of the route', () => {
  it('lets lines wait and tells the operator once, without the key', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 401);
    });
    const lines = harness.open({ apiKey: 'secret' });
    lines.submit(...range(0, 24));
    await harness.hasLogged(1);
    expect(harness.logs.map(({ level, cause }) => ({ level, cause }))).toEqual([
      { level: 40, cause: 401 },
    ]);
    harness.upstream.use(answerAll);
    await lines.hasOutcomes(24);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
    expect(harness.logs).toHaveLength(2);
    expect(JSON.stringify(harness.logs)).not.toContain('secret');
  });

  it('tries one request at a time', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 403);
    });
    const lines = harness.open({ maxInFlight: 10 });
    lines.submit(...range(0, 24));
    await harness.hasLogged(1);
    // Those that were sent before it opened.
    await harness.upstream.hasReceived(harness.upstream.received.length + 12);
    harness.upstream.inFlightMost = 0;
    await harness.upstream.hasReceived(harness.upstream.received.length + 5);
    expect(harness.upstream.inFlightMost).toBe(1);
    lines.session.abort();
  });

  it('holds up its own model only', async () => {
    harness.upstream.use((received, response) => {
      if (received.headers['x-request-id'] === lineRequest(received.ordinal, batchB).requestId) {
        answer(response);
      } else {
        refuse(response, 404);
      }
    });
    const unloaded = harness.open({ model: 'unloaded' });
    unloaded.submit(...range(0, 20));
    await harness.hasLogged(1);
    const loaded = harness.open({}, batchB);
    await loaded.submitAll(100, 400);
    await loaded.hasOutcomes(300);
    expect(unloaded.outcomes.size).toBe(0);
    unloaded.session.abort();
  });

  it.each([301, 307])('is a redirect, %i, which is not followed', async (status) => {
    harness.upstream.use(({ earlier }, response) => {
      if (earlier === 0) {
        refuse(response, status, { location: '/v1/elsewhere' });
      } else {
        answer(response);
      }
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.statuses()).toEqual([200]);
    expect(harness.upstream.received.map(({ path }) => path)).not.toContain('/v1/elsewhere');
  });
});
