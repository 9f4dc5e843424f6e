/**
 * Ends our child processes when we are gone. They run in process groups of their own, so that Ctrl-C
 * reaches us alone and we stop them in order; a process that dies by SIGKILL cannot do that. A tiny
 * shell reads the groups to watch from a pipe whose other end only we hold, and kills what is left
 * when the pipe closes, which the system does however we end.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

const script = `
trap '' INT TERM HUP
watched=
while read -r action group; do
  rest=
  for one in $watched; do [ "$one" = "$group" ] || rest="$rest $one"; done
  watched=$rest
  [ "$action" = watch ] && watched="$watched $group"
done
for group in $watched; do kill -s KILL -- "-$group"; done
`;

export class Reaper {
  private readonly shell: ChildProcess;
  private readonly pipe: Socket;

  constructor() {
    this.shell = spawn('/bin/sh', ['-c', script], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // A pipe of a child is a socket, which the types do not say.
    this.pipe = this.shell.stdin as Socket;
    this.pipe.on('error', () => undefined);
    this.shell.unref();
    this.pipe.unref();
  }

  watch(processGroup: number): void {
    this.pipe.write(`watch ${processGroup}\n`);
  }

  forget(processGroup: number): void {
    this.pipe.write(`forget ${processGroup}\n`);
  }

  /** Kills what is still watched, and ends. */
  close(): void {
    this.pipe.end();
  }
}
