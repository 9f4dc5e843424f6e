/** What an e-mail says about a batch that has ended: ids and numbers, nothing of any request. */
import type { BatchRecord } from '../domain/batch';
import { isFileId } from '../domain/ids';
import type { Mail } from './mailer';
import { eventTime } from './webhook-event.wire';

export function batchMail(batch: BatchRecord, addresses: Pick<Mail, 'to' | 'recipients'>): Mail {
  return {
    ...addresses,
    messageId: `${batch.id}.${batch.status}`,
    subject: `Batch ${batch.id} ${batch.status}`,
    text: textOf(batch),
    date: new Date(eventTime(batch) * 1000),
  };
}

function textOf(batch: BatchRecord): string {
  const { total, completed, failed } = batch.requestCounts;
  const rows = [
    ['Batch', batch.id],
    ['Project', batch.projectId],
    ['Status', batch.status],
    ['Endpoint', batch.endpoint],
    ['Created', shownTime(batch.createdAt)],
    ['Ended', shownTime(eventTime(batch))],
    ['Requests', `${total} (${completed} completed, ${failed} failed)`],
    // Whatever the client wrote, when it is no id.
    ['Input file', isFileId(batch.inputFileId) ? batch.inputFileId : 'unknown'],
    ['Output file', batch.outputFileId ?? 'none'],
    ['Error file', batch.errorFileId ?? 'none'],
  ];
  const lines = rows.map(([name = '', value = '']) => `${`${name}:`.padEnd(14)}${value}`);
  if (batch.status === 'failed') {
    lines.push('', 'The batch lists the errors because of which it failed.');
  }
  return `${lines.join('\n')}\n`;
}

function shownTime(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}
