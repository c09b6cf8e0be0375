import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Awaitable } from "../../backend/backend.ts";
import { clientClosed } from "./verdict.ts";

/**
 * Calls `settle` once, when a response is over: with its status if it was written whole, or with {@link clientClosed} if the
 * client hung up first, which may have happened already.
 */
export function settleAfterResponse(response: ServerResponse | Http2ServerResponse, settle: (status: number) => Awaitable<void>): void {
  if (isClosed(response)) return void settle(clientClosed);
  let settled = false;
  const settleOnce = (status: number): void => {
    if (!settled) void settle(status);
    settled = true;
  };
  const emitter = response as ServerResponse;
  // Not at "close" alone: without a socket (inject, Lambda) it comes before Node counts the response as written, or never.
  // Ahead of Node's own listener, which takes the socket off the response.
  emitter.prependOnceListener("finish", () => {
    if (isWhole(response)) settleOnce(response.statusCode);
  });
  emitter.once("close", () => settleOnce(clientClosed));
}

/** Node emits "finish" for a response that its client aborted, too. */
function isWhole(response: ServerResponse | Http2ServerResponse): boolean {
  return "stream" in response ? response.writableEnded && response.writableFinished : response.socket?.destroyed !== true;
}

function isClosed(response: ServerResponse | Http2ServerResponse): boolean {
  return "stream" in response ? response.stream.closed : response.closed || response.destroyed;
}
