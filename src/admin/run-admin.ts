/** The commands of the operator: what they are called, and what `--help` says. */
import { UsageError, type AdminCommand, type AdminContext } from './command';
import { deliveryCommands } from './deliveries';
import { keyCommands } from './keys';
import { projectCommands } from './projects';
import { webhookCommands } from './webhooks';

const commands = new Map<string, AdminCommand>(
  Object.entries({ ...keyCommands, ...projectCommands, ...webhookCommands, ...deliveryCommands }),
);

const usage = `Usage: npm run admin -- COMMAND

${[...commands.values()].map((command) => `  ${command.usage}\n      ${command.summary}`).join('\n')}

Works on the store that LONGHAUL_S3_ENDPOINT, LONGHAUL_S3_ACCESS_KEY and LONGHAUL_S3_SECRET_KEY name;
without them, on the one of \`npm start\` on this machine. Telling again also needs LONGHAUL_TEMPORAL_ADDRESS.
`;

/**
 * Runs one command.
 *
 * @param open makes what the command works on; not called for `--help` and unknown commands.
 * @returns the exit code: 2 when the command was not understood.
 */
export async function runAdmin(
  args: readonly string[],
  open: () => Promise<AdminContext>,
  say: (text: string) => void,
): Promise<number> {
  const command = commands.get(args.slice(0, 2).join(' '));
  if (command === undefined || args.includes('--help') || args.includes('-h')) {
    const isHelp = args.length === 0 || args.includes('--help') || args.includes('-h');
    say(isHelp ? usage : `There is no command ${args.slice(0, 2).join(' ')}.\n\n${usage}`);
    return isHelp ? 0 : 2;
  }
  try {
    await command.run(args.slice(2), await open());
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    say(`${error.message}\nUsage: ${command.usage}\n`);
    return 2;
  }
}
