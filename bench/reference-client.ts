/**
 * The client that the service is compared with: a bare `undici.request` loop in a process of its
 * own. Its one argument is a {@link ReferenceTask} as JSON, its one line on standard output a
 * {@link ReferenceResult}.
 */
import { Agent, request } from 'undici';

export interface ReferenceTask {
  readonly url: string;
  readonly requests: number;
  readonly inFlight: number;
  readonly body: string;
}

export interface ReferenceResult {
  /** Those that were measured. */
  readonly requests: number;
  /** With those that were sent to warm up. */
  readonly allRequests: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** Sent before the clock starts, so that connections are open and the code is compiled. */
const warmUpRequests = 5_000;

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? '') as ReferenceTask;
  const dispatcher = new Agent({ connections: task.inFlight, pipelining: 1 });
  await send(task, dispatcher, warmUpRequests);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await send(task, dispatcher, task.requests);
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const result: ReferenceResult = {
    requests: task.requests,
    allRequests: warmUpRequests + task.requests,
    seconds,
    cpuSeconds: (user + system) / 1e6,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  await dispatcher.close();
}

async function send(task: ReferenceTask, dispatcher: Agent, requests: number): Promise<void> {
  const { url, inFlight, body } = task;
  const options = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    dispatcher,
  } as const;
  let left = requests;
  const sendInTurn = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const answer = await request(url, options);
      await answer.body.text();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, sendInTurn));
}

void main();
