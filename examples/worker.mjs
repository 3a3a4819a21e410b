// The library in worker threads: each has a model of its own. `node examples/worker.mjs`

import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { loadModel } from 'moss-speech-native'

if (isMainThread) {
  for (const text of ['seven', 'good morning', '你好']) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: text })
    worker.on('message', reply => console.log(`${text} → ${reply}`))
  }
} else {
  const model = await loadModel(undefined, { threads: 1 })
  const session = model.createSession()
  const reply = await session.generate({ text: workerData }, { output: 'text' }).result()
  await session.dispose()
  await model.dispose()
  parentPort.postMessage(reply.text)
}
