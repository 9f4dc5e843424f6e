import { setFlagsFromString } from 'node:v8';

/** How much the heap, and the buffers that are counted with it, may grow between full collections. */
const growthPercent = 200;

/**
 * Makes full garbage collections rare. Each 64 KiB of a request's body are a buffer of their own; as
 * V8 would have it, every 50 MB of them are reason enough to go through the whole heap of about
 * 35 MB, which took half of the API's CPU during uploads. The young ones are collected as often as
 * before, and with them nearly all of the buffers.
 */
export function makeFullCollectionsRare(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
}
