import type { Entry } from "./entry.ts";

/** One log, and the request that is next in it. */
interface Queue {
  readonly batches: AsyncIterator<Entry[]>;
  batch: Entry[];
  next: number;
}

/**
 * Merges the requests of several logs by time, so that rotated logs may be named in any order and those of several servers count as one.
 * Each log is expected to be in order by itself; a request that is not keeps its place in its log.
 */
export async function* merged(logs: readonly AsyncIterable<Entry[]>[]): AsyncGenerator<readonly Entry[]> {
  const queues = logs.map((log): Queue => ({ batches: log[Symbol.asyncIterator](), batch: [], next: 0 }));
  const first = await Promise.all(queues.map(refill));
  let open = queues.filter((_, i) => first[i]);
  while (open.length > 1) {
    const [queue, until] = earliest(open);
    const start = queue.next;
    while (queue.next < queue.batch.length && (queue.batch[queue.next] as Entry).time <= until) queue.next++;
    yield queue.batch.slice(start, queue.next);
    if (queue.next === queue.batch.length && !(await refill(queue))) open = open.filter((one) => one !== queue);
  }
  const [last] = open;
  if (last === undefined) return;
  yield last.batch.slice(last.next);
  while (await refill(last)) yield last.batch;
}

/** The queue whose next request is earliest, and the time up to which it may be read before another one is due. */
function earliest(queues: readonly Queue[]): [Queue, number] {
  let [best, until] = [queues[0] as Queue, Number.POSITIVE_INFINITY];
  for (const queue of queues.slice(1)) {
    if (headOf(queue) < headOf(best)) [best, until] = [queue, headOf(best)];
    else until = Math.min(until, headOf(queue));
  }
  return [best, until];
}

function headOf({ batch, next }: Queue): number {
  return (batch[next] as Entry).time;
}

/** Reads the next batch. Returns whether there was one. */
async function refill(queue: Queue): Promise<boolean> {
  const result = await queue.batches.next();
  if (result.done === true) return false;
  queue.batch = result.value;
  queue.next = 0;
  return true;
}
