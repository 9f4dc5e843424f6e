/**
 * Writes `examples/support-tickets.jsonl`: the letters of one day to a shop's support, with the
 * kinds of work that batches are used for. The same bytes every time.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTicket, type Ticket } from './example/tickets';
import { demoModel } from './local/upstream-choice';
import { projectRoot } from './local/project-root';
import { integer, pick, randomFrom, type Random } from './simulator/random';

export const exampleFile = join(projectRoot, 'examples', 'support-tickets.jsonl');
export const exampleLineCount = 1_200;

type Task = (ticket: Ticket, random: Random) => Readonly<Record<string, unknown>>;

export function exampleText(): string {
  const random = randomFrom('support tickets');
  return Array.from(
    { length: exampleLineCount },
    (_, index) => `${exampleLine(index, random)}\n`,
  ).join('');
}

function exampleLine(index: number, random: Random): string {
  const name = pick(random, taskNames);
  return JSON.stringify({
    custom_id: `ticket-${String(index + 1).padStart(5, '0')}-${name}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: demoModel, ...tasks[name](makeTicket(random), random) },
  });
}

const tasks = {
  classify: ({ text }) => ({
    messages: [
      {
        role: 'system',
        content:
          'You sort letters to the support of an electronics shop. Answer with exactly one of: billing, delivery, technical, account, praise, other.',
      },
      { role: 'user', content: text },
    ],
    temperature: 0,
    max_tokens: 4,
  }),
  sentiment: ({ text }) => ({
    messages: [
      {
        role: 'user',
        content: `How does the writer feel? Answer with exactly one of: angry, worried, neutral, happy.\n\n"""\n${text}\n"""`,
      },
    ],
    temperature: 0,
    seed: 7,
  }),
  summarize: ({ text }, random) => ({
    messages: [
      {
        role: 'system',
        content: `Summarize in ${pick(random, ['one sentence', 'at most 20 words', 'two bullet points'])}, in English.`,
      },
      { role: 'user', content: text },
    ],
    temperature: 0.3,
    max_completion_tokens: integer(random, 60, 160),
  }),
  translate: ({ text, language }, random) => ({
    messages: [
      {
        role: 'system',
        content: `You translate from ${language} into ${pick(random, ['English', 'German', 'Polish', 'Korean', 'Brazilian Portuguese'])}. Keep names, numbers and line breaks.`,
      },
      { role: 'user', content: text },
    ],
    temperature: 0.2,
    top_p: 0.9,
  }),
  extract: ({ text }) => ({
    messages: [
      { role: 'system', content: 'Extract what the ticket system needs.' },
      { role: 'user', content: text },
    ],
    temperature: 0,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'ticket', strict: true, schema: ticketSchema },
    },
  }),
  reply: ({ text, language }, random) => ({
    messages: [
      {
        role: 'system',
        content: `Write a ${pick(random, ['friendly', 'brief', 'formal'])} reply in ${language}. Promise nothing that is not in the knowledge base:\n- returns within 30 days, free of charge\n- refunds take 5–7 working days\n- error 0x1F: remove the device in the app and pair it again`,
      },
      { role: 'user', content: text },
      ...(random() < 0.25
        ? [
            {
              role: 'assistant',
              content: 'Thank you for your letter. May I ask for the serial number?',
            },
            { role: 'user', content: `It is SN-${integer(random, 10_000_000, 99_999_999)}.` },
          ]
        : []),
    ],
    temperature: Number((0.5 + random() / 2).toFixed(2)),
    max_tokens: integer(random, 120, 400),
    stop: ['\n\n\n'],
  }),
} as const satisfies Record<string, Task>;

const taskNames = Object.keys(tasks) as (keyof typeof tasks)[];

const ticketSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['category', 'urgent', 'summary'],
  properties: {
    category: { type: 'string', enum: ['billing', 'delivery', 'technical', 'account', 'other'] },
    urgent: { type: 'boolean' },
    summary: { type: 'string' },
  },
};

if (require.main === module) {
  writeFileSync(exampleFile, exampleText());
}
