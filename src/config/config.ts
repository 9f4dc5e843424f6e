/**
 * Settings from the environment, the only place that reads them. Everything is checked once, at the
 * start, and all problems are reported in one message. `docs/configuration.md` and `.env.example`
 * list every variable; a test compares both with {@link settings}.
 */
import { z } from 'zod';
import { resultForms, type ResultForm } from '../domain/batch';
import {
  batchLinesMax,
  completionWindowHoursDefault,
  fileBytesMax,
  filesMaxDefault,
  openBatchesMaxDefault,
} from '../domain/limits';
import type { ProjectLimits } from '../domain/project';
import { isSmtpUrl, senderPattern, smtpConfig, type SmtpConfig } from './smtp';

/** Node.js takes a longer timer for one of a millisecond. */
const timerMsMax = 2 ** 31 - 1;

const milliseconds = (fallback: number): z.ZodDefault<z.ZodCoercedNumber> =>
  z.coerce.number().int().positive().max(timerMsMax).default(fallback);
const port = (fallback: number): z.ZodDefault<z.ZodCoercedNumber> =>
  z.coerce.number().int().min(0).max(65_535).default(fallback);
const count = z.coerce.number().int().positive();
const commaSeparated = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

const workerRoles = ['orchestrator', 'inference'] as const;
export type WorkerRole = (typeof workerRoles)[number];

const windowPattern = /^(\d{1,6})(s|m|h|d)$/;
const secondsOfUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of a completion window such as `24h`; `undefined` when it is none. */
export function windowSeconds(text: string): number | undefined {
  const [, amount, unit] = windowPattern.exec(text) ?? [];
  const seconds = Number(amount) * (secondsOfUnit[unit ?? ''] ?? NaN);
  return seconds > 0 ? seconds : undefined;
}

const pathPattern = /^(\/[\w.~-]+)+$/;
const ownPaths = /^\/(v1\/(files|uploads|batches|models)|v1\/$|healthz|openapi\.json)/;

const limitSettings = {
  LONGHAUL_FILE_BYTES_MAX: count.max(fileBytesMax).default(fileBytesMax),
  LONGHAUL_BATCH_LINES_MAX: count.max(batchLinesMax).default(batchLinesMax),
  LONGHAUL_EMBEDDING_INPUTS_MAX: count.optional(),
  LONGHAUL_FILES_MAX: count.default(filesMaxDefault),
  LONGHAUL_OPEN_BATCHES_MAX: count.default(openBatchesMaxDefault),
  LONGHAUL_RUNNING_BATCHES_MAX: count.optional(),
  LONGHAUL_QUEUED_LINES_MAX: count.optional(),
};

const connectionSettings = {
  LONGHAUL_TEMPORAL_ADDRESS: z.string().min(1).default('127.0.0.1:7233'),
  LONGHAUL_TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  LONGHAUL_TASK_QUEUE_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'lower-case letters, digits and hyphens, at most 40')
    .default('longhaul'),
  LONGHAUL_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:9000'),
  LONGHAUL_S3_REGION: z.string().min(1).default('us-east-1'),
  LONGHAUL_S3_BUCKET: z.string().min(3).default('longhaul'),
  LONGHAUL_S3_ACCESS_KEY: z.string().min(1),
  LONGHAUL_S3_SECRET_KEY: z.string().min(1),
  LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: commaSeparated
    .pipe(z.array(z.union([z.cidrv4(), z.cidrv6()], 'a network such as 10.0.0.0/8')))
    .default([]),
};

const sharedSettings = {
  ...connectionSettings,
  ...limitSettings,
  LONGHAUL_UPSTREAMS_FILE: z.string().min(1),
  LONGHAUL_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
};

const apiSettings = {
  ...sharedSettings,
  LONGHAUL_API_HOST: z.string().min(1).default('127.0.0.1'),
  LONGHAUL_API_PORT: port(8700),
  LONGHAUL_API_KEY: z.string().min(16, 'at least 16 characters').optional(),
  LONGHAUL_COMPLETION_WINDOWS: commaSeparated
    .default([`${completionWindowHoursDefault}h`])
    .refine(
      (windows) => windows.length > 0 && windows.every((text) => windowSeconds(text) !== undefined),
      'a comma-separated list such as 24h,48h,7d',
    ),
  LONGHAUL_PATH_PREFIXES: commaSeparated
    .default([])
    .transform((prefixes) => prefixes.map((prefix) => prefix.replace(/\/+$/, '')))
    .refine(
      (prefixes) =>
        prefixes.every((prefix) => pathPattern.test(prefix) && !ownPaths.test(`${prefix}/`)),
      'a comma-separated list of paths such as /v1/openai, none of them a path of the API',
    ),
  LONGHAUL_UNKNOWN_INPUT_FILE: z.enum(['fail_batch', 'refuse']).default('fail_batch'),
  LONGHAUL_RESULT_FORM: z.enum(resultForms).default('openai'),
  LONGHAUL_UPLOAD_IDLE_TIMEOUT_MS: milliseconds(120_000),
};

