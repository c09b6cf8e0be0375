#!/usr/bin/env node
import { CommanderError } from "commander";
import { failureCode, sentenceOf } from "./failure.ts";
import { createProgram } from "./program.ts";

// A reader such as `head` may close the pipe before all is written.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = codeOf(error);
}

/** Reports an error that the user can put right and returns its exit code. Any other error ends the process with its stack. */
function codeOf(error: unknown): number {
  // Commander has written its message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : failureCode;
  const sentence = sentenceOf(error);
  if (sentence === undefined) throw error;
  process.stderr.write(`${sentence}\n`);
  return failureCode;
}
