/** Returns ms since 1970, on the clock that all processes of the machine share. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}
