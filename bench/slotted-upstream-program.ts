/** The upstream with slots as a child process, and what it has seen. */
import { request } from 'undici';
import { startProgram } from './child-program';
import type { Behaviour, SlottedUpstreamOptions, SlottedUpstreamStats } from './slotted-upstream';

export interface SlottedUpstreamProgram {
  readonly pid: number;
  readonly port: number;
  stats(): Promise<SlottedUpstreamStats>;
  /** Ids of the requests that were answered in full. */
  answeredIds(): Promise<string[]>;
  reset(): Promise<void>;
  behave(behaviour: Behaviour): Promise<void>;
  resize(slots: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startSlottedUpstream(
  options: SlottedUpstreamOptions,
): Promise<SlottedUpstreamProgram> {
  const program = await startProgram<{ readonly port: number }>('slotted-upstream', options);
  const { port } = program.output;
  const get = async (path: string): Promise<string> => {
    const { body } = await request(`http://127.0.0.1:${port}/${path}`);
    return await body.text();
  };
  return {
    pid: program.pid,
    port,
    stats: async () => JSON.parse(await get('_stats')) as SlottedUpstreamStats,
    answeredIds: async () => (await get('_answered')).split('\n').filter((id) => id !== ''),
    reset: async () => {
      await get('_reset');
    },
    behave: async (behaviour) => {
      await get(`_behave/${behaviour}`);
    },
    resize: async (slots) => {
      await get(`_slots/${slots}`);
    },
    stop: async () => {
      await program.stop();
    },
  };
}
