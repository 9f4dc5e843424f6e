/** The fields of an upload. */
import { z } from 'zod';
import type { UploadPurpose } from '../../domain/file';
import { uploadPurposes } from '../../domain/file';
import { ApiError, quoted } from '../http/api-error';
import { expiresAfterSchema } from '../http/expires-after.wire';
import { integerOf } from '../http/list.wire';
import { parseRequest } from '../http/parse-request';

export interface UploadFields {
  readonly purpose: UploadPurpose;
  readonly expiresAfterSeconds: number | undefined;
}

const schema = z.object({
  purpose: z.string(),
  expires_after: expiresAfterSchema.optional(),
});

export function parseUploadFields(fields: ReadonlyMap<string, string>): UploadFields {
  const parsed = parseRequest(schema, {
    purpose: fields.get('purpose'),
    expires_after: expiresAfterOf(fields),
  });
  return {
    purpose: parsePurpose(parsed.purpose),
    expiresAfterSeconds: parsed.expires_after?.seconds,
  };
}

/** The official clients write brackets, Azure's documentation writes dots. */
function expiresAfterOf(fields: ReadonlyMap<string, string>): unknown {
  const field = (name: string): string | undefined =>
    fields.get(`expires_after[${name}]`) ?? fields.get(`expires_after.${name}`);
  const anchor = field('anchor');
  const seconds = field('seconds');
  return anchor === undefined && seconds === undefined
    ? undefined
    : { anchor, seconds: integerOf(seconds) };
}

function parsePurpose(text: string): UploadPurpose {
  const purpose = uploadPurposes.find((one) => one === text);
  if (purpose === undefined) {
    const supported = uploadPurposes.map((one) => `'${one}'`).join(', ');
    throw new ApiError(
      'invalidRequest',
      `'${quoted(text)}' is not one of [${supported}] - 'purpose'`,
      { param: 'purpose' },
    );
  }
  return purpose;
}
