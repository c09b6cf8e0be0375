import { RateLimitError } from "@ratelimit/core";

/** Something that the user can put right. It ends the command with one sentence on stderr and exit code 2. */
export class Failure extends Error {}

/** The exit code of a {@link Failure}, and of a command line that cannot be read. */
export const failureCode = 2;

/** The sentence to show for an error that the user can put right; `undefined` for any other error, which is a bug of ours. */
export function sentenceOf(error: unknown): string | undefined {
  return error instanceof Failure || error instanceof RateLimitError ? error.message : undefined;
}

/** The reason that the system or a client gave, such as "ECONNREFUSED", without the data that may stand around it. */
export function reasonOf(error: unknown): string {
  // A Cluster client reports that no node answered, and what the last one said in this field.
  const { code, message, lastNodeError } = error as NodeJS.ErrnoException & { lastNodeError?: Error };
  return lastNodeError === undefined ? (code ?? message) : reasonOf(lastNodeError);
}
