import { Presets, SingleBar } from "cli-progress";
import type { Reading } from "../logs/source.ts";
import { count } from "./wording.ts";

/** Shows how far a replay is. */
export interface Progress {
  update(reading: Reading): void;
  stop(): void;
}

const mebibyte = 1024 * 1024;
const signals = ["SIGINT", "SIGTERM"] as const;

/**
 * Shows a bar on stderr if that is a terminal, so that neither pipes nor log files receive it.
 * @param bytes the size of all logs; `undefined` if it is not known. The bar then shows only what was read.
 */
export function progressBar(bytes: number | undefined): Progress {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const known = "{bar} {percentage}%  {read} of {size} MB, {lines} lines, {eta_formatted} left";
  const bar = new SingleBar(
    { format: bytes === undefined ? "{read} MB, {lines} lines" : known, clearOnComplete: true, hideCursor: true, etaBuffer: 50 },
    Presets.shades_classic,
  );
  const megabytes = (amount: number): string => count(Math.round(amount / mebibyte));
  const payload = (read: number, lines: number): object => ({ read: megabytes(read), size: megabytes(bytes ?? 0), lines: count(lines) });
  // The bar hides the cursor and turns off line wrapping, so it must be stopped before a signal ends the process.
  const interrupted = (signal: NodeJS.Signals): void => {
    stop();
    process.kill(process.pid, signal);
  };
  const stop = (): void => {
    for (const signal of signals) process.off(signal, interrupted);
    bar.stop();
  };
  for (const signal of signals) process.once(signal, interrupted);
  bar.start(bytes ?? 0, 0, payload(0, 0));
  return {
    update: (reading) => bar.update(bytes === undefined ? 0 : reading.bytes, payload(reading.bytes, reading.lines)),
    stop,
  };
}
