/** The state of a bucket as it lies in Redis: docs/state.md describes it. */
export interface StoredBucket {
  /** Milliseconds until every limit is full again. */
  readonly fullInMs: number;
  /** Milliseconds that the key stays blocked; 0 if it is not. */
  readonly blockedMs: number;
  /** The fingerprint of each limit that has used something, and in how many ms it is full again; a little later if a lease holds tokens. */
  readonly limits: readonly { readonly fingerprint: number; readonly fullInMs: number }[];
}

/** An entry of a list: a limit, a block (`b`), or a hold, whose name is that of its limit, an `h` and a number. */
interface Entry {
  readonly name: string;
  readonly endsInMs: number;
}

/** Reads the value of a key and its time to live in ms. Returns `undefined` if it is not a bucket. */
export function readStored(value: unknown, ttlMs: number): StoredBucket | undefined {
  if (typeof value !== "string" || ttlMs < 0) return undefined;
  if (/^\d{1,16}$/.test(value))
    return { fullInMs: ttlMs, blockedMs: 0, limits: [{ fingerprint: Number(value) % 2 ** 32, fullInMs: ttlMs }] };
  if (!/^2(\|(\d+(h\d+)?|b):\d+:\d+)+$/.test(value)) return undefined;
  const entries = value
    .split("|")
    .slice(1)
    .map((entry): Entry => {
      const [name = "", distance] = entry.split(":");
      return { name, endsInMs: Math.max(0, ttlMs - Number(distance)) };
    });
  const isLeased = entries.some(({ name }) => name.includes("h"));
  return {
    // What a lease holds drains after its hold has ended, and the key lives until then.
    fullInMs: isLeased ? ttlMs : Math.max(...entries.map(({ endsInMs }) => endsInMs)),
    blockedMs: entries.find(({ name }) => name === "b")?.endsInMs ?? 0,
    limits: entries.filter(({ name }) => /^\d+$/.test(name)).map(({ name }) => limitOf(name, entries)),
  };
}

/** A limit is not full before its last hold has ended. */
function limitOf(fingerprint: string, entries: readonly Entry[]): StoredBucket["limits"][number] {
  const own = entries.filter(({ name }) => name.split("h")[0] === fingerprint);
  return { fingerprint: Number(fingerprint), fullInMs: Math.max(...own.map(({ endsInMs }) => endsInMs)) };
}
