import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pourHeaders, trickle } from '../../../scripts/simulator/endless';
import {
  Harness,
  RecordingSession,
  aRoute,
  answer,
  answerAll,
  completion,
  lineRequest,
  refuse,
  type Script,
} from './support';

const harness = new Harness();

describe('a broken exchange', () => {
  const broken: readonly (readonly [string, string, Script])[] = [
    [
      'a reset in the middle of the body',
      'upstream_unavailable',
      (_received, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"id":', () => {
          response.socket?.resetAndDestroy();
        });
      },
    ],
    [
      'a connection that ends before the answer does',
      'upstream_unavailable',
      (_received, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{}', () => {
          response.socket?.end();
        });
      },
    ],
    [
      'a connection that ends without an answer',
      'upstream_unavailable',
      (_received, response) => {
        response.socket?.destroy();
      },
    ],
    [
      'something that is not HTTP',
      'invalid_answer',
      (_received, response) => {
        response.socket?.end('garbage\r\n\r\n');
      },
    ],
    [
      'a page instead of JSON',
      'invalid_answer',
      (_received, response) => {
        answer(response, '<html></html>');
      },
    ],
    [
      'an empty answer',
      'invalid_answer',
      (_received, response) => {
        response.writeHead(204).end();
      },
    ],
    [
      'a compressed answer',
      'invalid_answer',
      (_received, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(completion);
      },
    ],
    [
      'an answer that says twice that it is compressed',
      'invalid_answer',
      (_received, response) => {
        response.setHeader('content-encoding', ['gzip', 'gzip']).end(completion);
      },
    ],
    [
      'informational answers that do not end',
      'upstream_unavailable',
      (_received, response) => {
        response.socket?.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000));
        answer(response);
      },
    ],
    [
      'headers that never end',
      'invalid_answer',
      (_received, response) => {
        if (response.socket !== null) {
          pourHeaders(response.socket);
        }
      },
    ],
  ];

  const silent: readonly (readonly [string, string, Script])[] = [
    [
      'no answer in time',
      'request_timeout',
      () => {
        // Keeps silent.
      },
    ],
    [
      'an answer that never ends',
      'request_timeout',
      (_received, response) => {
        response.writeHead(200).write('{"id":');
      },
    ],
    [
      'an answer that trickles',
      'request_timeout',
      (_received, response) => {
        trickle(response);
      },
    ],
  ];
  /** Much longer than an answer takes on a busy machine, on the fast clock. */
  const requestTimeoutMs = 200_000;

  it.each([...broken, ...silent])(
    'with %s is retried, and ends as %s',
    async (_what, code, script) => {
      harness.upstream.use(script);
      const lines = harness.open({ requestTimeoutMs });
      lines.submit(0);
      await lines.hasOutcomes(1);
      expect(lines.failureCodes()).toEqual([code]);
      expect(harness.upstream.received).toHaveLength(5);
    },
  );

  it.each(broken)('with %s does not harm other lines', async (_what, _code, script) => {
    harness.upstream.use((received, response) => {
      if (received.ordinal % 5 === 0 && received.earlier === 0) {
        script(received, response);
      } else {
        answer(response);
      }
    });
    const lines = harness.open({ maxInFlight: 4 });
    await lines.submitAll(0, 40);
    await lines.hasOutcomes(40);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
    expect(harness.upstream.received).toHaveLength(48);
  });

  it.each(silent)('with %s holds up other lines only for a while', async (_what, _code, script) => {
    harness.upstream.use((received, response) => {
      if (received.ordinal % 5 === 0 && received.earlier === 0) {
        script(received, response);
      } else {
        answer(response);
      }
    });
    const lines = harness.open({ requestTimeoutMs, maxInFlight: 4 });
    await lines.submitAll(0, 40);
    await lines.hasOutcomes(40);
    expect(new Set(lines.statuses())).toEqual(new Set([200]));
  });

  it('with an answer that comes before the request was read ends with that answer', async () => {
    const hasty = createServer((request, response) => {
      refuse(response, 413);
      request.resume();
    });
    await once(hasty.listen(0, '127.0.0.1'), 'listening');
    const { port } = hasty.address() as AddressInfo;
    const lines = new RecordingSession(harness.dispatcher, aRoute(port));
    lines.session.submit({ ...lineRequest(0), body: Buffer.alloc(16 * 1024 * 1024, ' ') });
    await lines.hasOutcomes(1);
    expect(lines.statuses()).toEqual([413]);
    hasty.close();
  });

  it('with a compressed error keeps its status', async () => {
    harness.upstream.use((_received, response) => {
      response.writeHead(400, { 'content-encoding': 'gzip' }).end('binary');
    });
    const lines = harness.open();
    lines.submit(0);
    await lines.hasOutcomes(1);
    const { answer: got } = lines.outcomes.get(0) ?? {};
    expect(got?.status).toBe(400);
    expect(Buffer.concat(got?.body ?? []).toString()).toContain('no readable text');
  });

  it('with an answer that is too large ends the line at once, and the connection', async () => {
    const mebibyte = Buffer.alloc(1024 * 1024, ' ');
    let written = 0;
    harness.upstream.use((_received, response) => {
      response.writeHead(200);
      const write = (): void => {
        while (!response.destroyed && response.write(mebibyte)) {
          written += 1;
        }
      };
      response.on('drain', write);
      write();
    });
    const lines = harness.open({ maxInFlight: 1 });
    lines.submit(0);
    await lines.hasOutcomes(1);
    expect(lines.failureCodes()).toEqual(['answer_too_large']);
    expect(written).toBeLessThan(64);
    harness.upstream.use(answerAll);
    lines.submit(1);
    await lines.hasOutcomes(2);
    expect(lines.outcomes.get(1)?.answer?.status).toBe(200);
  });
});
