import type { Backend, Policy } from "@ratelimit/core";
import type { BackendReply, KeyScope } from "@ratelimit/core/backend";
import type { Trace } from "../trace.ts";

/** Wraps a backend so that the trace shows its calls. It stays synchronous if it is. */
export function recorded(backend: Backend, trace: Trace): Backend {
  const at = scopeNames(trace);
  return {
    ...(backend.inProcess && { inProcess: true as const }),
    take: (scope, key, cost) => trace.call(`${at(scope)} take(${show(key)}, ${cost})`, () => backend.take(scope, key, cost), reply),
    adjust: (scope, key, tokens) =>
      trace.call(`${at(scope)} adjust(${show(key)}, ${tokens})`, () => backend.adjust(scope, key, tokens), reply),
    block: (scope, key, ms) => trace.call(`${at(scope)} block(${show(key)}, ${ms} ms)`, () => backend.block(scope, key, ms), done),
    reset: (scope, key) => trace.call(`${at(scope)} reset(${show(key)})`, () => backend.reset(scope, key), done),
    close: () => trace.call("close()", () => backend.close(), done),
  };
}

/** Returns a short name for each prefix, and notes what it stands for when it or its policy is new. */
function scopeNames(trace: Trace): (scope: KeyScope) => string {
  const names = new Map<string, string>();
  const policies = new Map<string, Policy>();
  let beginnings = trace.beginnings;
  return ({ prefix, policy }) => {
    if (trace.beginnings !== beginnings) {
      names.clear();
      policies.clear();
      beginnings = trace.beginnings;
    }
    const name = names.get(prefix) ?? `limiter ${names.size + 1}`;
    if (!names.has(prefix)) trace.note(`${name} stores under ${show(prefix)}`);
    if (policies.get(prefix) !== policy) trace.note(`${name} has ${describePolicy(policy)}`);
    names.set(prefix, name);
    policies.set(prefix, policy);
    return `${name}:`;
  };
}

function describePolicy({ limits, blockMs }: Policy): string {
  const texts = limits.map(({ rate, periodMs, burst }) => `${rate} per ${periodMs} ms with a burst of ${burst}`);
  return texts.join(", and ") + (blockMs > 0 ? `, and a block of ${blockMs} ms` : "");
}

/** Shows a key on one line, shortened in the middle. */
function show(key: string): string {
  const text = JSON.stringify(key);
  return text.length <= 60 ? text : `${text.slice(0, 40)}...${text.slice(-10)} (${key.length} characters)`;
}

function reply({ allowed, used, uncharged = 0, blockedMs = 0 }: BackendReply): string {
  const units = typeof used === "number" ? `${used} units in use` : `[${String(used)}] units in use`;
  return [
    allowed ? "allowed" : "refused",
    units,
    ...(uncharged > 0 ? [`${uncharged} tokens uncharged`] : []),
    ...(blockedMs > 0 ? [`blocked for ${blockedMs} ms`] : []),
  ].join(", ");
}

function done(): string {
  return "done";
}
