import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../../../src/config/config';
import { loadModelRoutes, loadServed, type ModelRoutes } from '../../../src/config/upstreams';
import { defaultEndpoints } from '../../../src/domain/endpoints';
import { useTemporaryFolder } from '../../support/temporary-folder';

const folder = useTemporaryFolder();

function load(text: string, env: Record<string, string> = {}): ModelRoutes {
  const path = join(folder(), 'upstreams.yaml');
  writeFileSync(path, text);
  return loadModelRoutes(path, env);
}

function messageOf(text: string, env: Record<string, string> = {}): string {
  try {
    load(text, env);
  } catch (error) {
    return error instanceof ConfigError ? error.message : String(error);
  }
  return 'no error';
}

const valid = `
upstreams:
  - name: gpu-1
    base_url: http://10.0.0.5:8000/v1/
    api_key_env: GPU_1_KEY
    max_in_flight: 8
    request_timeout_seconds: 0.5
    models:
      - meta-llama/Llama-3.1-8B-Instruct
      - name: small
        upstream_name: Qwen/Qwen3-4B
  - name: gpu-2
    base_url: https://gpu.example.com
    models: [{ name: large }]
`;

test('each model has a route, with its defaults', () => {
  const routes = load(valid, { GPU_1_KEY: 'secret' });
  const endpoints = new Set(defaultEndpoints);
  const first = {
    name: 'gpu-1',
    baseUrl: 'http://10.0.0.5:8000/v1',
    apiKey: 'secret',
    maxInFlight: 8,
    requestTimeoutMs: 500,
    weight: 1,
  };
  const second = {
    name: 'gpu-2',
    baseUrl: 'https://gpu.example.com',
    apiKey: undefined,
    maxInFlight: 1_024,
    requestTimeoutMs: 600_000,
    weight: 1,
  };
  const expected = (model: string, upstreamModel: string, upstream: object): object => ({
    model,
    upstreams: [{ upstream, upstreamModel, endpoints }],
    endpoints,
  });
  const llama = 'meta-llama/Llama-3.1-8B-Instruct';
  expect([...routes.values()]).toEqual([
    expected(llama, llama, first),
    expected('small', 'Qwen/Qwen3-4B', first),
    expected('large', 'large', second),
  ]);
  expect([...routes.keys()]).toEqual([...routes.values()].map(({ model }) => model));
});

test('what is served can be read without the keys of the upstreams', () => {
  const routes = load(valid, { GPU_1_KEY: 'secret' });
  expect(loadServed(join(folder(), 'upstreams.yaml'))).toEqual({
    models: [...routes.keys()],
    endpoints: defaultEndpoints,
  });
});

const special = `
currency: eur
batch_discount: 0.2
upstreams:
  - name: gpu-1
    base_url: http://10.0.0.5:8000/v1
    endpoints: [/v1/rerank, /v1/embeddings]
    models:
      - ranker
      - name: embedder
        endpoints: [/v1/embeddings]
        price: { input_per_million: 0.1, output_per_million: 0 }
      - name: writer
        endpoints: [/v1/responses, /v1/chat/completions]
        price: { input_per_million: 2, cached_input_per_million: 0.5, output_per_million: 8 }
`;

test('endpoints are those of the model, else of the upstream; prices come with currency and discount', () => {
  const routes = load(special);
  expect([...routes.values()].map(({ endpoints, price }) => [[...endpoints], price])).toEqual([
    [['/v1/rerank', '/v1/embeddings'], undefined],
    [
      ['/v1/embeddings'],
      {
        currency: 'eur',
        batchDiscount: 0.2,
        inputPerMillion: 0.1,
        cachedInputPerMillion: 0.1,
        outputPerMillion: 0,
      },
    ],
    [
      ['/v1/responses', '/v1/chat/completions'],
      {
        currency: 'eur',
        batchDiscount: 0.2,
        inputPerMillion: 2,
        cachedInputPerMillion: 0.5,
        outputPerMillion: 8,
      },
    ],
  ]);
  expect(loadServed(join(folder(), 'upstreams.yaml')).endpoints).toEqual([
    '/v1/chat/completions',
    '/v1/embeddings',
    '/v1/responses',
    '/v1/rerank',
  ]);
});

