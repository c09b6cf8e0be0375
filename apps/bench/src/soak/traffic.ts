import { setTimeout as sleep } from "node:timers/promises";
import { randomOf } from "@ratelimit/testbed/random";
import type { Answers } from "../worker.ts";
import { Client } from "./client.ts";
import { clock } from "./clock.ts";
import { hotKeys, type Kind } from "./rules.ts";
import { type Span, Stalls } from "./stalls.ts";
import { type Mishaps, watchMishaps } from "./station.ts";
import { Tally, type TallyOptions, type Totals } from "./tally.ts";

export interface Setup extends TallyOptions {
  readonly ports: readonly number[];
  readonly seed: number;
}

/** What the whole run came to. */
export interface FinalReport extends Totals {
  readonly unanswered: number;
  readonly mishaps: Mishaps;
}

const tickMs = 10;
/** Each server receives this many requests per second. */
const perSecond = 180;
/** How many requests a server may receive at once. */
const mostBehind = 36;
/** What every nine requests in a row are. */
const mix: readonly Kind[] = ["hot", "known", "known", "hot", "known", "known", "hot", "known", "fresh"];
/** How many requests for known keys a server is behind the one before it: 2 s. */
const lag = 200;
/** Has no divisor in common with the number of known keys, so its multiples visit all of them. */
const stride = 61_813;

/** The process that sends all requests and checks every admission. */
export function open(setup: Setup): Answers {
  const { ports, knownKeys } = setup;
  const mishaps = watchMishaps();
  const stalls = new Stalls();
  const random = randomOf(setup.seed);
  const tally = new Tally(setup);
  const client = new Client(ports, (reply) => tally.add(reply));
  const sent = ports.map(() => 0);
  const known = ports.map((_, server) => -server * lag);
  let fresh = 0;
  let timer: NodeJS.Timeout | undefined;

  const knownKey = (visit: number): number => (((visit * stride) % knownKeys) + knownKeys) % knownKeys;
  const sendNext = (server: number): void => {
    const kind = mix[(sent[server] as number) % mix.length] as Kind;
    sent[server] = (sent[server] as number) + 1;
    if (kind === "hot") void client.send(server, kind, Math.floor(random() * hotKeys));
    else if (kind === "fresh") void client.send(server, kind, fresh++);
    else {
      const visit = known[server] as number;
      known[server] = visit + 1;
      void client.send(server, kind, knownKey(visit));
    }
  };

  return {
    prove: () => {},

    /** Asks every server once for every known key. */
    fill: async (): Promise<void> => {
      let next = 0;
      const keepAsking = async (): Promise<void> => {
        while (next < knownKeys * ports.length) {
          const [server, key] = [next % ports.length, Math.floor(next / ports.length)];
          next++;
          await client.send(server, "known", key);
        }
      };
      await Promise.all(Array.from({ length: 24 }, keepAsking));
      tally.report();
    },

    start: (): void => {
      tally.report();
      const startedAt = performance.now();
      timer = setInterval(() => {
        const due = ((performance.now() - startedAt) / 1000) * perSecond;
        for (const server of ports.keys()) {
          // If this process did not run for a while, it leaves out what it should have sent, instead of sending it all at once.
          sent[server] = Math.max(sent[server] as number, Math.floor(due - mostBehind));
          while (sent[server] < due) sendNext(server);
        }
      }, tickMs);
    },

    outageBegins: () => tally.outageBegins(),
    outageEnds: () => tally.outageEnds(),
    report: () => tally.report(),
    /** Returns when this process did not run during a span. */
    stalls: (span: Span) => stalls.during(span),

    stop: async (): Promise<FinalReport> => {
      clearInterval(timer);
      for (const end = clock() + 5000; client.pending > 0 && clock() < end; ) await sleep(20);
      const unanswered = client.pending;
      client.close();
      return { ...tally.totals, unanswered, mishaps };
    },
  };
}
