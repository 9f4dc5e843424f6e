/** Slices that send requests whose prompts begin alike next to each other. */
import { customIdOf, requestLine } from '../../support/batches';
import {
  inFlightMax,
  lineCount,
  ordinals,
  seconds,
  SliceWorld,
  useSliceWorld,
} from '../../support/slice-world';

let world: SliceWorld;

useSliceWorld(
  (fresh) => {
    world = fresh;
  },
  () => new SliceWorld(undefined, { settings: { requestOrder: 'prefix' } }),
);

const prefixes = ['Translate.', 'Answer.', 'Summarize.', 'Classify.'];

function prefixOf(ordinal: number): string {
  return prefixes[ordinal % prefixes.length] ?? '';
}

function lineWithPrefix(ordinal: number): string {
  const messages = [
    { role: 'system', content: prefixOf(ordinal) },
    { role: 'user', content: String(ordinal).padStart(3, '0') },
  ];
  return requestLine(ordinal, { body: { model: 'small', messages } });
}

const input = ordinals(0, lineCount).map(lineWithPrefix).join('\n');
const inPrefixOrder = [...prefixes]
  .sort()
  .flatMap((prefix) => ordinals(0, lineCount).filter((ordinal) => prefixOf(ordinal) === prefix));

test('equal beginnings are asked one after another, and the output has the order of the input', async () => {
  const shard = await world.aShard(input);
  expect(await world.runSlice(shard)).toMatchObject({ sealed: true });
  expect(world.dispatcher.askedOrdinals).toEqual(inPrefixOrder);
  const { output } = await world.linesOf(shard);
  expect(output.map(({ custom_id }) => custom_id)).toEqual(ordinals(0, lineCount).map(customIdOf));
});

test('the slice after one that died asks what has no answer, in the same order', async () => {
  const shard = await world.aShard(input);
  const [first] = await world.startHeld(shard, { answeredCount: 20 });
  await seconds(2);
  const answered = world.dispatcher.askedOrdinals.filter((ordinal) => ordinal < 20);
  expect(world.dispatcher.askedOrdinals).toEqual(
    inPrefixOrder.slice(0, inFlightMax + answered.length),
  );
  const asked = await world.finish(shard);
  expect(asked).toEqual(inPrefixOrder.filter((ordinal) => !answered.includes(ordinal)));
  world.dispatcher.release();
  await expect(first).rejects.toThrow();
});
