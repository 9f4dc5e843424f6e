/**
 * Finds the number of requests in flight beyond which an upstream gets no more done: its knee. Below
 * it each further request is worked on with the others; above it one waits until another has ended.
 *
 * The search holds a level and measures there, round after round. Now and then it probes: somewhat
 * more, and keeps that if it pays; somewhat fewer, and keeps that if it costs nothing. It stays a few
 * percent above the knee: nothing is lost there, and a server that has grown is noticed by the answers
 * to what had waited. A probe that pays is followed by a larger one; a level that was confirmed is
 * questioned less and less often; a throughput that changes by itself is followed at once.
 *
 * A refusal is a wall: the level stays below it, and the next probe beyond is a long time off.
 */
import { ratioOf, smoothed, type Throughput } from './throughput-sample';

export interface CapacitySearchOptions {
  readonly start: number;
  readonly min: number;
  readonly max: number;
}

/** What more requests must bring: this part of their share, in throughput. */
const worth = 0.3;
/** The same for twice as many, where less may mean that the knee lies in between. */
const worthDoubling = 0.6;
/** Of a probe; larger ones where answers differ so much that a small one shows nothing. */
const [stepMin, stepMax] = [0.08, 0.3];
/** Kept above the knee. */
const margin = 0.06;
/** Change of the throughput at one level that is no chance, if it is several standard errors too. */
const [better, worse] = [0.025, 0.12];
/** The same, by which an upstream has grown, so that its wall is not where it was. */
const grown = 0.2;

/** Rounds between probes. */
const [upEveryMin, upEveryMax] = [2, 6];
const [downEveryMin, downEveryMax] = [4, 64];
/** A wall is probed after about 1,600 answers: two for each request of a round of {@link wallRequests}. */
const wallRequests = 800;
const [wallRoundsMin, wallRoundsMax] = [4, 16];

export class CapacitySearch {
  /** The search does not go below it; refusals may. */
  min: number;
  private readonly max: number;
  /** What probes are compared with. */
  private base: { level: number; throughput: Throughput | undefined };
  private probed: number;
  /** Of the probe that is under way. */
  private factor: number | undefined;
  /** Of the next probe upward, if it is not to be a small one. */
  private nextFactor: number | undefined;
  private isSettling = false;
  private step = stepMin;
  private upIn = 0;
  private upEvery = upEveryMin;
  private downIn = downEveryMin;
  private downEvery = downEveryMin;
  private wall = Infinity;
  /** Rounds after which there may be none any more. */
  private wallIn = 0;
  /** Measured since then. */
  private atWall: Throughput | undefined;
  /** Level below which throughput was last seen to fall. */
  private knee = 0;

  constructor({ start, min, max }: CapacitySearchOptions) {
    this.min = min;
    this.max = max;
    this.probed = start;
    this.base = { level: start, throughput: undefined };
  }

  /** Requests in flight with which to measure next. */
  get level(): number {
    return this.probed;
  }

  /** The effect looked for is so large that a quarter of a sample shows it. */
  get isCoarse(): boolean {
    return this.factor === undefined
      ? this.nextFactor !== undefined && this.upIn <= 0
      : this.factor >= 1.2;
  }

  /** Throughput at {@link level}, which may change. */
  onMeasured(found: Throughput): void {
    const { factor, base } = this;
    this.doubtWall(found);
    if (found.full !== undefined) {
      this.step = Math.min(stepMax, Math.max(stepMin, 3 * found.error));
    }
    if (this.isSettling) {
      this.isSettling = false;
    } else if (factor === undefined || base.throughput === undefined) {
      this.onHeld(found);
    } else {
      const ratio = ratioOf(found, base.throughput);
      const gain = Math.log(ratio) / Math.log(this.level / base.level);
      if (factor > 1) {
        this.onMore(found, { factor, ratio, gain });
      } else {
        this.onFewer(found, gain);
      }
    }
  }

  /** Begins anew where the upstream has more or less enough to do. */
  begin(level: number): void {
    this.wall = Infinity;
    this.base.level = level;
    this.settle(level);
    this.isSettling = false;
    this.downIn = 1;
    this.nextFactor = 1.5;
  }

  /** The upstream accepts that many and no more, for so many rounds at least. */
  onWall(level: number, roundsMin = 0): void {
    const isKnee = Math.abs(this.knee / level - 1) < 0.1;
    if (!isKnee) {
      this.downIn = 0;
      this.downEvery = downEveryMin;
    }
    this.meetWall(level, roundsMin);
    this.nextFactor = undefined;
    this.base.level = level;
    this.settle(level, isKnee ? this.base.throughput : undefined);
  }

