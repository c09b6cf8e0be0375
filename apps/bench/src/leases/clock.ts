/** Reads CLOCK_MONOTONIC, which all processes of a machine share, in ms since the machine started. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
