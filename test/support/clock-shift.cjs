// Loaded before a program under test: shifts its wall clock by the milliseconds that stand in the file
// which LONGHAUL_TEST_CLOCK names. Timers and performance.now() are not touched, as with a real clock.
const { readFileSync } = require('node:fs');

const RealDate = Date;
let shiftMs = 0;

function look() {
  const text = readFileSync(process.env.LONGHAUL_TEST_CLOCK, 'utf8');
  shiftMs = Number(text);
}

class ShiftedDate extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [ShiftedDate.now()] : args));
  }

  static now() {
    return RealDate.now() + shiftMs;
  }
}

look();
setInterval(look, 50).unref();
globalThis.Date = ShiftedDate;
