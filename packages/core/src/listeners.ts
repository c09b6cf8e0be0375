import type { Channel } from "node:diagnostics_channel";
import { warn } from "./warnings.ts";

/** A user's callback for events. Its return value is ignored. */
type Listener<T> = (message: T, channel: string | symbol) => unknown;

/** Listeners that were warned about, so that one that fails on every event causes a single warning. */
const warned = new WeakSet<Listener<never>>();

/** Calls a user's listener. If it throws or rejects, that causes a warning and nothing else. */
export function notify<T>(listener: Listener<T>, message: T, name: string, code: string): void {
  const failed = (error: unknown): void => {
    if (warned.has(listener)) return;
    warned.add(listener);
    warn(code, `${name} threw: ${error instanceof Error ? error.message : "not an Error"}`);
  };
  try {
    Promise.resolve(listener(message, name)).catch(failed);
  } catch (error) {
    failed(error);
  }
}

/**
 * Publishes on a diagnostics channel.
 *
 * `channel.publish` turns an error thrown by a subscriber into an uncaught exception, which ends the process. So this calls the
 * subscribers itself. The field that lists them is undocumented; if Node renames it, `channel.publish` is used instead.
 */
export function publish<T>(channel: Channel, message: T, code: string): void {
  const { _subscribers: subscribers } = channel as unknown as { readonly _subscribers?: unknown };
  if (!Array.isArray(subscribers)) channel.publish(message);
  else
    for (const listener of subscribers.slice() as Listener<T>[]) notify(listener, message, `A listener of ${String(channel.name)}`, code);
}
