import type { Sample } from "./scrape.ts";

/** Returns the metrics and labels of ours in a PromQL expression that a scrape does not have. */
export function unknownNames(expression: string, samples: readonly Sample[]): string[] {
  const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
  const metrics = new Set(samples.map(({ name }) => name));
  const patterns = [...expression.matchAll(/__name__=~"([^"]*)"/g)].map(([, pattern = ""]) => pattern);
  const words = expression.replaceAll(/"[^"]*"/g, "").match(/\b(?:ratelimit_\w+|error_type)\b/g) ?? [];
  return [
    ...words.filter((word) => !labels.has(word) && !metrics.has(word)),
    ...patterns.filter((pattern) => ![...metrics].some((name) => new RegExp(`^(?:${pattern})$`).test(name))),
  ];
}
