/** Projects: their limits, and who is told by e-mail how their batches have ended. */
import { isEmailAddress } from '../domain/email-address';
import { batchLinesMax, fileBytesMax } from '../domain/limits';
import type { ProjectLimits, ProjectRecord } from '../domain/project';
import {
  onlyPositional,
  parseCommand,
  parseProjectId,
  printTable,
  UsageError,
  type AdminCommand,
  type AdminContext,
} from './command';

const limitOptions = {
  'file-bytes': 'fileBytesMax',
  'batch-lines': 'batchLinesMax',
  'embedding-inputs': 'embeddingInputsMax',
  files: 'filesMax',
  'open-batches': 'openBatchesMax',
  'running-batches': 'runningBatchesMax',
  'queued-lines': 'queuedLinesMax',
} as const satisfies Record<string, keyof ProjectLimits>;

type LimitOption = keyof typeof limitOptions;

/** What no project may exceed. */
const hardLimits: Readonly<Partial<Record<LimitOption, number>>> = {
  'file-bytes': fileBytesMax,
  'batch-lines': batchLinesMax,
};

const limitNames = Object.keys(limitOptions) as LimitOption[];

const emailsMax = 20;

const list: AdminCommand = {
  usage: 'projects list',
  summary: 'show the projects that have limits or recipients of their own',
  async run(args, context) {
    parseCommand(args, {});
    const projects = await context.projects.list();
    printTable(context, [
      ['PROJECT', 'LIMITS OF ITS OWN', 'E-MAIL'],
      ...projects.map((project) => [
        project.id,
        shownLimits(project).join(' ') || '-',
        project.emails.join(',') || '-',
      ]),
    ]);
  },
};

const show: AdminCommand = {
  usage: 'projects show NAME',
  summary: 'show what a project has of its own',
  async run(args, context) {
    const id = parseProjectId(
      onlyPositional(parseCommand(args, {}).positionals, 'name of a project'),
    );
    printProject(context, await context.projects.get(id));
  },
};

const set: AdminCommand = {
  usage: [
    'projects set NAME [--email ADDRESS ...] [--no-email]',
    ...limitNames.map((name) => `[--${name} N|default]`),
  ].join(' '),
  summary: "give a project limits of its own, or the deployment's again with `default`",
  async run(args, context) {
    const { values, positionals } = parseCommand(args, {
      email: { type: 'string', multiple: true },
      'no-email': { type: 'boolean', default: false },
      ...(Object.fromEntries(limitNames.map((name) => [name, { type: 'string' }])) as Record<
        LimitOption,
        { type: 'string' }
      >),
    });
    const id = parseProjectId(onlyPositional(positionals, 'name of a project'));
    const emails = values['no-email'] ? [] : parseEmails(values.email);
    const limits = limitNames.flatMap((name) => {
      const text = values[name];
      return text === undefined ? [] : [[name, parseLimit(name, text)] as const];
    });
    const project = await context.projects.update(id, (before) => ({
      id,
      createdAt: before?.createdAt ?? Math.floor(context.now() / 1000),
      limits: changed(before?.limits ?? {}, limits),
      emails: emails ?? before?.emails ?? [],
    }));
    printProject(context, project);
  },
};

function parseEmails(emails: readonly string[] | undefined): readonly string[] | undefined {
  const wrong = emails?.find((email) => !isEmailAddress(email));
  if (wrong !== undefined) {
    throw new UsageError(`${JSON.stringify(wrong)} is no e-mail address.`);
  }
  if (emails !== undefined && emails.length > emailsMax) {
    throw new UsageError(`A project has at most ${emailsMax} recipients.`);
  }
  return emails;
}

/** `undefined` for the deployment's limit. */
function parseLimit(name: LimitOption, text: string): number | undefined {
  if (text === 'default') {
    return undefined;
  }
  const max = hardLimits[name] ?? Number.MAX_SAFE_INTEGER;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > max) {
    throw new UsageError(`--${name} takes a number from 1 to ${max}, or \`default\`.`);
  }
  return value;
}

function changed(
  limits: ProjectRecord['limits'],
  changes: readonly (readonly [LimitOption, number | undefined])[],
): ProjectRecord['limits'] {
  const next = new Map<string, unknown>(Object.entries(limits));
  for (const [name, value] of changes) {
    if (value === undefined) {
      next.delete(limitOptions[name]);
    } else {
      next.set(limitOptions[name], value);
    }
  }
  return Object.fromEntries(next);
}

function printProject(context: AdminContext, project: ProjectRecord | undefined): void {
  if (project === undefined) {
    context.print("The project has nothing of its own: the deployment's limits hold.");
    return;
  }
  context.print(`project  ${project.id}`);
  context.print(`limits   ${shownLimits(project).join(' ') || "the deployment's"}`);
  context.print(`e-mail   ${project.emails.join(', ') || 'nobody'}`);
}

function shownLimits({ limits }: ProjectRecord): string[] {
  return limitNames.flatMap((name) => {
    const value = limits[limitOptions[name]];
    return value === undefined ? [] : [`${name}=${value ?? 'none'}`];
  });
}

export const projectCommands = {
  'projects list': list,
  'projects show': show,
  'projects set': set,
};
