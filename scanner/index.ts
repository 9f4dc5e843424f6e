/**
 * Certifies request lines: says of a line, in one pass over its bytes, that nothing is wrong with it.
 *
 * AssemblyScript, compiled to WebAssembly with SIMD; `src/scanner/line-scanner.ts` is the other side.
 * A line that is not certified is not thereby bad: it may be written in a way that is not worth the
 * effort here (an escape in its `custom_id`, a key that occurs twice), and is then parsed by
 * `JSON.parse` and judged by the rules in `src/domain/request-line.ts`. The other direction is what
 * everything rests on, and what the tests try to break: a certified line would be accepted there.
 *
 * The host has checked that the bytes are UTF-8, and that they end in a line feed with 16 readable
 * bytes behind it. A line feed is not valid anywhere within a line, so no loop runs past it and none
 * has to look where the end is.
 *
 * Functions that read something take the address where it begins and return the address behind it,
 * or `nowhere` if it is not there.
 *
 * Memory: what the host hands over in `scratchAt`, the accepted models, the records of certified lines,
 * the table of custom IDs, and behind it the bytes to scan.
 */

const nowhere: usize = 0;

/** Where the host writes a text for the next call; an ID of 512 characters takes 1,536 bytes. */
export const scratchAt: usize = 1_024;
const urlAt: usize = 4_096;
const requiredAt: usize = 4_352;
const modelsAt: usize = 4_608;
const modelsEnd: usize = 16_384;
/**
 * Where the lines of the last scan are recorded, in their order: the hash of the custom ID (8 bytes),
 * where the line begins, the blank lines and the embedding inputs before it (4 bytes each).
 */
export const recordsAt: usize = 16_384;
export const recordBytes: usize = 24;
export const recordsMax: i32 = 2_048;
const tableAt: usize = 65_536;

const pageBytes: usize = 65_536;
const depthMax: i32 = 100;
const customIdBytesMax: usize = 512;

let urlBytes: usize = 0;
/** 0 when there is none. */
let requiredBytes: usize = 0;
let lineBytesMax: usize = 0;

/** Lines certified, blank lines skipped and embedding inputs counted by the last scan. */
export let lineCount: i32 = 0;
export let blankCount: i32 = 0;
export let inputCount: i32 = 0;

// ---- What the host sets ----

/**
 * Makes room for the table; to be called once, first.
 *
 * @param slotsMax a power of two, of which the custom IDs to come will fill at most two thirds
 * @returns where the bytes to scan may begin
 */
export function open(slotsMax: i32, key0: u64, key1: u64): usize {
  slotMask = min(slotsMax, slotsMin) - 1;
  asideAt = tableAt + <usize>slotsMax * 8;
  k0 = key0;
  k1 = key1;
  // Before the last time that it grows, half of the slots were there, and two thirds of them full.
  const blockAt = asideAt + <usize>slotsMax * 3;
  const pages = <i32>((blockAt + pageBytes - 1) / pageBytes);
  memory.grow(max(0, pages - memory.size()));
  return blockAt;
}

/** Takes the URL that lines must have, as a JSON string, from the scratch. */
export function setUrl(bytes: usize): void {
  urlBytes = bytes;
  memory.copy(urlAt, scratchAt, bytes);
}

/** Takes the key of the member that a body must have besides its model from the scratch. */
export function setRequired(bytes: usize): void {
  requiredBytes = bytes;
  memory.copy(requiredAt, scratchAt, bytes);
}

export function setLineBytesMax(bytes: usize): void {
  lineBytesMax = bytes;
}

/** Takes one more accepted model, as a JSON string, from the scratch, if there is room for it. */
export function addModel(bytes: usize): void {
  if (modelsBehind + 4 + bytes <= modelsEnd) {
    store<u32>(modelsBehind, <u32>bytes);
    memory.copy(modelsBehind + 4, scratchAt, bytes);
    modelsBehind += 4 + bytes;
  }
}

/** Adds the custom ID in the scratch to the table; false when it was there. */
export function addCustomId(bytes: usize): bool {
  return insert(hash(scratchAt, bytes));
}

