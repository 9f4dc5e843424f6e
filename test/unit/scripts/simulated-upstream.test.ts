import { randomUUID } from 'node:crypto';
import {
  startSimulatedUpstream,
  type SimulatedUpstream,
  type UpstreamStats,
} from '../../../scripts/simulated-upstream';

const model = 'test-model';
let upstream: SimulatedUpstream;

beforeEach(async () => {
  upstream = await startSimulatedUpstream({ models: [model], latencyMs: 1 });
});

afterEach(async () => {
  await upstream.close();
});

async function post(path: string, body: unknown, id: string = randomUUID()): Promise<Response> {
  return await fetch(`${upstream.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id },
    body: JSON.stringify(body),
  });
}

function chat(text: string): Record<string, unknown> {
  return { model, messages: [{ role: 'user', content: text }] };
}

describe('an ordinary request', () => {
  it('is answered with the same text every time, and with its usage', async () => {
    const first = await (await post('/chat/completions', chat('Hello'))).json();
    const second = await (await post('/chat/completions', chat('Hello'))).json();
    expect(first).toEqual(second);
    expect(first).toMatchObject({
      object: 'chat.completion',
      model,
      choices: [{ message: { role: 'assistant', content: expect.stringMatching(/./) } }],
      usage: { prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) },
    });
  });

  it('picks one of the answers that the prompt allows', async () => {
    const response = await post('/chat/completions', chat('Answer exactly one of: red, green.'));
    const { choices } = (await response.json()) as { choices: [{ message: { content: string } }] };
    expect(['red', 'green']).toContain(choices[0].message.content);
  });

  it('for embeddings gets a vector of length 1 for each input', async () => {
    const response = await post('/embeddings', { model, input: ['a', 'b'], dimensions: 8 });
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    expect(data.map(({ embedding }) => embedding.length)).toEqual([8, 8]);
    expect(Math.hypot(...(data[0]?.embedding ?? []))).toBeCloseTo(1, 5);
  });

  it('for a model that is not served is refused with 404', async () => {
    const response = await post('/completions', { model: 'other', prompt: 'Hello' });
    expect(response.status).toBe(404);
  });
});

describe('a request that asks for a fault', () => {
  it('fails as often as it says, and is counted by its id', async () => {
    const statuses = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const response = await post('/chat/completions', chat('[[fail:429x2]]'), 'one');
      statuses.push(response.status);
    }
    expect(statuses).toEqual([429, 429, 200]);
    expect(upstream.stats()).toMatchObject({
      requests: 3,
      requestsById: { one: 3 },
      answersById: { one: 1 },
      repeats: 2,
    });
  });

  it('is told when to come back', async () => {
    const response = await post('/chat/completions', chat('[[fail:503]] [[retry-after:7]]'));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7']);
  });

  it.each(['[[close]]', '[[reset]]'])('%s loses its connection', async (marker) => {
    const answer = post('/chat/completions', chat(marker)).then((response) => response.text());
    await expect(answer).rejects.toThrow();
  });

  it('[[garbage]] gets what is no JSON, and [[pretty]] several lines of it', async () => {
    const garbage = await (await post('/chat/completions', chat('[[garbage]]'))).text();
    const pretty = await (await post('/chat/completions', chat('[[pretty]]'))).text();
    expect(() => JSON.parse(garbage) as unknown).toThrow(SyntaxError);
    expect(pretty.split('\n').length).toBeGreaterThan(5);
    expect(JSON.parse(pretty)).toMatchObject({ object: 'chat.completion' });
  });

  it('[[trickle]] and [[endless]] go on until their client gives up', async () => {
    const bytesOf = async (marker: string, wanted: number): Promise<number> => {
      const response = await post('/chat/completions', chat(marker));
      let bytes = 0;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        bytes += chunk.length;
        if (bytes >= wanted) {
          break;
        }
      }
      return bytes;
    };
    expect(await bytesOf('[[trickle]]', 3)).toBeGreaterThanOrEqual(3);
    expect(await bytesOf('[[endless]]', 5_000_000)).toBeGreaterThanOrEqual(5_000_000);
    await expect(post('/chat/completions', chat('[[headers]]'))).rejects.toThrow('fetch failed');
  });

  it('[[hang]] is in flight until its client gives up', async () => {
    const giveUp = await hang();
    expect(upstream.stats().inFlight).toBe(1);
    await giveUp();
  });
});

/** Sends a request that is in flight until what is returned has been called. */
async function hang(): Promise<() => Promise<void>> {
  const gaveUp = new AbortController();
  const answer = fetch(`${upstream.baseUrl}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(chat('[[hang]]')),
    signal: gaveUp.signal,
  });
  while (upstream.stats().inFlight === 0) {
    await new Promise(setImmediate);
  }
  return async () => {
    gaveUp.abort();
    await expect(answer).rejects.toThrow('aborted');
    while (upstream.stats().inFlight > 0) {
      await new Promise(setImmediate);
    }
  };
}

describe('control', () => {
  it('refuses what is above the slots with 429 and Retry-After', async () => {
    upstream.control({ slotsMax: 1 });
    const giveUp = await hang();
    const refused = await post('/chat/completions', chat('two'));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(upstream.stats().inFlightMax).toBe(2);
    await giveUp();
    expect((await post('/chat/completions', chat('three'))).status).toBe(200);
  });

  it('over HTTP takes the upstream down and up again', async () => {
    const origin = new URL(upstream.baseUrl).origin;
    const control = async (change: unknown): Promise<unknown> =>
      await fetch(`${origin}/_control`, { method: 'POST', body: JSON.stringify(change) });
    await control({ isDown: true, reset: true });
    await expect(post('/chat/completions', chat('Hello'))).rejects.toThrow('fetch failed');
    await control({ isDown: false });
    expect((await post('/chat/completions', chat('Hello'), 'back')).status).toBe(200);
    const stats = (await (await fetch(`${origin}/_stats`)).json()) as UpstreamStats;
    expect(stats).toMatchObject({ requests: 1, requestsById: { back: 1 } });
  });
});
