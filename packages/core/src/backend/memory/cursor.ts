import type { PackedBucket } from "./packed-bucket.ts";
import type { Generation, PrefixTable } from "./prefix-table.ts";
import type { Shard } from "./sharded-map.ts";

/** Walks over all buckets of a table, again and again, while buckets are added and removed. */
export class Cursor {
  readonly #tables: ReadonlyMap<string, PrefixTable>;
  #shards: Iterator<readonly [Generation, Shard], undefined> | undefined;
  #buckets: Iterator<readonly [string, PackedBucket]> | undefined;
  generation!: Generation;
  shard!: Shard;
  key!: string;
  bucket!: PackedBucket;

  constructor(tables: ReadonlyMap<string, PrefixTable>) {
    this.#tables = tables;
  }

  /** Moves to the next bucket. Returns false once at the end of each pass. */
  next(): boolean {
    for (;;) {
      const step = this.#buckets?.next();
      if (step !== undefined && !step.done) {
        [this.key, this.bucket] = step.value;
        return true;
      }
      this.#shards ??= shardsOf(this.#tables);
      const next: IteratorResult<readonly [Generation, Shard], undefined> = this.#shards.next();
      if (next.done) {
        this.rest();
        return false;
      }
      [this.generation, this.shard] = next.value;
      this.#buckets = this.shard.entries();
    }
  }

  /** Releases the maps that it stopped in. */
  rest(): void {
    this.#shards = this.#buckets = undefined;
  }
}

function* shardsOf(tables: ReadonlyMap<string, PrefixTable>): Generator<readonly [Generation, Shard], undefined> {
  for (const { generations } of tables.values())
    for (const generation of [...generations]) for (const shard of generation.buckets.shards) yield [generation, shard];
  return undefined;
}
