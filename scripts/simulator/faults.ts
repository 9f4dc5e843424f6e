/**
 * Faults that a request asks for itself, by markers in its text, for tests:
 *
 *     [[fail:500]]        status 500, always (any status from 400 to 599)
 *     [[fail:429x2]]      twice, then a good answer; `xN` goes with every fault
 *     [[retry-after:3]]   sent along with a failure
 *     [[slow:2000]]       waits 2 s longer
 *     [[hang]]            never answers
 *     [[reset]]           cuts the connection before the answer
 *     [[close:x1]]        cuts the connection in the middle of the body, once
 *     [[trickle]]         a body of single bytes that never ends
 *     [[endless]]         a body that never ends, as fast as it is read
 *     [[headers]]         headers that never end
 *     [[garbage]]         200 with a body that is no JSON
 *     [[pretty]]          a good answer as JSON over several lines
 *     [[size:1000000]]    a good answer of about that many bytes
 *     [[echo]]            a good answer that holds the request as it was received, and its SHA-256
 */

const faultKinds = [
  'fail',
  'retry-after',
  'slow',
  'hang',
  'reset',
  'close',
  'trickle',
  'endless',
  'headers',
  'garbage',
  'pretty',
  'size',
  'echo',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** The number of the marker: a status, seconds, milliseconds or bytes; 0 when it has none. */
  readonly value: number;
  /** On how many attempts at the request it happens. */
  readonly times: number;
}

const marker = /\[\[([a-z-]+)(?::(\d+)?(?:x(\d+))?)?\]\]/g;

/** Unknown markers are ordinary text. */
export function faultsIn(text: string): Fault[] {
  return [...text.matchAll(marker)].flatMap(([, name, value, times]) => {
    const kind = faultKinds.find((known) => known === name);
    return kind === undefined
      ? []
      : [
          {
            kind,
            value: Number(value ?? 0),
            times: times === undefined ? Infinity : Number(times),
          },
        ];
  });
}
