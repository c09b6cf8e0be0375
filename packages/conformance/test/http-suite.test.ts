import { describe, expect, test } from "vitest";
import { type HttpPromise, httpPromises, httpSuite, type Serve } from "../src/index.ts";
import { answersWrongly } from "./broken-answers.ts";
import { judgesWrongly } from "./broken-judging.ts";
import { readsWrongly } from "./broken-reading.ts";
import { ToyAdapter } from "./toy-adapter.ts";

const brokenAdapters = [...answersWrongly, ...judgesWrongly, ...readsWrongly];

/** An adapter that has not answered by then is one that never does. */
const patienceMs = 250;

function by(Adapter: typeof ToyAdapter): Serve {
  return (app) => new Adapter().serve(app);
}

function promiseThatBegins(words: string): HttpPromise {
  const found = httpPromises.filter(({ name }) => name.startsWith(words));
  expect(found, `promises that begin with "${words}"`).toHaveLength(1);
  return found[0] as HttpPromise;
}

describe("an honest toy keeps every promise", () => httpSuite(by(ToyAdapter)));

for (const { what, Adapter, breaks } of brokenAdapters) {
  describe(`an adapter that ${what}`, () => {
    test.each(breaks)("is caught by: %s …", async (words) => {
      await expect(promiseThatBegins(words).holds(by(Adapter), patienceMs)).rejects.toThrow();
    });
  });
}

test("every promise catches somebody", () => {
  const catching = new Set(brokenAdapters.flatMap(({ breaks }) => breaks.map((words) => promiseThatBegins(words).name)));
  expect(httpPromises.map(({ name }) => name).filter((name) => !catching.has(name))).toEqual([]);
});
