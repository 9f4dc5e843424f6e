/** Input files with odd bytes and planted bad requests, and what has to become of each line. */
import { sha256Of } from '../simulator/answer-text';
import { integer, pick, randomFrom, type Random } from '../simulator/random';

/** What has to become of a request when its batch completes. */
type LineFate =
  /** Output file, with the answer that `scripts/simulator/answer-text.ts` makes of the body. */
  | { readonly kind: 'answered' }
  /** Error file, with the upstream's answer of that status. */
  | { readonly kind: 'refused'; readonly status: number }
  /** Error file, with the code of a failure: every attempt at it fails. */
  | { readonly kind: 'poisoned' };

export interface PlannedLine {
  /** JSON text of the custom ID, with its quotes. */
  readonly customIdText: string;
  readonly customId: string;
  /** Bytes of the request's body, which have to reach the upstream as they are. */
  readonly body: Buffer;
  /** SHA-256 of the body in hexadecimal; no two lines have the same. */
  readonly hash: string;
  readonly fate: LineFate;
}

export interface BatchInput {
  readonly content: Buffer;
  /** In the order of the file; those that do not validate are left out. */
  readonly lines: readonly PlannedLine[];
  /** Numbers, from 1, of the lines that do not validate; the batch fails when there are some. */
  readonly badLineNumbers: readonly number[];
}

export interface InputWish {
  /** Tells the lines of this file from those of any other. */
  readonly name: string;
  readonly lineCount: number;
  /** Some lines do not validate. */
  readonly isInvalid: boolean;
  /** Some lines fail at every attempt, which takes the batch some ten seconds. */
  readonly hasPoison: boolean;
  readonly model: string;
}

/** Poison that cannot be told from an outage but by the answers that other lines get. */
const poisons = ['[[garbage]]', '[[reset]]', '[[close]]', '[[headers]]', '[[fail:503]]'] as const;
const passingFaults = [
  '[[fail:500x1]]',
  '[[reset:x1]]',
  '[[close:x1]]',
  '[[garbage:x1]]',
  '[[slow:400]]',
  '[[slow:1500]]',
] as const;
/** What the upstream answers when it has too much to do. */
const loadFaults = [
  '[[fail:429x1]]',
  '[[fail:503x1]][[retry-after:1]]',
  '[[hang:x1]]',
  '[[trickle:x1]]',
] as const;
/** A few dozen of these make result files that the store strings together from parts. */
const large = '[[size:300000]]';
const refusals = [400, 413, 422] as const;

export function makeInput(wish: InputWish): BatchInput {
  const { name, model } = wish;
  const random = randomFrom(`input ${name}`);
  const lineEnd = pick(random, ['\n', '\n', '\r\n']);
  const parts: string[] = random() < 0.1 ? ['\ufeff'] : [];
  const lines: PlannedLine[] = [];
  const badLineNumbers: number[] = [];
  const badIndexes = new Set(
    wish.isInvalid
      ? Array.from({ length: integer(random, 1, 3) }, () => integer(random, 0, wish.lineCount - 1))
      : [],
  );
  const specials = planSpecials(wish, random);
  let lineNumber = 0;
  for (let index = 0; index < wish.lineCount; index++) {
    for (; random() < 0.01; lineNumber++) {
      parts.push(lineEnd);
    }
    lineNumber += 1;
    if (badIndexes.has(index)) {
      badLineNumbers.push(lineNumber);
      parts.push(badLine(random, index), lineEnd);
    } else {
      const special = specials.get(index) ?? ordinary;
      const { line, text } = makeLine({ index, user: `${name}/${index}`, model, special }, random);
      lines.push(line);
      parts.push(text, lineEnd);
    }
  }
  if (random() < 0.3) {
    parts.pop();
  }
  return { content: Buffer.from(parts.join('')), lines, badLineNumbers };
}

function badLine(random: Random, index: number): string {
  return pick(random, [
    `{"custom_id":"bad-${index}","method":"POST"`,
    `{"custom_id":"bad-${index}","method":"GET","url":"/v1/chat/completions","body":{}}`,
    'no JSON at all',
    `[${index}]`,
  ]);
}

interface LineWish {
  readonly index: number;
  /** No other line has it. */
  readonly user: string;
  readonly model: string;
  readonly special: Special;
}

function makeLine(
  { index, user, model, special }: LineWish,
  random: Random,
): { readonly line: PlannedLine; readonly text: string } {
  const { fate, marker } = special;
  const customIdText = pick(random, customIdForms)(index);
  const bodyText = pick(
    random,
    bodyForms,
  )({
    model: JSON.stringify(model),
    user: JSON.stringify(user),
    marker: `[[echo]]${marker}`,
    random,
  });
  const body = Buffer.from(bodyText);
  const customId = JSON.parse(customIdText) as string;
  return {
    line: { customIdText, customId, body, hash: sha256Of(body), fate },
    text: pick(random, envelopeForms)(customIdText, bodyText),
  };
}

