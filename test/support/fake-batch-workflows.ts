import type { BatchWorkflowInput } from '../../src/domain/workflow-contract';
import type { BatchWorkflows, LostRun, WorkflowState } from '../../src/temporal/batch-workflows';

export interface Restart {
  readonly input: BatchWorkflowInput;
  readonly lost: LostRun;
}

/** The engine's view of workflows, with the rules of Temporal for starting one again. */
export class FakeBatchWorkflows implements BatchWorkflows {
  /** By workflow id; one that is not here is missing. */
  readonly states = new Map<string, WorkflowState>();
  readonly restarts: Restart[] = [];
  /** Called before a call takes effect; what it throws is what the call ends with. */
  before: (call: 'state' | 'restart', workflowId: string) => void | Promise<void> = () => undefined;

  async state(workflowId: string): Promise<WorkflowState> {
    await this.before('state', workflowId);
    return this.now(workflowId);
  }

  async restart(input: BatchWorkflowInput, lost: LostRun): Promise<boolean> {
    const { id } = input.batch;
    await this.before('restart', id);
    const state = this.now(id);
    if (state === 'running' || (lost.state === 'missing' && state !== 'missing')) {
      return false;
    }
    this.states.set(id, 'running');
    this.restarts.push({ input, lost });
    return true;
  }

  private now(workflowId: string): WorkflowState {
    return this.states.get(workflowId) ?? 'missing';
  }
}
