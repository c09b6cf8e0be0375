import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { clientClosed } from "../exchange.ts";

/**
 * Calls `settle` once, when a response is over: with its status if it was sent completely, or with {@link clientClosed} if the client
 * hung up first, even if that has already happened.
 */
export function settleAfterResponse(response: ServerResponse | Http2ServerResponse, settle: (status: number) => void): void {
  if (isClosed(response)) {
    settle(clientClosed);
    return;
  }
  let settled = false;
  const settleOnce = (status: number): void => {
    if (!settled) settle(status);
    settled = true;
  };
  const emitter = response as ServerResponse;
  // "close" alone is not enough: without a socket (inject, Lambda) it fires before Node counts the response as finished, or never.
  // Prepended, because Node's own "finish" listener detaches the socket, which `isWhole` checks.
  emitter.prependOnceListener("finish", () => {
    if (isWhole(response)) settleOnce(response.statusCode);
  });
  emitter.once("close", () => settleOnce(clientClosed));
}

/** Whether the response was sent completely. Node also emits "finish" for a response that its client aborted. */
function isWhole(response: ServerResponse | Http2ServerResponse): boolean {
  return "stream" in response ? response.writableEnded && response.writableFinished : response.socket?.destroyed !== true;
}

function isClosed(response: ServerResponse | Http2ServerResponse): boolean {
  return "stream" in response ? response.stream.closed : response.closed || response.destroyed;
}
