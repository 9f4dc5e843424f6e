/** A lane, as far as it matters here. */
export interface PumpedLane {
  /** Requests in flight for its weight, with one more. */
  readonly load: number;
  /** Whether there may be a line that it can send now. */
  maySend(): boolean;
  /** Returns whether there was one. */
  sendNext(): boolean;
}

/**
 * Lets all lanes of a process send what they can. Of those that have room, the one with the least load
 * goes first, line by line: so each gets its share of the lines that more than one can take, and none
 * is left with room for a line that another could not take either.
 */
export class Pump {
  private readonly lanes: PumpedLane[] = [];
  private isScheduled = false;

  add(lane: PumpedLane): void {
    this.lanes.push(lane);
  }

  /** Not at once: a slice submits many lines in a row, and undici may be in the middle of things. */
  readonly schedule = (): void => {
    if (!this.isScheduled) {
      this.isScheduled = true;
      queueMicrotask(this.run);
    }
  };

  private readonly run = (): void => {
    this.isScheduled = false;
    const ready = this.lanes.filter((lane) => lane.maySend());
    for (let lane = leastLoaded(ready); lane !== undefined; lane = leastLoaded(ready)) {
      if (!(lane.sendNext() && lane.maySend())) {
        ready.splice(ready.indexOf(lane), 1);
      }
    }
  };
}

function leastLoaded(lanes: readonly PumpedLane[]): PumpedLane | undefined {
  let least = lanes[0];
  for (const lane of lanes) {
    if (least === undefined || lane.load < least.load) {
      least = lane;
    }
  }
  return least;
}
