import { rateLimit } from "@ratelimit/express";
import express from "express";

export const app = express();

// X-RateLimit-Limit, -Remaining and -Reset on every response, and Retry-After on a refusal
app.get("/legacy", rateLimit({ rate: 1, period: 60 }), (_req, res) => void res.json({ status: "ok" }));

// RateLimit and RateLimit-Policy of the IETF draft, and Retry-After on a refusal
app.get("/draft", rateLimit({ rate: 1, period: 60, headers: "draft-8" }), (_req, res) => void res.json({ status: "ok" }));
