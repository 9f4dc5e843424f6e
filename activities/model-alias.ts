import { memberSpans } from '../src/domain/json-spans';
import type { ModelRoute } from '../src/config/upstreams';

/** The body that goes upstream: as it came, or with the alias in `model` replaced in place. */
export function bodyFor(route: ModelRoute, body: Uint8Array): Uint8Array {
  if (route.upstreamModel === route.model) {
    return body;
  }
  const [span] = memberSpans(body, ['model']);
  if (span === undefined) {
    return body;
  }
  return Buffer.concat([
    body.subarray(0, span.start),
    Buffer.from(JSON.stringify(route.upstreamModel)),
    body.subarray(span.end),
  ]);
}
