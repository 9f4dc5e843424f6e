/**
 * Whose request it is, decided by its key before anything of its body is read.
 *
 * A key is looked up by the id inside it, without a cache: one that is revoked is refused from the
 * next request on, by every process. What is stored is its SHA-256 only.
 */
import { timingSafeEqual } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { defaultProjectId, type ProjectId } from '../../domain/ids';
import { apiKeyIdOf } from '../../domain/project';
import { hashOfKey } from '../../storage/project-store';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from './api-error';
import { assignProject } from './project';

const challenge = { 'www-authenticate': 'Bearer' };

/** Lets requests with a key pass, as requests of its project. */
export function requireApiKey({
  projects,
  settings,
}: Pick<ApiDependencies, 'projects' | 'settings'>): RequestHandler {
  const settingsKey = settings.key === undefined ? undefined : hashOfKey(settings.key);
  const projectOf = async (given: string): Promise<ProjectId | undefined> => {
    const hash = hashOfKey(given);
    // Digests have one length, whatever was given, and compare in constant time.
    if (settingsKey !== undefined && timingSafeEqual(hash, settingsKey)) {
      return defaultProjectId;
    }
    const keyId = apiKeyIdOf(given);
    const stored = keyId === undefined ? undefined : await projects.getKey(keyId);
    return stored !== undefined && timingSafeEqual(hash, Buffer.from(stored.sha256, 'hex'))
      ? stored.projectId
      : undefined;
  };
  return async (request: Request, _response: Response, next: NextFunction) => {
    const given = keyOf(request);
    const projectId = settings.isOpen || given === '' ? undefined : await projectOf(given);
    assignProject(request, settings.isOpen ? defaultProjectId : (projectId ?? refuse(given)));
    next();
  };
}

function refuse(given: string): never {
  if (given === '') {
    throw new ApiError(
      'missingApiKey',
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). The operator of this server can tell you the key.",
      { headers: challenge },
    );
  }
  throw new ApiError(
    'wrongApiKey',
    `Incorrect API key provided: ${masked(given)}. The operator of this server can tell you the key.`,
    { headers: challenge },
  );
}

/** With or without the word `Bearer`: some services' examples leave it out. */
function keyOf(request: Request): string {
  const header = request.get('authorization') ?? '';
  return header.replace(/^bearer(\s+|$)/i, '').trim();
}

/** Enough to recognise one's own key, too little to use it. */
function masked(key: string): string {
  const readable = key.replace(/[^\x21-\x7e]/g, '?');
  return readable.length < 16 ? '***' : `${readable.slice(0, 3)}***${readable.slice(-4)}`;
}
