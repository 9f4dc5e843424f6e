import { CustomIdSet, type HashKey } from '../../../src/domain/custom-id-set';

const key: HashKey = [0x12345678, 0x9abcdef0];

function addedTwice(ids: readonly string[], hashKey: HashKey = key): string[] {
  const set = new CustomIdSet(hashKey);
  return ids.filter((id) => !set.add(id));
}

test('an id that occurs again is found, however the set has grown meanwhile', () => {
  const ids = Array.from({ length: 200_000 }, (_, number) => `id-${number}`);
  expect(addedTwice([...ids, 'id-0', 'id-199999', 'id-43690'])).toEqual([
    'id-0',
    'id-199999',
    'id-43690',
  ]);
});

test('ids that differ in any small way are not taken for each other', () => {
  const ids = ['', 'a', 'b', 'ab', 'ba', 'a ', ' a', 'A', 'ä', 'a\u0308', 'é', '\u0000', '\u0000a'];
  const lengths = Array.from({ length: 600 }, (_, length) => 'x'.repeat(length + 1));
  const tails = Array.from({ length: 600 }, (_, length) => `${'y'.repeat(length)}z`);
  const surrogates = ['😀', '😁', '\ud83d', '\ude00', '\ude00\ud83d'];
  expect(addedTwice([...ids, ...lengths, ...tails, ...surrogates])).toEqual([]);
});

test('200,000 ids that look random have no duplicate among them', () => {
  let state = 1;
  const random = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state.toString(36);
  };
  const ids = new Set(Array.from({ length: 200_000 }, () => `${random()}-${random()}`));
  expect(addedTwice([...ids])).toEqual([]);
});

test('the key decides where an id goes', () => {
  const slotsOf = (hashKey: HashKey): unknown => {
    const set = new CustomIdSet(hashKey);
    set.add('request-1');
    return structuredClone(set);
  };
  expect(slotsOf(key)).toEqual(slotsOf(key));
  expect(slotsOf(key)).not.toEqual(slotsOf([key[0] + 1, key[1]]));
  expect(slotsOf(key)).not.toEqual(slotsOf([key[0], key[1] + 1]));
});