interface Special {
  readonly fate: LineFate;
  /** Tells the upstream how to behave; `scripts/simulator/faults.ts` has them all. */
  readonly marker: string;
}

const ordinary: Special = { fate: { kind: 'answered' }, marker: '' };

/** Requests that meet trouble, by index. Few: each refusal for load holds up all others. */
function planSpecials({ lineCount, hasPoison }: InputWish, random: Random): Map<number, Special> {
  const specials = new Map<number, Special>();
  const add = (countMax: number, make: () => Special): void => {
    for (let count = integer(random, 0, countMax); count > 0; count--) {
      specials.set(integer(random, 0, lineCount - 1), make());
    }
  };
  add(lineCount / 50, () => ({ ...ordinary, marker: '[[pretty]]' }));
  add(random() < 0.15 ? 60 : 2, () => ({ ...ordinary, marker: large }));
  add(lineCount / 50, () => {
    const status = pick(random, refusals);
    return { fate: { kind: 'refused', status }, marker: `[[fail:${status}]]` };
  });
  add(8, () => ({ ...ordinary, marker: pick(random, passingFaults) }));
  add(2, () => ({ ...ordinary, marker: pick(random, loadFaults) }));
  add(1, () => ({ fate: { kind: 'refused', status: 500 }, marker: '[[fail:500]]' }));
  add(hasPoison ? 1 : 0, () => ({ fate: { kind: 'poisoned' }, marker: '[[endless]]' }));
  add(hasPoison ? 2 : 0, () => ({ fate: { kind: 'poisoned' }, marker: pick(random, poisons) }));
  return specials;
}

const customIdForms: readonly ((index: number) => string)[] = [
  (index) => `"request-${index}"`,
  (index) => `"request-${index}"`,
  (index) => `"Größe ${index} 🎉 日本"`,
  (index) => `"caf\\u00e9 \\ud83d\\ude00 ${index}"`,
  (index) => `"quote\\" slash\\/ back\\\\ tab\\t ${index}"`,
  (index) => `"${'x'.repeat(400)}${index}"`,
];

const envelopeForms: readonly ((customId: string, body: string) => string)[] = [
  (customId, body) =>
    `{"custom_id":${customId},"method":"POST","url":"/v1/chat/completions","body":${body}}`,
  (customId, body) =>
    `{"custom_id":${customId},"method":"POST","url":"/v1/chat/completions","body":${body}}`,
  (customId, body) =>
    `{ "body" : ${body} ,\t"url":"\\/v1/chat/completions", "method":"POST","custom_id": ${customId} }`,
  (customId, body) =>
    `{"note":{"body":{"x":[1,2]}},"custom_id":${customId},"url":"/v1/chat/completions","method":"POST","body":${body}}`,
];

interface BodyParts {
  /** JSON texts. */
  readonly model: string;
  readonly user: string;
  /** Stands inside a JSON string. */
  readonly marker: string;
  readonly random: Random;
}

const plain = ({ model, user, marker }: BodyParts): string =>
  `{"model":${model},"user":${user},"messages":[{"role":"user","content":"What is this? ${marker}"}]}`;

const bodyForms: readonly ((parts: BodyParts) => string)[] = [
  plain,
  plain,
  plain,
  ({ model, user, marker }) =>
    `{"model":${model},"user":${user},"messages":[{"role":"user","content":"Ünïcödé 漢字 🎉 \u2028 \\u00e9 \\ud83d\\ude00 \\/ \\u0000 ${marker}"}]}`,
  ({ model, user, marker }) =>
    `{"temperature":0.10,"seed":12345678901234567890,"top_p":1E-7,"bias":[1e400,-0,-0.0,1.0],"model":${model},"user":${user},"messages":[{"role":"user","content":"${marker}"}]}`,
  ({ model, user, marker }) =>
    `{"model":${model},"metadata":{"a":1,"a":2,"":{}},"user":"first","user":${user},"messages":[{"role":"user","content":"${marker}"}]}`,
  ({ model, user, marker }) =>
    `{ "model" :\t${model} , "user": ${user},"messages" : [ {"content":"half \\ud800 ${marker}" ,"role":"user"} ] }`,
  ({ model, user, marker, random }) =>
    `{"model":${model},"user":${user},"messages":[{"role":"user","content":"${'long '.repeat(integer(random, 200, 4_000))}${marker}"}]}`,
];
