/** The demo, as a stranger runs it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chatLines } from '../../scripts/local/batches';
import { startSimulatedUpstream } from '../../scripts/simulated-upstream';

const launcher = resolve(__dirname, '../../scripts/longhaul.mjs');

async function demo(...args: string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [launcher, 'demo', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const keep = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return await new Promise((done) => {
    child.once('close', (code) => {
      done({ code, text });
    });
  });
}

describe('npm run demo', () => {
  it('sends the example file through the system and finds one line for every request', async () => {
    const { code, text } = await demo();
    expect(text).toContain('exactly one for every request');
    expect(text).toMatch(/Requests +1,?200: 1,?200 answered, 0 failed/);
    expect(text).toMatch(/\/namespaces\/default\/workflows\/batch_[0-9a-f]{32}/);
    expect(code).toBe(0);
  });

  it("does the same with one's own file and server, and counts what failed", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
    const upstream = await startSimulatedUpstream({ models: ['org/other-model'], latencyMs: 1 });
    const input = join(folder, 'own.jsonl');
    const lines = chatLines(50, (index) => (index === 7 ? '[[fail:400]]' : `question ${index}`));
    writeFileSync(input, lines.join('\n'));
    const { code, text } = await demo('--input', input, '--upstream', upstream.baseUrl);
    await upstream.close();
    rmSync(folder, { recursive: true, force: true });
    expect(text).toMatch(/Requests +50: 49 answered, 1 failed/);
    expect(code).toBe(0);
  });

  it.each([
    [['--input', '/nowhere/requests.jsonl'], /requests\.jsonl/],
    [['--upstream', 'http://127.0.0.1:9'], /127\.0\.0\.1:9/],
    [['--nonsense'], /nonsense/],
  ])('says in a sentence what is wrong with %s', async (args, problem) => {
    const { code, text } = await demo(...args);
    expect(text).toMatch(problem);
    expect(text).not.toMatch(/\n\s+at /);
    expect(code).not.toBe(0);
  });
});
