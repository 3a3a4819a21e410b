const { stderr } = process
let shown = false

/** One line on stderr that is written over, and only where a person sees it; without a text it goes away. */
export function progress(text = ''): void {
  if (!stderr.isTTY || (!shown && !text)) return
  stderr.write(`\r\x1b[K${text && `${text} …`}`)
  shown = text !== ''
}
