/**
 * Has large answers take turns in arriving. A turn of the event loop reads up to two megabytes from
 * each connection that has them: together, what some large answers come to would stop it.
 */
import type { Dispatcher } from 'undici';

/** Of all of them in one turn, give or take a chunk. */
const turnBytesMax = 2_097_152;
/** What a chunk takes, whatever its size, is as much as so many bytes take. */
const chunkBytes = 128;

type Controller = Pick<Dispatcher.DispatchController, 'pause' | 'resume'>;

let turnBytes = 0;
let isCounting = false;
const paused: Controller[] = [];

/** To be called with each chunk of a large answer, in the callback that it came with. */
export function countLargeRead(controller: Controller, bytes: number): void {
  turnBytes += chunkBytes + bytes;
  if (turnBytes >= turnBytesMax) {
    controller.pause();
    paused.push(controller);
  }
  endTurnLater();
}

function endTurnLater(): void {
  if (!isCounting) {
    isCounting = true;
    setImmediate(endTurn);
  }
}

/** Those that resume read at once, and may have to wait again. */
function endTurn(): void {
  isCounting = false;
  turnBytes = 0;
  while (paused.length > 0 && turnBytes < turnBytesMax) {
    paused.shift()?.resume();
  }
  if (paused.length > 0) {
    endTurnLater();
  }
}
