/** Conditions of reads and writes, as S3 has them. */
import type { ByteRange, WriteCondition } from './object-store';
import { absentCodes } from './s3-answers';

/** A read of a whole object or of a range, of any object under its key or of a certain one. */
export interface ReadRequest {
  readonly range?: ByteRange | undefined;
  readonly etag?: string | undefined;
}

export function readHeaders({ range, etag }: ReadRequest): Record<string, string> {
  return {
    ...(range && { range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
    ...(etag !== undefined && { 'if-match': `"${etag}"` }),
  };
}

export function conditionHeaders(condition: WriteCondition | undefined): Record<string, string> {
  if (condition === undefined) {
    return {};
  }
  return 'ifAbsent' in condition
    ? { 'if-none-match': '*' }
    : { 'if-match': `"${condition.ifEtag}"` };
}

/** With which codes S3 says that the condition did not hold. */
export function refusedConditions(condition: WriteCondition | undefined): readonly string[] {
  if (condition === undefined) {
    return [];
  }
  return 'ifAbsent' in condition ? ['PreconditionFailed'] : ['PreconditionFailed', ...absentCodes];
}
