// Prints the figures of a vitest run from its JSON report; fails if a test failed or if none ran.
import { readFileSync } from "node:fs";

const [, , path = ""] = process.argv;

/** @typedef {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number, testResults: { status: string, assertionResults: unknown[] }[] }} Report */

/** @type {Report} */
const none = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
// A runner that did not get as far as running leaves the file empty.
const text = readFileSync(path, "utf8");
const report = text === "" ? none : /** @type {Report} */ (JSON.parse(text));

// A file that could not be loaded has no tests to count, and is a failure all the same.
const unloaded = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
const passed = report.numPassedTests;
const failed = report.numFailedTests + unloaded;
const skipped = report.numPendingTests + report.numTodoTests;

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
