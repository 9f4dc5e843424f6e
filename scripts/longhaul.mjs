#!/usr/bin/env node
// The one entry of every npm script: makes sure that the dependencies, the build and the servers
// are there, then runs the command. Plain JavaScript without dependencies, because it is what
// installs them; and nothing here that an old Node cannot parse, so that it can say that it is old.

const nodeVersionMin = [20, 19];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < nodeVersionMin[0] || (major === nodeVersionMin[0] && minor < nodeVersionMin[1])) {
  console.error(
    `Longhaul needs Node.js ${nodeVersionMin.join('.')} or newer, and this is ${process.versions.node}: ` +
      'install a newer one (https://nodejs.org) and run the command again.',
  );
  process.exit(1);
}

/** `undefined` for a fault of ours, which is shown as it is. */
function messageForUser(error) {
  if (error?.name === 'SetupError') {
    return `\n${error.message}`;
  }
  return typeof error?.syscall === 'string'
    ? `\nThe system refuses something: ${error.message}. Check that you may use it, and that the disk is not full.`
    : undefined;
}

/** A pipe takes 64 KB at once; at an exit, what waits for its reader would be lost. */
function exitWith(exitCode) {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
}

import('./setup/commands.mjs')
  .then(({ runCommand }) => runCommand(process.argv.slice(2)))
  .then(exitWith)
  .catch((error) => {
    console.error(messageForUser(error) ?? error);
    exitWith(1);
  });
