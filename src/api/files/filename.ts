/** Longest name that common file systems can hold. */
export const filenameLengthMax = 255;

/** For a part that names no file; also what the Python client sends for bytes. */
const filenameDefault = 'upload';

/** The name without the folders that some clients put before it. */
export function withoutFolders(name: string): string {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  return last === '' || last === '.' || last === '..' ? filenameDefault : last;
}
