/** One request of a log: when it was made, and the key of the client that made it. */
export interface Entry {
  /** Unix time in ms. */
  readonly time: number;
  readonly key: string;
}

/** Reads a line: a request, a request that has no key, or a line that is not of this format. */
export type LineParser = (line: string) => Entry | "keyless" | "bad";
