/**
 * Puts request lines whose prompts begin alike next to each other, for upstreams that keep what they
 * have computed of a prompt for those that begin with the same.
 *
 * Prompts are compared byte by byte: in that order all that share a beginning stand together, however
 * long it is, and slices that run at a time get to it at about the same time. Lines are ordered within
 * windows, so that a shard of any size needs no more than one window of memory; most have only one.
 * The results are put in the order of the input when the shard is sealed.
 */
import { memberSpans } from '../src/domain/json-spans';
import type { ByteBudget } from '../src/upstream/byte-budget';
import type { UnansweredLine } from './unanswered-lines';

/** A whole shard of most batches: 5,000 lines of 6 KB, or 22,500 of 1.4 KB. */
const windowBytesMax = 32 * 1024 * 1024;
/**
 * Lines that are sorted into a window at a time. To merge them with what is sorted already costs a
 * comparison a line, so that the event loop is not held up for as long as sorting all of them takes.
 */
const sortedAtATime = 2_048;

/** In the order in which models read them; a request of one endpoint has one or two. */
const promptMembers = ['instructions', 'messages', 'prompt', 'input'];

interface PromptedLine {
  readonly line: UnansweredLine;
  readonly prompt: readonly Uint8Array[];
}

/**
 * Yields the lines of each window together. A window counts in the budget until the next one is asked
 * for, and is cut short where the budget is half used, so that requests in flight have the other half.
 */
export async function* inPrefixOrder(
  source: AsyncIterable<readonly UnansweredLine[]>,
  budget: ByteBudget,
): AsyncGenerator<readonly UnansweredLine[]> {
  let window: PromptedLine[] = [];
  let unsorted = 0;
  let bytes = 0;
  try {
    for await (const lines of source) {
      for (const line of lines) {
        window.push({ line, prompt: promptOf(line.body) });
        bytes += line.body.length;
        budget.add(line.body.length);
      }
      unsorted += lines.length;
      if (unsorted >= sortedAtATime) {
        window.sort(byPrompt);
        unsorted = 0;
      }
      if (bytes >= windowBytesMax || budget.isHalfUsed()) {
        yield sorted(window);
        budget.remove(bytes);
        window = [];
        bytes = 0;
      }
    }
    yield sorted(window);
  } finally {
    budget.remove(bytes);
  }
}

function sorted(window: PromptedLine[]): readonly UnansweredLine[] {
  return window.sort(byPrompt).map(({ line }) => line);
}

function promptOf(body: Uint8Array): readonly Uint8Array[] {
  return memberSpans(body, promptMembers).flatMap((span) =>
    span === undefined ? [] : [body.subarray(span.start, span.end)],
  );
}

function byPrompt({ prompt: a }: PromptedLine, { prompt: b }: PromptedLine): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    const order = other === undefined ? 1 : Buffer.compare(part, other);
    if (order !== 0) {
      return order;
    }
  }
  return a.length - b.length;
}
