import assert from "node:assert/strict";
import { test } from "node:test";

import { isSecret, listedTarget, questionOf, repositoryOf, targetOf } from "../../../src/gglib/proxy/web/page/pages/find/results.js";

test("a repository is recognized by its name and by the URL of its page", () => {
  assert.equal(repositoryOf(" ada/coder-GGUF "), "ada/coder-GGUF");
  assert.equal(repositoryOf("https://huggingface.co/ada/coder.7B"), "ada/coder.7B");
  assert.equal(repositoryOf("https://huggingface.co/ada/coder/tree/main"), "ada/coder");
  for (const text of ["llama 3", "llama", "a/b/c", "https://example.org/a/b", "../etc", ""]) assert.equal(repositoryOf(text), null, text);
});

test("a target names one model", () => {
  for (const text of [
    "ada/coder-GGUF:Q4_K_M", "ada/coder:Q8_0@main", "ada/coder@v1", "ada/coder/coder-Q4.gguf", "ada/coder/sub/x.GGUF@abc",
    "https://example.org/x.gguf", "https://example.org/x.gguf?sig=1",
  ]) assert.equal(targetOf(text), text, text);
  for (const text of ["ada/coder", "llama 3b", "llama:8b", "ada/coder/README.md", "https://example.org/x.bin", ""]) assert.equal(targetOf(text), null, text);
});

test("a question is a target, a repository or words", () => {
  assert.deepEqual(questionOf(" llama 3b "), { target: null, repo: null, words: "llama 3b" });
  assert.deepEqual(questionOf("ada/coder"), { target: null, repo: "ada/coder", words: "" });
  assert.deepEqual(questionOf("ada/coder:Q4"), { target: "ada/coder:Q4", repo: "ada/coder", words: "" });
  assert.deepEqual(questionOf("ada/coder/x.gguf@v1"), { target: "ada/coder/x.gguf@v1", repo: "ada/coder", words: "" });
  assert.deepEqual(questionOf("https://example.org/x.gguf"), { target: "https://example.org/x.gguf", repo: null, words: "" });
  assert.deepEqual(questionOf("  "), { target: null, repo: null, words: "" });
});

test("a URL with a query may be signed: it is listed without it", () => {
  for (const url of ["https://example.org/x.gguf?sig=1", " http://example.org/x.gguf#a ", "https://example.org/?x"]) assert.ok(isSecret(url), url);
  for (const text of ["https://example.org/x.gguf", "llama 3?", "ada/coder:Q4", ""]) assert.ok(!isSecret(text), text);
  assert.equal(listedTarget("https://example.org/x.gguf?sig=1#a"), "https://example.org/x.gguf");
  assert.equal(listedTarget("https://example.org/x.gguf"), "https://example.org/x.gguf");
  assert.equal(listedTarget("ada/coder/a#b.gguf"), "ada/coder/a#b.gguf");
});
