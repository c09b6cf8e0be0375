import { setImmediate } from "node:timers/promises";

/** A warning as a process emits it. */
export interface EmittedWarning {
  readonly code: string | undefined;
  readonly message: string;
}

/** Returns the warnings that this process emits while `act` runs. */
export async function warningsOf(act: () => unknown): Promise<EmittedWarning[]> {
  const warnings: EmittedWarning[] = [];
  const note = ({ code, message }: Error & { code?: string }): void => void warnings.push({ code, message });
  process.on("warning", note);
  try {
    await act();
    // Node emits a warning in the next turn.
    await setImmediate();
  } finally {
    process.off("warning", note);
  }
  return warnings;
}
