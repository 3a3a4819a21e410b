#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { askCommand } from './commands/ask.js'
import { chatCommand } from './commands/chat.js'
import { convertCommand } from './commands/convert.js'
import { infoCommand } from './commands/info.js'
import { pruneCommand } from './commands/prune.js'
import { pullCommand } from './commands/pull.js'
import { quantizeCommand } from './commands/quantize.js'
import { sayCommand } from './commands/say.js'
import { talkCommand } from './commands/talk.js'
import { transcribeCommand } from './commands/transcribe.js'
import { exitCodeOf, report } from './failure.js'
import { print } from './stdout.js'

const EPILOGUE = `
Examples:
  $ moss-speech talk                                   talk, with microphone and speaker
  $ moss-speech chat question.wav -o answer.wav        answer speech with speech
  $ moss-speech chat a.wav b.wav -o answers.wav        two turns of one conversation
  $ moss-speech say "Hello there. 你好。" -o hello.wav   read a text aloud
  $ moss-speech transcribe question.wav --json         what was said, with units and times
  $ moss-speech ask "turn on the kitchen light"        answer a text in writing
  $ moss-speech convert hf:facebook/mms-tts-eng -o eng.gguf   bring in a public checkpoint
  $ cat question.wav | moss-speech chat - -o - > answer.wav

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C (what was said so far is kept, as a whole wav file).`

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as {
    version: string
  }
  let help = Promise.resolve()
  // Subcommands inherit these settings, so they must be set before the subcommands are added.
  const program = new Command('moss-speech')
    .description('Speech in, speech out: a speech language model that runs on this machine.')
    .version(version)
    .addHelpText('after', EPILOGUE)
    .configureOutput({
      writeOut: text => void (help = print(text)),
      outputError: (text, write) => write(text.replace(/^error: /, 'moss-speech: error: ')),
    })
    .showHelpAfterError('(--help shows how to use it)')
    .exitOverride()
  const commands = [
    talkCommand,
    chatCommand,
    sayCommand,
    transcribeCommand,
    askCommand,
    infoCommand,
    convertCommand,
    pullCommand,
    quantizeCommand,
    pruneCommand,
  ]
  for (const make of commands) {
    program.addCommand(make().copyInheritedSettings(program))
  }
  try {
    await program.parseAsync().finally(() => help)
  } catch (thrown) {
    // Commander has already reported its own errors.
    if (!(thrown instanceof CommanderError)) report(thrown)
    process.exitCode = exitCodeOf(thrown)
  }
}

void main()
