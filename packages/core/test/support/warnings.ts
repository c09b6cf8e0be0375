import { setImmediate } from "node:timers/promises";

/** The process warnings of ours that `act` gives rise to. */
export async function warningsOf(act: () => unknown): Promise<{ code: string | undefined; message: string }[]> {
  const warnings: { code: string | undefined; message: string }[] = [];
  const note = (warning: Error & { code?: string }): void => {
    warnings.push({ code: warning.code, message: warning.message });
  };
  process.on("warning", note);
  try {
    await act();
    await setImmediate();
  } finally {
    process.off("warning", note);
  }
  return warnings;
}
