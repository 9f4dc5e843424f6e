// The commands, and what each needs before it can run.
import { createRequire } from 'node:module';
import { ensureBuild } from './build.mjs';
import { runAllTests, runChecks, runSelectedTests } from './checks.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { inProject } from './project.mjs';
import { obtainPython, pythonVariable } from './python.mjs';
import { obtainServers, servers } from './servers.mjs';

const usage = `Usage: npm run <command> [-- arguments]

  npm run demo               a batch of requests through the whole system, then stop; -- --help
  npm start                  everything up until Ctrl-C, state is kept; -- --help
  npm run admin              projects and their keys; -- --help
  npm run check              format, types, lint, dependency rules, dead code, unit tests
  npm test                   check, then every test on real servers, and how many passed;
                             -- -t 'name' or -- path: only those tests, without check
  npm run bench              measurements; -- --help
  npm run chaos              batches while everything is killed, by seeds, and checks; -- --help
  npm run record-histories   record the workflow histories that the replay tests use

Servers (temporal, minio) are taken from LONGHAUL_TEMPORAL_BIN and LONGHAUL_MINIO_BIN, PATH, the
cache in .longhaul/cache, or built with Go from tools/, in this order.
`;

const commands = {
  demo: {
    needs: [ensureDependencies, ensureBuild, ensureServers],
    run: program('demo.js'),
    hasHelp: true,
  },
  start: {
    needs: [ensureDependencies, ensureBuild, ensureServers],
    run: program('start.js'),
    hasHelp: true,
  },
  admin: {
    needs: [ensureDependencies, ensureBuild],
    run: program('admin.js'),
    hasHelp: true,
  },
  bench: {
    needs: [ensureDependencies, ensureBuild, ensureServers],
    run: program('../bench/main.js'),
    hasHelp: true,
  },
  chaos: {
    needs: [ensureDependencies, ensureBuild, ensureServers],
    run: program('chaos.js'),
    hasHelp: true,
  },
  'record-histories': {
    needs: [ensureDependencies, ensureBuild, ensureServers],
    run: program('record-history.js'),
  },
  check: { needs: [ensureDependencies], run: () => runChecks() },
  test: {
    needs: [ensureDependencies, ensureServers, ensurePython, ensureBuild],
    run: (args) => (args.length > 0 ? runSelectedTests(args) : runAllTests()),
  },
  // For whoever runs jest by hand: prints where the servers are, as JSON.
  servers: { needs: [ensureServers], run: printServers },
  // The same for the Python of the contract tests.
  python: { needs: [ensurePython], run: printPython },
};

const helpWanted = (args) => args.includes('--help') || args.includes('-h');

/** @returns the exit code */
export async function runCommand([name = '--help', ...args]) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined || (helpWanted(args) && !command.hasHelp)) {
    const isHelp = command !== undefined || helpWanted([name]) || name === 'help';
    process.stderr.write(isHelp ? usage : `There is no command ${name}.\n\n${usage}`);
    return isHelp ? 0 : 2;
  }
  const needs = helpWanted(args)
    ? command.needs.filter((need) => need !== ensureServers)
    : command.needs;
  for (const need of needs) {
    await need();
  }
  return command.run(args);
}

/** The programs that start servers read these variables. */
async function ensureServers() {
  for (const [name, path] of Object.entries(await obtainServers())) {
    process.env[servers[name].variable] = path;
  }
}

async function ensurePython() {
  process.env[pythonVariable] = await obtainPython();
}

/** A built program: a module that exports `main(args)`, which resolves to its exit code. */
function program(path) {
  return (args) => createRequire(import.meta.url)(inProject('dist', 'scripts', path)).main(args);
}

function printServers() {
  const paths = Object.entries(servers).map(([name, { variable }]) => [
    name,
    process.env[variable],
  ]);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(paths))}\n`);
  return 0;
}

function printPython() {
  process.stdout.write(`${JSON.stringify({ python: process.env[pythonVariable] })}\n`);
  return 0;
}
