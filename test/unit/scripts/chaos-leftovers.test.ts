import { findLeftovers } from '../../../scripts/chaos/leftovers';

const known = { batchIds: new Set(['batch_1']), fileIds: new Set(['file-1']) };

it('finds nothing where everything is in its place', () => {
  const keys = [
    'api-keys/key-1',
    'project-records/default',
    'projects/default/webhook-secret',
    'projects/default/batches/batch_1/record.json',
    'projects/default/batches/batch_1/end',
    'projects/default/batches/batch_1/errors.jsonl',
    'projects/default/files/file-1/content',
    'projects/default/files/file-1/record.json',
    'projects/default/uploaded/file-1',
    'projects/default/creates/abc',
    'projects/default/attempts/abc-batch_1',
    'agenda/001800000000/default/create:abc',
    // An upload that died: the agenda has its removal.
    'projects/default/files/file-2/content',
    'projects/default/uploaded/file-2',
    'agenda/001800000000/default/file-2',
  ];
  expect(findLeftovers(keys, known)).toEqual([]);
});

it.each([
  ['the marker of an open batch', 'open/default/batch_1'],
  ['a ledger', 'projects/default/batches/batch_1/shards/00000/epochs/00000001'],
  ['a plan', 'projects/default/batches/batch_1/plan.json'],
  ['live counts', 'projects/default/batches/batch_1/progress/12-ab'],
  ['an unknown batch', 'projects/default/batches/batch_9/record.json'],
  ['a reader of a file', 'projects/default/files/file-1/uses/batch_1'],
  ['content of an unknown file', 'projects/default/files/file-9/content'],
  ['the record of an unknown file', 'projects/default/files/file-9/record.json'],
  ['the marker of an unknown upload', 'projects/default/uploaded/file-9'],
  ['a create that is never forgotten', 'projects/default/creates/def'],
  ['an object of an unknown kind', 'projects/default/other/thing'],
])('finds %s', (_, key) => {
  expect(findLeftovers([key], known)).toEqual([{ key, why: expect.stringMatching(/./) as string }]);
});
