import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { isTerminal, waitForEnd } from '../../scripts/local/batches';
import { answersOk } from '../../scripts/local/http';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { projectRoot } from '../../scripts/local/project-root';
import { waitUntil } from '../../scripts/local/wait';
import { GatedStack, type GatedBatch } from '../support/gated-stack';
import type { Gate } from '../support/gated-upstream';
import { checkedResults } from '../support/result-checks';

/** Processes are started and stopped a dozen times here. */
jest.setTimeout(300_000);

const watch = { NODE_OPTIONS: `--require ${join(projectRoot, 'test/support/signal-watch.cjs')}` };
const orchestrator = { LONGHAUL_WORKER_ROLES: 'orchestrator' };
/** Takes one slice of a batch with one shard. */
const inference = { LONGHAUL_WORKER_ROLES: 'inference', LONGHAUL_WORKER_SLICES_MAX: '1' };
const shortGrace = { LONGHAUL_SHUTDOWN_GRACE_MS: '1000' };

let on: GatedStack;
beforeAll(async () => {
  on = await GatedStack.start({ gateCount: 10, workers: 2, apiEnv: watch, workerEnv: watch });
}, 120_000);
afterAll(async () => {
  await on.stop();
}, 60_000);

/** @param repeatsMax requests that may have been answered more than once. */
async function completesWithAllLines(
  { id, client, lines, gate }: GatedBatch,
  repeatsMax = 0,
): Promise<void> {
  const batch = await waitForEnd(client, id);
  expect(batch.status).toBe('completed');
  expect((await checkedResults(client, batch, lines)).output).toHaveLength(lines.length);
  expect(gate.answeredAgain.length).toBeLessThanOrEqual(repeatsMax);
}

async function logged(process: ManagedProcess | undefined, text: string): Promise<void> {
  await waitUntil(() => readFileSync(process?.logFile ?? '', 'utf8').includes(text), {
    what: `"${text}" in the log of ${process?.name ?? 'no process'}`,
    timeoutMs: 30_000,
  });
}

async function stopAll(): Promise<void> {
  await Promise.all(on.stack.workers.map(async (worker) => await worker.stop()));
}

/** A batch of which 40 requests are answered and others are in flight and stay there. */
async function heldBatch(): Promise<GatedBatch> {
  const gate = on.upstream.next();
  gate.set((index) => (index < 40 ? 'answered' : 'held'));
  const batch = await on.createFor(gate, { lineCount: 200 });
  await on.reach(
    batch,
    ({ request_counts: counts }) => counts?.completed === 40 && gate.heldCount > 0,
  );
  return batch;
}

describe('workers that are stopped', () => {
  it('one after another, round after round, repeat no answered request', async () => {
    let roundsDone = 0;
    const lineCount = 5_001;
    // The last lines wait, so that the batch does not end before the rounds are over.
    const fateOf = (gate: Gate): void => {
      gate.set((index) => (index % 2_560 < 2_400 || roundsDone === 2 ? 'answered' : 'held'));
    };
    const gate = on.upstream.next();
    gate.latencyMs = 30;
    fateOf(gate);
    const batch = await on.createFor(gate, { lineCount });
    await on.reach(batch, () => gate.answeredCount > 100);
    while (roundsDone < 2) {
      for (const worker of on.stack.workers) {
        expect(await worker.stop()).toEqual({ code: 0, signal: null });
        await worker.start();
      }
      roundsDone += 1;
    }
    expect(isTerminal(await on.client.batches.retrieve(batch.id))).toBe(false);
    fateOf(gate);
    await completesWithAllLines(batch);
  });

  it('while their upstream hangs end by themselves, however often they are told', async () => {
    await stopAll();
    const worker = await on.stack.addWorker(shortGrace);
    const batch = await heldBatch();
    worker.kill('SIGTERM');
    await logged(worker, 'worker is stopping');
    worker.kill('SIGTERM');
    worker.kill('SIGINT');
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    batch.gate.set('answered');
    await on.stack.workers[0]?.start();
    await completesWithAllLines(batch);
  });

  it('without the store or without Temporal end all the same, and what is committed counts', async () => {
    await stopAll();
    await on.stack.addWorker(orchestrator);
    const { proxyEnv, storeProxy, temporalProxy } = on;
    const { LONGHAUL_S3_ENDPOINT = '', LONGHAUL_TEMPORAL_ADDRESS = '' } = proxyEnv;
    const own = { ...inference, ...shortGrace };
    const withoutStore = await on.stack.addWorker({ ...own, LONGHAUL_S3_ENDPOINT });
    const batches = [await heldBatch()];
    const withoutTemporal = await on.stack.addWorker({ ...own, LONGHAUL_TEMPORAL_ADDRESS });
    batches.push(await heldBatch());

    storeProxy.cut();
    temporalProxy.silence();
    // Answers that cannot be committed any more.
    const [lost] = batches;
    lost?.gate.set((index) => (index < 45 ? 'answered' : 'held'));
    await waitUntil(() => lost?.gate.answeredCount === 45, {
      what: 'five more answers',
      timeoutMs: 10_000,
    });
    const stopped = [withoutStore, withoutTemporal];
    for (const worker of stopped) {
      worker.kill('SIGTERM');
    }
    const exits = await Promise.all(stopped.map(async ({ exited }) => await exited));
    expect(exits).toEqual(stopped.map(() => ({ code: 1, signal: null })));
    storeProxy.heal();
    temporalProxy.heal();

    await on.stack.addWorker({ LONGHAUL_WORKER_ROLES: 'inference' });
    for (const batch of batches) {
      batch.gate.set('answered');
      await completesWithAllLines(batch, batch === lost ? 5 : 0);
    }
  });

  it('before they have found Temporal end at once', async () => {
    const { address } = on.temporalProxy;
    on.temporalProxy.cut();
    const starting = on.stack.addWorker({ LONGHAUL_TEMPORAL_ADDRESS: address });
    starting.catch(() => undefined);
    const worker = on.stack.workers.at(-1);
    await logged(worker, 'waiting for Temporal');
    worker?.kill('SIGTERM');
    await expect(starting).rejects.toThrow('ended with exit code 0');
    on.temporalProxy.heal();
  });
});

