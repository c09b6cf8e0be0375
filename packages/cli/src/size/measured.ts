import type { Costs } from "./costs.ts";

/** The costs of the run of `bench scale` that docs/scaling.md shows. They are high, because the machine was busy with other work. */
export const measuredCosts: Costs = {
  date: "2026-11-28",
  machine: "2 × AMD EPYC, Redis 7.0.15, Node 20.20.2",
  redis: { perCheck: 13.6, perWrite: 12.9, perExtraLimit: 2.86, manyKeys: 14.1 },
  client: { perCheck: 29, perWrite: 13.2, perExtraLimit: 3.03, perLocalRefusal: 0.462 },
  request: { fixed: 124, perExtraLimit: 54.7 },
  reply: { fixed: 8.43, perExtraLimit: 10.9 },
  storedKey: { fixed: 131, perCharacter: 1.17, perExtraLimit: 27.4 },
  connection: { perMaster: 1, bytes: 2260 },
};
