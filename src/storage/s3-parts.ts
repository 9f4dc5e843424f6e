/** What S3 wants in its calls for uploads in parts. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { StoredPart, UploadRef } from './multipart-upload';
import type { ObjectSlice } from './object-store';

/** As `x-amz-checksum-crc32` has it: four bytes, big-endian, in Base64. */
export function crc32Of(bytes: Buffer): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  return checksum.toString('base64');
}

export function checksumHeader(crc32: string): Record<string, string> {
  return { 'x-amz-checksum-crc32': crc32 };
}

export function uploadQuery({ uploadId }: UploadRef): string {
  return `uploadId=${encodeURIComponent(uploadId)}`;
}

/** Of UploadPartCopy: the store refuses a source that is another object by now. */
export function copySourceHeaders(bucket: string, source: ObjectSlice): Record<string, string> {
  const path = [bucket, ...source.key.split('/')].map(encodeURIComponent).join('/');
  return {
    'x-amz-copy-source': `/${path}`,
    'x-amz-copy-source-range': `bytes=${source.offset}-${source.offset + source.length - 1}`,
    ...(source.etag !== undefined && { 'x-amz-copy-source-if-match': `"${source.etag}"` }),
  };
}

/** The body of CompleteMultipartUpload. */
export function completionBody(parts: readonly StoredPart[]): string {
  const elements = parts.map(
    ({ etag, crc32 }, index) =>
      `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(etag)}</ETag>` +
      (crc32 === undefined ? '' : `<ChecksumCRC32>${crc32}</ChecksumCRC32>`) +
      '</Part>',
  );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${elements.join('')}</CompleteMultipartUpload>`;
}

/** The ETag of a multipart object, of the ETags of its parts. */
export function multipartEtag(parts: readonly StoredPart[]): string {
  const digests = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, 'hex')));
  return `${createHash('md5').update(digests).digest('hex')}-${parts.length}`;
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