describe('an API that is stopped', () => {
  const content = Buffer.from(`${'x'.repeat(1_023)}\n`.repeat(40 * 1_024));

  function open(method: 'GET' | 'POST', path: string): ClientRequest {
    const headers = {
      authorization: `Bearer ${on.stack.apiKey}`,
      ...(method === 'POST' && { 'content-type': 'multipart/form-data; boundary=b' }),
    };
    const sent = request(`${on.stack.baseUrl}${path}`, { method, headers, agent: false });
    sent.on('error', () => undefined);
    return sent;
  }

  function startUpload(filename: string): ClientRequest {
    const upload = open('POST', '/files');
    upload.write('--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n');
    const disposition = `form-data; name="file"; filename="${filename}"`;
    upload.write(`--b\r\nContent-Disposition: ${disposition}\r\n\r\n`);
    upload.write(content.subarray(0, 1_024));
    return upload;
  }

  async function startDownload(fileId: string): Promise<IncomingMessage> {
    const sent = open('GET', `/files/${fileId}/content`);
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  }

  async function read(response: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  it('lets uploads and downloads finish, cuts those that take too long, and ends', async () => {
    const file = await on.client.files.create({
      file: new File([content], 'large.jsonl'),
      purpose: 'batch',
    });
    const api = on.stack.process('api');
    const [quick, endless] = [startUpload('quick.jsonl'), startUpload('endless.jsonl')];
    const [read1, unread] = [await startDownload(file.id), await startDownload(file.id)];

    api.kill('SIGTERM');
    await waitUntil(async () => !(await answersOk(`${on.stack.baseUrl}/models`)), {
      what: 'the API to take no more connections',
      timeoutMs: 10_000,
    });
    quick.end('\r\n--b--\r\n');
    const [answer] = (await once(quick, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    const { id } = JSON.parse((await read(answer)).toString()) as { readonly id: string };
    expect((await read(read1)).equals(content)).toBe(true);

    expect(await api.exited).toEqual({ code: 0, signal: null });
    await expect(read(unread)).rejects.toThrow('aborted');
    expect(endless.destroyed).toBe(true);

    await api.start();
    const files = await on.client.files.list();
    const names = files.data.map(({ filename }) => filename);
    expect(names).toContain('quick.jsonl');
    expect(names).not.toContain('endless.jsonl');
    expect((await on.client.files.retrieve(id)).bytes).toBe(1_024);
  });
});

test('every process has one owner of its signals', async () => {
  const worker = on.stack.workers.find(({ isRunning }) => isRunning);
  for (const process of [on.stack.process('api'), worker]) {
    process?.kill('SIGUSR2');
    await logged(process, 'listeners: ');
    expect(readFileSync(process?.logFile ?? '', 'utf8')).toContain('listeners: [1,1,0]');
  }
});
