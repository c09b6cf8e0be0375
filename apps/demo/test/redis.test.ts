import { backends } from "../src/backends.ts";
import { suite } from "./support/suite.ts";

const [, row] = backends;
suite(row!);
