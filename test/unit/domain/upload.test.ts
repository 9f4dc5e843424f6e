import { makePartId, makeUploadId } from '../../../src/domain/ids';
import {
  fileOf,
  statusAt,
  sweepableFrom,
  transition,
  type UploadEvent,
  type UploadRecord,
  type UploadStatus,
} from '../../../src/domain/upload';
import { aFileId, projectId, startedAt } from '../../support/batches';

const completion = {
  partIds: [makePartId(1, 'a'.repeat(20))],
  fileId: aFileId(),
  at: startedAt + 60,
};

function anUpload(changes: Partial<UploadRecord> = {}): UploadRecord {
  return {
    id: makeUploadId(startedAt * 1000, 'a'.repeat(20)),
    projectId,
    status: 'pending',
    bytes: 10,
    createdAt: startedAt,
    expiresAt: startedAt + 3_600,
    filename: 'in.jsonl',
    purpose: 'batch',
    fileExpiresAfterSeconds: 7_200,
    completion: null,
    ...changes,
  };
}

const statuses = ['pending', 'completing', 'completed', 'cancelled', 'expired'] as const;
const events = {
  completing: { type: 'completing', ...completion },
  completed: { type: 'completed' },
  cancelled: { type: 'cancelled', at: startedAt + 60 },
  expired: { type: 'expired' },
} as const satisfies Record<UploadEvent['type'], UploadEvent>;

/** What has an effect; everything else leaves the record as it is. */
const next: Record<UploadStatus, Partial<Record<UploadEvent['type'], UploadStatus>>> = {
  pending: { completing: 'completing', cancelled: 'cancelled', expired: 'expired' },
  completing: { completed: 'completed', expired: 'expired' },
  completed: {},
  cancelled: {},
  expired: {},
};

describe.each(statuses)('an upload that is %s', (status) => {
  test.each(Object.values(events))('meets $type', (event) => {
    const upload = anUpload({ status });
    const after = transition(upload, event);
    const expected = next[status][event.type];
    expect(after.status).toBe(expected ?? status);
    expect(after === upload).toBe(expected === undefined);
  });
});

test('who completes it fixes what the file will be', () => {
  const upload = transition(anUpload(), events.completing);
  expect(upload.completion).toEqual(completion);
  const later = { ...events.completing, fileId: aFileId(2), at: startedAt + 61 };
  expect(transition(upload, later)).toBe(upload);
  expect(fileOf(upload, completion)).toEqual({
    id: completion.fileId,
    projectId,
    bytes: 10,
    createdAt: startedAt + 60,
    expiresAt: startedAt + 60 + 7_200,
    filename: 'in.jsonl',
    purpose: 'batch',
  });
});

test('it expires by itself, unless somebody is completing it', () => {
  const { expiresAt } = anUpload();
  expect(statusAt(anUpload(), expiresAt - 1)).toBe('pending');
  expect(statusAt(anUpload(), expiresAt)).toBe('expired');
  expect(statusAt(anUpload({ status: 'completing' }), expiresAt)).toBe('completing');
  for (const event of [events.completing, events.cancelled]) {
    const late = transition(anUpload(), { ...event, at: expiresAt });
    expect(late.status).toBe('pending');
  }
});

test('it can be swept an hour after its expiry, and later while somebody completes it', () => {
  expect(sweepableFrom(anUpload())).toBe(startedAt + 7_200);
  expect(sweepableFrom(anUpload({ status: 'completed', completion }))).toBe(startedAt + 7_200);
  const completing = anUpload({ status: 'completing', completion });
  expect(sweepableFrom(completing)).toBe(startedAt + 60 + 6 * 3_600);
});
