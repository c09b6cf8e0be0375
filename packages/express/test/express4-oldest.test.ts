import { httpSuite } from "@ratelimit/conformance";
import express from "express4-oldest";
import { test } from "vitest";
import { serveIn } from "./serve.ts";

httpSuite(test, serveIn(express));