/** Whether a line is one JSON value of bounded depth. */
export function isJson(from: usize): bool {
  const behind = value(space(from), 0);
  return behind != nowhere && load<u8>(space(behind)) == LINE_FEED;
}

/** Of the text that was read last: its value, and that of the member that was looked for, if it is there. */
export let valueAt: usize = 0;
export let valueEnd: usize = 0;
export let memberAt: usize = 0;
export let memberEnd: usize = 0;
/** One of its members has a name with escapes, which may be any. */
export let hasEscapedName: bool = false;

let wantedBytes: usize = 0;

/**
 * Whether a text is one JSON value of bounded depth that ends in a line feed. Of an object, finds the
 * last member with the name that is in the scratch, with its quotes.
 */
export function readText(from: usize, nameBytes: usize): bool {
  wantedBytes = nameBytes;
  memberAt = nowhere;
  hasEscapedName = false;
  valueAt = space(from);
  valueEnd = load<u8>(valueAt) == OPEN_BRACE ? outerObject(valueAt) : value(valueAt, 0);
  return valueEnd != nowhere && load<u8>(space(valueEnd)) == LINE_FEED;
}

/** Up to 15 bytes behind the end are replaced as well. */
export function replaceByte(from: usize, end: usize, replaced: u8, by: u8): void {
  for (let p = from; p < end; p += 16) {
    const bytes = v128.load(p);
    const isReplaced = v128.eq<u8>(bytes, v128.splat<u8>(replaced));
    v128.store(p, v128.bitselect(v128.splat<u8>(by), bytes, isReplaced));
  }
}

/** How many elements the list at this address has; the list is valid. */
export function countElements(from: usize): i32 {
  list(from, 1);
  return elements;
}

// ---- Lines ----

/**
 * Certifies one line after another, at most `linesMax`, up to the first that it cannot certify.
 *
 * @param end behind the last line feed
 * @returns where that line begins, or `end`
 */
export function scan(from: usize, end: usize, linesMax: i32): usize {
  lineCount = 0;
  blankCount = 0;
  inputCount = 0;
  let p = from;
  while (p < end) {
    const start = space(p);
    const first = load<u8>(start);
    if (first == LINE_FEED) {
      blankCount += 1;
      p = start + 1;
      continue;
    }
    if (first != OPEN_BRACE || lineCount == linesMax) {
      break;
    }
    inputs = 1;
    const behind = line(start);
    if (behind == nowhere || behind - p > lineBytesMax) {
      break;
    }
    const record = recordAt(lineCount);
    store<u64>(record, hash(idAt, idBytes));
    store<u32>(record, <u32>p, 8);
    store<i32>(record, blankCount, 12);
    store<i32>(record, inputCount, 16);
    lineCount += 1;
    inputCount += inputs;
    p = behind + 1;
  }
  return addCustomIds(p);
}

function recordAt(index: i32): usize {
  return recordsAt + <usize>index * recordBytes;
}

/** Exported, so that the reads that make it are not optimized away. */
export let touched: u64 = 0;

/**
 * Adds the custom IDs of all lines recorded, up to the first that is there already.
 *
 * Nearly each slot is a miss of the processor's cache. All of them are read before the first is
 * looked at: reads that nothing depends on go on at the same time.
 *
 * @returns where the line of that ID begins, or `behind`
 */
function addCustomIds(behind: usize): usize {
  for (let index = 0; index < lineCount; index++) {
    touched ^= load<u64>(slotAt(<u32>load<u64>(recordAt(index))));
  }
  for (let index = 0; index < lineCount; index++) {
    const record = recordAt(index);
    if (!insert(load<u64>(record))) {
      lineCount = index;
      blankCount = load<i32>(record, 12);
      inputCount = load<i32>(record, 16);
      return load<u32>(record, 8);
    }
  }
  return behind;
}

const HAS_ID = 1;
const HAS_METHOD = 2;
const HAS_URL = 4;
const HAS_BODY = 8;
const HAS_ALL = 15;

/** Of the line that is being read. */
let idAt: usize = 0;
let idBytes: usize = 0;
let inputs: i32 = 1;

