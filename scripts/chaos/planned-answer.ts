import { answerText } from '../simulator/answer-text';
import type { RequestBody } from '../simulator/answers';
import { faultsIn } from '../simulator/faults';

/** What the simulated upstream answers to a chat request, once it has got over passing faults. */
export function plannedAnswer(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const faults = new Map(
    faultsIn(text)
      .filter(({ times }) => times === Infinity)
      .map((fault) => [fault.kind, fault]),
  );
  const body = JSON.parse(text) as RequestBody;
  return answerText({ endpoint: '/v1/chat/completions', body, bytes, faults });
}
