export { fuzzSuite } from "./fuzz/fuzz-suite.ts";
