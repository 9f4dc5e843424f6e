import { LossyProxy } from '../../support/lossy-proxy';

/** Ways to one server on each of which the answer to the first request of a kind is lost. */
export interface LossyWays<Kind extends string> {
  /** For an OpenAI client. */
  readonly urls: Readonly<Record<Kind, string>>;
  /** Kinds of which no answer was lost. */
  readonly unused: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** @param kinds the first lines of the requests whose answer is lost. */
export async function openLossyWays<Kind extends string>(
  baseUrl: string,
  kinds: Readonly<Record<Kind, RegExp>>,
): Promise<LossyWays<Kind>> {
  const { pathname } = new URL(baseUrl);
  const proxies = new Map<string, LossyProxy>();
  for (const [kind, firstLine] of Object.entries<RegExp>(kinds)) {
    const proxy = await LossyProxy.start(baseUrl);
    proxy.loseAnswerTo(firstLine);
    proxies.set(kind, proxy);
  }
  const urls = [...proxies].map(([kind, { endpoint }]) => [kind, `${endpoint}${pathname}`]);
  return {
    urls: Object.fromEntries(urls) as Record<Kind, string>,
    unused: () => [...proxies].filter(([, proxy]) => proxy.lostCount === 0).map(([kind]) => kind),
    close: async () => {
      for (const proxy of proxies.values()) {
        await proxy.close();
      }
    },
  };
}
