/** Every number of the domain, with its unit, its source, and the inequalities between them. */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const MINUTE_MS = 60_000;

/** Shards. The parent's history stays near 2,000 events at 256 children (Temporal suggests 4,096). */
export const shardCountMax = 256;
export const shardLinesTarget = 5_000;

/** Largest accepted upload: what the largest hosted service accepts. */
export const fileBytesMax = 10 * GIB;
/** Request lines in one batch. */
export const batchLinesMax = 5_000_000;
/** One request line, its line feed excluded. Larger than OpenAI's largest request body in practice. */
export const lineBytesMax = 16 * MIB;
/** One upstream answer; a larger one fails its line. */
export const answerBytesMax = 16 * MIB;
export const customIdLengthMax = 512;

/** Bad lines kept in the batch record; the record is polled often. The complete list is an object. */
export const batchErrorsMax = 1_000;

/** A slice takes new lines for this long, then hands its shard on. */
export const sliceDurationMs = 5 * MINUTE_MS;
/** A segment is committed when it is this old or this large, whichever comes first. */
export const segmentAgeMsMax = 1_000;
export const segmentBytesMax = 2 * MIB;
/** Segments that a slice leaves behind at most; above it the shard is compacted. */
export const segmentCountMax = 64;

/** S3 refuses smaller parts, except as the last of an upload (Amazon S3 multipart upload limits). */
export const partBytesMin = 5 * MIB;
/** S3: one copied part. */
export const partCopyBytesMax = 5 * GIB;
export const partBytes = 16 * MIB;

/** OpenAI Batch reference: metadata. */
export const metadataKeysMax = 16;
export const metadataKeyLengthMax = 64;
export const metadataValueLengthMax = 512;

/** OpenAI Files reference: `expires_after.seconds`; the default of purpose `batch` and of results. */
export const expiresAfterSecondsMin = 3_600;
export const expiresAfterSecondsMax = 2_592_000;
export const expiresAfterSecondsDefault = 2_592_000;

export const batchListLimitMax = 100;
export const batchListLimitDefault = 20;
export const fileListLimitMax = 10_000;