/** From the brace that opens the line to its line feed. */
function line(open: usize): usize {
  let seen = 0;
  let p = space(open + 1);
  while (true) {
    p = key(p);
    if (p == nowhere) {
      return nowhere;
    }
    const member = lineMember();
    if ((seen & member) != 0) {
      return nowhere;
    }
    seen |= member;
    p = lineValue(p, member);
    if (p == nowhere) {
      return nowhere;
    }
    p = space(p);
    const next = load<u8>(p);
    if (next == CLOSE_BRACE) {
      break;
    }
    if (next != COMMA) {
      return nowhere;
    }
    p = space(p + 1);
  }
  p = space(p + 1);
  return seen == HAS_ALL && load<u8>(p) == LINE_FEED ? p : nowhere;
}

/** Which member the key that was just read names; 0 for any other. */
function lineMember(): i32 {
  if (keyBytes == 9) {
    return load<u64>(keyAt) == CUSTOM_I && load<u8>(keyAt + 8) == 0x64 ? HAS_ID : 0;
  }
  if (keyBytes == 6) {
    return load<u32>(keyAt) == METH && load<u16>(keyAt + 4) == OD ? HAS_METHOD : 0;
  }
  if (keyBytes == 4) {
    return load<u32>(keyAt) == BODY ? HAS_BODY : 0;
  }
  return keyBytes == 3 && load<u16>(keyAt) == UR && load<u8>(keyAt + 2) == 0x6c ? HAS_URL : 0;
}

function lineValue(p: usize, member: i32): usize {
  if (member == HAS_BODY) {
    return load<u8>(p) == OPEN_BRACE ? body(p) : nowhere;
  }
  if (member == HAS_ID) {
    return customId(p);
  }
  if (member == HAS_URL) {
    return equal(p, urlAt, urlBytes) ? p + urlBytes : nowhere;
  }
  if (member == HAS_METHOD) {
    const isPost = load<u8>(p) == QUOTE && load<u32>(p + 1) == POST && load<u8>(p + 5) == QUOTE;
    return isPost ? p + 6 : nowhere;
  }
  return value(p, 1);
}

function customId(p: usize): usize {
  const behind = plainString(p);
  if (behind == nowhere) {
    return nowhere;
  }
  idAt = p + 1;
  idBytes = behind - p - 2;
  return idBytes > 0 && idBytes <= customIdBytesMax ? behind : nowhere;
}

const HAS_MODEL = 1;
const HAS_REQUIRED = 2;
const IS_STREAM = 4;

function body(open: usize): usize {
  const needed = requiredBytes == 0 ? HAS_MODEL : HAS_MODEL | HAS_REQUIRED;
  let seen = 0;
  let p = space(open + 1);
  while (true) {
    p = key(p);
    if (p == nowhere) {
      return nowhere;
    }
    const member = bodyMember();
    if ((seen & member) != 0) {
      return nowhere;
    }
    seen |= member;
    p = bodyValue(p, member);
    if (p == nowhere) {
      return nowhere;
    }
    p = space(p);
    const next = load<u8>(p);
    if (next == CLOSE_BRACE) {
      break;
    }
    if (next != COMMA) {
      return nowhere;
    }
    p = space(p + 1);
  }
  return (seen & needed) == needed ? p + 1 : nowhere;
}

function bodyMember(): i32 {
  if (keyBytes == 5 && load<u32>(keyAt) == MODE && load<u8>(keyAt + 4) == 0x6c) {
    return HAS_MODEL;
  }
  if (keyBytes == 6 && load<u32>(keyAt) == STRE && load<u16>(keyAt + 4) == AM) {
    return IS_STREAM;
  }
  return keyBytes == requiredBytes && requiredBytes != 0 && equal(keyAt, requiredAt, keyBytes)
    ? HAS_REQUIRED
    : 0;
}

function bodyValue(p: usize, member: i32): usize {
  if (member == HAS_MODEL) {
    return model(p);
  }
  const first = load<u8>(p);
  if (member == IS_STREAM && first == 0x74) {
    return nowhere;
  }
  if (member != HAS_REQUIRED) {
    return value(p, 2);
  }
  if (first == 0x6e) {
    return nowhere;
  }
  const behind = value(p, 2);
  inputs = first == OPEN_BRACKET && elements > 1 && !isNumber(space(p + 1)) ? elements : 1;
  return behind;
}

