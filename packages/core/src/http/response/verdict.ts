import type { Awaitable } from "../../backend/backend.ts";
import { exposedHeaders, type Fields, type HeaderMode, headerFields, limitNames, type VisibleDecision } from "../../decision/headers.ts";
import { toResult } from "../../decision/result.ts";
import { RateLimitError } from "../../errors.ts";
import { definePolicy } from "../../policy/policy.ts";
import type { Exchange } from "../exchange.ts";
import { type DecidedBy, type Decision, Decisions, type RequestRateLimit } from "./decisions.ts";
import { finalProblem, type Problem, problemOfResult } from "./problem-details.ts";

/** What happens to a request. */
export type Verdict =
  | {
      readonly kind: "pass";
      readonly headers: Fields;
      readonly exposed: readonly string[];
      readonly result: RequestRateLimit;
      readonly settle: ((status: number) => Awaitable<void>) | undefined;
    }
  | {
      readonly kind: "refuse";
      readonly headers: Fields;
      readonly exposed: readonly string[];
      readonly result: RequestRateLimit;
      readonly problem: Problem;
    };

/** The header fields that show a request's decisions to the client, in every mode that the limiters asked for. */
function fieldsOf(decisions: Decisions): Fields {
  return fieldsIn(decisions.modes, decisions.visible);
}

const nothingExposed: readonly string[] = [];

/** The names of the fields that scripts from other origins may read. */
function exposedOf({ areExposed, modes }: Decisions): readonly string[] {
  return areExposed ? [...new Set(modes.flatMap((mode) => exposedHeaders[mode]))] : nothingExposed;
}

export function fieldsIn(modes: readonly HeaderMode[], visible: readonly VisibleDecision[]): Fields {
  const [mode = "none", ...others] = modes;
  const fields = headerFields[mode](visible);
  for (const other of others) Object.assign(fields, headerFields[other](visible));
  return fields;
}

/** Lets a request pass. `settle` is called once after the response, with its status. */
export function pass(decisions: Decisions, settle: ((status: number) => Awaitable<void>) | undefined): Verdict & { kind: "pass" } {
  return { kind: "pass", headers: fieldsOf(decisions), exposed: exposedOf(decisions), result: decisions.carried, settle };
}

/** Refuses a request because of a decision. If retrying never helps, the client learns no quota. */
export function refuse(decision: Decision, decisions: Decisions): Verdict & { kind: "refuse" } {
  const isFinal = decision.retryAfter === Number.POSITIVE_INFINITY;
  const headers = isFinal ? {} : fieldsOf(decisions);
  // Even in the mode "none", an outage is over soon, and clients should come back then.
  if (decision.source === "closed") headers["Retry-After"] ??= "1";
  const problem = problemOfResult(decision, limitNames(decisions.visible, decision));
  return { kind: "refuse", headers, exposed: exposedOf(decisions), result: decisions.carried, problem };
}

/** Refuses a request for good, before any limiter was asked. Nothing is charged. */
export function refuseUnasked(refused: "denied" | "anonymous", detail: string, headers: Fields = {}): Verdict & { kind: "refuse" } {
  const decisions = new Decisions();
  decisions.add(unasked, { limiter: noLimiter, key: "", policy: closedPolicy, modes: [], shadow: false });
  return { kind: "refuse", headers, exposed: nothingExposed, result: decisions.carried, problem: finalProblem(refused, detail) };
}

const closedPolicy = definePolicy({ rate: 0 });
const unasked = { ...toResult(closedPolicy, { allowed: false, used: 0 }, 1), limits: [] };

/** Stands for the limiter of a request that was refused before any limiter was asked. */
const noLimiter: DecidedBy["limiter"] = { name: "none", refund: noBucket, charge: noBucket };

function noBucket(): Promise<never> {
  return Promise.reject(
    new RateLimitError("INVALID_OPTION", "This request was refused without asking a limiter: there is no bucket to correct"),
  );
}

const exposeField = "Access-Control-Expose-Headers";

/** Lets scripts from other origins read some headers, besides those that the app allows them to read. */
export function expose(names: readonly string[], exchange: Exchange): void {
  if (names.length === 0) return;
  const before = listed(exchange.responseHeader(exposeField));
  const lower = new Set(before.map((name) => name.toLowerCase()));
  exchange.setHeader(exposeField, [...before, ...names.filter((name) => !lower.has(name.toLowerCase()))].join(", "));
}

function listed(field: string | undefined): string[] {
  return field?.split(",").map((name) => name.trim()) ?? [];
}
