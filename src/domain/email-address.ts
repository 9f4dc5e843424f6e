/** Nothing that a mail program would take for a second address, a name or another header. */
const pattern = /^[^\s\p{Cc}@<>,;:"()[\]\\]+@[^\s\p{Cc}@<>,;:"()[\]\\]+$/u;

/** RFC 5321 §4.5.3.1.3: a path, without its angle brackets. */
const lengthMax = 254;

/** Whether a text is one plain e-mail address; not whether anybody reads what is sent there. */
export function isEmailAddress(text: string): boolean {
  return text.length <= lengthMax && pattern.test(text);
}
