import { test } from "node:test";
import { proveWith } from "./both-suites.ts";

proveWith(test);
