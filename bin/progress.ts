const { stderr } = process
let shown = false

/**
 * Shows progress in one line on stderr, which is overwritten each time, only if stderr is a terminal. Without a text,
 * the line is cleared.
 */
export function progress(text = ''): void {
  if (!stderr.isTTY || (!shown && !text)) return
  stderr.write(`\r\x1b[K${text && `${text} …`}`)
  shown = text !== ''
}