// ---- Models ----

let modelsBehind: usize = modelsAt;
/** The model that was met last: mostly it is the next one too. */
let lastModel: usize = modelsAt;

function model(p: usize): usize {
  const behind = plainString(p);
  if (behind == nowhere || modelsBehind == modelsAt) {
    return nowhere;
  }
  const bytes = behind - p;
  if (isModel(lastModel, p, bytes)) {
    return behind;
  }
  for (let each = modelsAt; each < modelsBehind; each += 4 + load<u32>(each)) {
    if (isModel(each, p, bytes)) {
      lastModel = each;
      return behind;
    }
  }
  return nowhere;
}

function isModel(entry: usize, p: usize, bytes: usize): bool {
  return <usize>load<u32>(entry) == bytes && equal(entry + 4, p, bytes);
}

// ---- JSON (RFC 8259) ----

let keyAt: usize = 0;
let keyBytes: usize = 0;

/** A key without escapes and the colon behind it; leaves its name in `keyAt` and `keyBytes`. */
function key(p: usize): usize {
  const behind = plainString(p);
  if (behind == nowhere) {
    return nowhere;
  }
  keyAt = p + 1;
  keyBytes = behind - p - 2;
  return colon(behind);
}

function colon(p: usize): usize {
  const at = space(p);
  return load<u8>(at) == COLON ? space(at + 1) : nowhere;
}

/** @param depth of what the value stands in */
function value(p: usize, depth: i32): usize {
  const first = load<u8>(p);
  if (first == QUOTE) {
    return string(p);
  }
  if (first == OPEN_BRACE) {
    return object(p, depth + 1);
  }
  if (first == OPEN_BRACKET) {
    return list(p, depth + 1);
  }
  return isNumber(p) ? number(p) : literal(p);
}

function object(open: usize, depth: i32): usize {
  let p = space(open + 1);
  if (depth > depthMax) {
    return nowhere;
  }
  if (load<u8>(p) == CLOSE_BRACE) {
    return p + 1;
  }
  while (true) {
    p = load<u8>(p) == QUOTE ? string(p) : nowhere;
    if (p == nowhere) {
      return nowhere;
    }
    p = colon(p);
    if (p == nowhere) {
      return nowhere;
    }
    p = value(p, depth);
    if (p == nowhere) {
      return nowhere;
    }
    p = space(p);
    const next = load<u8>(p);
    if (next != COMMA) {
      return next == CLOSE_BRACE ? p + 1 : nowhere;
    }
    p = space(p + 1);
  }
}

/** As `object`, for that of a text. */
function outerObject(open: usize): usize {
  let p = space(open + 1);
  if (load<u8>(p) == CLOSE_BRACE) {
    return p + 1;
  }
  while (true) {
    const name = p;
    p = load<u8>(p) == QUOTE ? string(p) : nowhere;
    if (p == nowhere) {
      return nowhere;
    }
    const isWanted = p - name == wantedBytes && equal(name, scratchAt, wantedBytes);
    hasEscapedName = hasEscapedName || load<u8>(special(name + 1)) == BACKSLASH;
    const start = colon(p);
    p = start == nowhere ? nowhere : value(start, 1);
    if (p == nowhere) {
      return nowhere;
    }
    if (isWanted) {
      memberAt = start;
      memberEnd = p;
    }
    p = space(p);
    const next = load<u8>(p);
    if (next != COMMA) {
      return next == CLOSE_BRACE ? p + 1 : nowhere;
    }
    p = space(p + 1);
  }
}

/** Elements of the list that ended last. */
let elements: i32 = 0;

function list(open: usize, depth: i32): usize {
  let p = space(open + 1);
  if (depth > depthMax) {
    return nowhere;
  }
  if (load<u8>(p) == CLOSE_BRACKET) {
    elements = 0;
    return p + 1;
  }
  let count = 1;
  while (true) {
    p = value(p, depth);
    if (p == nowhere) {
      return nowhere;
    }
    p = space(p);
    const next = load<u8>(p);
    if (next != COMMA) {
      elements = count;
      return next == CLOSE_BRACKET ? p + 1 : nowhere;
    }
    count += 1;
    p = space(p + 1);
  }
}

