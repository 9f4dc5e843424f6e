/**
 * A client with a fixed number of requests in flight, in a process of its own. Where it is refused, it
 * waits as long as it is asked to before it sends the request again, and its others go on.
 *
 * Its one argument is a {@link FixedLimitTask} as JSON, its one line on standard output says that it
 * has begun; it goes on until its standard input ends.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';

export interface FixedLimitTask {
  readonly url: string;
  readonly inFlight: number;
  readonly body: string;
}

async function main(): Promise<void> {
  const { url, inFlight, body } = JSON.parse(process.argv[2] ?? '') as FixedLimitTask;
  process.stdin.resume().once('end', () => process.exit());
  const options = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    dispatcher: new Agent({ connections: inFlight, pipelining: 1 }),
  } as const;
  const sendInTurn = async (): Promise<never> => {
    for (;;) {
      const answer = await request(url, options);
      await answer.body.dump();
      if (answer.statusCode === 429) {
        await delay(Number(answer.headers['retry-after']) * 1_000);
      }
    }
  };
  process.stdout.write('{"begun":true}\n');
  await Promise.all(Array.from({ length: inFlight }, sendInTurn));
}

void main();
