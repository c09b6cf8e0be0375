import { httpSuite } from "@ratelimit/conformance";
import Koa from "koa2";
import { test } from "vitest";
import { serveIn } from "./serve.ts";

httpSuite(test, serveIn(Koa));