/** A string without escapes. */
function plainString(p: usize): usize {
  if (load<u8>(p) != QUOTE) {
    return nowhere;
  }
  const at = special(p + 1);
  return load<u8>(at) == QUOTE ? at + 1 : nowhere;
}

function string(open: usize): usize {
  let p = special(open + 1);
  while (load<u8>(p) == BACKSLASH) {
    p = escape(p);
    if (p == nowhere) {
      return nowhere;
    }
    if (load<u8>(p) != BACKSLASH) {
      p = special(p);
    }
  }
  return load<u8>(p) == QUOTE ? p + 1 : nowhere;
}

/** The next quote, backslash or control character. */
function special(from: usize): usize {
  let p = from;
  while (true) {
    const bytes = v128.load(p);
    const found = v128.bitmask<u8>(
      v128.or(
        v128.or(
          v128.eq<u8>(bytes, v128.splat<u8>(QUOTE)),
          v128.eq<u8>(bytes, v128.splat<u8>(BACKSLASH)),
        ),
        v128.lt<u8>(bytes, v128.splat<u8>(SPACE)),
      ),
    );
    if (found != 0) {
      return p + ctz(found);
    }
    p += 16;
  }
}

function escape(backslash: usize): usize {
  const p = backslash + 1;
  switch (load<u8>(p)) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return p + 1;
    case 0x75: // u
      return isHex(p + 1) && isHex(p + 2) && isHex(p + 3) && isHex(p + 4) ? p + 5 : nowhere;
    default:
      return nowhere;
  }
}

function isHex(p: usize): bool {
  const byte = load<u8>(p);
  return <u8>(byte - 0x30) < 10 || <u8>((byte | 0x20) - 0x61) < 6;
}

function number(from: usize): usize {
  let p = load<u8>(from) == MINUS ? from + 1 : from;
  p = load<u8>(p) == ZERO ? p + 1 : digits(p);
  if (p != nowhere && load<u8>(p) == DOT) {
    p = digits(p + 1);
  }
  if (p != nowhere && (load<u8>(p) | 0x20) == 0x65) {
    const sign = load<u8>(p + 1);
    p = digits(sign == PLUS || sign == MINUS ? p + 2 : p + 1);
  }
  return p;
}

/** At least one. */
function digits(from: usize): usize {
  let p = from;
  while (isDigit(p)) {
    p += 1;
  }
  return p == from ? nowhere : p;
}

function isDigit(p: usize): bool {
  return <u8>(load<u8>(p) - ZERO) < 10;
}

function isNumber(p: usize): bool {
  return isDigit(p) || load<u8>(p) == MINUS;
}

function literal(p: usize): usize {
  const word = load<u32>(p);
  if (word == TRUE || word == NULL) {
    return p + 4;
  }
  return word == FALS && load<u8>(p + 4) == 0x65 ? p + 5 : nowhere;
}

function space(from: usize): usize {
  let p = from;
  let byte = load<u8>(p);
  while (byte == SPACE || byte == TAB || byte == CARRIAGE_RETURN) {
    p += 1;
    byte = load<u8>(p);
  }
  return p;
}

function equal(left: usize, right: usize, bytes: usize): bool {
  let at: usize = 0;
  while (at + 8 <= bytes) {
    if (load<u64>(left + at) != load<u64>(right + at)) {
      return false;
    }
    at += 8;
  }
  while (at < bytes) {
    if (load<u8>(left + at) != load<u8>(right + at)) {
      return false;
    }
    at += 1;
  }
  return true;
}

// ---- Custom IDs ----

const slotsMin: i32 = 65_536;

let slotMask: u32 = 0;
let idCount: u32 = 0;
let asideAt: usize = 0;