const workerSettings = {
  ...sharedSettings,
  LONGHAUL_WORKER_ROLES: commaSeparated
    .default([...workerRoles])
    .pipe(z.array(z.enum(workerRoles)).min(1)),
  LONGHAUL_INFERENCE_PROCESSES: count.max(64).default(1),
  LONGHAUL_WORKER_SLICES_MAX: z.coerce.number().int().min(1).max(256).default(16),
  LONGHAUL_WORKER_BYTES_MAX: z.coerce.number().int().min(33_554_432).default(268_435_456),
  LONGHAUL_OUTAGE_PATIENCE_MS: milliseconds(900_000),
  LONGHAUL_MIXED_MODELS: z.enum(['refuse', 'allow']).default('refuse'),
  LONGHAUL_REQUEST_ORDER: z.enum(['input', 'prefix']).default('input'),
  LONGHAUL_SLICE_DURATION_MS: milliseconds(300_000),
  LONGHAUL_CANCEL_GRACE_MS: milliseconds(30_000),
  LONGHAUL_SHUTDOWN_GRACE_MS: milliseconds(10_000),
  LONGHAUL_SMTP_URL: z
    .string()
    .refine(isSmtpUrl, 'smtp://user:password@host:port or smtps://…')
    .optional(),
  LONGHAUL_EMAIL_FROM: z.string().regex(senderPattern, 'an address, or Name <address>').optional(),
  // Temporal's schedules have no shorter intervals than a second.
  LONGHAUL_SWEEP_INTERVAL_MS: count.min(1_000).max(timerMsMax).default(60_000),
  LONGHAUL_RECOVERY_INTERVAL_MS: count.min(1_000).max(timerMsMax).default(60_000),
  LONGHAUL_BATCH_RETENTION_DAYS: count.max(36_500).default(90),
};

/** Every variable, for the documents' test. */
export const settings = { ...apiSettings, ...workerSettings };

export interface TemporalConfig {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueuePrefix: string;
}

export interface StoreConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

interface AdminConfig {
  readonly temporal: TemporalConfig;
  readonly store: StoreConfig;
  /** CIDRs: webhooks may lead there whatever the addresses are, over plain http too. */
  readonly webhookAllowedNetworks: readonly string[];
}

interface SharedConfig extends AdminConfig {
  readonly upstreamsFile: string;
  readonly logLevel: string;
  /** What a project may have, unless its record says otherwise. */
  readonly limits: ProjectLimits;
}

export interface ApiConfig extends SharedConfig {
  readonly host: string;
  readonly port: number;
  /** A key of the default project; others are made with a command. */
  readonly key: string | undefined;
  /** Accepted values of `completion_window`. */
  readonly completionWindows: readonly string[];
  /** Where the API answers beside `/v1`; each begins with a slash and ends with none. */
  readonly pathPrefixes: readonly string[];
  /** What becomes of a batch whose input file does not exist: it fails, or it is not created. */
  readonly unknownInputFile: 'fail_batch' | 'refuse';
  /** Form of the result lines of new batches. */
  readonly resultForm: ResultForm;
  /** An upload that sends nothing for this long is cut; there is no limit on its total time. */
  readonly uploadIdleTimeoutMs: number;
}

