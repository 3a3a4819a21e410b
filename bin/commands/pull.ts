import { Command } from 'commander'
import { pull, type PullProgress } from '../../lib/index.js'
import { bytesText, printJson } from '../output.js'
import { progress } from '../progress.js'
import { interruptible } from '../run.js'
import { print } from '../stdout.js'
import { percent } from './shared.js'

interface Flags {
  revision: string
  all?: boolean
  json?: boolean
}

const EXAMPLES = `
Examples:
  $ moss-speech pull facebook/wav2vec2-base-960h                     the weights and the small files beside them
  $ moss-speech pull rhasspy/piper-voices "en/en_US/joe/medium/*"     a folder, or a pattern
  $ moss-speech pull owner/repo model.safetensors --revision refs/pr/1
  $ HF_TOKEN=hf_… moss-speech pull owner/private                      or the token that \`hf auth login\` left

What was cut off goes on from there. Variables: HF_HOME, HF_HUB_CACHE (where the files go), HF_ENDPOINT (another server),
HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE.`

export function pullCommand(): Command {
  return new Command('pull')
    .description('Download a repository of the Hugging Face Hub into the cache that its own libraries use.')
    .argument('<repo>', 'owner/name')
    .argument('[files...]', 'files, folders or patterns with * (default: what convert needs)')
    .option('--revision <name>', 'a branch, tag or commit', 'main')
    .option('--all', 'every file')
    .option('--json', 'print one object: { repo, revision, commit, folder, files: [{ name, bytes, cached }] }')
    .addHelpText('after', EXAMPLES)
    .action(run)
}

async function run(repo: string, files: string[], flags: Flags): Promise<void> {
  const wanted = flags.all ? ['*'] : files
  const onProgress = pullReporter(repo)
  const pulled = await interruptible(flags, signal =>
    pull(repo, { revision: flags.revision, ...(wanted.length > 0 && { files: wanted }), signal, onProgress }),
  )
  if (flags.json) return printJson(pulled)
  for (const { name, bytes, cached } of pulled.files) {
    await print(`${bytesText(bytes).padStart(10)}  ${name}${cached ? '  (was here)' : ''}\n`)
  }
  await print(`${pulled.folder}\n`)
}

/** The rate is averaged over this many seconds. */
const RATE_SECONDS = 5

/** Shows the progress of a pull: a line on stderr when it begins and, on a terminal, how far it is. */
export function pullReporter(what: string): (progress: PullProgress) => void {
  const marks: { time: number; done: number }[] = []
  return ({ file, index, count, done, total }) => {
    const time = performance.now() / 1000
    if (marks.length === 0) process.stderr.write(`pulling ${what}: ${count} files, ${bytesText(total)}\n`)
    const last = marks.at(-1)
    if (last && done < last.done) marks.length = 0 // the download was restarted
    marks.push({ time, done })
    while (marks.length > 2 && time - (marks[0]?.time ?? 0) > RATE_SECONDS) marks.shift()
    const [first = { time, done }] = marks
    const rate = time > first.time ? (done - first.done) / (time - first.time) : 0
    const left = rate > 0 ? `, ${bytesText(rate)}/s, ${clock((total - done) / rate)} left` : ''
    progress(`${file} (${index} of ${count}): ${percent(done, total)} of ${bytesText(total)}${left}`)
  }
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const two = (n: number): string => String(n).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
  return hours > 0 ? `${hours}:${rest}` : rest
}
