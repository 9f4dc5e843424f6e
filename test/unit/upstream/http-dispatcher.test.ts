import { eventually } from '../../support/eventually';
import {
  Harness,
  RecordingSession,
  aRoute,
  answer,
  answerAll,
  batchB,
  completion,
  heldBack,
  lineRequest,
  range,
  refuse,
  severalUpstreams,
} from './support';

const harness = new Harness();

describe('a request', () => {
  it('goes to the endpoint below the base URL, with its bytes unchanged', async () => {
    const lines = harness.open({ basePath: '/openai/v1', apiKey: 'secret' });
    const body = Buffer.from(
      '{"ordinal":7 ,\t"x": 1.0, "x": 12345678901234567890, "e":"é\\u0000"}',
    );
    lines.session.submit({ ...lineRequest(7), body });
    await lines.hasOutcomes(1);
    const [received] = harness.upstream.received;
    expect(received?.path).toBe('/openai/v1/chat/completions');
    expect(received?.body).toBe(body.toString());
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: 'Bearer secret',
      'x-request-id': lineRequest(7).requestId,
    });
  });

  it('asks for the model by the name that the upstream has for it', async () => {
    const lines = harness.open({ upstreamModel: 'vendor/real-name' });
    const body = Buffer.from(
      '{"ordinal":7, "messages":["\\"model\\":\\"small\\""],"model":"small"}',
    );
    lines.session.submit({ ...lineRequest(7), body });
    await lines.hasOutcomes(1);
    expect(harness.upstream.received[0]?.body).toBe(
      body.toString().replace(/"small"}$/, '"vendor/real-name"}'),
    );
  });

  it('goes to any upstream that serves its endpoint, as that one wants it', async () => {
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const { port } = harness.upstream;
    const one = { maxInFlight: 1 };
    const [embedder] = aRoute(port, { name: 'gpu-0', basePath: '/0' }).upstreams;
    const route = severalUpstreams(
      aRoute(port, { ...one, name: 'gpu-1', basePath: '/1/v1' }),
      aRoute(port, { ...one, name: 'gpu-2', basePath: '/2', apiKey: 'key', upstreamModel: 'Real' }),
    );
    const lines = new RecordingSession(harness.dispatcher, {
      ...route,
      upstreams: [{ ...embedder, endpoints: new Set(['/v1/embeddings']) }, ...route.upstreams],
    });
    lines.submit(0, 1, 2);
    await harness.upstream.hasReceived(2);
    const received = harness.upstream.received.map(({ path, headers, body }) => [
      path,
      headers.authorization,
      /"model":"(\w+)"/.exec(body)?.[1],
    ]);
    expect(received.sort()).toEqual([
      ['/1/v1/chat/completions', undefined, 'small'],
      ['/2/chat/completions', 'Bearer key', 'Real'],
    ]);
    harness.upstream.use(answerAll);
    release();
    await lines.hasOutcomes(3);
  });

  it('has no authorization without a key', async () => {
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(harness.upstream.received[0]?.headers.authorization).toBeUndefined();
  });
});

