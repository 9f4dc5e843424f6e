import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkResults, isComplete } from '../../../scripts/demo/check-results';
import { chooseUpstream } from '../../../scripts/demo/choose-upstream';
import { readInputFile } from '../../../scripts/demo/input-file';
import { exampleFile, exampleLineCount, exampleText } from '../../../scripts/make-example';
import {
  startSimulatedUpstream,
  type SimulatedUpstream,
} from '../../../scripts/simulated-upstream';
import { useTemporaryFolder } from '../../support/temporary-folder';

const folder = useTemporaryFolder();

function write(name: string, lines: readonly unknown[]): string {
  const path = join(folder(), name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}

describe('the example file', () => {
  it('is what the script makes', () => {
    expect(readFileSync(exampleFile, 'utf8')).toBe(exampleText());
  });

  it('holds as many requests as it says, each with an ID of its own', async () => {
    const { customIds, model, endpoint } = await readInputFile(exampleFile);
    expect([customIds.size, model, endpoint]).toEqual([
      exampleLineCount,
      'longhaul-demo-model',
      '/v1/chat/completions',
    ]);
  });
});

describe('an input file', () => {
  it('that does not exist is named', async () => {
    await expect(readInputFile('/no/such/file')).rejects.toThrow('There is no file /no/such/file.');
  });

  it.each([[[]], [['only text']], [[{ custom_id: 'a' }]]])(
    'without requests is refused: %j',
    async (lines) => {
      await expect(readInputFile(write('input.jsonl', lines))).rejects.toThrow(
        'is no batch input file',
      );
    },
  );
});

describe('checking the results', () => {
  const customIds = new Set(['a', 'b', 'c']);
  const check = async (output: string[], errors: string[]): Promise<unknown> =>
    await checkResults(customIds, {
      output: write(
        'output.jsonl',
        output.map((id) => ({ custom_id: id })),
      ),
      errors: write(
        'errors.jsonl',
        errors.map((id) => ({ custom_id: id })),
      ),
    });
  const good = { answered: 2, failed: 1, missing: 0, repeated: 0, unknown: 0 };

  it('is content with one line for every request', async () => {
    expect(await check(['a', 'c'], ['b'])).toEqual(good);
    expect(isComplete(good)).toBe(true);
  });

  it('finds lines that are missing, in both files, or of other requests', async () => {
    const found = { answered: 2, failed: 2, missing: 1, repeated: 1, unknown: 1 };
    expect(await check(['a', 'b'], ['b', 'z'])).toEqual(found);
    expect(isComplete({ ...good, missing: 1 })).toBe(false);
    expect(isComplete({ ...good, repeated: 1 })).toBe(false);
    expect(isComplete({ ...good, unknown: 1 })).toBe(false);
  });
});

describe('the upstream of the demo', () => {
  let upstream: SimulatedUpstream;
  const serve = async (...models: string[]): Promise<void> => {
    upstream = await startSimulatedUpstream({ models });
  };
  afterEach(async () => {
    await upstream.close();
  });
  const choose = async (url: string, model?: string): Promise<unknown> =>
    await chooseUpstream({ url, model }, 'asked-for');

  it('serves the only model that there is in place of the one asked for', async () => {
    await serve('other');
    expect(await choose(upstream.baseUrl)).toEqual({
      kind: 'server',
      baseUrl: upstream.baseUrl,
      models: [{ name: 'asked-for', upstreamName: 'other' }],
    });
  });

  it('is found without /v1 and with a final slash', async () => {
    await serve('asked-for', 'other');
    expect(await choose(`${new URL(upstream.baseUrl).origin}/`)).toMatchObject({
      baseUrl: upstream.baseUrl,
      models: [{ name: 'asked-for', upstreamName: 'asked-for' }],
    });
  });

  it('must be told the model when it could be several', async () => {
    await serve('one', 'two');
    await expect(choose(upstream.baseUrl)).rejects.toThrow('it serves: one, two. Name the model');
    await expect(choose(upstream.baseUrl, 'three')).rejects.toThrow('does not serve three');
    expect(await choose(upstream.baseUrl, 'two')).toMatchObject({
      models: [{ name: 'asked-for', upstreamName: 'two' }],
    });
  });

  it('that does not answer is named, with the reason', async () => {
    await serve('one');
    upstream.control({ isDown: true });
    await expect(choose(upstream.baseUrl)).rejects.toThrow(
      `No inference server answers at ${upstream.baseUrl}: GET ${upstream.baseUrl}/models failed`,
    );
    await expect(choose('gpu-1:8000')).rejects.toThrow('is no URL of an upstream');
  });
});
