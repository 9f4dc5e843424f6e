/** A real stack whose upstreams, and whose workers' ways to the servers, are in the hands of a test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { clientOf, isTerminal, type Batch } from '../../scripts/local/batches';
import { freePort } from '../../scripts/local/ports';
import { startStack, type Stack, type StackOptions } from '../../scripts/local/stack';
import { waitUntil } from '../../scripts/local/wait';
import { GatedProxy } from './gated-proxy';
import { GatedUpstream, type Gate } from './gated-upstream';
import { connectTemporal } from './temporal-client';

/** A batch whose requests go through a gate of its own. */
export interface GatedBatch {
  readonly id: string;
  /** Of the project that the batch belongs to. */
  readonly client: OpenAI;
  readonly gate: Gate;
  readonly lines: readonly string[];
}

interface Parts {
  readonly stack: Stack;
  readonly upstream: GatedUpstream;
  readonly storeProxy: GatedProxy;
  readonly temporalProxy: GatedProxy;
  readonly temporal: Client;
  readonly folder: string;
}

export interface GatedStackOptions extends Pick<StackOptions, 'apiEnv' | 'workers'> {
  readonly gateCount: number;
  /** Whether the workers that are there from the start reach the servers through the proxies. */
  readonly isProxied?: boolean;
  readonly workerEnv?: Readonly<Record<string, string>>;
}

type PendingActivity = NonNullable<
  WorkflowExecutionDescription['raw']['pendingActivities']
>[number];

const reachTimeoutMs = 60_000;

export class GatedStack {
  readonly client: OpenAI;

  private constructor(private readonly parts: Parts) {
    this.client = clientOf(parts.stack);
  }

  static async start(options: GatedStackOptions): Promise<GatedStack> {
    const { gateCount, isProxied = false, workerEnv = {}, apiEnv = {}, workers = 1 } = options;
    const folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
    const upstream = await GatedUpstream.start(gateCount);
    const upstreamsFile = join(folder, 'upstreams.yaml');
    writeFileSync(upstreamsFile, upstream.upstreamsYaml());
    const minio = await freePort();
    const temporalPort = await freePort([minio]);
    const storeProxy = await GatedProxy.start(`tcp://127.0.0.1:${minio}`);
    const temporalProxy = await GatedProxy.start(`tcp://127.0.0.1:${temporalPort}`);
    const proxied = isProxied ? proxyEnv({ storeProxy, temporalProxy }) : {};
    const stack = await startStack({
      stateDir: join(folder, 'stack'),
      ports: { minio, temporal: temporalPort },
      upstream: { kind: 'file', path: upstreamsFile },
      apiEnv,
      workerEnv: { ...proxied, ...workerEnv },
      workers,
    });
    const temporal = await connectTemporal(stack);
    return new GatedStack({ stack, upstream, storeProxy, temporalProxy, temporal, folder });
  }

  get stack(): Stack {
    return this.parts.stack;
  }

  get upstream(): GatedUpstream {
    return this.parts.upstream;
  }

  /** Between the store and the workers that were told to go through it. */
  get storeProxy(): GatedProxy {
    return this.parts.storeProxy;
  }

  get temporalProxy(): GatedProxy {
    return this.parts.temporalProxy;
  }

  get temporal(): Client {
    return this.parts.temporal;
  }

  /** Settings of a worker that reaches the servers through the proxies. */
  get proxyEnv(): Readonly<Record<string, string>> {
    return proxyEnv(this.parts);
  }

  async stop(): Promise<void> {
    await this.temporal.connection.close();
    await this.stack.stop();
    await Promise.all([this.storeProxy.close(), this.temporalProxy.close()]);
    await this.upstream.close();
    rmSync(this.parts.folder, { recursive: true, force: true });
  }

  async upload(lines: readonly string[], client = this.client): Promise<string> {
    const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const file = await toFile(content, 'requests.jsonl');
    return (await client.files.create({ file, purpose: 'batch' })).id;
  }

  async create(fileId: string, window: string, client = this.client): Promise<string> {
    const batch = await client.batches.create({
      input_file_id: fileId,
      endpoint: '/v1/chat/completions',
      // The client's type knows one window.
      completion_window: window as '24h',
    });
    return batch.id;
  }

  /** Makes a batch of a gate's lines. */
  async createFor(
    gate: Gate,
    options: { readonly lineCount: number; readonly window?: string; readonly client?: OpenAI },
  ): Promise<GatedBatch> {
    const { lineCount, window = '24h', client = this.client } = options;
    const lines = gate.lines(lineCount);
    const id = await this.create(await this.upload(lines, client), window, client);
    return { id, client, gate, lines };
  }

  /** Resolves when the batch is there, or has ended before. */
  async reach(
    { id, client }: GatedBatch,
    isThere: (batch: Batch) => boolean | Promise<boolean>,
  ): Promise<Batch> {
    let batch = await client.batches.retrieve(id);
    await waitUntil(
      async () => {
        batch = await client.batches.retrieve(id);
        return isTerminal(batch) || (await isThere(batch));
      },
      { what: `${id} to come that far`, timeoutMs: reachTimeoutMs },
    );
    return batch;
  }

  /** Not, when there is no such workflow yet. */
  async hasCompleted(workflowId: string): Promise<boolean> {
    try {
      const { status } = await this.temporal.workflow.getHandle(workflowId).describe();
      return status.name === 'COMPLETED';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) {
        return false;
      }
      throw error;
    }
  }

  async hasPending(batchId: string, activity: string): Promise<boolean> {
    return (await this.pending(batchId, activity)) !== undefined;
  }

  /** The details of the last heartbeat that has reached Temporal, if one has. */
  async heartbeatOf(batchId: string, activity: string): Promise<unknown> {
    const payload = (await this.pending(batchId, activity))?.heartbeatDetails?.payloads?.[0];
    return payload && defaultPayloadConverter.fromPayload(payload);
  }

  private async pending(batchId: string, activity: string): Promise<PendingActivity | undefined> {
    const { raw } = await this.temporal.workflow.getHandle(batchId).describe();
    return raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
  }
}

function proxyEnv(
  proxies: Pick<Parts, 'storeProxy' | 'temporalProxy'>,
): Readonly<Record<string, string>> {
  return {
    LONGHAUL_S3_ENDPOINT: `http://${proxies.storeProxy.address}`,
    LONGHAUL_TEMPORAL_ADDRESS: proxies.temporalProxy.address,
  };
}
