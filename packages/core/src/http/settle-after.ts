import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Awaitable } from "../backend.ts";
import { clientClosed } from "./verdict.ts";

/** Settles a verdict once Node's response is done with: sent whole, or given up by its client, which may have happened already. */
export function settleAfter(response: ServerResponse | Http2ServerResponse, settle: (status: number) => Awaitable<void>): void {
  const done = (): void => void settle(response.writableEnded && response.writableFinished ? response.statusCode : clientClosed);
  if (isClosed(response)) done();
  else (response as ServerResponse).once("close", done);
}

function isClosed(response: ServerResponse | Http2ServerResponse): boolean {
  return "stream" in response ? response.stream.closed : response.closed;
}
