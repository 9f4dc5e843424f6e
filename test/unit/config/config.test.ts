import {
  ConfigError,
  loadApiConfig,
  loadWorkerConfig,
  windowSeconds,
  type Environment,
} from '../../../src/config/config';

const required: Environment = {
  LONGHAUL_S3_ACCESS_KEY: 'access',
  LONGHAUL_S3_SECRET_KEY: 'secret-of-the-store',
  LONGHAUL_UPSTREAMS_FILE: 'upstreams.yaml',
};
const apiRequired: Environment = { ...required, LONGHAUL_API_KEY: 'key-of-sixteen-characters' };

/** The lines of the message, the first one left out. */
function problemsOf(load: (env: Environment) => unknown, env: Environment): string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.message.split('\n').slice(1);
    }
    throw error;
  }
  return [];
}

describe('defaults', () => {
  const shared = {
    temporal: { address: '127.0.0.1:7233', namespace: 'default', taskQueuePrefix: 'longhaul' },
    store: {
      endpoint: 'http://127.0.0.1:9000',
      region: 'us-east-1',
      bucket: 'longhaul',
      accessKey: 'access',
      secretKey: 'secret-of-the-store',
    },
    upstreamsFile: 'upstreams.yaml',
    webhookAllowedNetworks: [],
    logLevel: 'info',
    limits: {
      fileBytesMax: 10_737_418_240,
      batchLinesMax: 5_000_000,
      embeddingInputsMax: null,
      filesMax: 500,
      openBatchesMax: 500,
      runningBatchesMax: null,
      queuedLinesMax: null,
    },
  };

  it('of the API', () => {
    expect(loadApiConfig(apiRequired)).toEqual({
      ...shared,
      host: '127.0.0.1',
      port: 8700,
      key: 'key-of-sixteen-characters',
      completionWindows: ['24h'],
      pathPrefixes: [],
      unknownInputFile: 'fail_batch',
      resultForm: 'openai',
      uploadIdleTimeoutMs: 120_000,
    });
  });

  it('of the worker, which needs no key', () => {
    expect(loadWorkerConfig(required)).toEqual({
      ...shared,
      roles: ['orchestrator', 'inference'],
      inferenceProcesses: 1,
      slicesMax: 16,
      bytesMax: 268_435_456,
      outagePatienceMs: 900_000,
      mixedModels: 'refuse',
      requestOrder: 'input',
      sliceDurationMs: 300_000,
      cancelGraceMs: 30_000,
      shutdownGraceMs: 10_000,
      sweepIntervalMs: 60_000,
      recoveryIntervalMs: 60_000,
      batchRetentionDays: 90,
    });
  });

  it('hold for variables that are empty, as compose files leave them', () => {
    const empty = {
      LONGHAUL_API_PORT: '',
      LONGHAUL_LOG_LEVEL: '',
      LONGHAUL_COMPLETION_WINDOWS: '',
    };
    expect(loadApiConfig({ ...apiRequired, ...empty })).toEqual(loadApiConfig(apiRequired));
  });
});

test('settings are read from their variables', () => {
  const api = loadApiConfig({
    ...apiRequired,
    LONGHAUL_API_PORT: '0',
    LONGHAUL_COMPLETION_WINDOWS: '24h, 48h ,7d',
    LONGHAUL_S3_ENDPOINT: 'https://s3.example.com',
    LONGHAUL_TASK_QUEUE_PREFIX: 'team-1',
  });
  expect(api).toMatchObject({ port: 0, completionWindows: ['24h', '48h', '7d'] });
  expect(api.store.endpoint).toBe('https://s3.example.com');
  expect(api.temporal.taskQueuePrefix).toBe('team-1');
  const worker = loadWorkerConfig({
    ...required,
    LONGHAUL_WORKER_ROLES: 'inference',
    LONGHAUL_SLICE_DURATION_MS: '500',
  });
  expect(worker).toMatchObject({ roles: ['inference'], sliceDurationMs: 500 });
});

