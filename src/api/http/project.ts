import type { IncomingMessage } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator } from '@nestjs/common';
import type { ProjectId } from '../../domain/ids';

const projects = new WeakMap<IncomingMessage, ProjectId>();

/** Remembers whose request this is; for whoever has checked its key. */
export function assignProject(request: IncomingMessage, projectId: ProjectId): void {
  projects.set(request, projectId);
}

/** The project of the key that the request came with. */
export const Project = createParamDecorator((_options: unknown, context: ExecutionContext) => {
  const projectId = projects.get(context.switchToHttp().getRequest<IncomingMessage>());
  if (projectId === undefined) {
    throw new Error('A route was reached without a check of the key');
  }
  return projectId;
});
