// The vendored libraries load as modules and fit together: one copy of preact, one of the signals.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const VENDOR = '../../../src/gglib/proxy/web/page/vendor/';
const { createElement, Fragment, options } = await import(`${VENDOR}preact.js`);
const { useState } = await import(`${VENDOR}hooks.js`);
const core = await import(`${VENDOR}signals-core.js`);
const signals = await import(`${VENDOR}signals.js`);
const { default: htm } = await import(`${VENDOR}htm.js`);
const { marked } = await import(`${VENDOR}marked.js`);

test('htm makes elements of preact', () => {
  const html = htm.bind(createElement);
  const element = html`<p class="a">${1}</p>`;
  assert.equal(element.type, 'p');
  assert.deepEqual(element.props, { class: 'a', children: 1 });
  assert.equal(typeof Fragment, 'function');
});

test('signals are those of the core, and are attached to preact', () => {
  assert.equal(signals.signal, core.signal);
  const count = signals.signal(1);
  const double = core.computed(() => count.value * 2);
  count.value = 4;
  assert.equal(double.value, 8);
  assert.ok(Object.keys(options).length > 0);
  assert.equal(typeof useState, 'function');
});

test('marked parses Markdown', () => {
  const [paragraph] = marked.lexer('**a**');
  assert.deepEqual([paragraph.type, paragraph.tokens[0].type], ['paragraph', 'strong']);
});
