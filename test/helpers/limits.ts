import { spawnSync } from 'node:child_process'

/**
 * For tests of a process whose address space is limited while it runs. V8 ends a process that gives its optimizing compiler, which works on a thread
 * of its own, no memory at any time: it is left out.
 */
export const WITHOUT_OPTIMIZER = '--no-opt'

/**
 * Why such a test is skipped, or false.
 *
 * @param stacks - a command of the shell that limits the stacks of new threads
 */
export function skipWithoutLimits(stacks: string): string | false {
  const can = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
  return process.platform === 'linux' && can('prlimit', '--version') && can('sh', '-c', stacks)
    ? false
    : 'limits the address space with prlimit, and stacks with ulimit, as Linux has them'
}
