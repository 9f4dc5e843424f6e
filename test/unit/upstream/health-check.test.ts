import { freePort } from '../../../scripts/local/ports';
import { HealthCheck, type Sight } from '../../../src/upstream/health-check';
import { systemClock } from '../../../src/upstream/clock';
import { httpTransport } from '../../../src/upstream/transport';
import { ManualClock } from './manual-clock';
import { Harness, anUpstream, refuse, type CheckScript } from './support';

const harness = new Harness();

/** What is seen of the harness's upstream. */
async function look(
  options: { readonly port?: number; readonly clock?: ManualClock; readonly apiKey?: string } = {},
): Promise<Sight> {
  const { port = harness.upstream.port, clock = systemClock, apiKey } = options;
  const upstream = anUpstream(port, { basePath: '/openai/v1?api-version=1', apiKey });
  return await new Promise((resolve) => {
    httpTransport(upstream, clock).look(resolve);
  });
}

describe('a look at an upstream', () => {
  it('asks for its models, as the lines are sent', async () => {
    expect(await look({ apiKey: 'secret' })).toBe('well');
    expect(harness.upstream.checks).toEqual([
      {
        path: '/openai/v1/models?api-version=1',
        headers: expect.objectContaining({
          authorization: 'Bearer secret',
          'accept-encoding': 'identity',
        }),
      },
    ]);
  });

  it.each([200, 204, 302, 401, 404, 405, 429])('finds it well at status %i', async (status) => {
    harness.upstream.useForChecks((response) => {
      refuse(response, status, { location: '/elsewhere' });
    });
    expect(await look()).toBe('well');
    expect(harness.upstream.checks).toHaveLength(1);
  });

  const silent: readonly (readonly [string, CheckScript])[] = [
    [
      'a server error',
      (response) => {
        refuse(response, 500);
      },
    ],
    [
      'a proxy without a server',
      (response) => {
        refuse(response, 502);
      },
    ],
    [
      'a cut connection',
      (response) => {
        response.destroy();
      },
    ],
    [
      'something that is not HTTP',
      (response) => {
        response.socket?.end('garbage\r\n\r\n');
      },
    ],
    [
      'nothing but an informational answer',
      (response) => {
        response.writeProcessing();
        response.socket?.end();
      },
    ],
  ];
  it.each(silent)('finds it silent at %s', async (_what, script) => {
    harness.upstream.useForChecks(script);
    expect(await look()).toBe('silent');
  });

  it('finds it silent when it does not answer in five seconds', async () => {
    const clock = new ManualClock();
    const asked = new Promise<void>((resolve) => {
      harness.upstream.useForChecks(() => {
        resolve();
      });
    });
    const sight = look({ clock });
    await asked;
    clock.advance(4_999);
    expect(clock.timerCount).toBe(1);
    clock.advance(1);
    expect(await sight).toBe('silent');
  });

  it('finds it unreachable where nobody listens', async () => {
    expect(await look({ port: await freePort() })).toBe('unreachable');
  });

  it('finds it unreachable when the request cannot be made', async () => {
    expect(await look({ apiKey: 'secret\nkey' })).toBe('unreachable');
  });

  it('reads no body, and closes its connection', async () => {
    const mebibyte = Buffer.alloc(1024 * 1024, ' ');
    let written = 0;
    const cut = new Promise((resolve) => {
      harness.upstream.useForChecks((response) => {
        response.once('close', resolve);
        response.writeHead(200);
        const write = (): void => {
          while (!response.destroyed && response.write(mebibyte)) {
            written += 1;
          }
        };
        response.on('drain', write);
        write();
      });
    });
    expect(await look()).toBe('well');
    await cut;
    expect(written).toBeLessThan(64);
  });

  it('tells nobody when it is given up, and closes its connection', async () => {
    const clock = new ManualClock();
    let giveUp = (): void => undefined;
    const cut = new Promise((resolve) => {
      harness.upstream.useForChecks((response) => {
        response.once('close', resolve);
        giveUp();
      });
    });
    const seen: Sight[] = [];
    giveUp = httpTransport(anUpstream(harness.upstream.port), clock).look((sight) => {
      seen.push(sight);
    });
    await cut;
    expect(seen).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });
});

describe('a health check', () => {
  function aCheck(): { check: HealthCheck; verdictAt: (sight: Sight) => boolean | undefined } {
    let sight: Sight = 'well';
    const check = new HealthCheck((onSeen) => {
      onSeen(sight);
      return () => undefined;
    });
    const verdictAt = (now: Sight): boolean | undefined => {
      sight = now;
      let verdict: boolean | undefined;
      check.start((isWell) => {
        verdict = isWell;
      });
      return verdict;
    };
    return { check, verdictAt };
  }

  it('is believed', () => {
    const { verdictAt } = aCheck();
    expect((['well', 'silent', 'unreachable'] as const).map(verdictAt)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('is not believed when it contradicts the first answer, unless the server cannot be reached', () => {
    const { check, verdictAt } = aCheck();
    expect(verdictAt('silent')).toBe(false);
    check.verify();
    expect(verdictAt('silent')).toBe(true);
    expect(verdictAt('unreachable')).toBe(false);
  });

  it('that has proved itself is believed until it has contradicted two answers', () => {
    const { check, verdictAt } = aCheck();
    verdictAt('well');
    expect(verdictAt('silent')).toBe(false);
    check.verify();
    expect(verdictAt('silent')).toBe(false);
    check.verify();
    expect(verdictAt('silent')).toBe(true);
  });

  it('is believed again once it says that the server is well', () => {
    const { check, verdictAt } = aCheck();
    verdictAt('silent');
    check.verify();
    expect(verdictAt('well')).toBe(true);
    expect(verdictAt('silent')).toBe(false);
  });

  it('is not contradicted by a server that has come back meanwhile', () => {
    const { check, verdictAt } = aCheck();
    for (let outage = 0; outage < 5; outage++) {
      expect(verdictAt('silent')).toBe(false);
      verdictAt('well');
      check.verify();
    }
    expect(verdictAt('silent')).toBe(false);
  });
});
