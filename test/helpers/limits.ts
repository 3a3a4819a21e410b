import { spawnSync } from 'node:child_process'

/**
 * A flag for tests of a process whose address space is limited. If V8's optimizing compiler, which runs on a thread of
 * its own, gets no memory, V8 ends the process; so it is switched off.
 */
export const WITHOUT_OPTIMIZER = '--no-opt'

/**
 * The reason to skip such a test, or false.
 *
 * @param stacks - a shell command that limits the stacks of new threads
 */
export function skipWithoutLimits(stacks: string): string | false {
  const can = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
  return process.platform === 'linux' && can('prlimit', '--version') && can('sh', '-c', stacks)
    ? false
    : 'limits the address space with prlimit, and stacks with ulimit, as Linux has them'
}
