import { Client, Connection } from '@temporalio/client';
import type { Stack } from '../../scripts/local/stack';

/** Its connection is the caller's to close. */
export async function connectTemporal({ temporal }: Stack): Promise<Client> {
  const connection = await Connection.connect({ address: temporal.address });
  return new Client({ connection, namespace: temporal.namespace });
}

/** A client of the stack's Temporal, for all tests of a file. */
export function useTemporalClient(stack: () => Stack): () => Client {
  let client: Client;
  beforeAll(async () => {
    client = await connectTemporal(stack());
  });
  afterAll(async () => {
    await client.connection.close();
  });
  return () => client;
}
