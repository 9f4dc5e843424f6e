/** The Python programs of `test/contract/python`, run by the interpreter that has their packages. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../scripts/local/project-root';
import type { Stack } from '../../../scripts/local/stack';
import { demoModel } from '../../../scripts/local/upstream-choice';

const folder = join(projectRoot, 'test', 'contract', 'python');

export interface PythonTest {
  /** As pytest names it, without the parameters of a parametrised one. */
  readonly id: string;
  /** As a sentence. */
  readonly title: string;
}

interface PythonOutcome {
  readonly id: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly text: string;
}

let interpreter: string | undefined;

/** The launcher names it in the environment; where it was passed by (jest by hand), it is asked. */
function pythonProgram(): string {
  interpreter ??= process.env['LONGHAUL_TEST_PYTHON'] ?? fromLauncher();
  return interpreter;
}

function fromLauncher(): string {
  const launcher = join(projectRoot, 'scripts', 'longhaul.mjs');
  const answer = execFileSync(process.execPath, [launcher, 'python'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (JSON.parse(answer) as { python: string }).python;
}

/** Every test function in the Python files, read from their text. */
export function pythonTests(): PythonTest[] {
  const files = readdirSync(folder).filter((name) => /^test_\w+\.py$/.test(name));
  return files.toSorted().flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    return Array.from(text.matchAll(/^(?:async )?def test_(\w+)\(/gm), ([, name = '']) => ({
      id: `${file}::test_${name}`,
      title: `${file.slice('test_'.length, -'.py'.length)}: ${name.replaceAll('_', ' ')}`,
    }));
  });
}

/** What the official client reads, and what our own programs read besides. */
export function pythonEnvironment(stack: Pick<Stack, 'baseUrl' | 'apiKey'>): Environment {
  return {
    OPENAI_BASE_URL: stack.baseUrl,
    OPENAI_API_KEY: stack.apiKey,
    LONGHAUL_TEST_MODEL: demoModel,
  };
}

type Environment = Readonly<Record<string, string>>;

/** The outcomes of one run of pytest, by the id of their test. */
export class PythonResults {
  private constructor(
    private readonly outcomes: readonly PythonOutcome[],
    private readonly output: string,
  ) {}

  /** Runs all tests in one process, because a client takes a second to be loaded. */
  static async of(scratchFolder: string, env: Environment): Promise<PythonResults> {
    const report = join(scratchFolder, 'pytest-report.jsonl');
    const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--color=no', folder];
    const { output } = await runPython(args, { ...env, LONGHAUL_TEST_REPORT: report });
    const lines = existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n') : [];
    return new PythonResults(
      lines.map((line) => JSON.parse(line) as PythonOutcome),
      output,
    );
  }

  /** Why a test has not passed; empty when it has, with all its parameters. */
  problemOf(test: PythonTest): string {
    const own = this.outcomes.filter(
      ({ id }) => withoutFolders(id) === test.id || withoutFolders(id).startsWith(`${test.id}[`),
    );
    return own.length === 0
      ? `It did not run. ${this.output}`
      : own
          .filter(({ outcome }) => outcome !== 'passed')
          .map(({ id, text }) => `${id}\n${text}`)
          .join('\n');
  }
}

function withoutFolders(id: string): string {
  return id.slice(id.indexOf('test_', id.lastIndexOf('/', id.indexOf('::')) + 1));
}

/** Runs one of the programs that are no tests, and parses the JSON that it prints. */
export async function runPythonProgram(name: string, env: Environment): Promise<unknown> {
  const { exitCode, output } = await runPython([join(folder, name)], env);
  if (exitCode !== 0) {
    throw new Error(`${name} has ended with exit code ${String(exitCode)}:\n${output}`);
  }
  return JSON.parse(output);
}

/** Resolves whatever the exit code is. */
export async function runPython(
  args: readonly string[],
  env: Environment,
): Promise<{ readonly exitCode: unknown; readonly output: string }> {
  return await new Promise((resolve) => {
    const options = {
      cwd: projectRoot,
      env: { ...process.env, ...env, PYTHONDONTWRITEBYTECODE: '1' },
      maxBuffer: 64 * 1024 * 1024,
    };
    execFile(pythonProgram(), args, options, (error, stdout, stderr) => {
      resolve({ exitCode: error?.code ?? 0, output: stdout + stderr });
    });
  });
}