  /** The upstream accepts nothing like what it did; the search begins anew from there. */
  restart(level: number, wall: number, roundsMin: number): void {
    this.meetWall(wall, roundsMin);
    this.knee = 0;
    this.downIn = this.downEvery = downEveryMin;
    this.base.level = level;
    this.settle(level);
    this.isSettling = false;
    this.upIn = 0;
    this.nextFactor = 1.25;
  }

  private meetWall(level: number, roundsMin: number): void {
    const rounds = Math.min(wallRoundsMax, Math.max(wallRoundsMin, wallRequests / level));
    this.wall = level;
    this.wallIn = Math.max(rounds, roundsMin);
    this.atWall = undefined;
  }

  private doubtWall(found: Throughput): void {
    this.atWall ??= found;
    this.wallIn -= 1;
    if (this.wallIn <= 0 || ratioOf(found, this.atWall) > 1 + Math.max(grown, 3 * found.error)) {
      this.wall = Infinity;
    }
  }

  private onHeld(found: Throughput): void {
    const known = this.base.throughput;
    const ratio = known === undefined ? 1 : ratioOf(found, known);
    if (ratio > 1 + Math.max(better, 3 * found.error)) {
      this.base.throughput = found;
      this.probe(1.5);
    } else if (ratio < 1 - Math.max(worse, 4 * found.error)) {
      this.knee = 0;
      this.downIn = 1;
      this.downEvery = downEveryMin;
      this.settle(this.level * ratio * 1.2);
    } else {
      this.base.throughput = known === undefined ? found : smoothed(known, found);
      this.probeInTurn();
    }
  }

  private probeInTurn(): void {
    this.downIn -= 1;
    this.upIn -= 1;
    if (this.downIn <= 0) {
      this.probe(1 / (1 + this.step));
    } else if (this.upIn <= 0) {
      const factor = this.nextFactor ?? 1 + this.step;
      this.nextFactor = undefined;
      this.probe(factor);
    }
  }

  private onMore(
    found: Throughput,
    { factor, ratio, gain }: { readonly factor: number; ratio: number; gain: number },
  ): void {
    const { level, throughput } = this.base;
    if (level < this.min || gain > (factor > 1.9 ? worthDoubling : worth)) {
      this.base = { level: this.level, throughput: found };
      this.probe(gain > worthDoubling ? 2 : 1.25);
    } else if (factor < 1.2) {
      this.upEvery = Math.min(upEveryMax, this.upEvery + 1);
      this.settle(level, throughput);
    } else {
      // The knee lies in between, or just above.
      this.upEvery = upEveryMin;
      this.settle(level * (ratio > 1.1 ? Math.sqrt(ratio * factor) : 1 + margin / 2));
    }
  }

  private onFewer(found: Throughput, gain: number): void {
    if (gain < worth) {
      this.base = { level: this.level, throughput: found };
      this.downEvery = downEveryMin;
      this.probe(1 / (1 + this.step));
    } else {
      this.knee = this.base.level;
      this.downEvery = Math.min(downEveryMax, this.downEvery * 2);
      this.downIn = this.downEvery;
      this.upEvery = upEveryMin;
      // If that is more by far than what it was with fewer, the upstream has grown meanwhile.
      const { level, throughput } = this.base;
      this.settle(level * (1 + Math.max(margin, this.step / 2)), throughput);
    }
  }

  private probe(factor: number): void {
    const { level, throughput } = this.base;
    // At least two more, so that a process with a small share of an upstream can get a larger one.
    const wanted = this.clamp(factor > 1 ? Math.max(level * factor, level + 2) : level * factor);
    if (Math.abs(wanted / level - 1) < 0.03) {
      this.downIn = factor < 1 ? this.downEvery : this.downIn;
      this.settle(wanted, throughput);
    } else {
      this.factor = factor;
      this.probed = wanted;
    }
  }

  /** Without a throughput the first round there is left out, being one of change. */
  private settle(level: number, throughput?: Throughput): void {
    this.factor = undefined;
    this.probed = this.clamp(level);
    this.base = { level: this.probed, throughput };
    this.isSettling = throughput === undefined;
    this.upIn = Math.max(this.upIn, this.upEvery);
  }

  private clamp(level: number): number {
    const min = Math.min(this.min, this.base.level);
    return Math.min(this.max, this.wall, Math.max(level, min));
  }
}
