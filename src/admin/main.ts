/** The program of the operator: settings in, one command run. */
import { randomBytes } from 'node:crypto';
import { ConfigError, loadAdminConfig, type Environment } from '../config/config';
import { AddressGuard } from '../notifications/address-guard';
import { BatchStore } from '../storage/batch-store';
import { createMinioObjectStore } from '../storage/minio-object-store';
import { StoreFault } from '../storage/object-store';
import { ProjectStore } from '../storage/project-store';
import { WebhookStore } from '../storage/webhook-store';
import { EngineUnavailable } from '../temporal/batch-runner';
import { identityOf } from '../temporal/identity';
import { TemporalNotificationRunner } from '../temporal/notification-runner';
import type { AdminContext } from './command';
import { runAdmin } from './run-admin';

/** Resolves to the exit code. */
export async function main(args: readonly string[], env: Environment): Promise<number> {
  const closers: (() => void | Promise<void>)[] = [];
  const say = (text: string): void => {
    process.stderr.write(text);
  };
  const open = async (): Promise<AdminContext> => {
    const config = loadAdminConfig(env);
    const store = createMinioObjectStore(config.store);
    closers.push(() => {
      store.close();
    });
    await store.ensureBucket();
    const identity = identityOf('admin', process.pid);
    const notifications = new TemporalNotificationRunner(config.temporal, identity);
    closers.push(async () => {
      await notifications.close();
    });
    return {
      projects: new ProjectStore(store),
      batches: new BatchStore(store),
      webhooks: new WebhookStore(store),
      notifications,
      addressGuard: new AddressGuard(config.webhookAllowedNetworks),
      now: Date.now,
      randomHex: () => randomBytes(20).toString('hex'),
      print: (line) => process.stdout.write(`${line}\n`),
    };
  };
  try {
    return await runAdmin(args, open, say);
  } catch (error) {
    if (error instanceof ConfigError) {
      say(`${error.message}\n`);
    } else if (error instanceof StoreFault) {
      say(`The object store at LONGHAUL_S3_ENDPOINT could not be used: ${error.message}\n`);
    } else if (error instanceof EngineUnavailable) {
      say(`Temporal at LONGHAUL_TEMPORAL_ADDRESS could not be used: ${error.message}\n`);
    } else {
      throw error;
    }
    return 1;
  } finally {
    await Promise.all(
      closers.map(async (close) => {
        await close();
      }),
    );
  }
}

if (require.main === module) {
  void main(process.argv.slice(2), process.env).then((exitCode) => process.exit(exitCode));
}
