/** What checking an input file costs, over what `JSON.parse` of its lines costs. */
import { once } from 'node:events';
import { createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { say } from '../../scripts/cli/run-program';
import { benchModel, inBenchFolder } from '../bench-stack';
import { startProgram } from '../child-program';
import { parseNumbers } from '../parse-numbers';
import type { ParseTask } from '../parse-pass';
import { rounded } from '../process-stats';
import { atLeast, everyBar, type Findings } from '../report';
import { median, spread } from '../statistics';
import type { PassResult } from '../timed-pass';
import type { ValidatorTask } from '../validator-pass';

export const validateHelp = `validate: speed and memory of the validator, over the speed of JSON.parse
  --lines N               request lines (1000000)
  --line-bytes N          bytes of a line, about (400)
  --runs N                passes of each, in turn (5)`;

const defaults = { lines: 1_000_000, 'line-bytes': 400, runs: 5 };

const ratioGoal = { floor: 1.5, aim: 4.5 };
const rssGrowthBytesMax = 150e6;

export async function runValidate(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  return await inBenchFolder(async (folder) => {
    const path = join(folder, 'input.jsonl');
    say(`Writing a file of ${parameters.lines} lines …`);
    await writeVariedLines(path, parameters.lines, parameters['line-bytes']);
    const parseTask: ParseTask = { path };
    const validatorTask: ValidatorTask = { path, model: benchModel };
    const parsed: PassResult[] = [];
    const validated: PassResult[] = [];
    while (validated.length < parameters.runs) {
      parsed.push(await runPass('parse-pass', parseTask, abort.signal));
      validated.push(await runPass('validator-pass', validatorTask, abort.signal));
    }
    const { size } = statSync(path);
    return findingsOf({ parsed, validated }, { ...parameters, file_bytes: size });
  });
}

async function runPass(program: string, task: unknown, signal: AbortSignal): Promise<PassResult> {
  signal.throwIfAborted();
  const child = await startProgram<PassResult>(program, task);
  await child.stop();
  const { seconds, cpuSeconds } = child.output;
  say(`${program}: ${rounded(seconds)} s, ${rounded(cpuSeconds)} s of CPU`);
  return child.output;
}

function findingsOf(
  { parsed, validated }: Readonly<Record<'parsed' | 'validated', readonly PassResult[]>>,
  parameters: Findings['parameters'] & { readonly file_bytes: number; readonly lines: number },
): Findings {
  const wrong = [...parsed, ...validated].find(({ lines }) => lines !== parameters.lines);
  if (wrong !== undefined) {
    throw new Error(`A pass has seen ${wrong.lines} lines.`);
  }
  const speedsOf = (passes: readonly PassResult[]): number[] =>
    passes.map(({ seconds }) => rounded(parameters.file_bytes / 1e6 / seconds));
  const cpuOf = (passes: readonly PassResult[]): number =>
    median(passes.map(({ cpuSeconds }) => cpuSeconds));
  const summaryOf = (passes: readonly PassResult[]): Record<string, unknown> => ({
    megabytes_per_second: median(speedsOf(passes)),
    megabytes_per_second_of_runs: speedsOf(passes),
    spread: rounded(spread(speedsOf(passes))),
    cpu_seconds: rounded(cpuOf(passes)),
    rss_growth_bytes: Math.max(...passes.map(({ rssGrowthBytes }) => rssGrowthBytes)),
  });
  const ratio = rounded(median(speedsOf(validated)) / median(speedsOf(parsed)));
  const rssGrowth = Math.max(...validated.map(({ rssGrowthBytes }) => rssGrowthBytes));
  return {
    ratio,
    bar: everyBar([
      atLeast('ratio', ratio, ratioGoal),
      {
        asks: `validator.rss_growth_bytes of at most ${rssGrowthBytesMax}`,
        met: rssGrowth <= rssGrowthBytesMax,
      },
    ]),
    cpu_ratio: rounded(cpuOf(parsed) / cpuOf(validated)),
    reference: { what: 'indexOf and JSON.parse', ...summaryOf(parsed) },
    validator: summaryOf(validated),
    parameters,
  };
}

const bodyCount = 1_000;
const linesPerWrite = 1_000;
const words =
  'Please explain how a customer can find out which seats are not in use. Bitte erkläre die Größe ' +
  'des Gebäudes. 日本語で 例を “あげて” ください. Quelle était la première étape du café ? ';

/** Lines like those of real files: most of them with some text that is not ASCII, some escaped. */
async function writeVariedLines(path: string, lines: number, lineBytes: number): Promise<void> {
  const bodies = Array.from({ length: bodyCount }, (_, number) => bodyOf(number, lineBytes));
  const file = createWriteStream(path);
  for (let from = 0; from < lines; from += linesPerWrite) {
    const count = Math.min(linesPerWrite, lines - from);
    const text = Array.from({ length: count }, (_, at) => lineOf(from + at, bodies)).join('');
    if (!file.write(text)) {
      await once(file, 'drain');
    }
  }
  file.end();
  await finished(file);
}

function lineOf(ordinal: number, bodies: readonly string[]): string {
  const customId = `request-${String(ordinal).padStart(8, '0')}`;
  const body = bodies[(ordinal * 7) % bodies.length] ?? '';
  return `{"custom_id":"${customId}","method":"POST","url":"/v1/chat/completions","body":${body}}\n`;
}

const bytesAroundText = 250;

function bodyOf(number: number, lineBytes: number): string {
  const bytes = Math.max(0, lineBytes - bytesAroundText) * (0.5 + (number % 101) / 100);
  const start = (number * 13) % words.length;
  const text = words.repeat(Math.ceil(bytes / words.length) + 1).slice(start, start + bytes);
  return JSON.stringify({
    model: benchModel,
    messages: [
      { role: 'system', content: 'You answer in one sentence.' },
      { role: 'user', content: number % 3 === 0 ? `"${text}"\n` : text },
    ],
    max_tokens: 64,
    temperature: 0.2,
  });
}
