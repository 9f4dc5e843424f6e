/** A client of one batch: uploads, creates, polls, cancels, downloads; repeats what fails meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import {
  APIConnectionError,
  APIError,
  ConflictError,
  NotFoundError,
  toFile,
  type OpenAI,
} from 'openai';
import type { Batch } from '../local/batches';
import type { BatchInput } from './batch-input';
import { isTerminal, type DoneAction, type Poll, type ResultFile } from './observation';
import type { BatchPlan, ClientAction } from './plan';

export interface ClientContext {
  readonly openai: OpenAI;
  readonly temporal: Client;
  /** Tells this run from others on the same stack. */
  readonly runId: string;
  /** Aborted when the seed is given up. */
  readonly signal: AbortSignal;
  readonly onApiFault: (what: string) => void;
}

const pollIntervalMs = 150;
const retryIntervalMs = 250;
/** Of the official client, where it is the one that repeats: it waits up to 8 s between two. */
const clientRetriesMax = 20;

export class BatchClient {
  readonly polls: Poll[] = [];
  readonly actions: DoneAction[] = [];
  /** Resolves when the client first sees counts above zero, or the end. */
  readonly answers: Promise<void>;
  private onAnswers: () => void = () => undefined;
  private batchId: string | undefined;

  constructor(
    private readonly context: ClientContext,
    private readonly plan: BatchPlan,
    private readonly input: BatchInput,
  ) {
    this.answers = new Promise((resolve) => {
      this.onAnswers = resolve;
    });
  }

  get id(): string | undefined {
    return this.batchId;
  }

  /** Resolves when the batch is terminal and everything planned has been done to it. */
  async run(): Promise<void> {
    const { signal } = this.context;
    await delay(this.plan.startMs, undefined, { signal });
    const created = await this.create(await this.upload());
    this.batchId = created.id;
    this.polls.push({ at: Date.now(), batch: created });
    await Promise.all([this.poll(created.id), ...this.plan.actions.map((one) => this.act(one))]);
  }

  /** `undefined` when the batch has no such file. */
  async download(fileId: string | null | undefined): Promise<ResultFile | undefined> {
    const { openai } = this.context;
    if (fileId === null || fileId === undefined) {
      return undefined;
    }
    return await this.persist('download', async () => {
      const file = await openai.files.retrieve(fileId);
      const content = Buffer.from(await (await openai.files.content(fileId)).arrayBuffer());
      return { file, content };
    });
  }

  /** Batches of this plan's name among the newest hundred. */
  async countListed(): Promise<number> {
    const page = await this.persist('list', () => this.context.openai.batches.list({ limit: 100 }));
    return page.data.filter(({ metadata }) => this.isOurs(metadata)).length;
  }

  async deleteFile(fileId: string): Promise<void> {
    await this.persist('delete', async () => {
      try {
        await this.context.openai.files.delete(fileId);
      } catch (error) {
        // Repeated after an answer that was lost.
        if (!(error instanceof NotFoundError)) {
          throw error;
        }
      }
    });
  }

  private isOurs(metadata: unknown): boolean {
    const { run, name } = (metadata ?? {}) as { readonly run?: unknown; readonly name?: unknown };
    return run === this.context.runId && name === this.plan.name;
  }

  private async upload(): Promise<string> {
    const { openai } = this.context;
    const file = await this.persist(
      'upload',
      async () =>
        await openai.files.create({
          file: await toFile(this.input.content, `${this.plan.name}.jsonl`),
          purpose: 'batch',
        }),
    );
    return file.id;
  }

  private async create(inputFileId: string): Promise<Batch> {
    const { openai, runId } = this.context;
    const { name, completionWindow, repeatsBy } = this.plan;
    const body = {
      input_file_id: inputFileId,
      endpoint: '/v1/chat/completions' as const,
      completion_window: completionWindow as '24h',
      metadata: { run: runId, name },
    };
    if (repeatsBy === 'client') {
      return await openai.batches.create(body, { maxRetries: clientRetriesMax });
    }
    const headers = { 'Idempotency-Key': `${runId}-${name}` };
    return await this.persist('create', () => openai.batches.create(body, { headers }));
  }

  private async poll(batchId: string): Promise<void> {
    const { openai, signal } = this.context;
    for (;;) {
      const batch = await this.persist('poll', () => openai.batches.retrieve(batchId));
      this.polls.push({ at: Date.now(), batch });
      if ((batch.request_counts?.completed ?? 0) > 0 || isTerminal(batch)) {
        this.onAnswers();
      }
      if (isTerminal(batch)) {
        return;
      }
      await delay(pollIntervalMs, undefined, { signal });
    }
  }

  private get isOver(): boolean {
    const last = this.polls.at(-1);
    return last !== undefined && isTerminal(last.batch);
  }

  private async act({ kind, from, afterMs }: ClientAction): Promise<void> {
    await (from === 'answers' ? this.answers : undefined);
    await delay(afterMs, undefined, { signal: this.context.signal });
    const outcome = this.isOver ? 'too late' : await this.persist(kind, () => this.actOnce(kind));
    this.actions.push({ kind, at: Date.now(), outcome });
  }

  private async actOnce(kind: ClientAction['kind']): Promise<string> {
    const { openai, temporal } = this.context;
    const id = this.batchId ?? '';
    const shard = temporal.workflow.getHandle(`${id}/shard-00000`);
    try {
      switch (kind) {
        case 'cancel':
          return (await openai.batches.cancel(id)).status;
        case 'cancel-workflow':
          await temporal.workflow.getHandle(id).cancel();
          return 'done';
        case 'terminate-batch':
          await temporal.workflow.getHandle(id).terminate('chaos');
          return 'done';
        case 'cancel-shard':
          await shard.cancel();
          return 'done';
        case 'terminate-shard':
          await shard.terminate('chaos');
          return 'done';
      }
    } catch (error) {
      if (error instanceof ConflictError || error instanceof WorkflowNotFoundError) {
        return 'refused';
      }
      throw error;
    }
  }

  /** Repeats a call until it is answered; a refusal is thrown. */
  private async persist<T>(what: string, call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        this.context.signal.throwIfAborted();
        if (!this.mayPass(error, what)) {
          throw error;
        }
        await delay(retryIntervalMs);
      }
    }
  }

  private mayPass(error: unknown, what: string): boolean {
    if (!(error instanceof APIError) || error instanceof APIConnectionError) {
      return true;
    }
    const status = error.status as number | undefined;
    if (status === undefined || status < 500) {
      return status === undefined || status === 429;
    }
    const says = error.headers as Headers | undefined;
    if (status !== 503 || says?.has('retry-after') !== true) {
      this.context.onApiFault(`${what} was answered with ${status}: ${error.message}`);
    }
    return true;
  }
}