const several = (small: string): string => `
upstreams:
  - name: gpu-1
    base_url: http://10.0.0.5:8000/v1
    endpoints: [/v1/chat/completions, /v1/embeddings]
    models:
      - name: small
        price: { input_per_million: 1, output_per_million: 4 }
      - large
  - name: gpu-2
    base_url: http://10.0.0.6:8000/v1
    weight: 3
    endpoints: [/v1/chat/completions, /v1/responses]
    models: [{ name: small, upstream_name: Qwen/Qwen3-4B${small} }]
`;

describe('a model may have several upstreams', () => {
  const samePrice = ', price: { input_per_million: 1.0, output_per_million: 4 }';

  it('each with its weight, its name for the model and its endpoints', () => {
    const routes = load(several(samePrice));
    expect([...routes.keys()]).toEqual(['small', 'large']);
    const { upstreams = [], endpoints = [] } = routes.get('small') ?? {};
    const of = upstreams.map(({ upstream, upstreamModel, endpoints: served }) => [
      upstream.name,
      upstream.weight,
      upstreamModel,
      [...served],
    ]);
    expect(of).toEqual([
      ['gpu-1', 1, 'small', ['/v1/chat/completions', '/v1/embeddings']],
      ['gpu-2', 3, 'Qwen/Qwen3-4B', ['/v1/chat/completions', '/v1/responses']],
    ]);
    expect([...endpoints]).toEqual(['/v1/chat/completions', '/v1/embeddings', '/v1/responses']);
    expect(loadServed(join(folder(), 'upstreams.yaml')).models).toEqual(['small', 'large']);
  });

  it('but only one price, for the worker and for the API', () => {
    for (const price of ['', samePrice.replace('4', '5')]) {
      const expected = /The model small has different prices/;
      expect(messageOf(several(price))).toMatch(expected);
      expect(() => loadServed(join(folder(), 'upstreams.yaml'))).toThrow(expected);
    }
  });
});

describe('a file that is not usable is refused with what is wrong', () => {
  const upstream = 'name: a\n    base_url: http://host/v1\n    models: [m]';

  function check(text: string, expected: RegExp): void {
    expect(messageOf(text)).toMatch(expected);
  }

  it('when it is not there, or no YAML', () => {
    expect(() => loadModelRoutes(join(folder(), 'missing.yaml'), {})).toThrow(
      /missing\.yaml.*ENOENT/,
    );
    check(
      'upstreams: [',
      /upstreams\.yaml cannot be read: it is not YAML \(.* in line 1, column \d+\)/,
    );
    check('upstreams: [{ api_key: sk-secret', /^((?!sk-secret)[^])*$/);
  });

  it('when there is no upstream', () => {
    check('', /is not usable/);
    check('upstreams: []', /upstreams/);
    check('models: []', /models/);
  });

  it('when a member is missing, unknown or wrong', () => {
    const check_ = (line: string, expected: RegExp): void => {
      check(`upstreams:\n  - ${upstream}\n    ${line}\n`, expected);
    };
    check_('api_key: abc', /api_key/);
    check_('max_in_flight: 0', /max_in_flight/);
    check_('max_in_flight: many', /max_in_flight/);
    check_('request_timeout_seconds: 0', /request_timeout_seconds/);
    check_('weight: 0', /weight/);
    check('upstreams:\n  - name: a\n    models: [m]\n', /base_url/);
    check('upstreams:\n  - name: a\n    base_url: host:80\n    models: [m]\n', /base_url/);
    check(
      'upstreams:\n  - name: a b\n    base_url: http://h\n    models: [m]\n',
      /letters, digits/,
    );
    check('upstreams:\n  - name: a\n    base_url: http://h\n    models: []\n', /models/);
    check('upstreams:\n  - name: a\n    base_url: http://h\n    models: [{}]\n', /models/);
  });

  it('when an upstream has a model twice', () => {
    const repeated = upstream.replace('[m]', '[m, { name: m, upstream_name: n }]');
    check(`upstreams:\n  - ${repeated}\n`, /The model m occurs twice at the upstream a/);
  });

  it('when two upstreams have one name', () => {
    const second = upstream.replace('[m]', '[n]').replace('host', 'other');
    check(`upstreams:\n  - ${upstream}\n  - ${second}\n`, /The upstream a occurs twice/);
  });

  it('when the variable of a key is not set or empty', () => {
    const expected = /gpu-1 wants its key in the variable GPU_1_KEY, which is not set/;
    expect(messageOf(valid)).toMatch(expected);
    expect(messageOf(valid, { GPU_1_KEY: '' })).toMatch(expected);
  });
});
