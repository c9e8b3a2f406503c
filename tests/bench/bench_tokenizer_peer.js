// SPDX-License-Identifier: MIT
// bench_tokenizer_peer.js TOKENIZER.model TEXTS.jsonl [ROUNDS] -- the same as
// bench_tokenizer.c with the npm package `tiktoken` (Rust in WebAssembly).
// Where the package is: NODE_PATH.
"use strict";
const fs = require("fs");
const { Tiktoken } = require("tiktoken/init");
const { init } = require("tiktoken/init");

const PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" +
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

async function main() {
  const [path, texts_path, rounds] = process.argv.slice(2);
  const wasm = fs.readFileSync(require.resolve("tiktoken/tiktoken_bg.wasm"));
  await init((imports) => WebAssembly.instantiate(wasm, imports));
  const ranks = fs.readFileSync(path, "latin1").trim().split("\n")
    .map((line) => line.split(" ")[0]);
  const encoding = new Tiktoken(`! 0 ${ranks.join(" ")}`, {}, PATTERN);
  const texts = fs.readFileSync(texts_path, "utf8").trim().split("\n")
    .map((line) => JSON.parse(line).text);
  const n_bytes = texts.reduce((n, t) => n + Buffer.byteLength(t), 0);
  const seconds = [];
  let tokens = 0, sum = 0;
  for (let round = 0; round < Number(rounds || 15); round++) {
    const all = [];
    const from = process.cpuUsage().user;
    for (const text of texts) all.push(encoding.encode_ordinary(text));
    seconds.push((process.cpuUsage().user - from) * 1e-6);
    tokens = sum = 0;
    for (const ids of all) {
      tokens += ids.length;
      for (const id of ids) sum += id;
    }
  }
  seconds.sort((a, b) => a - b);
  console.log(JSON.stringify({
    bytes: n_bytes, tokens, id_sum: sum,
    median_mb_s: +(1e-6 * n_bytes / seconds[seconds.length >> 1]).toFixed(2),
    best_mb_s: +(1e-6 * n_bytes / seconds[0]).toFixed(2),
  }));
}

main();
