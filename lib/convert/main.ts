import { parentPort, workerData } from 'node:worker_threads'
import { toMossError } from '../errors.js'
import { standBack } from '../worker/priority.js'
import { convertSource } from './index.js'
import type { Job, Jobs, Message, TensorProgress } from './jobs.js'
import { quantizeFile } from './quantize.js'

/** The conversion thread, which runs one job and then ends. */
const post = (message: Message): void => parentPort?.postMessage(message)

const onProgress = (done: number, total: number, tensor: string): void =>
  post({ progress: { done, total, tensor } satisfies TensorProgress })

function run({ name, input }: Job): Promise<unknown> {
  switch (name) {
    case 'convert': {
      const { path, out, type } = input as Jobs['convert']['input']
      return convertSource(path, out, type, onProgress)
    }
    case 'quantize': {
      const { path, out, types } = input as Jobs['quantize']['input']
      return quantizeFile(path, out, types, onProgress)
    }
    case 'prune':
      return import('../prune/job.js').then(({ pruneFile }) =>
        pruneFile(input as Jobs['prune']['input'], progress => post({ progress })),
      )
  }
}

standBack()
void run(workerData as Job).then(
  output => post({ output }),
  (thrown: unknown) => {
    const { message, code, details } = toMossError(thrown)
    post({ error: { message, code, details } })
  },
)