test('path prefixes are paths that the API does not have itself', () => {
  const prefixes = (text: string): unknown =>
    loadApiConfig({ ...apiRequired, LONGHAUL_PATH_PREFIXES: text }).pathPrefixes;
  expect(prefixes('/v1/openai/, /inference-api/openai/v1,/v1beta')).toEqual([
    '/v1/openai',
    '/inference-api/openai/v1',
    '/v1beta',
  ]);
  for (const wrong of [
    'v1',
    '/',
    '/v1',
    '/v1/',
    '/v1/files',
    '/v1/batches/x',
    '/a//b',
    '/a?b',
    '/healthz',
  ]) {
    expect(() => prefixes(wrong)).toThrow(/LONGHAUL_PATH_PREFIXES.*none of them a path of the API/);
  }
});

test('variables of others do not disturb', () => {
  expect(
    problemsOf(loadWorkerConfig, { ...required, PATH: '/bin', LONGHAUL_MINIO_PORT: 'x' }),
  ).toEqual([]);
});

test('every problem is told in one message', () => {
  const env = {
    LONGHAUL_API_PORT: '70000',
    LONGHAUL_API_KEY: 'short',
    LONGHAUL_S3_ENDPOINT: 'ftp://host',
    LONGHAUL_S3_SECRET_KEY: '',
    LONGHAUL_COMPLETION_WINDOWS: '1 day',
    LONGHAUL_LOG_LEVEL: 'loud',
  };
  expect(problemsOf(loadApiConfig, env).map((line) => line.split(':')[0]?.trim())).toEqual([
    'LONGHAUL_S3_ENDPOINT',
    'LONGHAUL_S3_ACCESS_KEY',
    'LONGHAUL_S3_SECRET_KEY',
    'LONGHAUL_UPSTREAMS_FILE',
    'LONGHAUL_LOG_LEVEL',
    'LONGHAUL_API_PORT',
    'LONGHAUL_API_KEY',
    'LONGHAUL_COMPLETION_WINDOWS',
  ]);
});

test('a variable that is required and not set is told as such', () => {
  expect(problemsOf(loadWorkerConfig, {})).toEqual([
    '  LONGHAUL_S3_ACCESS_KEY: is required but not set',
    '  LONGHAUL_S3_SECRET_KEY: is required but not set',
    '  LONGHAUL_UPSTREAMS_FILE: is required but not set',
  ]);
});

describe('a value that cannot be meant is refused', () => {
  function check(name: string, ...values: readonly string[]): void {
    for (const value of values) {
      const env = { ...apiRequired, [name]: value };
      const problems = [...problemsOf(loadApiConfig, env), ...problemsOf(loadWorkerConfig, env)];
      expect([value, problems.every((problem) => problem.includes(name))]).toEqual([value, true]);
      expect([value, problems.length > 0]).toEqual([value, true]);
    }
  }

  it('for a port', () => {
    check('LONGHAUL_API_PORT', '-1', '65536', '80.5', 'http', ' x');
  });

  it('for a duration; a timer takes no more than 24 days', () => {
    check('LONGHAUL_SLICE_DURATION_MS', '0', '-1', '1.5', '5s', 'Infinity', '2147483648');
    check('LONGHAUL_CANCEL_GRACE_MS', '2147483648');
    check('LONGHAUL_UPLOAD_IDLE_TIMEOUT_MS', '2147483648');
  });

  it('for bytes, slices and processes', () => {
    check('LONGHAUL_WORKER_BYTES_MAX', '1024', '64MB');
    check('LONGHAUL_WORKER_SLICES_MAX', '0', '257');
    check('LONGHAUL_INFERENCE_PROCESSES', '0', '65', '1.5');
  });

  it('for roles', () => {
    check('LONGHAUL_WORKER_ROLES', 'api', ',', 'inference,other');
  });

  it('for completion windows', () => {
    check('LONGHAUL_COMPLETION_WINDOWS', ',', '24', '24h,x', '0h', '1w', '-1h');
  });

  it('for names', () => {
    check('LONGHAUL_TASK_QUEUE_PREFIX', 'Team', 'a b', 'x'.repeat(41));
    check('LONGHAUL_S3_BUCKET', 'ab');
    check('LONGHAUL_S3_ENDPOINT', 'localhost:9000', 'not a url');
  });
});

