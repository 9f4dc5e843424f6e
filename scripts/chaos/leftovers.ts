/** What of a bucket's content nothing refers to, by the rules of docs/storage-layout.md. */
import type { Leftover } from './observation';

/** What may still be there once all batches have ended and have been cleaned up. */
export interface Known {
  readonly batchIds: ReadonlySet<string>;
  /** Files that the API still has. */
  readonly fileIds: ReadonlySet<string>;
}

/** @param keys every key in the bucket. */
export function findLeftovers(keys: readonly string[], known: Known): Leftover[] {
  const scheduled = new Set(keys.flatMap(agendaSubject));
  return keys.flatMap((key) => {
    const why = whyLeft(key, known, scheduled);
    return why === undefined ? [] : [{ key, why }];
  });
}

/** The subject of an entry of the agenda, without what is to be done with it. */
function agendaSubject(key: string): string[] {
  const [, subject] = /^agenda\/\d{12}\/[^/]+\/(?:delete:|create:)?(.+)$/.exec(key) ?? [];
  return subject === undefined ? [] : [subject];
}

const keptPattern =
  /^((project-records|api-keys|agenda)\/|projects\/[^/]+\/(webhook-secret$|(webhooks|attempts)\/))/;

/** `undefined` when the object is in its place. */
function whyLeft(key: string, known: Known, scheduled: ReadonlySet<string>): string | undefined {
  if (keptPattern.test(key)) {
    return undefined;
  }
  const [top, , kind = '', id = '', ...rest] = key.split('/');
  if (top === 'open') {
    return 'no batch is open';
  }
  switch (kind) {
    case 'batches':
      return whyBatchObject(id, rest.join('/'), known);
    case 'files':
      return whyFileObject(id, rest.join('/'), { known, scheduled });
    case 'uploaded':
      return known.fileIds.has(id) || scheduled.has(id) ? undefined : 'its file is gone';
    case 'creates':
      return scheduled.has(id) ? undefined : 'the agenda does not know it';
    default:
      return 'there is no such kind of object';
  }
}

const batchObjects = /^(record\.json|end|errors\.jsonl|deliveries\/.+)$/;

function whyBatchObject(id: string, rest: string, known: Known): string | undefined {
  if (!known.batchIds.has(id)) {
    return 'nobody knows this batch';
  }
  return batchObjects.test(rest) ? undefined : 'only a running batch needs it';
}

function whyFileObject(
  id: string,
  rest: string,
  { known, scheduled }: { readonly known: Known; readonly scheduled: ReadonlySet<string> },
): string | undefined {
  if (rest.startsWith('uses/')) {
    return 'no batch is running';
  }
  if (known.fileIds.has(id)) {
    return undefined;
  }
  // An upload that died: the agenda has its removal.
  return rest === 'content' && scheduled.has(id) ? undefined : 'nobody knows this file';
}
