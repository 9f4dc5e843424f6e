/** Every number of the domain, with its unit, its source, and the inequalities between them. */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Shards. The parent's history stays near 2,000 events at 256 children (Temporal suggests 4,096). */
export const shardCountMax = 256;
/**
 * Lines of a shard, give or take what rounding makes of them: of the first ones of a large batch, and
 * of the last ones. A shard costs the engine some 60 ms of processor time, however many lines it has.
 */
export const shardLinesMax = 22_500;
export const shardLinesMin = 5_000;
/** Children of one batch that run at a time; half of what one worker runs by default. */
export const shardsInParallelMax = 8;

/** Largest accepted upload: what the largest hosted service accepts. */
export const fileBytesMax = 10 * GIB;
/** OpenAI's only completion window. */
export const completionWindowHoursDefault = 24;
/** Request lines in one batch. */
export const batchLinesMax = 5_000_000;
/** The largest hosted service's limits on what one customer has at a time. */
export const filesMaxDefault = 500;
export const openBatchesMaxDefault = 500;
/** Lines whose failed attempts a slice hands to the next: some kilobytes in a history. */
export const earlierAttemptsMax = 100;
/** One request line, its line feed excluded. Larger than OpenAI's largest request body in practice. */
export const lineBytesMax = 16 * MIB;
/** One upstream answer; a larger one fails its line. */
export const answerBytesMax = 16 * MIB;
/** Levels of objects and lists in a request line, the line itself included. */
export const lineDepthMax = 100;
export const customIdLengthMax = 512;

/** Bad lines kept in the batch record; the record is polled often. The complete list is an object. */
export const batchErrorsMax = 1_000;

/** A segment is committed when it is this old or this large, whichever comes first. */
export const segmentAgeMsMax = 1_000;
export const segmentBytesMax = 2 * MIB;
/**
 * Of segments that a process has written and still holds, so that sealing need not read them: two
 * shards of 22,500 lines of 700 bytes.
 */
export const recentSegmentsBytesMax = 32 * MIB;
/** Of small batches that a process has validated and still holds: 250 of the largest ones. */
export const heldBatchesBytesMax = 16 * MIB;
/** A commit that takes longer stops the slice from taking lines until it has ended. */
export const commitMsMax = 3_000;
/**
 * A shard is compacted when it has this many segments below `compactedBytesMin`, so that it never
 * holds more than a few hundred objects: a shard of 22,500 lines whose answers are 100 KB
 * each makes some 1,000 segments, and 120 of them after compaction.
 */
export const segmentCountMax = 64;
export const compactedBytesMin = 16 * MIB;

/** S3 refuses smaller parts, except as the last of an upload (Amazon S3 multipart upload limits). */
export const partBytesMin = 5 * MIB;
/** One part copied by the store. S3 allows 5 GiB; this many bytes end well within a request's time. */
export const partCopyBytesMax = 64 * MIB;
/** S3: parts of one upload. */
export const partCountMax = 10_000;
export const partBytes = 16 * MIB;

/** OpenAI Uploads reference: one part of an upload, and how long an upload stays open. */
export const uploadPartBytesMax = 64 * MIB;
export const uploadSecondsMax = 3_600;
/** Far more parts than the largest file has when they are of the largest size. */
export const uploadPartsMax = 10_000;
/** How long an upload is kept after its expiry: a request that began before it may still run. */
export const uploadGraceSeconds = 3_600;
/** Nobody completes one upload for longer: the store copies gigabytes in minutes. */
export const uploadCompleteSecondsMax = 6 * 3_600;

/** OpenAI Batch reference: metadata. */
export const metadataKeysMax = 16;
export const metadataKeyLengthMax = 64;
export const metadataValueLengthMax = 512;
/** Longest address that browsers and servers commonly take. */
export const webhookUrlLengthMax = 2_048;

/** OpenAI Files reference: `expires_after.seconds`; the default of purpose `batch` and of results. */
export const expiresAfterSecondsMin = 3_600;
export const expiresAfterSecondsMax = 2_592_000;
export const expiresAfterSecondsDefault = 2_592_000;
/**
 * Content that has no record this long after its upload began belongs to an upload that died. MinIO
 * gives an upload up after 24 hours.
 */
export const contentOrphanedAfterSeconds = 3 * 86_400;

export const batchListLimitMax = 100;
export const batchListLimitDefault = 20;
export const fileListLimitMax = 10_000;
