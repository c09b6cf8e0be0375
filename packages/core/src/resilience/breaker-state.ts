import { channel } from "node:diagnostics_channel";
import { publish } from "../listeners.ts";

/**
 * A message on `ratelimit:breaker`: a circuit breaker has opened or closed, or a failed probe has shown that it must stay open. A listener
 * that subscribes during an outage therefore knows of it within half a second.
 */
export interface BreakerMessage {
  /** Identifies the breaker: the same symbol in all of its messages. */
  readonly breaker: symbol;
  /** The server that the breaker watches, such as `"10.0.0.7:6379"` in a Cluster; empty if the backend has only one. */
  readonly server: string;
  /** Whether calls are kept away from the server. */
  readonly isOpen: boolean;
}

const breakers = channel("ratelimit:breaker");

/** Reports the state of a breaker, if anyone is subscribed. */
export function publishBreaker(message: BreakerMessage): void {
  if (breakers.hasSubscribers) publish(breakers, message, "RATELIMIT_LISTENER_THREW");
}