export interface WorkerConfig extends SharedConfig {
  readonly roles: readonly WorkerRole[];
  /** That run slices, this one included; all that follows is for each of them. */
  readonly inferenceProcesses: number;
  /** Slices that run at a time on each of the two inference queues. */
  readonly slicesMax: number;
  /**
   * Bytes of requests, answers and results not yet committed above which the process takes no new
   * request. Answers to those in flight come on top, each of at most `answerBytesMax`.
   */
  readonly bytesMax: number;
  /** For how long a line that is alone with its failures waits before they count. */
  readonly outagePatienceMs: number;
  /** Whether the lines of one file may name several models. */
  readonly mixedModels: 'refuse' | 'allow';
  /** In which the lines of a shard are sent: that of the file, or those that begin alike together. */
  readonly requestOrder: 'input' | 'prefix';
  readonly sliceDurationMs: number;
  /** How long requests in flight may go on after their batch was cancelled or has expired. */
  readonly cancelGraceMs: number;
  /** The same after the worker was told to stop. */
  readonly shutdownGraceMs: number;
  /** Absent: no e-mail. */
  readonly smtp?: SmtpConfig;
  /** How often expired and deleted things are removed. */
  readonly sweepIntervalMs: number;
  /** How often batches are looked for whose workflow was lost. */
  readonly recoveryIntervalMs: number;
  /** For how long a batch is kept after its end. */
  readonly batchRetentionDays: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings are unusable; the message lists every problem, one on a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws {@link ConfigError} */
export function loadApiConfig(env: Environment): ApiConfig {
  const read = parse(z.object(apiSettings), env);
  return Object.freeze({
    ...sharedConfig(read),
    host: read.LONGHAUL_API_HOST,
    port: read.LONGHAUL_API_PORT,
    key: read.LONGHAUL_API_KEY,
    completionWindows: read.LONGHAUL_COMPLETION_WINDOWS,
    pathPrefixes: read.LONGHAUL_PATH_PREFIXES,
    unknownInputFile: read.LONGHAUL_UNKNOWN_INPUT_FILE,
    resultForm: read.LONGHAUL_RESULT_FORM,
    uploadIdleTimeoutMs: read.LONGHAUL_UPLOAD_IDLE_TIMEOUT_MS,
  });
}

/** What the operator's commands need. @throws {@link ConfigError} */
export function loadAdminConfig(env: Environment): AdminConfig {
  return Object.freeze(connectionConfig(parse(z.object(connectionSettings), env)));
}

/** @throws {@link ConfigError} */
export function loadWorkerConfig(env: Environment): WorkerConfig {
  const read = parse(
    z
      .object(workerSettings)
      .refine(
        ({ LONGHAUL_SMTP_URL: url, LONGHAUL_EMAIL_FROM: from }) =>
          url === undefined || from !== undefined,
        { path: ['LONGHAUL_EMAIL_FROM'] },
      ),
    env,
  );
  const { LONGHAUL_SMTP_URL: smtpUrl, LONGHAUL_EMAIL_FROM: emailFrom } = read;
  return Object.freeze({
    ...sharedConfig(read),
    roles: read.LONGHAUL_WORKER_ROLES,
    inferenceProcesses: read.LONGHAUL_INFERENCE_PROCESSES,
    slicesMax: read.LONGHAUL_WORKER_SLICES_MAX,
    bytesMax: read.LONGHAUL_WORKER_BYTES_MAX,
    outagePatienceMs: read.LONGHAUL_OUTAGE_PATIENCE_MS,
    mixedModels: read.LONGHAUL_MIXED_MODELS,
    requestOrder: read.LONGHAUL_REQUEST_ORDER,
    sliceDurationMs: read.LONGHAUL_SLICE_DURATION_MS,
    cancelGraceMs: read.LONGHAUL_CANCEL_GRACE_MS,
    shutdownGraceMs: read.LONGHAUL_SHUTDOWN_GRACE_MS,
    ...(smtpUrl !== undefined &&
      emailFrom !== undefined && { smtp: smtpConfig(smtpUrl, emailFrom) }),
    sweepIntervalMs: read.LONGHAUL_SWEEP_INTERVAL_MS,
    recoveryIntervalMs: read.LONGHAUL_RECOVERY_INTERVAL_MS,
    batchRetentionDays: read.LONGHAUL_BATCH_RETENTION_DAYS,
  });
}

type SharedSettings = z.output<z.ZodObject<typeof sharedSettings>>;

function connectionConfig(read: z.output<z.ZodObject<typeof connectionSettings>>): AdminConfig {
  return {
    temporal: {
      address: read.LONGHAUL_TEMPORAL_ADDRESS,
      namespace: read.LONGHAUL_TEMPORAL_NAMESPACE,
      taskQueuePrefix: read.LONGHAUL_TASK_QUEUE_PREFIX,
    },
    store: {
      endpoint: read.LONGHAUL_S3_ENDPOINT,
      region: read.LONGHAUL_S3_REGION,
      bucket: read.LONGHAUL_S3_BUCKET,
      accessKey: read.LONGHAUL_S3_ACCESS_KEY,
      secretKey: read.LONGHAUL_S3_SECRET_KEY,
    },
    webhookAllowedNetworks: read.LONGHAUL_WEBHOOK_ALLOWED_NETWORKS,
  };
}

function sharedConfig(read: SharedSettings): SharedConfig {
  return {
    ...connectionConfig(read),
    upstreamsFile: read.LONGHAUL_UPSTREAMS_FILE,
    logLevel: read.LONGHAUL_LOG_LEVEL,
    limits: {
      fileBytesMax: read.LONGHAUL_FILE_BYTES_MAX,
      batchLinesMax: read.LONGHAUL_BATCH_LINES_MAX,
      embeddingInputsMax: read.LONGHAUL_EMBEDDING_INPUTS_MAX ?? null,
      filesMax: read.LONGHAUL_FILES_MAX,
      openBatchesMax: read.LONGHAUL_OPEN_BATCHES_MAX,
      runningBatchesMax: read.LONGHAUL_RUNNING_BATCHES_MAX ?? null,
      queuedLinesMax: read.LONGHAUL_QUEUED_LINES_MAX ?? null,
    },
  };
}

function parse<T extends z.ZodType>(schema: T, env: Environment): z.output<T> {
  // An empty variable, as compose files leave them, means the default.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = schema.safeParse(given);
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `  ${issue.path.join('.')}: ${describe(issue, given)}`,
    );
    throw new ConfigError(`The settings are not usable:\n${problems.join('\n')}`);
  }
  return result.data;
}

function describe(issue: z.core.$ZodIssue, given: Environment): string {
  const name = String(issue.path[0]);
  return given[name] === undefined ? 'is required but not set' : issue.message;
}
