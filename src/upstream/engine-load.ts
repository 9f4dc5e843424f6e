/** What an inference server tells of its load, in the text format of Prometheus. */

/** Of all callers. */
export interface EngineLoad {
  /** Requests that are worked on. */
  readonly running: number;
  /** Requests that wait for others to end. */
  readonly waiting: number;
}

/** Names of gauges: vLLM, SGLang, llama.cpp. */
const engines = [
  { running: 'vllm:num_requests_running', waiting: 'vllm:num_requests_waiting' },
  { running: 'sglang:num_running_reqs', waiting: 'sglang:num_queue_reqs' },
  { running: 'llamacpp:requests_processing', waiting: 'llamacpp:requests_deferred' },
] as const;

/** `undefined` if the text tells neither or only one of them. */
export function parseEngineLoad(text: string): EngineLoad | undefined {
  for (const names of engines) {
    const running = sumOf(text, names.running);
    const waiting = sumOf(text, names.waiting);
    if (running !== undefined && waiting !== undefined) {
      return { running, waiting };
    }
  }
  return undefined;
}

/** Over all labels: a server with several models or replicas has a sample for each. */
function sumOf(text: string, name: string): number | undefined {
  let sum: number | undefined;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + name.length)) {
    const isSample = at === 0 || text[at - 1] === '\n';
    const value = isSample ? valueOf(text, at + name.length) : undefined;
    if (value !== undefined) {
      sum = (sum ?? 0) + value;
    }
  }
  return sum;
}

/** Of the sample whose name ends there; a time may follow its value. */
function valueOf(text: string, nameEnd: number): number | undefined {
  const end = text.indexOf('\n', nameEnd);
  const rest = text.slice(nameEnd, end === -1 ? undefined : end);
  const [, digits] = /^(?:\{.*\})?\s+(\S+)/.exec(rest) ?? [];
  const value = digits === undefined ? NaN : Number(digits);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}
