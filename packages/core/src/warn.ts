const told = new Set<string>();

/** Tells a doubtful set-up once per process, code and `subject`; every code has a heading in docs/errors.md. */
export function warnOnce(code: string, message: string, subject: string = ""): void {
  const warning = `${code} ${subject}`;
  if (told.has(warning)) return;
  told.add(warning);
  process.emitWarning(message, { type: "RateLimitWarning", code });
}