describe('an answer', () => {
  it('counts in the byte budget from its first byte to its outcome', async () => {
    const part = Buffer.alloc(100_000, ' ');
    let finish = (): void => undefined;
    harness.upstream.use((_received, response) => {
      response.write(part);
      finish = () => response.end(completion);
    });
    const lines = harness.open();
    lines.submit(0);
    await eventually('the first part counts', () => harness.budget.bytesHeld === part.length);
    finish();
    await lines.hasOutcomes(1);
    expect(harness.budget.bytesHeld).toBe(0);
  });

  it('comes back with its status, its bytes, its usage and the id of the upstream', async () => {
    harness.upstream.use((_received, response) => {
      response.setHeader('x-request-id', 'req-1');
      answer(response);
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    const { answer: got } = lines.outcomes.get(0) ?? {};
    expect(got?.status).toBe(200);
    expect(Buffer.concat(got?.body ?? []).toString()).toBe(completion);
    expect(got?.upstreamRequestId).toBe('req-1');
    expect(got?.usage).toMatchObject({ inputTokens: 3, outputTokens: 2, totalTokens: 5 });
  });

  it.each([['é'], ['x'.repeat(129)], ['']])(
    'has no id when that of the upstream is not usable: %j',
    async (id) => {
      harness.upstream.use((_received, response) => {
        response.setHeader('x-request-id', id);
        answer(response);
      });
      const lines = harness.open();
      lines.submit(0);
      await lines.hasOutcomes(1);
      expect(lines.outcomes.get(0)?.answer).toBeDefined();
      expect(lines.outcomes.get(0)?.answer?.upstreamRequestId).toBeUndefined();
    },
  );

  it('may come in many small chunks', async () => {
    harness.upstream.use((_received, response) => {
      response.writeHead(200);
      for (const character of completion) {
        response.write(character);
      }
      response.end();
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(Buffer.concat(lines.outcomes.get(0)?.answer?.body ?? []).toString()).toBe(completion);
  });

  it('may be large, as may be others that come at the same time', async () => {
    const ordinals = range(0, 6);
    const textOf = (ordinal: number): string =>
      `{"text":"${String(ordinal).repeat(3_000_000)}",\n"usage":7}`;
    harness.upstream.use(({ ordinal }, response) => {
      answer(response, textOf(ordinal));
    });
    const lines = harness.open();
    ordinals.forEach((ordinal) => {
      lines.submit(ordinal);
    });
    await lines.hasOutcomes(ordinals.length);
    for (const ordinal of ordinals) {
      const { body = [] } = lines.outcomes.get(ordinal)?.answer ?? {};
      const expected = textOf(ordinal).replace('\n', ' ');
      expect(Buffer.concat(body).equals(Buffer.from(expected))).toBe(true);
    }
  });

  it('may be printed on many lines', async () => {
    const pretty = JSON.stringify(JSON.parse(completion), null, 2);
    harness.upstream.use((_received, response) => {
      answer(response, `${pretty}\r\n`);
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    const body = Buffer.concat(lines.outcomes.get(0)?.answer?.body ?? []).toString();
    expect(body).toBe(pretty.replaceAll('\n', ' '));
  });

  it('may come after informational ones', async () => {
    harness.upstream.use((_received, response) => {
      response.writeProcessing();
      answer(response);
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.statuses()).toEqual([200]);
  });

  it('that says the request is wrong is the result of the line', async () => {
    harness.upstream.use((_received, response) => {
      refuse(response, 422);
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.statuses()).toEqual([422]);
    expect(harness.upstream.received).toHaveLength(1);
  });
});

describe('lines in flight', () => {
  it('are never more than the upstream takes, over all sessions', async () => {
    harness.upstream.use((_received, response) => {
      setTimeout(answer, 1, response);
    });
    const sessions = [harness.open({ maxInFlight: 5 }), harness.open({ maxInFlight: 5 }, batchB)];
    await Promise.all(
      sessions.map(async (lines) => {
        await lines.submitAll(0, 300);
      }),
    );
    await Promise.all(
      sessions.map(async (lines) => {
        await lines.hasOutcomes(300);
      }),
    );
    expect(harness.upstream.inFlightMost).toBe(5);
    expect(harness.upstream.received).toHaveLength(600);
    expect(harness.upstream.lineSockets.size).toBeLessThanOrEqual(5);
  });

  it('are as many as the upstream takes even for one session', async () => {
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const lines = harness.open({ maxInFlight: 40 });
    while (lines.session.hasRoom()) {
      lines.submit(lines.session.outstanding);
    }
    expect(lines.session.outstanding).toBe(56);
    await harness.upstream.hasReceived(40);
    release();
    await harness.upstream.hasReceived(56);
    release();
    await lines.hasOutcomes(56);
    expect(lines.session.outstanding).toBe(0);
  });

  it('come from all batches in turn, so that a small one is not stuck behind a large one', async () => {
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const large = harness.open({ maxInFlight: 4 });
    large.submit(...range(0, 20));
    await harness.upstream.hasReceived(4);
    const alsoLarge = harness.open({ maxInFlight: 4 });
    alsoLarge.submit(...range(20, 40));
    const small = harness.open({ maxInFlight: 4 }, batchB);
    small.submit(...range(100, 108));
    harness.upstream.use(answerAll);
    release();
    await small.hasOutcomes(8);
    const servedBefore = harness.upstream.ordinals().findLastIndex((ordinal) => ordinal >= 100);
    expect(servedBefore).toBeLessThan(4 + 8 * 2 + 4);
    await Promise.all([large.hasOutcomes(20), alsoLarge.hasOutcomes(20)]);
  });

  it('do without keep-alive when the upstream does', async () => {
    harness.upstream.use((_received, response) => {
      response.setHeader('connection', 'close');
      answer(response);
    });
    const lines = harness.open({ maxInFlight: 3 });
    await lines.submitAll(0, 60);
    await lines.hasOutcomes(60);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
    expect(harness.upstream.received).toHaveLength(60);
  });
});

describe('room', () => {
  it('comes back when lines have their outcome', async () => {
    const lines = harness.open({ maxInFlight: 1 });
    await lines.submitAll(0, 100);
    await lines.hasOutcomes(100);
    expect(harness.upstream.ordinals()).toEqual(range(0, 100));
  });

  it('need not be waited for while there is some, nor after the end', async () => {
    const lines = harness.open();
    await lines.session.waitForRoom();
    await lines.session.drain();
    await lines.session.waitForRoom();
    expect(lines.session.hasRoom()).toBe(true);
  });

  it.each(['drain', 'abort'] as const)('is not waited for after %s', async (end) => {
    const { script, release } = heldBack();
    harness.upstream.use(script);
    const lines = harness.open({ maxInFlight: 1 });
    lines.submit(...range(0, 17));
    await harness.upstream.hasReceived(1);
    const waiting = lines.session.waitForRoom();
    const ended = lines.session[end]();
    await waiting;
    release();
    await ended;
    expect(lines.session.outstanding).toBe(0);
  });
});