test('no message repeats a secret', () => {
  const secret = 'hunter2';
  const names = ['LONGHAUL_API_KEY', 'LONGHAUL_S3_ACCESS_KEY', 'LONGHAUL_S3_SECRET_KEY'];
  const env = Object.fromEntries(names.map((name) => [name, secret]));
  const problems = [...problemsOf(loadApiConfig, env), ...problemsOf(loadWorkerConfig, env)];
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.join('\n')).not.toContain(secret);
});

test('a configuration cannot be changed', () => {
  expect(Object.isFrozen(loadApiConfig(apiRequired))).toBe(true);
  expect(Object.isFrozen(loadWorkerConfig(required))).toBe(true);
});

test('a completion window is a number and a unit', () => {
  const check = (text: string, seconds: number | undefined): void => {
    expect([text, windowSeconds(text)]).toEqual([text, seconds]);
  };
  check('1s', 1);
  check('30m', 1_800);
  check('24h', 86_400);
  check('7d', 604_800);
  check('0h', undefined);
  check('24', undefined);
  check('h', undefined);
  check('24H', undefined);
  check(' 24h', undefined);
  check('1.5h', undefined);
  check('1234567s', undefined);
});

describe('notifications', () => {
  it('take networks as CIDRs, and nothing else', () => {
    const networks = (text: string): readonly string[] =>
      loadWorkerConfig({ ...required, LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: text })
        .webhookAllowedNetworks;
    expect(networks('10.0.0.0/8, fd00::/8')).toEqual(['10.0.0.0/8', 'fd00::/8']);
    for (const wrong of ['10.0.0.1', '10.0.0.0/33', 'example.com', '*']) {
      expect(() => networks(wrong)).toThrow(/LONGHAUL_WEBHOOK_ALLOWED_NETWORKS.*such as 10/);
    }
  });

  it('read the mail server from one URL', () => {
    const smtpOf = (url: string): unknown =>
      loadWorkerConfig({
        ...required,
        LONGHAUL_SMTP_URL: url,
        LONGHAUL_EMAIL_FROM: 'Longhaul <batches@example.com>',
      }).smtp;
    const from = 'Longhaul <batches@example.com>';
    expect(smtpOf('smtp://u%40x:p%3Aw@mail.example.com')).toEqual({
      host: 'mail.example.com',
      port: 587,
      isSecure: false,
      user: 'u@x',
      password: 'p:w',
      from,
    });
    expect(smtpOf('smtps://[::1]')).toEqual({
      host: '::1',
      port: 465,
      isSecure: true,
      user: undefined,
      password: undefined,
      from,
    });
    for (const wrong of ['mail.example.com', 'http://mail.example.com', 'smtp://', 'smtp://%@x']) {
      expect(() => smtpOf(wrong)).toThrow('LONGHAUL_SMTP_URL: smtp://user');
    }
  });

  it('need a sender that is one address', () => {
    const from = (sender: string): unknown =>
      loadWorkerConfig({
        ...required,
        LONGHAUL_SMTP_URL: 'smtp://mail.example.com',
        LONGHAUL_EMAIL_FROM: sender,
      }).smtp?.from;
    expect(from('batches@example.com')).toBe('batches@example.com');
    expect(() => from('')).toThrow('LONGHAUL_EMAIL_FROM: is required but not set');
    for (const wrong of ['nobody', 'a@b, c@d', 'A <a@b>\nBcc: c@d', 'A <a@b> c']) {
      expect(() => from(wrong)).toThrow('LONGHAUL_EMAIL_FROM: an address, or');
    }
  });
});