/** Adds a hash to the table, in open addressing with linear probing; false when it was there. */
function insert(id: u64): bool {
  const wanted = id == 0 ? 1 : id;
  let slot = <u32>wanted;
  while (true) {
    const at = slotAt(slot);
    const found = load<u64>(at);
    if (found == 0) {
      store<u64>(at, wanted);
      idCount += 1;
      growIfNeeded();
      return true;
    }
    if (found == wanted) {
      return false;
    }
    slot += 1;
  }
}

/** 0 marks an empty slot. */
function slotAt(slot: u32): usize {
  return tableAt + <usize>(slot & slotMask) * 8;
}

/** Doubles a table that is two thirds full, in its place: its entries are set aside meanwhile. */
function growIfNeeded(): void {
  const slots = slotMask + 1;
  if (idCount * 3 <= slots * 2 || tableAt + <usize>slots * 8 == asideAt) {
    return;
  }
  let aside = asideAt;
  for (let slot: u32 = 0; slot < slots; slot++) {
    const entry = load<u64>(slotAt(slot));
    if (entry != 0) {
      store<u64>(slotAt(slot), 0);
      store<u64>(aside, entry);
      aside += 8;
    }
  }
  slotMask = slots * 2 - 1;
  idCount = 0;
  for (let each = asideAt; each < aside; each += 8) {
    insert(load<u64>(each));
  }
}

let k0: u64 = 0;
let k1: u64 = 0;
let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

/**
 * SipHash-1-3 (Aumasson and Bernstein), under a key that is new for each file: clients choose the IDs,
 * and could otherwise make them all collide.
 */
function hash(from: usize, bytes: usize): u64 {
  v0 = k0 ^ 0x736f6d6570736575;
  v1 = k1 ^ 0x646f72616e646f6d;
  v2 = k0 ^ 0x6c7967656e657261;
  v3 = k1 ^ 0x7465646279746573;
  const rest = bytes & 7;
  const end = from + bytes - rest;
  for (let p = from; p < end; p += 8) {
    mix(load<u64>(p));
  }
  // Reads past the text, but not past the memory.
  const last = load<u64>(end) & (((<u64>1) << (rest << 3)) - 1);
  mix(last | ((<u64>bytes) << 56));
  v2 ^= 0xff;
  round();
  round();
  round();
  return v0 ^ v1 ^ v2 ^ v3;
}

function mix(word: u64): void {
  v3 ^= word;
  round();
  v0 ^= word;
}

function round(): void {
  v0 += v1;
  v1 = rotl(v1, 13) ^ v0;
  v0 = rotl(v0, 32);
  v2 += v3;
  v3 = rotl(v3, 16) ^ v2;
  v0 += v3;
  v3 = rotl(v3, 21) ^ v0;
  v2 += v1;
  v1 = rotl(v1, 17) ^ v2;
  v2 = rotl(v2, 32);
}

// ---- Bytes and words, least significant byte first ----

const TAB: u8 = 0x09;
const LINE_FEED: u8 = 0x0a;
const CARRIAGE_RETURN: u8 = 0x0d;
const SPACE: u8 = 0x20;
const QUOTE: u8 = 0x22;
const PLUS: u8 = 0x2b;
const COMMA: u8 = 0x2c;
const MINUS: u8 = 0x2d;
const DOT: u8 = 0x2e;
const ZERO: u8 = 0x30;
const COLON: u8 = 0x3a;
const OPEN_BRACKET: u8 = 0x5b;
const BACKSLASH: u8 = 0x5c;
const CLOSE_BRACKET: u8 = 0x5d;
const OPEN_BRACE: u8 = 0x7b;
const CLOSE_BRACE: u8 = 0x7d;

const CUSTOM_I: u64 = 0x695f_6d6f_7473_7563;
const METH: u32 = 0x6874_656d;
const OD: u16 = 0x646f;
const UR: u16 = 0x7275;
const BODY: u32 = 0x7964_6f62;
const POST: u32 = 0x5453_4f50;
const MODE: u32 = 0x6564_6f6d;
const STRE: u32 = 0x6572_7473;
const AM: u16 = 0x6d61;
const TRUE: u32 = 0x6575_7274;
const NULL: u32 = 0x6c6c_756e;
const FALS: u32 = 0x736c_6166;
