import { createHash } from 'node:crypto';
import { runAdmin } from '../../../src/admin/run-admin';
import { Terminal } from './terminal';

describe('keys', () => {
  it('are shown once, and kept as a hash', async () => {
    const terminal = new Terminal();
    const { lines } = await terminal.run('keys', 'create', '--project', 'team-a', '--name', 'ci');
    const [key = ''] = lines;
    expect(key).toMatch(/^sk-longhaul-[0-9a-f]{16}-[0-9a-f]{40}$/);
    const [stored] = await terminal.projects.listKeys();
    expect(stored).toEqual({
      id: key.slice(12, 28),
      projectId: 'team-a',
      name: 'ci',
      sha256: createHash('sha256').update(key).digest('hex'),
      createdAt: Date.UTC(2026, 0, 1) / 1000,
    });
    expect(JSON.stringify(stored)).not.toContain(key.slice(-40));
  });

  it('are listed by project, without themselves', async () => {
    const terminal = new Terminal();
    const { lines: made } = await terminal.run('keys', 'create');
    await terminal.run('keys', 'create', '--project', 'team-a', '--name', 'ci');
    const { lines } = await terminal.run('keys', 'list', '--project', 'team-a');
    expect(lines).toEqual([
      expect.stringMatching(/^ID +PROJECT +MADE \(UTC\) +NAME$/),
      expect.stringMatching(/^[0-9a-f]{16} {2}team-a {3}2026-01-01 00:00:00 {2}ci$/),
    ]);
    const all = await terminal.run('keys', 'list');
    expect(all.lines).toHaveLength(3);
    expect(all.lines.join('\n')).not.toContain(made[0]?.slice(-40));
  });

  it('are gone once they are revoked', async () => {
    const terminal = new Terminal();
    const { lines } = await terminal.run('keys', 'create');
    const id = lines[0]?.slice(12, 28) ?? '';
    expect((await terminal.run('keys', 'revoke', id)).exitCode).toBe(0);
    expect(await terminal.projects.hasKeys()).toBe(false);
    const again = await terminal.run('keys', 'revoke', id);
    expect(again).toMatchObject({ exitCode: 2, said: expect.stringContaining(`no key "${id}"`) });
  });
});

describe('projects', () => {
  it('get limits and recipients of their own, and lose them again', async () => {
    const terminal = new Terminal();
    await terminal.run('projects', 'set', 'team-a', '--files', '10', '--email', 'a@example.com');
    await terminal.run('projects', 'set', 'team-a', '--running-batches', '2');
    expect(await terminal.projects.get('team-a')).toEqual({
      id: 'team-a',
      createdAt: Date.UTC(2026, 0, 1) / 1000,
      limits: { filesMax: 10, runningBatchesMax: 2 },
      emails: ['a@example.com'],
    });
    const { lines } = await terminal.run('projects', 'list');
    expect(lines[1]).toMatch(/^team-a +files=10 running-batches=2 +a@example\.com$/);
    await terminal.run('projects', 'set', 'team-a', '--files', 'default', '--no-email');
    expect(await terminal.projects.get('team-a')).toMatchObject({
      limits: { runningBatchesMax: 2 },
      emails: [],
    });
  });

  it.each([
    [['projects', 'set', 'Team A', '--files', '1'], 'is no name of a project'],
    [['projects', 'set', '../x'], 'is no name of a project'],
    [['projects', 'set', 'a', '--files', '0'], '--files takes a number from 1'],
    [['projects', 'set', 'a', '--files', '1e3'], '--files takes a number from 1'],
    [['projects', 'set', 'a', '--batch-lines', '5000001'], '--batch-lines takes a number from 1'],
    [['projects', 'set', 'a', '--email', 'x@y\nBcc: z'], 'is no e-mail address'],
    [['projects', 'set', 'a', '--colour', 'red'], "Unknown option '--colour'"],
    [['projects', 'show'], 'Give one name of a project'],
  ])('%j is refused with a sentence and the usage', async (args, sentence) => {
    const terminal = new Terminal();
    const { exitCode, said } = await terminal.run(...args);
    expect(exitCode).toBe(2);
    expect(said).toContain(sentence);
    expect(said).toContain('Usage: projects');
    expect(await terminal.projects.list()).toEqual([]);
  });
});

test('--help lists every command and needs no store', async () => {
  const opened = jest.fn();
  let said = '';
  const exitCode = await runAdmin(['keys', '--help'], opened, (text) => (said += text));
  expect(exitCode).toBe(0);
  expect(said).toContain('keys create');
  expect(said).toContain('projects set');
  expect(opened).not.toHaveBeenCalled();
});

test('an unknown command is told as such', async () => {
  const { exitCode, said } = await new Terminal().run('keys', 'eat');
  expect(exitCode).toBe(2);
  expect(said).toContain('There is no command keys eat.');
});
