/** A cost that is paid once for each check, and another for each write to a connection that carries checks, in µs of CPU time. */
interface CpuCost {
  readonly perCheck: number;
  readonly perWrite: number;
  /** Added for each limit of a policy after the first. */
  readonly perExtraLimit: number;
}

/** A size in bytes that grows with the key's length, by a byte per character unless said otherwise, and with the limits of a policy. */
interface ByteCost {
  readonly fixed: number;
  readonly perExtraLimit: number;
}

/** What checks cost, measured on one machine. `bench scale` of the repository writes it as JSON for another machine. */
export interface Costs {
  /** When and where it was measured. */
  readonly date: string;
  readonly machine: string;
  readonly redis: CpuCost & {
    /** Added to each check when a master holds ten million keys instead of ten thousand, because they no longer fit into its caches. */
    readonly manyKeys: number;
  };
  /** CPU time of the process that checks. */
  readonly client: CpuCost & {
    /** A refusal that needs no answer from Redis. */
    readonly perLocalRefusal: number;
  };
  readonly request: ByteCost;
  readonly reply: ByteCost;
  readonly storedKey: ByteCost & { readonly perCharacter: number };
  readonly connection: {
    /** How many connections a process opens to each master. */
    readonly perMaster: number;
    /** Memory of the master. */
    readonly bytes: number;
  };
}
