import { describe, expect, test } from "vitest";
import { type HttpRequirement, httpRequirements, httpSuite, type Serve } from "../src/index.ts";
import { answersWrongly } from "./broken-answers.ts";
import { judgesWrongly } from "./broken-judging.ts";
import { readsWrongly } from "./broken-reading.ts";
import { ToyAdapter } from "./toy-adapter.ts";

const brokenAdapters = [...answersWrongly, ...judgesWrongly, ...readsWrongly];

/** An adapter that has not answered by then is assumed never to answer. */
const patienceMs = 250;

function by(Adapter: typeof ToyAdapter): Serve {
  return (app) => new Adapter().serve(app);
}

function requirementThatBegins(words: string): HttpRequirement {
  const found = httpRequirements.filter(({ name }) => name.startsWith(words));
  expect(found, `requirements that begin with "${words}"`).toHaveLength(1);
  return found[0] as HttpRequirement;
}

describe("a correct toy adapter meets every requirement", () => httpSuite(test, by(ToyAdapter)));

for (const { what, Adapter, breaks } of brokenAdapters) {
  describe(`an adapter that ${what}`, () => {
    test.each(breaks)("is caught by: %s …", async (words) => {
      await expect(requirementThatBegins(words).verify(by(Adapter), patienceMs)).rejects.toThrow();
    });
  });
}

test("every requirement catches at least one broken adapter", () => {
  const catching = new Set(brokenAdapters.flatMap(({ breaks }) => breaks.map((words) => requirementThatBegins(words).name)));
  expect(httpRequirements.map(({ name }) => name).filter((name) => !catching.has(name))).toEqual([]);
});
