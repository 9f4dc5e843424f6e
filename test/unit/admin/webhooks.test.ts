import { aBatchId, aNewBatch, projectId } from '../../support/batches';
import { Terminal } from './terminal';

const url = 'https://example.com/hook';

/** The id and the secret that `webhooks add` shows. */
async function added(
  terminal: Terminal,
  ...options: string[]
): Promise<{ id: string; secret: string }> {
  const { lines } = await terminal.run('webhooks', 'add', url, ...options);
  return { id: lines[0]?.split(/ +/)[1] ?? '', secret: lines[1]?.split(/ +/)[1] ?? '' };
}

async function endedBatch(terminal: Terminal, webhookUrl?: string): Promise<string> {
  const batch = aNewBatch(webhookUrl === undefined ? {} : { webhookUrl });
  const ref = { projectId, batchId: batch.id };
  await terminal.batches.create(batch);
  await terminal.batches.apply(ref, { type: 'validation_failed', at: 1, errors: [] });
  return batch.id;
}

describe('webhooks', () => {
  it('show their secret once, when they are added', async () => {
    const terminal = new Terminal();
    const { id, secret } = await added(terminal, '--event', 'batch.failed');
    expect(id).toMatch(/^we_[0-9a-f]{16}$/);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { lines } = await terminal.run('webhooks', 'list');
    expect(lines).toEqual([
      expect.stringMatching(/^ID +MADE \(UTC\) +ENABLED +EVENTS +URL$/),
      `${id}  2026-01-01 00:00:00  yes      batch.failed  ${url}`,
    ]);
    expect(lines.join('\n')).not.toContain(secret);
  });

  it('belong to their project', async () => {
    const terminal = new Terminal();
    const { id } = await added(terminal, '--project', 'team-a');
    expect((await terminal.run('webhooks', 'list')).lines).toHaveLength(1);
    const refused = await terminal.run('webhooks', 'remove', id);
    expect(refused).toMatchObject({ exitCode: 2, said: expect.stringContaining('no webhook') });
    expect((await terminal.run('webhooks', 'remove', id, '--project', 'team-a')).exitCode).toBe(0);
    expect(await terminal.webhooks.list('team-a')).toEqual([]);
  });

  it('are disabled and enabled', async () => {
    const terminal = new Terminal();
    const { id } = await added(terminal);
    for (const [command, isEnabled] of [
      ['disable', false],
      ['enable', true],
    ] as const) {
      await terminal.run('webhooks', command, id);
      expect(await terminal.webhooks.list('default')).toMatchObject([{ id, isEnabled }]);
    }
  });

  it('sign with both secrets for a day after a rotation', async () => {
    const terminal = new Terminal();
    const { id, secret } = await added(terminal);
    const { lines } = await terminal.run('webhooks', 'rotate', id);
    const [endpoint] = await terminal.webhooks.list('default');
    const validUntil = terminal.nowMs / 1000 + 86_400;
    expect(endpoint?.secret).toEqual({ current: lines[0], previous: { secret, validUntil } });
    expect(lines[0]).not.toBe(secret);
  });

  it('are at most twenty in a project', async () => {
    const terminal = new Terminal();
    for (let count = 0; count < 20; count++) {
      expect((await terminal.run('webhooks', 'add', url)).exitCode).toBe(0);
    }
    const { exitCode, said } = await terminal.run('webhooks', 'add', url);
    expect(exitCode).toBe(2);
    expect(said).toContain('at most 20');
  });

  it.each([
    [['webhooks', 'add', 'http://example.com'], 'begin with https://'],
    [['webhooks', 'add', 'https://127.0.0.1'], 'not a public one'],
    [['webhooks', 'add', 'https://u:p@example.com'], 'user name'],
    [['webhooks', 'add', `https://example.com/${'x'.repeat(2_048)}`], 'more than 2048'],
    [['webhooks', 'add', url, '--event', 'batch.started'], '"batch.started" is no event'],
    [['webhooks', 'add', url, '--project', '../x'], 'no name of a project'],
    [['webhooks', 'rotate', 'we_0123456789abcdef'], 'no webhook "we_0123456789abcdef"'],
    [['webhooks', 'remove', '../x'], 'no webhook "../x"'],
    [['webhooks', 'redeliver', 'batch_1'], 'no ID of a batch'],
    [['webhooks', 'redeliver', aBatchId()], 'There is no batch'],
    [['webhooks', 'deliveries', '--batch', '../x'], 'no ID of a batch'],
  ])('%j is refused with a sentence', async (args, sentence) => {
    const terminal = new Terminal();
    const { exitCode, said } = await terminal.run(...args);
    expect(exitCode).toBe(2);
    expect(said).toContain(sentence);
    expect(await terminal.webhooks.list('default')).toEqual([]);
  });
});

describe("the secret of batches' own addresses", () => {
  it('is made once, and stays until it is rotated', async () => {
    const terminal = new Terminal();
    const secret = async (...options: string[]): Promise<string | undefined> =>
      (await terminal.run('webhooks', 'secret', ...options)).lines[0];
    const first = await secret();
    expect(first).toMatch(/^whsec_/);
    expect(await secret()).toBe(first);
    expect(await secret('--project', 'team-a')).not.toBe(first);
    const second = await secret('--rotate');
    expect(second).not.toBe(first);
    expect(await secret()).toBe(second);
  });
});

describe('deliveries', () => {
  it('are listed with the last answer', async () => {
    const terminal = new Terminal();
    const batchId = await endedBatch(terminal);
    const ref = { projectId, batchId: aBatchId() };
    await terminal.webhooks.updateDelivery(ref, 'own', (log) => ({
      ...log,
      attempts: [{ at: 1_700_000_000, durationMs: 12, status: 500, error: null }],
    }));
    const row = new RegExp(`^${batchId} +own +pending +1 +2023-11-14 22:13:20 +500 +12$`);
    for (const options of [[], ['--batch', batchId]]) {
      const { lines } = await terminal.run('webhooks', 'deliveries', ...options);
      expect(lines).toEqual([expect.stringContaining('BATCH'), expect.stringMatching(row)]);
    }
  });

  it('are told again to all that want the event, or to one', async () => {
    const terminal = new Terminal();
    const { id } = await added(terminal);
    await added(terminal, '--event', 'batch.completed');
    const batchId = await endedBatch(terminal, url);
    await terminal.run('webhooks', 'redeliver', batchId);
    expect(terminal.restarted.splice(0)).toEqual([`${batchId} ${id}`, `${batchId} own`]);
    await terminal.run('webhooks', 'redeliver', batchId, '--webhook', 'own');
    expect(terminal.restarted.splice(0)).toEqual([`${batchId} own`]);
    await terminal.run('webhooks', 'disable', id);
    const { said } = await terminal.run('webhooks', 'redeliver', batchId, '--webhook', id);
    expect(said).toContain('Nobody is to be told');
    expect(terminal.restarted).toEqual([]);
  });

  it('are not told of a batch that has not ended', async () => {
    const terminal = new Terminal();
    await terminal.batches.create(aNewBatch());
    const { said } = await terminal.run('webhooks', 'redeliver', aBatchId());
    expect(said).toContain('The batch has not ended: it is validating.');
  });
});
