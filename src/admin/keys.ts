/** API keys: made, listed, revoked. */
import { defaultProjectId } from '../domain/ids';
import { makeApiKey } from '../domain/project';
import { hashOfKey } from '../storage/project-store';
import {
  onlyPositional,
  parseCommand,
  parseProjectId,
  printTable,
  shownTime,
  UsageError,
  type AdminCommand,
} from './command';

const nameLengthMax = 100;

const create: AdminCommand = {
  usage: 'keys create [--project NAME] [--name TEXT]',
  summary: 'make a key of a project (default: default) and show it, once',
  async run(args, context) {
    const { values } = parseCommand(args, {
      project: { type: 'string', default: defaultProjectId },
      name: { type: 'string', default: '' },
    });
    const projectId = parseProjectId(values.project);
    if (values.name.length > nameLengthMax) {
      throw new UsageError(`The name of a key has at most ${nameLengthMax} characters.`);
    }
    const { id, key } = makeApiKey(context.randomHex);
    await context.projects.putKey({
      id,
      projectId,
      name: values.name,
      sha256: hashOfKey(key).toString('hex'),
      createdAt: Math.floor(context.now() / 1000),
    });
    context.print(key);
  },
};

const list: AdminCommand = {
  usage: 'keys list [--project NAME]',
  summary: 'show the ids of all keys, or of a project; keys themselves are not kept',
  async run(args, context) {
    const { project } = parseCommand(args, { project: { type: 'string' } }).values;
    const keys = (await context.projects.listKeys())
      .filter(({ projectId }) => project === undefined || projectId === project)
      .sort((a, b) => a.projectId.localeCompare(b.projectId) || a.createdAt - b.createdAt);
    printTable(context, [
      ['ID', 'PROJECT', 'MADE (UTC)', 'NAME'],
      ...keys.map((key) => [key.id, key.projectId, shownTime(key.createdAt), key.name]),
    ]);
  },
};

const revoke: AdminCommand = {
  usage: 'keys revoke ID',
  summary: 'refuse a key from now on',
  async run(args, context) {
    const id = onlyPositional(parseCommand(args, {}).positionals, 'ID of a key (keys list)');
    const key = /^[0-9a-f]{16}$/.test(id) ? await context.projects.getKey(id) : undefined;
    if (key === undefined) {
      throw new UsageError(`There is no key ${JSON.stringify(id)}: \`keys list\` shows them.`);
    }
    await context.projects.deleteKey(id);
    context.print(`The key ${id} of project ${key.projectId} is revoked.`);
  },
};

export const keyCommands = { 'keys create': create, 'keys list': list, 'keys revoke': revoke };
