import { memberSpans } from '../domain/json-spans';

/** The body of a request with `model` replaced in place, and otherwise byte for byte as it was. */
export function withModel(body: Uint8Array, modelJson: Uint8Array): Uint8Array {
  const [span] = memberSpans(body, ['model']);
  return span === undefined
    ? body
    : Buffer.concat([body.subarray(0, span.start), modelJson, body.subarray(span.end)]);
}
