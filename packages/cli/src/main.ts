#!/usr/bin/env node
import { CommanderError } from "commander";
import { failureCode, reasonOf, sentenceOf } from "./failure.ts";
import { createProgram } from "./program.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader such as `head` may close the pipe before all is written.
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`Cannot write to the standard output: ${reasonOf(error)}\n`);
  process.exit(failureCode);
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
