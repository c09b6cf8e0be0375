/** Registers one test. The `test` of Vitest, of `node:test` and of Jest all fit. */
export type RegisterTest = (name: string, run: () => Promise<void>, timeoutMs: number) => unknown;
