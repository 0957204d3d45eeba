// What this device's clock shows.

/** The last instant that a `Date` can show. What is later makes it throw. */
const LAST = 8.64e15;

/** `14:05:09.123` */
export function toTheMillisecond(at: number): string {
  const date = dateOf(at);
  return `${time(date)}.${digits(date.getMilliseconds(), 3)}`;
}

/** `2026-03-14 14:05:09` */
export function toTheSecond(at: number): string {
  const date = dateOf(at);
  return `${date.getFullYear()}-${digits(date.getMonth() + 1)}-${digits(date.getDate())} ${time(date)}`;
}

/** For the attribute `datetime`. */
export function forMachines(at: number): string {
  return dateOf(at).toISOString();
}

function dateOf(at: number): Date {
  return new Date(Math.min(at, LAST));
}

function time(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((number) => digits(number)).join(":");
}

function digits(number: number, count = 2): string {
  return String(number).padStart(count, "0");
}
