import { parseEngineLoad } from '../../../src/upstream/engine-load';

const vllm = `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m {1}"} 61.0
vllm:num_requests_running{engine="1",model_name="m {1}"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m {1}"} 7.0
vllm:num_requests_waiting{engine="1",model_name="m {1}"} 0.0
vllm:num_requests_waiting_by_reason{reason="capacity"} 100.0
`;

describe('the load that an engine tells', () => {
  it.each([
    ['vLLM, for all of its engines', vllm, { running: 64, waiting: 7 }],
    [
      'SGLang',
      'sglang:num_running_reqs{model_name="m"} 12\nsglang:num_queue_reqs{model_name="m"} 0\n',
      { running: 12, waiting: 0 },
    ],
    [
      'llama.cpp',
      'llamacpp:requests_processing 4\nllamacpp:requests_deferred 2 1760000000000',
      { running: 4, waiting: 2 },
    ],
  ])('is read from the metrics of %s', (_engine, text, load) => {
    expect(parseEngineLoad(text)).toEqual(load);
  });

  it.each([
    ['nothing', ''],
    ['something else', '<html>vllm:num_requests_running</html>'],
    ['one of the two', 'vllm:num_requests_running 1\n'],
    ['no number', 'vllm:num_requests_running x\nvllm:num_requests_waiting 1\n'],
    ['less than nothing', 'vllm:num_requests_running -1\nvllm:num_requests_waiting 1\n'],
    ['no finite number', 'vllm:num_requests_running +Inf\nvllm:num_requests_waiting NaN\n'],
  ])('is not taken from %s', (_what, text) => {
    expect(parseEngineLoad(text)).toBeUndefined();
  });
});
