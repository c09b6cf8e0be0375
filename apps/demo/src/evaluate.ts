import type { Answer } from "./ask.ts";
import { admittedOf, type Range, refusalOf, remainingOf, type Usage } from "./expected.ts";
import type { Step } from "./script.ts";

/** What a step observed, and how that differs from what was expected. */
export interface Observation {
  readonly step: Step;
  readonly admitted: number;
  /** How many requests may be admitted in the time that has passed. */
  readonly expected: Range;
  readonly refused: number;
  /** The header fields of the first answer and of the last. */
  readonly first: Answer["fields"];
  readonly last: Answer["fields"];
  readonly problems: readonly string[];
}

export type Answers = readonly [Answer, ...Answer[]];

/** Compares the answers to a step with what is correct. It was sent from `from` on, after the client had used `before`. */
export function evaluate(step: Step, answers: Answers, from: number, before: Usage | undefined): Observation {
  const [first] = answers;
  const last = lastOf(answers);
  const admitted = admissions(answers).length;
  const refusals = answers.filter(({ status }) => status === 429);
  const { sends, fields = {}, buckets } = step;
  const expected = buckets.length === 0 ? exactly(sends) : admittedOf(sends, buckets, before, from, last.at);
  const other = answers.find(({ status }) => status !== 200 && status !== 429);
  const problems = [
    other && `expected 200 or 429, got ${other.status}`,
    outside("admitted", admitted, expected),
    ...Object.entries(fields).map(([name, value]) => differs(name, first.fields.get(name), value)),
    ...(buckets.length === 0 ? unlimited(answers) : limited(step, answers, from, before)),
  ];
  return {
    step,
    admitted,
    expected,
    refused: refusals.length,
    first: first.fields,
    last: last.fields,
    problems: problems.filter((problem) => problem !== undefined),
  };
}

type Problems = (string | undefined)[];

function unlimited(answers: Answers): Problems {
  const limiting = answers.flatMap(({ fields }) => [...fields.keys()].filter((name) => /ratelimit|^retry-after$/.test(name)));
  return [limiting[0] && `expected no rate limit header, got ${limiting[0]}`];
}

function limited({ buckets }: Step, answers: Answers, from: number, before: Usage | undefined): Problems {
  const [first] = answers;
  const last = lastOf(answers);
  const admitted = admissions(answers);
  const limits = buckets.map(({ limit }) => limit);
  const longest = Math.max(...buckets.map(({ tokens, everyMs }) => tokens * everyMs));
  return [
    outside("X-RateLimit-Remaining", number(first, "x-ratelimit-remaining"), remainingOf(buckets, before, from, first.at)),
    ...answers.map((answer) => oneOf("X-RateLimit-Limit", number(answer, "x-ratelimit-limit"), limits)),
    outside("X-RateLimit-Reset", number(last, "x-ratelimit-reset") - Date.now() / 1000, { least: -1, most: longest / 1000 + 1 }),
    ...admitted.map(({ fields }) => differs("Retry-After of an admission", fields.get("retry-after"), undefined)),
    ...(last.status === 429 ? refused(buckets, last, after(before, answers, from)) : []),
  ];
}

function refused(buckets: Step["buckets"], answer: Answer, usage: Usage): Problems {
  const { retryAfter, limits } = refusalOf(buckets, usage, answer.at);
  return [
    outside("Retry-After", number(answer, "retry-after"), retryAfter),
    oneOf("X-RateLimit-Limit of a refusal", number(answer, "x-ratelimit-limit"), limits),
    outside("X-RateLimit-Remaining of a refusal", number(answer, "x-ratelimit-remaining"), exactly(0)),
    differs("Content-Type of a refusal", answer.fields.get("content-type"), "application/problem+json"),
  ];
}

function outside(what: string, figure: number, { least, most }: Range): string | undefined {
  if (figure >= least && figure <= most) return undefined;
  return `${what}: expected ${least === most ? least : `${least} to ${most}`}, got ${figure}`;
}

function oneOf(what: string, figure: number, figures: readonly number[]): string | undefined {
  return figures.includes(figure) ? undefined : `${what}: expected ${figures.join(" or ")}, got ${figure}`;
}

function differs(what: string, value: string | undefined, expected: string | undefined): string | undefined {
  return value === expected ? undefined : `${what}: expected ${expected ?? "none"}, got ${value ?? "none"}`;
}

function exactly(figure: number): Range {
  return { least: figure, most: figure };
}

/** Returns the value of a header that must consist of digits. */
function number({ fields }: Answer, name: string): number {
  const value = fields.get(name) ?? "";
  return /^\d+$/.test(value) ? Number(value) : Number.NaN;
}

/** Returns what a client has taken from its buckets, these answers included. */
export function after(before: Usage | undefined, answers: Answers, from: number): Usage {
  const { admitted, since } = before ?? { admitted: 0, since: from };
  return { admitted: admitted + admissions(answers).length, since, until: lastOf(answers).at };
}

function admissions(answers: Answers): Answer[] {
  return answers.filter(({ status }) => status === 200);
}

function lastOf(answers: Answers): Answer {
  return answers.at(-1) as Answer;
}
